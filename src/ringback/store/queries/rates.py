"""SQL for calls per second: when the account and the trunk let the next dial out."""

from __future__ import annotations

from ringback.store.database import Row, Transaction
from ringback.store.queries.gates import OPERATOR


async def lock_rates(
    tx: Transaction, account_id: str, trunk: str, *, default_interval_us: int | None
) -> list[Row]:
    """kind, tat_us, interval_us of the account and the trunk, as far as they have a rate; only these are locked.

    `default_interval_us`: of accounts without a rate of their own.
    """
    account = await tx.fetch_one(
        """
        SELECT 'account' AS kind, tat_us, COALESCE(interval_us, CAST(:default_interval AS BIGINT)) AS interval_us
        FROM gates WHERE account_id = :account_id AND kind = 'account' AND key = ''
          AND COALESCE(interval_us, CAST(:default_interval AS BIGINT)) IS NOT NULL FOR UPDATE
        """,
        account_id=account_id,
        default_interval=default_interval_us,
    )
    shared = await tx.fetch_one(
        """
        SELECT 'trunk' AS kind, tat_us, interval_us FROM trunk_gates
        WHERE account_id = :account_id AND name = :name AND interval_us IS NOT NULL FOR UPDATE
        """,
        account_id=OPERATOR,
        name=trunk,
    )
    return [row for row in (account, shared) if row is not None]


async def set_tat(tx: Transaction, account_id: str, trunk: str, kind: str, tat_us: int) -> None:
    """Of a row that `lock_rates` gave."""
    if kind == "trunk":
        await tx.execute(
            "UPDATE trunk_gates SET tat_us = :tat WHERE account_id = :account_id AND name = :name",
            account_id=OPERATOR,
            name=trunk,
            tat=tat_us,
        )
    else:
        await tx.execute(
            """
            UPDATE gates SET tat_us = :tat WHERE account_id = :account_id AND kind = 'account' AND key = ''
            """,
            account_id=account_id,
            tat=tat_us,
        )
