"""The agent's ear on one leg: it remembers what was heard and tells when the person speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from ringback.media.activity import SpeechActivity, SpeechStarted, SpeechStopped
from ringback.media.frame import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, Frame, Samples
from ringback.media.sound_watch import SPEECH_FRAMES, SoundWatch
from ringback.media.speech import VoiceStream
from ringback.media.tones import Tone, ToneDetector

MEMORY_S: Final = 30
"""Of an utterance that is longer, its last 30 s are transcribed (what Whisper can take)."""
_WATCH_MS: Final = 3000
"""Longer than a turn of the person's waits for an answer."""
PRE_ROLL_S: Final = 0.3
"""Heard before the voice detector was sure: the soft beginning of the first word."""


class Ear:
    """A `VoiceStream` around another, for `CallAudio` to push frames into."""

    def __init__(
        self,
        stream: VoiceStream,
        window_ms: int,
        on_activity: Callable[[SpeechStarted | SpeechStopped, float], None],
        on_sound: Callable[[], None] = lambda: None,
        on_tone: Callable[[Tone], None] | None = None,
    ) -> None:
        """Both are called inside `take`: `on_activity` with the change and how many seconds ago it was, `on_sound`
        when there is a sound in the silence after speech, which may become speech (see `SoundWatch`), `on_tone` with
        what the line says with tones."""
        self._stream = stream
        self._activity = SpeechActivity(window_ms)
        self._on_activity = on_activity
        self._on_sound = on_sound
        self._on_tone = on_tone
        self._tones = ToneDetector() if on_tone is not None else None
        self._heard_tones: list[Tone] = []
        self._watch: SoundWatch | None = None
        self._sounds = False
        self._memory: Samples = np.zeros(MEMORY_S * SAMPLE_RATE, dtype=np.int16)
        self._position = 0
        """Samples heard so far."""

    def push(self, frame: Frame) -> None:
        start = self._position % len(self._memory)
        self._memory[start : start + len(frame)] = frame
        self._position += len(frame)
        if self._watch is not None and self._watch.hears(frame):
            self._sounds = True
        if self._tones is not None and (tone := self._tones.hears(frame)) is not None:
            self._heard_tones.append(tone)
        self._stream.push(frame)

    def take(self) -> list[float]:
        """Judges the windows that are complete by now; nothing is left of them."""
        for probability in self._stream.take():
            change = self._activity.push(probability)
            if change is not None:
                position_ms = self._position * 1000 // SAMPLE_RATE
                self._on_activity(change, (position_ms - change.at_ms) / 1000)
                self._attend(isinstance(change, SpeechStopped))
        heard, self._heard_tones = self._heard_tones, []
        for tone in heard:
            assert self._on_tone is not None
            self._on_tone(tone)
        if self._sounds:
            self._sounds = False
            self._on_sound()
        elif self._watch is not None and self._activity.silence_ms > _WATCH_MS:
            self._watch = None
        return []

    def _attend(self, silent: bool) -> None:
        self._sounds = False
        self._watch = SoundWatch(self._last(SPEECH_FRAMES * FRAME_SAMPLES)) if silent else None

    def stop_tones(self) -> None:
        """Listen for tones no longer."""
        self._tones = None

    def close(self) -> None:
        self._stream.close()

    def last(self, seconds: float) -> Samples:
        """A copy of the last so many seconds and the pre-roll before them."""
        return self._last(int((seconds + PRE_ROLL_S) * SAMPLE_RATE))

    def _last(self, samples: int) -> Samples:
        count = max(0, min(samples, self._position, len(self._memory)))
        end = self._position % len(self._memory)
        if count <= end:
            return self._memory[end - count : end].copy()
        return np.concatenate((self._memory[end - count :], self._memory[:end]))


assert MEMORY_S * 1000 % FRAME_MS == 0, "a frame must not wrap around the end of the memory"
