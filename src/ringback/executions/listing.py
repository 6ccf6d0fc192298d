"""Reading executions: the v1 list, pages of the v2 list, one by its id, its log (contract section 3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from ringback.executions.lifecycle import Status
from ringback.executions.record import LogRow
from ringback.store.database import Database

MAX_PAGE_SIZE = 50


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


@dataclass(frozen=True, slots=True)
class StoredExecution:
    """An execution as it is served."""

    agent_id: str
    status: Status
    body: bytes
    """The canonical JSON object with the true status."""

    def v1(self) -> bytes:
        """The JSON object for the v1 endpoints."""
        raise NotImplementedError


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
    def __init__(self, db: Database) -> None:
        self._db = db

    def stream_v1(
        self, account_id: str, agent_id: str, filters: Filters | None = None
    ) -> AsyncIterator[bytes]:
        """The agent's executions, newest first, as chunks of one JSON array.

        Between two chunks it holds no connection.
        """
        raise NotImplementedError

    async def page(
        self, account_id: str, agent_id: str, number: int, size: int, filters: Filters | None = None
    ) -> Page:
        """Page `number` (from 1) of the agent's executions, newest first."""
        raise NotImplementedError

    async def by_id(self, account_id: str, execution_id: str) -> StoredExecution | None:
        raise NotImplementedError

    async def log(self, account_id: str, execution_id: str) -> list[LogRow]:
        """The log in time order; empty for an unknown execution."""
        raise NotImplementedError

    async def recording(
        self, execution_id: str, *, token: str | None = None, account_id: str | None = None
    ) -> Recording | None:
        """The finished recording, for whoever has its token or owns the account."""
        raise NotImplementedError
