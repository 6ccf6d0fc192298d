"""Reading executions: the v1 list, pages of the v2 list, one by its id, its log (contract section 3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from ringback.executions.lifecycle import Status
from ringback.executions.record import LogRow
from ringback.executions.rendering import v1
from ringback.executions.rows import to_log_row
from ringback.store.database import Database, Row
from ringback.store.queries import attempts, execution_log, executions

MAX_PAGE_SIZE: Final = 50

_FIRST_BATCH: Final = 20
"""Small, so that the first byte leaves at once."""
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Filters:
    """What an execution must be to be listed; None does not filter (contract 3.2)."""

    statuses: frozenset[Status] | None = None
    call_type: str | None = None
    provider: str | None = None
    answered_by_voice_mail: bool | None = None
    batch_id: str | None = None
    """With or without dashes."""
    created_from: int | None = None
    """Microseconds, inclusive."""
    created_to: int | None = None
    """Microseconds, inclusive. Records show whole seconds: give the last microsecond of the second meant."""

    def columns(self) -> dict[str, Any]:
        """What `store.queries.executions` filters by."""
        return {
            "statuses": None if self.statuses is None else sorted(self.statuses),
            "call_type": self.call_type,
            "provider": self.provider,
            "answered_by_voice_mail": self.answered_by_voice_mail,
            "batch_id": None if self.batch_id is None else _hex(self.batch_id),
            "created_from": self.created_from,
            "created_to": self.created_to,
        }


_EVERYTHING: Final = Filters()


@dataclass(frozen=True, slots=True)
class StoredExecution:
    """An execution as it is served."""

    agent_id: str
    status: Status
    body: bytes
    """The canonical JSON object with the true status."""

    def v1(self) -> bytes:
        """The JSON object for the v1 endpoints."""
        return v1(self.body, self.status)


@dataclass(frozen=True, slots=True)
class Page:
    number: int
    size: int
    """As applied: clamped to MAX_PAGE_SIZE."""
    total: int
    items: Sequence[StoredExecution]

    @property
    def has_more(self) -> bool:
        return self.number * self.size < self.total


@dataclass(frozen=True, slots=True)
class Recording:
    account_id: str
    path: str


class Listing:
    """Serves what the ledger rendered. Every method sees one account only."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def stream_v1(
        self, account_id: str, agent_id: str, filters: Filters = _EVERYTHING
    ) -> AsyncIterator[bytes]:
        """The agent's executions, newest first, as chunks of one JSON array.

        Between two chunks it holds no connection, so a slow reader keeps nothing busy. An execution that is
        created meanwhile is not in it; of one that changes meanwhile it has the state of the moment it was read.
        """
        columns = filters.columns()
        limit, opening = _FIRST_BATCH, b"["
        while True:
            found = await executions.newest(self._db, account_id, agent_id, columns, limit)
            if found:
                yield opening + b",".join(_stored(row).v1() for row in found)
                opening = b","
                columns["before"] = found[-1]["seq"]
            if len(found) < limit:
                break
            limit = _BATCH
        yield b"]" if opening == b"," else b"[]"

    async def page(
        self, account_id: str, agent_id: str, number: int, size: int, filters: Filters = _EVERYTHING
    ) -> Page:
        """Page `number` (from 1) of the agent's executions, newest first. Raises ValueError below 1."""
        if number < 1 or size < 1:
            raise ValueError(f"page {number} of size {size}: both count from 1")
        columns = filters.columns()
        size = min(size, MAX_PAGE_SIZE)
        offset = (number - 1) * size
        async with self._db.read() as reader:
            total = await executions.count(reader, account_id, agent_id, columns)
            found: list[Row] = []
            if offset < total:
                found = await executions.page(reader, account_id, agent_id, columns, size, offset)
        return Page(number, size, total, [_stored(row) for row in found])

    async def by_id(self, account_id: str, execution_id: str) -> StoredExecution | None:
        row = await executions.body(self._db, account_id, execution_id)
        return None if row is None else _stored(row)

    async def log(self, account_id: str, execution_id: str) -> list[LogRow]:
        """The log in time order; empty for an unknown execution."""
        return [
            to_log_row(row) for row in await execution_log.of_execution(self._db, account_id, execution_id)
        ]

    async def recording_paths(self, account_id: str, agent_id: str) -> list[str]:
        """The recordings of an agent's executions, within the folder of recordings."""
        rows = await attempts.recordings_of_agent(self._db, account_id, agent_id)
        return [row["recording_path"] for row in rows]

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


def _stored(row: Row) -> StoredExecution:
    return StoredExecution(row["agent_id"], Status(row["status"]), row["body"].encode())


def _hex(batch_id: str) -> str:
    """32 hex digits; what is no UUID stays as it is and matches nothing."""
    try:
        return UUID(batch_id).hex
    except ValueError:
        return batch_id
