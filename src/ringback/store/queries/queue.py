"""SQL for the queue: which attempt is due, who holds its lease, whose lease ran out.

The queue serves every account at once, so the statements that look for work name no account; each that writes does.
"""

from __future__ import annotations

from collections.abc import Sequence

from ringback.store.database import Reader, Row, Transaction

Key = tuple[str, str, int]
"""(account_id, execution_id, number): one attempt."""


async def due(tx: Transaction, *, now_us: int, limit: int) -> list[Row]:
    """The attempts whose time has come, longest due first, locked until the transaction ends. Cross-account."""
    return await tx.fetch_all(
        """
        SELECT account_id, execution_id, number FROM attempts
        WHERE state = 'waiting' AND due_at <= :now
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
        """,
        now=now_us,
        limit=limit,
    )


async def next_due(db: Reader) -> int | None:
    """When the next waiting attempt is due. Cross-account."""
    row = await db.fetch_one("SELECT MIN(due_at) AS due_at FROM attempts WHERE state = 'waiting'")
    return row["due_at"] if row else None


async def depth(db: Reader, *, now_us: int, limit: int) -> Row:
    """`due`: how many attempts wait although their time has come, counted up to the limit; `oldest`: since when the
    first of them does, None without any. Cross-account."""
    row = await db.fetch_one(
        """
        SELECT COUNT(*) AS due, MIN(due_at) AS oldest FROM (
          SELECT due_at FROM attempts WHERE state = 'waiting' AND due_at <= :now ORDER BY due_at LIMIT :limit
        ) AS waiting
        """,
        now=now_us,
        limit=limit,
    )
    assert row is not None
    return row


async def claim(tx: Transaction, keys: Sequence[Key], *, owner: str, until_us: int) -> None:
    await tx.execute_many(
        """
        UPDATE attempts SET state = 'claimed', lease_owner = :owner, lease_until = :until
        WHERE account_id = :account_id AND execution_id = :execution_id AND number = :number
        """,
        [_named(key) | {"owner": owner, "until": until_us} for key in keys],
    )


async def adopt(tx: Transaction, key: Key, *, owner: str, until_us: int) -> None:
    """Take over the lease of an attempt whatever its state."""
    await tx.execute(
        """
        UPDATE attempts SET lease_owner = :owner, lease_until = :until
        WHERE account_id = :account_id AND execution_id = :execution_id AND number = :number
        """,
        **_named(key),
        owner=owner,
        until=until_us,
    )


async def release(tx: Transaction, key: Key) -> None:
    """A claim that led to no dial goes back to the queue."""
    await tx.execute(
        """
        UPDATE attempts SET state = 'waiting', lease_owner = NULL, lease_until = NULL
        WHERE account_id = :account_id AND execution_id = :execution_id AND number = :number AND state = 'claimed'
        """,
        **_named(key),
    )


async def renew(tx: Transaction, keys: Sequence[Key], *, owner: str, until_us: int) -> None:
    """Prolong the leases of a worker that are still its own."""
    await tx.execute_many(
        """
        UPDATE attempts SET lease_until = :until
        WHERE account_id = :account_id AND execution_id = :execution_id AND number = :number
          AND lease_owner = :owner AND state IN ('claimed', 'dialling', 'live')
        """,
        [_named(key) | {"owner": owner, "until": until_us} for key in keys],
    )


async def held(db: Reader, *, owner: str) -> list[Row]:
    """What a worker holds, and which of it shall be cancelled. Cross-account."""
    return await db.fetch_all(
        """
        SELECT account_id, execution_id, number, cancel_requested FROM attempts
        WHERE lease_owner = :owner AND state IN ('claimed', 'dialling', 'live')
        """,
        owner=owner,
    )


async def expired(tx: Transaction, *, now_us: int, limit: int) -> list[Row]:
    """Attempts whose worker gave no sign of life, locked until the transaction ends. Cross-account."""
    return await tx.fetch_all(
        """
        SELECT account_id, execution_id, number, state, lease_until, answered_at FROM attempts
        WHERE state IN ('claimed', 'dialling', 'live') AND lease_until < :now
        ORDER BY lease_until LIMIT :limit FOR UPDATE SKIP LOCKED
        """,
        now=now_us,
        limit=limit,
    )


def _named(key: Key) -> dict[str, object]:
    return dict(zip(("account_id", "execution_id", "number"), key, strict=True))
