"""SQL for turns: what was said, as it was heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ringback.store.database import Reader, Row, Transaction


async def put(tx: Transaction, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert, or replace those with the same position. Every row has every column, `account_id` too."""
    await tx.execute_many(
        """
        INSERT INTO turns (account_id, execution_id, attempt, position, role, text, start_ms, end_ms, interrupted)
        VALUES (:account_id, :execution_id, :attempt, :position, :role, :text, :start_ms, :end_ms, :interrupted)
        ON CONFLICT (account_id, execution_id, attempt, position) DO UPDATE
        SET role = excluded.role, text = excluded.text, start_ms = excluded.start_ms, end_ms = excluded.end_ms,
          interrupted = excluded.interrupted
        """,
        rows,
    )


async def of_attempt(db: Reader, account_id: str, execution_id: str, attempt: int) -> list[Row]:
    return await db.fetch_all(
        """
        SELECT position, role, text, start_ms, end_ms, interrupted FROM turns
        WHERE account_id = :account_id AND execution_id = :execution_id AND attempt = :attempt ORDER BY position
        """,
        account_id=account_id,
        execution_id=execution_id,
        attempt=attempt,
    )
