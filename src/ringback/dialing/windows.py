"""Calling hours in local time, over midnight and changes of the clocks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

ALWAYS_US: Final = 2**62
"""When an hour without an end closes."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_US: Final = 1_000_000
_MINUTE_US: Final = 60 * _SECOND_US
"""Nothing opens or closes within one: since 1972 all zones are whole minutes from UTC, and change at one."""
_HORIZON_US: Final = 3 * 24 * 60 * _MINUTE_US
"""Zones that have no open moment in common for so long have none: the longest wait for one zone is a day of which the
clocks skip the hours, and almost the days beside it."""


class NeverOpen(ValueError):
    """It is never the right hour in all zones at once."""


@dataclass(frozen=True, slots=True)
class Window:
    """From `start_hour` o'clock until before `end_hour`, 0 to 23; over midnight where the end is the smaller; both
    the same: always."""

    start_hour: int
    end_hour: int

    def holds(self, hour: int) -> bool:
        """Is it open between `hour` o'clock and the next hour?"""
        if self.start_hour < self.end_hour:
            return self.start_hour <= hour < self.end_hour
        return hour >= self.start_hour or hour < self.end_hour

    @property
    def always(self) -> bool:
        return self.start_hour == self.end_hour


def next_open(window: Window, zones: Sequence[ZoneInfo], now_us: int) -> int:
    """The first moment from now on at which the window is open in all zones: now, if it is. Raises NeverOpen.

    Where clocks skip the start, it is the moment after the gap.
    """
    if window.always:
        return now_us
    opens_us = _next_open(window, tuple(zones), now_us // _MINUTE_US)
    if opens_us is None:
        raise NeverOpen(
            f"it is never from {window.start_hour} to {window.end_hour} o'clock in all of these zones"
        )
    return max(opens_us, now_us)


def closes(window: Window, zones: Sequence[ZoneInfo], now_us: int) -> int:
    """When a window that is open now closes in the first of the zones; ALWAYS_US: never."""
    if window.always:
        return ALWAYS_US
    return min((_closes(window, zone, now_us // _MINUTE_US) for zone in zones), default=ALWAYS_US)


# Cached, for a batch asks the same of each of its people, and a toll-free number has dozens of zones.


@lru_cache(maxsize=1024)
def _next_open(window: Window, zones: tuple[ZoneInfo, ...], minute: int) -> int | None:
    moment = minute * _MINUTE_US
    end_us = moment + _HORIZON_US
    while moment < end_us:
        states = [_state(window, zone, moment) for zone in zones]
        shut = [until_us for is_open, until_us in states if not is_open]
        if not shut:
            return moment
        moment = max(shut)
    return None


@lru_cache(maxsize=1024)
def _closes(window: Window, zone: ZoneInfo, minute: int) -> int:
    is_open, moment = True, minute * _MINUTE_US
    while is_open:
        closed_at = moment
        is_open, moment = _state(window, zone, moment)
    return closed_at


def _state(window: Window, zone: ZoneInfo, now_us: int) -> tuple[bool, int]:
    """Is it open in this zone, and until when surely the same: the window's next edge, or before it a change of the
    clocks, after which one has to look again."""
    local = _local(zone, now_us)
    is_open = window.holds(local.hour)
    wall = local.replace(tzinfo=None)
    edge = wall.replace(
        hour=window.end_hour if is_open else window.start_hour, minute=0, second=0, microsecond=0
    )
    if edge <= wall:
        edge += timedelta(days=1)
    edge_us = now_us + (edge - wall) // timedelta(microseconds=1)
    if _local(zone, edge_us).utcoffset() == local.utcoffset():
        return is_open, edge_us
    return is_open, _clock_change(zone, now_us, edge_us)


def _clock_change(zone: ZoneInfo, before_us: int, after_us: int) -> int:
    """The one moment between two at which the clocks change; zones do it at whole seconds."""
    old = _local(zone, before_us).utcoffset()
    before, after = before_us // _SECOND_US, -(-after_us // _SECOND_US)
    while after - before > 1:
        middle = (before + after) // 2
        if _local(zone, middle * _SECOND_US).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after * _SECOND_US


def _local(zone: ZoneInfo, us: int) -> datetime:
    return (_EPOCH + timedelta(microseconds=us)).astimezone(zone)
