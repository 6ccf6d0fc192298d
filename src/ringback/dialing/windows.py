"""Calling hours in local time, over midnight and changes of the clocks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Window:
    """From `start_hour` o'clock until before `end_hour`, 0 to 23; over midnight where the end is the smaller; both
    the same: always."""

    start_hour: int
    end_hour: int


def next_open(window: Window, zones: Sequence[ZoneInfo], now_us: int) -> int:
    """The first moment from now on at which the window is open in all zones: now, if it is."""
    raise NotImplementedError


def closes(window: Window, zones: Sequence[ZoneInfo], now_us: int) -> int:
    """When a window that is open now closes in the first of the zones; 2**62: never."""
    raise NotImplementedError
