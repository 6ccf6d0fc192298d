"""When a call may be dialled, by the rates of its account and its trunk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ringback.dialing import limits
from ringback.store.database import Transaction
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
    tx: Transaction, account_id: str, trunk: str, *, now: Callable[[], int], default_interval_us: int | None
) -> Grant:
    """The moment of the dial, taken from everybody else when the transaction commits; `now` without a rate.

    Locks the account's and the trunk's gate where they have a rate: before the gates of agents and batches. The clock
    is read when they are locked: a moment from before the wait would be over when it is granted.
    """
    found = await rates.lock_rates(tx, account_id, trunk, default_interval_us=default_interval_us)
    dial_at, tats = limits.reserve(now(), [(row["tat_us"], row["interval_us"]) for row in found])
    for row, tat in zip(found, tats, strict=True):
        await rates.set_tat(tx, account_id, trunk, row["kind"], tat)
    intervals = [row["interval_us"] for row in found]
    return Grant(dial_at, max(_LEAST_US, max(intervals) // 2) if intervals else None)
