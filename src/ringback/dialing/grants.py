"""When a call may be dialled, by the rates of its account and its trunk."""

from __future__ import annotations

from ringback.dialing import limits
from ringback.store.database import Transaction
from ringback.store.queries import rates


async def reserve(
    tx: Transaction, account_id: str, trunk: str, *, now_us: int, default_interval_us: int | None
) -> int:
    """The moment of the dial, taken from everybody else when the transaction commits; `now_us` without a rate.

    Locks the account's and the trunk's gate where they have a rate: before the gates of agents and batches.
    """
    found = await rates.lock_rates(tx, account_id, trunk, default_interval_us=default_interval_us)
    dial_at, tats = limits.reserve(now_us, [(row["tat_us"], row["interval_us"]) for row in found])
    for row, tat in zip(found, tats, strict=True):
        await rates.set_tat(tx, account_id, trunk, row["kind"], tat)
    return dial_at
