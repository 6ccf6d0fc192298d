"""SQL for the lines of batches' files that are not dialled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ringback.store.database import Reader, Row, Transaction

KEPT: Final = 100_000
"""Of one file, the first ones; a batch's `total` and `valid` count all."""


async def insert(
    tx: Transaction, account_id: str, batch_id: str, faults: Sequence[tuple[int, str | None, str]]
) -> None:
    """Each is a line, what stands there for a number, and the reason."""
    if faults:
        columns = ("account_id", "batch_id", "line", "number", "reason")
        await tx.insert_rows("batch_faults", columns, [(account_id, batch_id, *fault) for fault in faults])


async def after(db: Reader, account_id: str, batch_id: str, line: int, *, limit: int) -> list[Row]:
    """line, number, reason of the faults after a line, in order."""
    return await db.fetch_all(
        """
        SELECT line, number, reason FROM batch_faults
        WHERE account_id = :account_id AND batch_id = :batch_id AND line > :line ORDER BY line LIMIT :limit
        """,
        account_id=account_id,
        batch_id=batch_id,
        line=line,
        limit=limit,
    )
