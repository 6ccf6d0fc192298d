"""Figures from what was seen on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ringback.media.frame import SAMPLE_RATE

_Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spread:
    p50: float
    p99: float
    worst: float
    count: int


def spread(values: Sequence[float] | _Array) -> Spread:
    """Percentiles; NaN of nothing."""
    if not len(values):
        return Spread(float("nan"), float("nan"), float("nan"), 0)
    array = np.asarray(values, dtype=np.float64)
    return Spread(
        float(np.percentile(array, 50)), float(np.percentile(array, 99)), float(array.max()), len(array)
    )


def lateness_ms(arrived_s: Sequence[float], timestamps: Sequence[int]) -> _Array:
    """How late each packet of one stream was against the ideal schedule.

    Its RTP timestamp says when a packet is due; where the schedule begins is known from the stream's most
    punctual packet, so a constant delay is nobody's lateness.
    """
    if not len(arrived_s):
        return np.zeros(0)
    first = timestamps[0]
    elapsed = [((stamp - first + (1 << 31)) & 0xFFFFFFFF) - (1 << 31) for stamp in timestamps]
    offset = np.asarray(arrived_s, dtype=np.float64) - np.asarray(elapsed, dtype=np.float64) / SAMPLE_RATE
    return np.asarray((offset - offset.min()) * 1000)
