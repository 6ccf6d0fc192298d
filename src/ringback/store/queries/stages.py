"""SQL for the stages of the work after a call: what is done, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ringback.store.database import Reader, Row, Transaction


async def put(tx: Transaction, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert, or replace one that failed and was tried again; one that is settled stays as it is.

    Every row has every column; the attempt must be locked.
    """
    await tx.execute_many(
        """
        INSERT INTO stages (account_id, execution_id, attempt, name, state, tries, result, error, at_us)
        VALUES (:account_id, :execution_id, :attempt, :name, :state, :tries, :result, :error, :at_us)
        ON CONFLICT (account_id, execution_id, attempt, name) DO UPDATE
        SET state = excluded.state, tries = excluded.tries, result = excluded.result, error = excluded.error,
          at_us = excluded.at_us
        WHERE stages.state = 'failing'
        """,
        rows,
    )


async def of_attempt(db: Reader, account_id: str, execution_id: str, attempt: int) -> list[Row]:
    """name, state, tries, result and error of each, in the order of their writing."""
    return await db.fetch_all(
        """
        SELECT name, state, tries, result, error FROM stages
        WHERE account_id = :account_id AND execution_id = :execution_id AND attempt = :attempt ORDER BY at_us
        """,
        account_id=account_id,
        execution_id=execution_id,
        attempt=attempt,
    )


async def forget(tx: Transaction, account_id: str, execution_id: str, attempt: int) -> None:
    """What was found in the words of an attempt goes with them."""
    await tx.execute(
        """
        UPDATE stages SET result = NULL
        WHERE account_id = :account_id AND execution_id = :execution_id AND attempt = :attempt
        """,
        account_id=account_id,
        execution_id=execution_id,
        attempt=attempt,
    )
