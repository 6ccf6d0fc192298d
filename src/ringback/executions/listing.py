"""Reading executions: pages of lists, all of one, one by its id, its log, its recording (contract section 3)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ringback.executions import cursor
from ringback.executions.counts import Total, total
from ringback.executions.filters import Filters
from ringback.executions.lifecycle import Status
from ringback.executions.record import LogRow
from ringback.executions.rendering import v1
from ringback.executions.rows import to_log_row, transfers_of
from ringback.executions.transfer import shown_transfer
from ringback.store.database import Database, Reader, Row
from ringback.store.queries import attempts, counts, execution_lists, execution_log, executions

MAX_PAGE_SIZE: Final = 50

_EVERYTHING: Final = Filters()
_FIRST_BATCH: Final = 20
"""Small, so that the first byte leaves at once."""
_BATCH: Final = 200
_NEAR: Final = 1_000
"""An offset that is skipped faster than the counters are asked for a place closer by."""


@dataclass(frozen=True, slots=True)
class StoredExecution:
    """An execution as it is served."""

    agent_id: str
    seq: int
    status: Status
    body: bytes
    """The canonical JSON object with the true status."""

    def v1(self) -> bytes:
        """The JSON object for the v1 endpoints."""
        return v1(self.body, self.status)


@dataclass(frozen=True, slots=True)
class Page:
    size: int
    """As applied: clamped to MAX_PAGE_SIZE."""
    items: Sequence[StoredExecution]
    has_more: bool
    total: Total | None
    """None: it was not asked for."""

    @property
    def next_cursor(self) -> str | None:
        """Where the list goes on; None at its end."""
        return cursor.encode(self.items[-1].seq) if self.has_more else None


@dataclass(frozen=True, slots=True)
class Recording:
    account_id: str
    path: str


class Listing:
    """Serves what the ledger rendered. Every method sees one account only."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(
        self,
        account_id: str,
        agent_id: str,
        size: int,
        filters: Filters = _EVERYTHING,
        *,
        number: int = 1,
        before: int | None = None,
        with_total: bool = True,
    ) -> Page:
        """A page of the agent's executions, newest first: page `number` (from 1), or what comes `before` a seq.

        Raises ValueError for a number or size below 1.
        """
        if number < 1 or size < 1:
            raise ValueError(f"page {number} of size {size}: both count from 1")
        size = min(size, MAX_PAGE_SIZE)
        async with self._db.read() as reader:
            found = await total(reader, account_id, agent_id, filters) if with_total else None
            columns, offset = filters.columns(), (number - 1) * size
            if found is not None and found.exact and found.count <= offset:
                # Counting has found out that there is nothing to find.
                return Page(size, [], False, found)
            if before is not None:
                columns |= {"before": before}
            elif offset > _NEAR and not columns:
                columns, offset = await _closer(reader, account_id, agent_id, offset)
            rows = await execution_lists.newest(reader, account_id, agent_id, columns, size + 1, offset)
        return Page(size, [stored(row) for row in rows[:size]], len(rows) > size, found)

    async def batches(
        self, account_id: str, agent_id: str, filters: Filters = _EVERYTHING, *, before: int | None = None
    ) -> AsyncGenerator[list[StoredExecution]]:
        """All executions that the filters let through, newest first, in batches; those before a seq only.

        Between two batches it holds no connection, so a slow reader keeps nothing busy. An execution that is
        created meanwhile is not in it; of one that changes meanwhile it has the state of the moment it was read.
        """
        columns, limit = filters.columns(), _FIRST_BATCH
        if before is not None:
            columns["before"] = before
        while True:
            rows = await execution_lists.newest(self._db, account_id, agent_id, columns, limit)
            if rows:
                yield [stored(row) for row in rows]
                columns["before"] = rows[-1]["seq"]
            if len(rows) < limit:
                return
            limit = _BATCH

    async def total(self, account_id: str, agent_id: str, filters: Filters = _EVERYTHING) -> Total:
        return await total(self._db, account_id, agent_id, filters)

    async def by_id(self, account_id: str, execution_id: str) -> StoredExecution | None:
        row = await executions.body(self._db, account_id, execution_id)
        return None if row is None else stored(row)

    async def log(self, account_id: str, execution_id: str) -> list[LogRow]:
        """The log in time order; empty for an unknown execution."""
        return [
            to_log_row(row) for row in await execution_log.of_execution(self._db, account_id, execution_id)
        ]

    async def transfer_recording(
        self, execution_id: str, *, token: str | None = None, account_id: str | None = None
    ) -> Recording | None:
        """As `recording`, of the transfer that the record shows."""
        row = None
        if token is not None:
            row = await attempts.transfers_of_token(self._db, token)
        elif account_id is not None:
            row = await attempts.transfers(self._db, account_id, execution_id)
        if row is None or row["execution_id"] != execution_id or row["status"] != Status.COMPLETED:
            return None
        shown = shown_transfer(transfers_of(row))
        return Recording(row["account_id"], shown.recording_path) if shown and shown.recording_path else None

    async def recording(
        self, execution_id: str, *, token: str | None = None, account_id: str | None = None
    ) -> Recording | None:
        """The recording of a completed call, for whoever has its token or owns the account."""
        row = None
        if token is not None:
            row = await attempts.recording_of_token(self._db, token)
        elif account_id is not None:
            row = await attempts.recording(self._db, account_id, execution_id)
        if row is None or row["execution_id"] != execution_id or row["recording_path"] is None:
            return None
        return (
            Recording(row["account_id"], row["recording_path"]) if row["status"] == Status.COMPLETED else None
        )


def stored(row: Row) -> StoredExecution:
    """Of a row with agent_id, seq, status and body."""
    return StoredExecution(row["agent_id"], row["seq"], Status(row["status"]), row["body"].encode())


async def _closer(reader: Reader, account_id: str, agent_id: str, offset: int) -> tuple[dict[str, Any], int]:
    """The same place in the whole list, told by the end of an hour and an offset from there."""
    found = await counts.hour_of_rank(reader, account_id, agent_id, offset)
    if found is None:
        return {"before": 0}, 0
    return {"before": (found["hour"] + 1) * counts.HOUR_US}, offset - found["newer"]
