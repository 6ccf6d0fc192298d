"""The agent's ear on one leg: it remembers what was heard and tells when the person speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from ringback.media.activity import SpeechActivity, SpeechStarted, SpeechStopped
from ringback.media.frame import FRAME_MS, SAMPLE_RATE, Frame, Samples
from ringback.media.speech import VoiceStream

MEMORY_S: Final = 30
"""Of an utterance that is longer, its last 30 s are transcribed (what Whisper can take)."""
PRE_ROLL_S: Final = 0.3
"""Heard before the voice detector was sure: the soft beginning of the first word."""


class Ear:
    """A `VoiceStream` around another, for `CallAudio` to push frames into."""

    def __init__(
        self,
        stream: VoiceStream,
        window_ms: int,
        on_activity: Callable[[SpeechStarted | SpeechStopped, float], None],
    ) -> None:
        """`on_activity` is called inside `take` with the change and how many seconds ago it was."""
        self._stream = stream
        self._activity = SpeechActivity(window_ms)
        self._on_activity = on_activity
        self._memory: Samples = np.zeros(MEMORY_S * SAMPLE_RATE, dtype=np.int16)
        self._position = 0
        """Samples heard so far."""

    def push(self, frame: Frame) -> None:
        start = self._position % len(self._memory)
        self._memory[start : start + len(frame)] = frame
        self._position += len(frame)
        self._stream.push(frame)

    def take(self) -> list[float]:
        """Judges the windows that are complete by now; nothing is left of them."""
        for probability in self._stream.take():
            change = self._activity.push(probability)
            if change is not None:
                position_ms = self._position * 1000 // SAMPLE_RATE
                self._on_activity(change, (position_ms - change.at_ms) / 1000)
        return []

    def close(self) -> None:
        self._stream.close()

    def last(self, seconds: float) -> Samples:
        """A copy of the last so many seconds and the pre-roll before them."""
        wanted = int((seconds + PRE_ROLL_S) * SAMPLE_RATE)
        count = max(0, min(wanted, self._position, len(self._memory)))
        end = self._position % len(self._memory)
        if count <= end:
            return self._memory[end - count : end].copy()
        return np.concatenate((self._memory[end - count :], self._memory[:end]))


assert MEMORY_S * 1000 % FRAME_MS == 0, "a frame must not wrap around the end of the memory"
