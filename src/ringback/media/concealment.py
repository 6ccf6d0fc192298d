"""What is played where a packet is missing: the voice goes on for a moment as it was, and fades.

The last pitch period is repeated, as ITU-T G.711 Appendix I has it, without the delay of its overlap: the step at the
seam is levelled out instead.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ringback.media.frame import FRAME_SAMPLES, SILENCE, Frame

_SHORTEST: Final = 40
_LONGEST: Final = 160
"""Samples of a period that are looked for: 200 down to 50 Hz; higher voices are found by a multiple of theirs."""
_SEAM: Final = 40
"""Samples (5 ms) in which one thing becomes the other."""
_GAINS: Final = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)
"""How loud it is at the beginning of each missing frame; after the last it is silent."""

_DOWN: Final = np.linspace(1.0, 0.0, _SEAM)
_Float = npt.NDArray[np.float64]


class Concealment:
    """Hears the frames that came and makes up those that did not. One a stream."""

    def __init__(self) -> None:
        self._heard: tuple[Frame, ...] = (SILENCE, SILENCE)
        self._missing = 0
        self._period: _Float = np.zeros(_LONGEST)
        self._at = 0
        self._step = 0.0

    def heard(self, frame: Frame) -> Frame:
        """Take a frame that came; it is given back to be played, after a gap with a soft beginning."""
        if self._missing:
            frame = self._resumed(frame)
            self._missing = 0
        self._heard = (self._heard[-1], frame)
        return frame

    def missing(self) -> Frame:
        """20 ms in the place of a frame that did not come."""
        number = self._missing
        self._missing = number + 1
        if number + 1 >= len(_GAINS):
            return SILENCE
        if number == 0:
            self._begin()
        made = self._continued(FRAME_SAMPLES)
        if number == 0:
            made[:_SEAM] += self._step * _DOWN
        made *= np.linspace(_GAINS[number], _GAINS[number + 1], FRAME_SAMPLES)
        return np.clip(made, -32768, 32767).astype(np.int16)

    def _begin(self) -> None:
        """Find the last period of what was heard."""
        past = np.concatenate(self._heard).astype(np.float64)
        lag = _lag(past)
        period = past[-lag:].copy()
        # Its end is led back to its beginning: what stands one period earlier precedes that.
        seam = lag // 4
        fade = np.linspace(0.0, 1.0, seam)
        period[-seam:] = period[-seam:] * (1 - fade) + past[-lag - seam : -lag] * fade
        self._period, self._at = period, 0
        self._step = float(past[-1] - past[-lag - 1])

    def _continued(self, count: int) -> _Float:
        made = np.resize(np.roll(self._period, -self._at), count)
        self._at = (self._at + count) % len(self._period)
        return made

    def _resumed(self, frame: Frame) -> Frame:
        """The frame with its beginning blended into what was made up."""
        gain = _GAINS[min(self._missing, len(_GAINS) - 1)]
        blended = frame.astype(np.float64)
        blended[:_SEAM] = blended[:_SEAM] * (1 - _DOWN) + self._continued(_SEAM) * gain * _DOWN
        return blended.astype(np.int16)


def _lag(past: _Float) -> int:
    """The shift by which the last 20 ms are most like what preceded them."""
    recent, earlier = past[-_LONGEST:], past[-2 * _LONGEST : -_SHORTEST]
    # Entry i is of what stood _LONGEST - i samples before.
    products = np.correlate(earlier, recent)
    sums = np.concatenate(([0.0], np.cumsum(earlier * earlier)))
    powers = sums[_LONGEST:] - sums[:-_LONGEST]
    return _LONGEST - int(np.argmax(products / np.sqrt(powers + 1.0)))
