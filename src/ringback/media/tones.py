"""Steady tones on a line: the beep of an answering machine, special information tones, fax machines and modems.

Two frames at a time are looked at in one short spectrum. A sound is tonal where nearly all of its energy is at one or
two frequencies that stay; voices glide and have many overtones. What a row of tones means is told when silence follows
it, for music goes on and so does a voice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from ringback.media.frame import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame

_SIZE: Final = 2 * FRAME_SAMPLES
_BIN_HZ: Final = SAMPLE_RATE / _SIZE
_WINDOW: Final = np.hanning(_SIZE)
_LOWEST, _HIGHEST = int(300 / _BIN_HZ), int(3400 / _BIN_HZ)
_LOBE: Final = 2
"""Bins to each side of its own that a steady tone fills under the window."""
_PURE: Final = 0.6
"""Share of a tonal sound's energy at its strongest frequency."""
_PURE_OF_TWO: Final = 0.95
"""At its two strongest: vowels have as much as 0.9."""
_KEY_ROWS: Final = (697, 770, 852, 941)
_KEY_COLUMNS: Final = (1209, 1336, 1477, 1633)
_KEY_HZ: Final = 25.0
_KEY_SHARE: Final = 0.1
"""Of its energy, the weaker tone of a key has at least so much."""
_QUIETEST: Final = 60.0
"""RMS below which nothing counts, in int16 units: -55 dBov."""
_STAYS_HZ: Final = 18.0
_STEADY: Final = 0.7
"""Four of five frames of a tone have at least so much of its greatest RMS."""
_GAP: Final = 2
"""Frames for which a tone may be disturbed; longer ends it."""
_LEAST_MS: Final = 100
_LOW_HZ: Final = 600.0
_LEAST_LOW_MS: Final = 200
"""Below it vowels are nearly tones for as long as 0.2 s."""
_FALL: Final = 0.7
"""What follows a tone, or a row of them, has at most so much of its RMS."""
_LONGEST_BEEP_MS: Final = 3000
_ANSWER_MS: Final = 600
"""An answering tone of a fax machine or a modem is told of while it lasts: 3 s and more."""


class ToneKind(StrEnum):
    BEEP = "beep"
    """One steady tone: an answering machine records from its end on."""
    INFORMATION = "information"
    """Three rising tones before an announcement of the network (ITU-T E.180)."""
    CALLING = "calling"
    """1100 Hz for half a second: a fax machine that calls (ITU-T T.30)."""
    ANSWER = "answer"
    """2100 or 2225 Hz for long: a fax machine or a modem that answers (ITU-T V.25, Bell 103)."""


@dataclass(frozen=True, slots=True)
class Tone:
    kind: ToneKind
    hz: int
    """Of its strongest frequency; of a row of tones, of the first."""
    ms: int
    """How long it lasted, or has lasted by now."""


