"""SQL for the log of an execution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ringback.store.database import Reader, Row, Transaction


async def insert(tx: Transaction, rows: Sequence[Mapping[str, object]]) -> None:
    """Every row has every column but the position, which is counted: the execution's row must be locked."""
    await tx.execute_many(
        """
        INSERT INTO execution_log (account_id, execution_id, position, at_us, type, component, provider, data,
          tool_name, reasoning_content)
        VALUES (:account_id, :execution_id,
          (SELECT COALESCE(MAX(position), 0) + 1 FROM execution_log
           WHERE account_id = :account_id AND execution_id = :execution_id),
          :at_us, :type, :component, :provider, :data, :tool_name, :reasoning_content)
        """,
        rows,
    )


async def of_execution(db: Reader, account_id: str, execution_id: str) -> list[Row]:
    """In time order."""
    return await db.fetch_all(
        """
        SELECT at_us, type, component, provider, data, tool_name, reasoning_content FROM execution_log
        WHERE account_id = :account_id AND execution_id = :execution_id ORDER BY at_us, position
        """,
        account_id=account_id,
        execution_id=execution_id,
    )
