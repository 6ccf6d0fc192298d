"""When a call may be dialled, by the rates of its account and its trunk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ringback.dialing import limits
from ringback.store.database import Row, Transaction
from ringback.store.queries import rates

_LEAST_US: Final = 20_000
"""So late a dial may be whatever the rate: timers and the loop are no better on a busy machine."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A moment for one dial."""

    dial_at_us: int
    tolerance_us: int | None
    """A dial that comes later needs another grant, or it may fall into others' time. None: no rate, no matter."""


async def reserve(
    tx: Transaction, account_id: str, trunk: str, passed: Sequence[Row], *, now: Callable[[], int]
) -> Grant:
    """The moment of the dial, taken from everybody else when the transaction commits; `now` without a rate.

    `passed` are the gates of the dial, locked (`gates.share`). The clock is read only here: a moment from before the
    wait for them would be over when it is granted.
    """
    rated = [row for row in passed if row["interval_us"] is not None]
    dial_at, tats = limits.reserve(now(), [(row["tat_us"], row["interval_us"]) for row in rated])
    for row, tat in zip(rated, tats, strict=True):
        await rates.set_tat(tx, account_id, trunk, row["kind"], tat)
    intervals = [row["interval_us"] for row in rated]
    return Grant(dial_at, max(_LEAST_US, max(intervals) // 2) if intervals else None)
