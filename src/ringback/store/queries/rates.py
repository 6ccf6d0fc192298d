"""SQL for calls per second: when the account and the trunk let the next dial out."""

from __future__ import annotations

from ringback.store.database import Transaction
from ringback.store.queries.gates import OPERATOR


async def set_tat(tx: Transaction, account_id: str, trunk: str, kind: str, tat_us: int) -> None:
    """Of the account's gate or the trunk's, with a rate that `gates.share` gave."""
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
