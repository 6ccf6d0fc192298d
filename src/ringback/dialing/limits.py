"""Limits as numbers: how many calls at a time, how many a second, who gets how many. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ringback.store.queries.gates import SKEW_US

HORIZON_US: Final = 1_000_000
"""Nobody claims what may not be dialled within it."""

UNLIMITED: Final = 2**31


@dataclass(frozen=True, slots=True)
class Bound:
    """What an account or a trunk allows, and how much of it is taken; None is unlimited."""

    max_calls: int | None
    calls: int
    """Slots that are taken."""
    interval_us: int | None
    """The time between two dials."""
    tat_us: int
    """Theoretical arrival time: the earliest moment of the next dial."""
    claimed: int
    """Slots whose dial is not reserved yet: they will move the theoretical arrival time."""

    @property
    def free(self) -> int:
        """Slots that are not taken."""
        return UNLIMITED if self.max_calls is None else max(0, self.max_calls - self.calls)

    def in_time(self, now_us: int) -> int:
        """How many more can be dialled within the horizon."""
        if self.interval_us is None:
            return UNLIMITED
        left_us = HORIZON_US - max(0, _sane(now_us, self.tat_us, self.interval_us) - now_us)
        return max(0, left_us // self.interval_us + 1 - self.claimed) if left_us >= 0 else 0


@dataclass(frozen=True, slots=True)
class Defaults:
    """Of the settings, for accounts without limits of their own; None is unlimited."""

    account_calls: int | None = None
    account_interval_us: int | None = None


def interval_us(per_second: float) -> int | None:
    """The time between two dials; None for 0, unlimited. Rounded up: never more than the rate."""
    return math.ceil(1_000_000 / per_second) if per_second else None


@dataclass(frozen=True, slots=True)
class Lane:
    """An agent's single calls, or a batch, with something due."""

    key: str
    agent_id: str
    max_calls: int | None
    agent_calls: int | None
    """The limit of its agent, over single calls and batches."""

    @property
    def is_limited(self) -> bool:
        return self.max_calls is not None or self.agent_calls is not None


@dataclass(frozen=True, slots=True)
class Usage:
    """Slots that are taken, of one account."""

    lanes: Mapping[str, int]
    agents: Mapping[str, int]


def reserve(now_us: int, tats: Sequence[tuple[int, int]]) -> tuple[int, list[int]]:
    """The moment of the next dial and the new theoretical arrival times, from those and their intervals.

    GCRA without a burst: no window of one second holds more dials than the rate.
    """
    dial_at = max([now_us, *(_sane(now_us, tat, interval) for tat, interval in tats)])
    return dial_at, [dial_at + interval for _, interval in tats]


def _sane(now_us: int, tat_us: int, interval_us: int) -> int:
    """A time that a wrong clock wrote must not keep everybody waiting until it has come."""
    return now_us + interval_us if tat_us > now_us + interval_us + SKEW_US else tat_us


def shares(free: int, lanes: Sequence[Lane], used: Usage) -> list[tuple[Lane, int]]:
    """How many attempts each lane may claim: equal shares of what is free, the first ones get what is left over,
    bounded by its own limits. Lanes that may claim none are left out."""
    got = dict.fromkeys((lane.key for lane in lanes), 0)
    agents = Counter(used.agents)
    asking = list(lanes)
    while asking and free > 0:
        for lane in tuple(asking):
            if free == 0:
                break
            if _full(lane, used.lanes.get(lane.key, 0) + got[lane.key], agents[lane.agent_id]):
                asking.remove(lane)
                continue
            got[lane.key] += 1
            agents[lane.agent_id] += 1
            free -= 1
    return [(lane, got[lane.key]) for lane in lanes if got[lane.key]]


def _full(lane: Lane, calls: int, agent_calls: int) -> bool:
    return (lane.max_calls is not None and calls >= lane.max_calls) or (
        lane.agent_calls is not None and agent_calls >= lane.agent_calls
    )