class _Steady:
    """A tone that is or was heard."""

    def __init__(self, hz: float, rms: float) -> None:
        self.hz = hz
        self.levels = [rms]
        self.gap = 0
        """Frames since it was heard last."""

    @property
    def ms(self) -> int:
        return len(self.levels) * FRAME_MS

    @property
    def rms(self) -> float:
        return max(self.levels)

    def go_on(self, hz: float, rms: float) -> None:
        self.hz += (hz - self.hz) / 4
        self.levels += [rms] * (self.gap + 1)
        self.gap = 0

    @property
    def counts(self) -> bool:
        """It is no accident of a voice."""
        if self.ms < (_LEAST_MS if self.hz > _LOW_HZ else _LEAST_LOW_MS):
            return False
        inner = sorted(self.levels[1:-1])
        return inner[len(inner) // 5] >= _STEADY * inner[-1]


class ToneDetector:
    """One line's: give it every frame. About 40 microseconds a frame."""

    def __init__(self) -> None:
        self._before: Frame = SILENCE
        self._now: _Steady | None = None
        self._row: list[_Steady] = []
        """Tones before the present one that it followed at once."""
        self._told = False

    def hears(self, frame: Frame) -> Tone | None:
        """What the line has just said with tones."""
        both = np.concatenate((self._before, frame)).astype(np.float64)
        self._before = frame
        rms = float(np.sqrt(np.mean(np.square(both[FRAME_SAMPLES:]))))
        hz = _steady(both) if rms > _QUIETEST else None
        if hz is not None:
            return self._tonal(hz, rms)
        return self._other(rms) if self._now is not None else None

    def _tonal(self, hz: float, rms: float) -> Tone | None:
        now = self._now
        if now is None or abs(hz - now.hz) > _STAYS_HZ:
            # The first frame of another tone may be half of the one before.
            self._row = [*self._row, now] if now is not None and now.counts else self._row[-3:]
            self._now = _Steady(hz, rms)
            return None
        now.go_on(hz, rms)
        if now.ms >= _ANSWER_MS and not self._told and _answers(now.hz):
            self._told = True
            return Tone(ToneKind.ANSWER, round(now.hz), now.ms)
        return None

    def _other(self, rms: float) -> Tone | None:
        """No tone in this frame: the last one is disturbed, or over."""
        assert self._now is not None
        self._now.gap += 1
        if self._now.gap <= _GAP:
            return None
        row = [tone for tone in (*self._row, self._now) if tone.counts]
        told, self._row, self._now, self._told = self._told, [], None, False
        return _meaning(row) if row and rms < _FALL * row[-1].rms and not told else None


def _steady(audio: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float | None:
    """Its strongest frequency, if one or two frequencies are nearly all of it."""
    power = np.square(np.abs(np.fft.rfft(audio * _WINDOW)))[: _HIGHEST + _LOBE + 1]
    power[: _LOWEST - _LOBE] = 0.0
    whole = float(power.sum())
    peak = int(power[_LOWEST:_HIGHEST].argmax()) + _LOWEST
    low, high = peak - _LOBE, peak + _LOBE + 1
    share = float(power[low:high].sum())
    hz = float(np.dot(power[low:high], np.arange(low, high))) / share * _BIN_HZ if share else 0.0
    power[low:high] = 0.0
    second = int(power.argmax())
    other = float(power[max(0, second - _LOBE) : second + _LOBE + 1].sum())
    if other > _KEY_SHARE * whole and _is_key(*sorted((hz, second * _BIN_HZ))):
        return None
    if share >= _PURE * whole:
        return hz
    # Of two, the lower: which is the stronger may change.
    return min(hz, second * _BIN_HZ) if share + other >= _PURE_OF_TWO * whole else None


def _is_key(low: float, high: float) -> bool:
    """Somebody presses a key of the telephone (ITU-T Q.23), which is no beep."""
    return any(abs(low - hz) < _KEY_HZ for hz in _KEY_ROWS) and any(
        abs(high - hz) < _KEY_HZ for hz in _KEY_COLUMNS
    )


def _meaning(row: list[_Steady]) -> Tone | None:
    if len(row) >= 3 and _informs(row[-3:]):
        return Tone(ToneKind.INFORMATION, round(row[-3].hz), sum(tone.ms for tone in row[-3:]))
    first = max(row, key=lambda tone: tone.ms)
    if len(row) > 2 or first.ms > _LONGEST_BEEP_MS:
        return None  # a melody
    calls = abs(first.hz - 1100) < 40 and 400 <= first.ms <= 600
    return Tone(ToneKind.CALLING if calls else ToneKind.BEEP, round(first.hz), first.ms)


def _informs(row: list[_Steady]) -> bool:
    bands = ((880, 1020), (1340, 1460), (1740, 1820))
    return all(low < tone.hz < high for tone, (low, high) in zip(row, bands, strict=True))


def _answers(hz: float) -> bool:
    return abs(hz - 2100) < 25 or abs(hz - 2225) < 40
