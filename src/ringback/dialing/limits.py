"""Limits as numbers: how many calls at a time, how many a second, who gets how many. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SKEW_US: Final = 5_000_000
"""A grant further ahead than this and its interval was taken by a clock that is wrong."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for one claim; None is unlimited. An interval is the time between two dials."""

    account_calls: int | None
    account_interval_us: int | None
    trunk_calls: int | None
    trunk_interval_us: int | None
    horizon_us: int = 1_000_000
    """Nobody claims what may not be dialled within it."""


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


@dataclass(frozen=True, slots=True)
class Usage:
    """Slots that are taken, of one account."""

    lanes: dict[str, int]
    agents: dict[str, int]


def reserve(now_us: int, tats: Sequence[tuple[int, int]]) -> tuple[int, list[int]]:
    """The moment of the next dial and the new theoretical arrival times, from those and their intervals.

    GCRA without a burst: no window of one second holds more dials than the rate.
    """
    sane = [
        (now_us + interval if tat > now_us + interval + SKEW_US else tat, interval) for tat, interval in tats
    ]
    dial_at = max([now_us, *(tat for tat, _ in sane)])
    return dial_at, [dial_at + interval for _, interval in sane]


def shares(free: int, lanes: Sequence[Lane], used: Usage) -> list[tuple[Lane, int]]:
    """How many attempts each lane may claim: equal shares of what is free, bounded by its own limits."""
    raise NotImplementedError
