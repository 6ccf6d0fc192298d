"""What a person hears while somebody else's telephone rings."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np

from ringback.media.frame import FRAME_SAMPLES, SAMPLE_RATE, Frame, Samples

_HERTZ: Final = (440, 480)
_LEVEL: Final = 800
"""Of each of the two, about -32 dBm0: words over it are understood."""
_ON_S: Final = 2
_EVERY_S: Final = 6


class RingTone:
    """In the place of a far end that is not there yet: the agent's own audio, and the tone where that is silent."""

    def __init__(self, next_frame: Callable[[], Frame]) -> None:
        self._next_frame = next_frame
        self._ticks = 0

    def exchange(self, heard: Frame) -> Frame:
        spoken = self._next_frame()
        at = self._ticks * FRAME_SAMPLES % (_EVERY_S * SAMPLE_RATE)
        self._ticks += 1
        return spoken if spoken.any() else _cadence()[at : at + FRAME_SAMPLES]

    def skip(self, ticks: int) -> None:
        self._ticks += ticks


@lru_cache(maxsize=1)
def _cadence() -> Samples:
    """Two seconds of tone, four of silence; it begins at once."""
    at = np.arange(_ON_S * SAMPLE_RATE) / SAMPLE_RATE
    tone = np.sum([np.sin(2 * np.pi * hertz * at) for hertz in _HERTZ], axis=0) * _LEVEL
    cadence = np.zeros(_EVERY_S * SAMPLE_RATE, dtype=np.int16)
    cadence[: len(at)] = tone.astype(np.int16)
    cadence.setflags(write=False)
    return cadence
