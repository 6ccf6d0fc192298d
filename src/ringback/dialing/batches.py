"""Batches: a file of people to call, scheduled, stopped and counted as one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ringback.clock import Clock
from ringback.dialing.queue import CallQueue
from ringback.executions.lifecycle import Status
from ringback.store.database import Database, Transaction
from ringback.store.wakeup import Wakeup


class BatchState(StrEnum):
    """As stored; `BatchView.status` is what clients see."""

    CREATED = "created"
    PROCESSED = "processed"
    SCHEDULED = "scheduled"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    DELETED = "deleted"


class UnknownBatch(LookupError):
    """The account has no such batch, or it was deleted."""


class NotRunning(Exception):
    """The batch can't be stopped or scheduled as it stands; the message says why."""


@dataclass(frozen=True, slots=True)
class NewBatch:
    """POST /batches, validated (contract 9)."""

    account_id: str
    id: str
    """32 hex digits. Its file lies whole in the folder of uploads, as `<id>.csv`, before the batch is created."""
    agent_id: str
    file_name: str
    """As the client called it."""
    from_numbers: tuple[str, ...]
    retry_config: Mapping[str, Any] | None
    webhook_url: str | None
    dial_once: bool = True


@dataclass(frozen=True, slots=True)
class Batch:
    """One row of `batches`. Times are microseconds since the epoch."""

    account_id: str
    id: str
    agent_id: str
    state: BatchState
    file_name: str
    from_numbers: tuple[str, ...]
    retry_config: Mapping[str, Any] | None
    webhook_url: str | None
    bypass_guardrails: bool
    dial_once: bool
    scheduled_at: int | None
    processed_at: int | None
    total: int
    """Lines of the file, as far as it was read."""
    valid: int
    duplicates: int
    failure: str | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch as clients see it."""

    batch: Batch
    status: str
    """The state, but for `running`: scheduled, and a call of it was claimed."""
    counts: Mapping[Status, int]
    """Its executions by status, exact."""
    paused_reason: str | None
    """None: it is not paused."""


@dataclass(frozen=True, slots=True)
class BatchFault:
    """One row of `batch_faults`: a line that is not dialled."""

    line: int
    number: str | None
    """As the file has it."""
    reason: str


class Batches:
    """What the API does with batches; a job reads the file."""

    def __init__(self, db: Database, clock: Clock, wakeup: Wakeup, calls: CallQueue, machine: str) -> None:
        """`machine` names where uploads lie."""
        self._db = db
        self._clock = clock
        self._wakeup = wakeup
        self._calls = calls
        self._machine = machine

    async def create(self, tx: Transaction, new: NewBatch) -> None:
        """Write the batch, its gate and the job that reads its file. Whoever gives the transaction calls `wake` after
        its end. Raises LookupError for an unknown agent, NoFromNumber."""
        raise NotImplementedError

    async def wake(self) -> None:
        """Let jobs be looked for: a batch was created."""
        raise NotImplementedError

    async def schedule(self, account_id: str, batch_id: str, at_us: int, bypass: bool) -> Batch:
        """Let it begin at a moment; again: go on after a pause. Raises UnknownBatch, NotRunning."""
        raise NotImplementedError

    async def stop(self, account_id: str, batch_id: str) -> None:
        """Nothing of it is dialled after this returns; what rings is cancelled. Raises UnknownBatch, NotRunning."""
        raise NotImplementedError

    async def delete(self, account_id: str, batch_id: str) -> None:
        """Stop and hide it; its executions stay. Raises UnknownBatch."""
        raise NotImplementedError

    async def get(self, account_id: str, batch_id: str) -> BatchView:
        """Raises UnknownBatch."""
        raise NotImplementedError

    def faults(self, account_id: str, batch_id: str) -> AsyncIterator[BatchFault]:
        """Lines that are not dialled, in the order of the file; the first 100,000 of them."""
        raise NotImplementedError

    def all(self, account_id: str, agent_id: str) -> AsyncIterator[BatchView]:
        """Of an agent, newest first."""
        raise NotImplementedError

    async def settle(self, account_id: str, batch_id: str) -> bool:
        """Complete a batch of which nothing is left to do; whether this call did."""
        raise NotImplementedError
