"""SQL for accounts, and for the sequence that orders an account's executions."""

from __future__ import annotations

from typing import Final

from ringback.store.database import Reader, Row, Transaction
from ringback.store.queries import wallets

_SHOWN: Final = "account_id, name, email, parent_id, created_at"


async def insert(
    tx: Transaction, *, account_id: str, name: str, now_us: int, email: str | None = None
) -> None:
    """With its wallet, which is unlimited."""
    await tx.execute(
        """
        INSERT INTO accounts (account_id, name, email, last_seq, created_at)
        VALUES (:account_id, :name, :email, 0, :now)
        """,
        account_id=account_id,
        name=name,
        email=email,
        now=now_us,
    )
    await wallets.insert(tx, account_id)


async def insert_first(tx: Transaction, *, account_id: str, name: str, now_us: int) -> bool:
    """Insert if there is no account at all; of several processes that try together, one gets True."""
    inserted = await tx.execute(
        """
        INSERT INTO accounts (account_id, name, last_seq, created_at)
        SELECT CAST(:account_id AS TEXT), CAST(:name AS TEXT), 0, CAST(:now AS BIGINT)
        WHERE NOT EXISTS (SELECT 1 FROM accounts)
        ON CONFLICT (account_id) DO NOTHING
        """,
        account_id=account_id,
        name=name,
        now=now_us,
    )
    if inserted:
        await wallets.insert(tx, account_id)
    return inserted == 1


async def get(db: Reader, account_id: str) -> Row | None:
    """account_id, name, email, parent_id, created_at; None also for one that was deleted."""
    return await db.fetch_one(
        f"SELECT {_SHOWN} FROM accounts WHERE account_id = :account_id AND deleted_at IS NULL",
        account_id=account_id,
    )


async def every(db: Reader) -> list[Row]:
    """All accounts that were not deleted, oldest first. Cross-account: for the operator's command line."""
    return await db.fetch_all(
        f"SELECT {_SHOWN} FROM accounts WHERE deleted_at IS NULL ORDER BY created_at, account_id"
    )


async def next_seq(tx: Transaction, account_id: str, now_us: int) -> int | None:
    """Draw the next sequence number: the time in microseconds, or one more than the last; None: no such account.

    The row stays locked until the commit. So numbers become visible in their order, and a list that is being read
    never grows in its middle.
    """
    row = await tx.fetch_one(
        """
        UPDATE accounts SET last_seq = CASE WHEN last_seq < :now THEN :now ELSE last_seq + 1 END
        WHERE account_id = :account_id RETURNING last_seq
        """,
        account_id=account_id,
        now=now_us,
    )
    return row["last_seq"] if row else None


async def next_seqs(tx: Transaction, account_id: str, now_us: int, count: int) -> int | None:
    """As `next_seq`, so many in a row; the first of them."""
    row = await tx.fetch_one(
        """
        UPDATE accounts SET last_seq = CASE WHEN last_seq < :now THEN :now ELSE last_seq + 1 END + :further
        WHERE account_id = :account_id RETURNING last_seq
        """,
        account_id=account_id,
        now=now_us,
        further=count - 1,
    )
    return row["last_seq"] - count + 1 if row else None
