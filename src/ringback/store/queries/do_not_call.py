"""SQL for the do-not-call lists. What a claim asks of them is in `queue.forbidden`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ringback.store.database import Reader, Row, Transaction

_ENTRY: Final = "number, reason, created_at"


async def put(tx: Transaction, *, account_id: str, number: str, reason: str | None, now_us: int) -> Row:
    """The entry, new or with another reason; it keeps the time at which it was made."""
    row = await tx.fetch_one(
        f"""
        INSERT INTO do_not_call (account_id, number, reason, created_at)
        VALUES (:account_id, :number, :reason, :now)
        ON CONFLICT (account_id, number) DO UPDATE SET reason = excluded.reason
        RETURNING {_ENTRY}
        """,
        account_id=account_id,
        number=number,
        reason=reason,
        now=now_us,
    )
    assert row is not None
    return row


async def add(
    tx: Transaction, *, account_id: str, numbers: Sequence[str], reason: str | None, now_us: int
) -> None:
    """Those that are there stay as they are."""
    await tx.execute_many(
        """
        INSERT INTO do_not_call (account_id, number, reason, created_at)
        VALUES (:account_id, :number, :reason, :now)
        ON CONFLICT (account_id, number) DO NOTHING
        """,
        [{"account_id": account_id, "number": number, "reason": reason, "now": now_us} for number in numbers],
    )


async def get(db: Reader, account_id: str, number: str) -> Row | None:
    return await db.fetch_one(
        f"SELECT {_ENTRY} FROM do_not_call WHERE account_id = :account_id AND number = :number",
        account_id=account_id,
        number=number,
    )


async def after(db: Reader, account_id: str, number: str, *, limit: int) -> list[Row]:
    """The entries whose numbers come after this one, in their order."""
    return await db.fetch_all(
        f"""
        SELECT {_ENTRY} FROM do_not_call
        WHERE account_id = :account_id AND number > :number ORDER BY number LIMIT :limit
        """,
        account_id=account_id,
        number=number,
        limit=limit,
    )


async def remove(tx: Transaction, account_id: str, number: str) -> bool:
    """False: it was not there."""
    return (
        await tx.execute(
            "DELETE FROM do_not_call WHERE account_id = :account_id AND number = :number",
            account_id=account_id,
            number=number,
        )
        == 1
    )
