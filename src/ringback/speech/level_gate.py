"""Other people's voices on the line: speech too, but far below the level of the person who holds the telephone.

The detector hears a café as well as the caller, and would wait for its silence. A window that lies so far under the
caller's own running level is not the caller's.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

MARGIN_DB: Final = 12.0
"""Below the caller's running level; what lies lower for as long as HOLD allows is not the caller."""
HOLD_DB: Final = 1.5
"""A window (32 ms): the present level falls no faster, so that soft syllables belong to the loud ones before them."""
_RISE: Final = 0.3
"""Of the way to a louder window that the running level goes at once."""
_FALL_DB: Final = 0.05
"""A window: a caller who turns away is heard again after a few seconds."""
_SPEECH: Final = 0.5
_NOTHING_DB: Final = -120.0

_Floats = npt.NDArray[np.float32]


class LevelGate:
    """All streams of a detector, a slot each; levels in dB of full scale. The constants are fitted to the labelled
    utterances of `benchmarks/turns` (noise of people at other tables, 15 to 30 dB below the caller)."""

    def __init__(self, capacity: int, margin_db: float = MARGIN_DB) -> None:
        self._margin_db = margin_db
        self._running: _Floats = _nothing(capacity)
        self._held: _Floats = _nothing(capacity)

    def reset(self, slot: int) -> None:
        self._running[slot] = self._held[slot] = _NOTHING_DB

    def grow(self, capacity: int) -> None:
        more = _nothing(capacity - len(self._running))
        self._running = np.concatenate([self._running, more])
        self._held = np.concatenate([self._held, more])

    def apply(self, slots: list[int], windows: _Floats, probabilities: _Floats) -> _Floats:
        """The probabilities of windows (a row each, 1.0 full scale), 0 where somebody else speaks."""
        power = np.einsum("ij,ij->i", windows, windows) / windows.shape[1]
        now = (10.0 * np.log10(power + 1e-12)).astype(np.float32)
        held = np.maximum(now, self._held[slots] - HOLD_DB)
        running = self._running[slots]
        first = running == _NOTHING_DB
        risen = np.where(first, now, running + _RISE * (now - running))
        fallen = np.where(first, running, running - _FALL_DB)
        self._running[slots] = np.where((probabilities >= _SPEECH) & (now > running), risen, fallen)
        self._held[slots] = held
        return np.where(held < running - self._margin_db, np.float32(0.0), probabilities)


def _nothing(capacity: int) -> _Floats:
    return np.full(capacity, _NOTHING_DB, dtype=np.float32)
