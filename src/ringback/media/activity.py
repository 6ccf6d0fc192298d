"""From speech probabilities to "the person started / stopped speaking", with hysteresis. Pure, no clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    at_ms: int
    """Where the speech began: the start of its first window, in milliseconds of audio."""


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    at_ms: int
    """Where the speech ended: the end of its last window, in milliseconds of audio."""


@dataclass(frozen=True, slots=True)
class ActivitySettings:
    """When a row of probabilities counts as speech.

    The two thresholds are apart so that a voice hovering around one of them doesn't flicker.
    """

    onset: float = 0.5
    """A window with at least this probability may begin speech."""
    offset: float = 0.35
    """A window below this probability is silence; it may not exceed `onset`."""
    certain: float = 0.8
    """A window with at least this probability is speech at once: no click is so like it."""
    min_speech_ms: int = 64
    """With less, so much speech without a silent window is needed for SpeechStarted: clicks and coughs are shorter."""
    hangover_ms: int = 192
    """So much unbroken silence is needed for SpeechStopped: the gaps inside words are shorter."""

    def __post_init__(self) -> None:
        if not 0.0 < self.offset <= self.onset <= self.certain <= 1.0 or self.onset == 1.0:
            raise ValueError(
                "activity thresholds must satisfy 0 < offset <= onset <= certain <= 1, onset < 1, "
                f"not offset={self.offset} onset={self.onset} certain={self.certain}"
            )
        if self.min_speech_ms < 0 or self.hangover_ms < 0:
            raise ValueError("activity durations must not be negative")


class SpeechActivity:
    """One call's activity: give it each window's probability in order; it answers with what just changed."""

    def __init__(self, window_ms: int, settings: ActivitySettings | None = None) -> None:
        self._window_ms = window_ms
        self._settings = settings or ActivitySettings()
        self._now_ms = 0
        self._began_ms: int | None = None
        self._last_speech_ms = 0
        self.speaking = False
        """Between SpeechStarted and SpeechStopped."""

    @property
    def now_ms(self) -> int:
        """Milliseconds of audio seen."""
        return self._now_ms

    @property
    def silence_ms(self) -> int:
        """Milliseconds since the last speech, counted from its last window and also before SpeechStopped;
        0 while the person speaks. Sounds too short to be speech don't interrupt it."""
        return self._now_ms - self._last_speech_ms

    def push(self, probability: float) -> SpeechStarted | SpeechStopped | None:
        """Take the next window's speech probability (0..1)."""
        self._now_ms += self._window_ms
        return self._while_speaking(probability) if self.speaking else self._while_silent(probability)

    def _while_silent(self, probability: float) -> SpeechStarted | None:
        if self._began_ms is None and probability >= self._settings.onset:
            self._began_ms = self._now_ms - self._window_ms
        if self._began_ms is None:
            return None
        if probability < self._settings.offset:
            self._began_ms = None
            return None
        certain = probability >= self._settings.certain
        if not certain and self._now_ms - self._began_ms < self._settings.min_speech_ms:
            return None
        started = SpeechStarted(self._began_ms)
        self._began_ms = None
        self._last_speech_ms = self._now_ms
        self.speaking = True
        return started

    def _while_speaking(self, probability: float) -> SpeechStopped | None:
        if probability >= self._settings.offset:
            self._last_speech_ms = self._now_ms
            return None
        if self.silence_ms < self._settings.hangover_ms:
            return None
        self.speaking = False
        return SpeechStopped(self._last_speech_ms)
