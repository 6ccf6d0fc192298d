"""SQL for idempotency keys. A committed row always holds its answer: it is taken and kept in one transaction."""

from __future__ import annotations

from ringback.store.database import Reader, Row, Transaction


async def get(db: Reader, account_id: str, key: str, *, since_us: int) -> Row | None:
    return await db.fetch_one(
        """
        SELECT route, fingerprint, status, body FROM idempotency_keys
        WHERE account_id = :account_id AND key = :key AND created_at >= :since
        """,
        account_id=account_id,
        key=key,
        since=since_us,
    )


async def take(
    tx: Transaction, account_id: str, key: str, *, route: str, fingerprint: str, now_us: int
) -> bool:
    """False: somebody has it. PostgreSQL waits here for who took it in a transaction that is not over."""
    return (
        await tx.execute(
            """
            INSERT INTO idempotency_keys (account_id, key, route, fingerprint, status, body, created_at)
            VALUES (:account_id, :key, :route, :fingerprint, 0, '', :now)
            ON CONFLICT (account_id, key) DO NOTHING
            """,
            account_id=account_id,
            key=key,
            route=route,
            fingerprint=fingerprint,
            now=now_us,
        )
        == 1
    )


async def keep(tx: Transaction, account_id: str, key: str, *, status: int, body: str) -> None:
    """The answer of a key that was taken."""
    await tx.execute(
        """
        UPDATE idempotency_keys SET status = :status, body = :body WHERE account_id = :account_id AND key = :key
        """,
        account_id=account_id,
        key=key,
        status=status,
        body=body,
    )


async def forget(tx: Transaction, account_id: str, key: str, *, before_us: int) -> None:
    """If it is as old as that."""
    await tx.execute(
        """
        DELETE FROM idempotency_keys WHERE account_id = :account_id AND key = :key AND created_at < :before
        """,
        account_id=account_id,
        key=key,
        before=before_us,
    )


async def forget_all(tx: Transaction, *, before_us: int, limit: int) -> int:
    """Old keys, at most so many; how many there were. Cross-account: for the upkeep."""
    rows = await tx.fetch_all(
        """
        SELECT account_id, key FROM idempotency_keys WHERE created_at < :before
        ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED
        """,
        before=before_us,
        limit=limit,
    )
    await tx.execute_many(
        """
        DELETE FROM idempotency_keys WHERE account_id = :account_id AND key = :key
        """,
        [{"account_id": row["account_id"], "key": row["key"]} for row in rows],
    )
    return len(rows)
