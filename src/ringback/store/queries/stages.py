"""SQL for the stages of the work after a call: what is done, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ringback.store.database import Reader, Row, Transaction


async def insert(tx: Transaction, rows: Sequence[Mapping[str, object]]) -> None:
    """Every row has every column. A stage that has a row already is refused: its effect was written with that."""
    await tx.execute_many(
        """
        INSERT INTO stages (account_id, execution_id, attempt, name, state, tries, result, error, at_us)
        VALUES (:account_id, :execution_id, :attempt, :name, :state, :tries, :result, :error, :at_us)
        """,
        rows,
    )


async def forget_failing(tx: Transaction, account_id: str, execution_id: str, attempt: int) -> None:
    """Those that failed and were tried again: the new row takes the old one's place."""
    await tx.execute(
        """
        DELETE FROM stages WHERE account_id = :account_id AND execution_id = :execution_id AND attempt = :attempt
          AND state = 'failing'
        """,
        account_id=account_id,
        execution_id=execution_id,
        attempt=attempt,
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
