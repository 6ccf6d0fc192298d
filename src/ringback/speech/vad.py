"""Speech or not, for all calls of a process in one batch: Silero VAD on onnxruntime."""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ringback.media.frame import SAMPLE_RATE, Frame
from ringback.speech.level_gate import MARGIN_DB, LevelGate
from ringback.speech.weights import SILERO_VAD

WINDOW_SAMPLES: Final = 256
"""The model takes 32 ms windows at 8 kHz, each preceded by the last CONTEXT_SAMPLES of the one before."""
CONTEXT_SAMPLES: Final = 32
_INPUT_SAMPLES: Final = CONTEXT_SAMPLES + WINDOW_SAMPLES
_STATE_SIZE: Final = 128

_BUFFER_SAMPLES: Final = CONTEXT_SAMPLES + 8 * WINDOW_SAMPLES
"""A stream keeps at most 256 ms that no run has seen; beyond that its oldest audio is dropped."""
_MAX_UNREAD: Final = 256

_Floats = npt.NDArray[np.float32]


class SileroVoiceStream:
    """One call's place in the detector. Implements `media.speech.VoiceStream`."""

    def __init__(self, detector: SileroVoiceDetector, slot: int) -> None:
        self._detector = detector
        self.slot = slot
        self._audio: _Floats = np.zeros(_BUFFER_SAMPLES, dtype=np.float32)
        self._filled = CONTEXT_SAMPLES
        self._unread: deque[float] = deque(maxlen=_MAX_UNREAD)

    def push(self, frame: Frame) -> None:
        """Take any number of samples up to a window; 20 ms frames as a rule."""
        if self._filled + len(frame) > _BUFFER_SAMPLES:
            self.advance()
        end = self._filled + len(frame)
        np.multiply(frame, np.float32(1 / 32768), out=self._audio[self._filled : end])
        self._filled = end

    def take(self) -> list[float]:
        unread = list(self._unread)
        self._unread.clear()
        return unread

    def close(self) -> None:
        """Give the slot back; idempotent."""
        self._detector.release(self)

    @property
    def ready(self) -> bool:
        return self._filled >= _INPUT_SAMPLES

    def window(self) -> _Floats:
        """The oldest complete window with its context."""
        return self._audio[:_INPUT_SAMPLES]

    def advance(self) -> None:
        """Forget the oldest window; its tail becomes the next one's context."""
        rest = self._filled - WINDOW_SAMPLES
        self._audio[:rest] = self._audio[WINDOW_SAMPLES : self._filled]
        self._filled = rest

    def put(self, probability: float) -> None:
        self._unread.append(probability)


class SileroVoiceDetector:
    """One model session for all streams of a process. Implements `media.speech.VoiceDetector`.

    Not thread-safe: streams and `run` belong to the thread that ticks audio. Raises WeightsError at creation.
    """

    window_ms: int = WINDOW_SAMPLES * 1000 // SAMPLE_RATE

    def __init__(self, *, own_voice_only: bool = True) -> None:
        """`own_voice_only`: people in the background don't count (see `LevelGate`)."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            str(SILERO_VAD.verified()), options, providers=["CPUExecutionProvider"]
        )
        self._rate = np.array(SAMPLE_RATE, dtype=np.int64)
        self._streams: dict[int, SileroVoiceStream] = {}
        self._free: list[int] = []
        self._input: _Floats = np.zeros((0, _INPUT_SAMPLES), dtype=np.float32)
        self._state: _Floats = np.zeros((2, 0, _STATE_SIZE), dtype=np.float32)
        self._gate = LevelGate(0, margin_db=MARGIN_DB if own_voice_only else math.inf)
        self._grow(16)

    def open(self) -> SileroVoiceStream:
        if not self._free:
            self._grow(2 * len(self._input))
        slot = self._free.pop()
        self._state[:, slot] = 0.0
        self._gate.reset(slot)
        stream = self._streams[slot] = SileroVoiceStream(self, slot)
        return stream

    def release(self, stream: SileroVoiceStream) -> None:
        if self._streams.get(stream.slot) is stream:
            del self._streams[stream.slot]
            self._free.append(stream.slot)

    def run(self) -> None:
        """One batched inference; more only for streams that fell behind by several windows."""
        while ready := [stream for stream in self._streams.values() if stream.ready]:
            self._run_batch(ready)

    def _run_batch(self, streams: list[SileroVoiceStream]) -> None:
        slots = [stream.slot for stream in streams]
        batch = self._input[: len(streams)]
        for row, stream in zip(batch, streams, strict=True):
            row[:] = stream.window()
            stream.advance()
        probabilities, state = self._session.run(
            None, {"input": batch, "state": self._state[:, slots], "sr": self._rate}
        )
        self._state[:, slots] = state
        own = self._gate.apply(slots, batch[:, CONTEXT_SAMPLES:], probabilities[:, 0])
        for stream, probability in zip(streams, own.tolist(), strict=True):
            stream.put(probability)

    def _grow(self, capacity: int) -> None:
        held = len(self._input)
        self._input = np.zeros((capacity, _INPUT_SAMPLES), dtype=np.float32)
        state = np.zeros((2, capacity, _STATE_SIZE), dtype=np.float32)
        state[:, :held] = self._state
        self._state = state
        self._gate.grow(capacity)
        self._free.extend(reversed(range(held, capacity)))
