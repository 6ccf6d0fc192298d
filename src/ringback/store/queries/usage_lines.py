"""SQL for usage lines: what was metered and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ringback.store.database import Reader, Row, Transaction

_COLUMNS = "kind, provider, model, unit, quantity, amount, detail, turn, at_us, purpose, price, per, step"


async def insert(tx: Transaction, rows: Sequence[Mapping[str, object]]) -> None:
    """Every row has every column but the position, which is counted: the execution's row must be locked."""
    await tx.execute_many(
        """
        INSERT INTO usage_lines (account_id, execution_id, position, attempt, kind, provider, model, unit,
          quantity, amount, detail, turn, at_us, purpose, price, per, step)
        VALUES (:account_id, :execution_id,
          (SELECT COALESCE(MAX(position), 0) + 1 FROM usage_lines
           WHERE account_id = :account_id AND execution_id = :execution_id),
          :attempt, :kind, :provider, :model, :unit, :quantity, :amount, :detail, :turn, :at_us,
          :purpose, :price, :per, :step)
        """,
        rows,
    )


async def of_execution(db: Reader, account_id: str, execution_id: str) -> list[Row]:
    """Of all attempts, in the order of their writing."""
    return await db.fetch_all(
        f"""
        SELECT {_COLUMNS} FROM usage_lines
        WHERE account_id = :account_id AND execution_id = :execution_id ORDER BY position
        """,
        account_id=account_id,
        execution_id=execution_id,
    )


async def billed(db: Reader, account_id: str, execution_id: str) -> list[Row]:
    """As `of_execution`, with their attempt and position."""
    return await db.fetch_all(
        f"""
        SELECT attempt, position, {_COLUMNS} FROM usage_lines
        WHERE account_id = :account_id AND execution_id = :execution_id ORDER BY position
        """,
        account_id=account_id,
        execution_id=execution_id,
    )
