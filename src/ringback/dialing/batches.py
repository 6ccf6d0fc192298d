"""Batches: a file of people to call, scheduled, stopped and counted as one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ringback.agents.registry import UnknownAgent
from ringback.clock import Clock
from ringback.dialing import batch_record
from ringback.dialing.batch_record import Batch, BatchState, BatchView, batch_of, view_of
from ringback.dialing.queue import CallQueue
from ringback.dialing.sweep import Sweep
from ringback.executions import counts
from ringback.executions.lifecycle import STOPPABLE, TERMINAL
from ringback.net.signing import new_secret
from ringback.store.database import Database, Reader, Transaction
from ringback.store.queries import agents, batch_faults, gates, jobs, webhook_endpoints
from ringback.store.queries import batches as queries
from ringback.store.wakeup import WEBHOOKS, Wakeup

_PAGE: Final = 100
_FAULTS: Final = 1_000


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
class BatchFault:
    """One row of `batch_faults`: a line that is not dialled."""

    line: int
    number: str | None
    """As the file has it."""
    reason: str


_OPEN: Final = frozenset({BatchState.CREATED, BatchState.PROCESSED, BatchState.SCHEDULED})


class Batches:
    """What the API does with batches; a job reads the file."""

    def __init__(
        self, db: Database, clock: Clock, wakeup: Wakeup, calls: CallQueue, sweep: Sweep, machine: str
    ) -> None:
        """`machine` names where uploads lie."""
        self._db = db
        self._clock = clock
        self._wakeup = wakeup
        self._calls = calls
        self._sweep = sweep
        self._machine = machine

    # Making one.

    async def create(self, tx: Transaction, new: NewBatch) -> None:
        """Write the batch, its gate and the job that reads its file. Whoever gives the transaction calls `wake` after
        its end. Raises LookupError for an unknown agent, NoFromNumber."""
        now = self._clock.now_us()
        ways = await self._calls.ways.pool(tx, new.account_id, new.from_numbers)
        if await agents.get(tx, new.account_id, new.agent_id) is None:
            raise LookupError(f"there is no agent {new.agent_id}")
        if new.webhook_url:
            await webhook_endpoints.ensure(
                tx, new.account_id, new.webhook_url, secret=new_secret(), now_us=now
            )
        await queries.insert(
            tx,
            {
                "account_id": new.account_id,
                "id": new.id,
                "agent_id": new.agent_id,
                "state": BatchState.CREATED,
                "file_name": new.file_name,
                "from_numbers": json.dumps([way.from_number for way in ways]),
                "retry_config": None if new.retry_config is None else json.dumps(new.retry_config),
                "webhook_url": new.webhook_url,
                "bypass_guardrails": False,
                "dial_once": new.dial_once,
                "created_at": now,
                "updated_at": now,
            },
        )
        await gates.open_at(tx, new.account_id, new.id, gates.NEVER_US)
        await jobs.add(tx, new.account_id, "intake", new.id, machine=self._machine, now_us=now)

    async def wake(self) -> None:
        """Let jobs be looked for: a batch was created."""
        await self._wakeup.notify("intake")

    # What becomes of it.

    async def schedule(self, account_id: str, batch_id: str, at_us: int, bypass: bool) -> Batch:
        """Let it begin at a moment; again: go on after a pause. Raises UnknownBatch, NotRunning."""
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            batch = await self._locked(tx, account_id, batch_id)
            if batch.state not in _OPEN:
                raise NotRunning(f"The batch is {batch.state}; it can't be scheduled any more")
            changes = {
                "state": BatchState.SCHEDULED,
                "scheduled_at": at_us,
                "bypass_guardrails": bypass,
                "updated_at": now,
            }
            await queries.update(tx, account_id, batch_id, changes)
            if batch.processed_at is not None:
                await gates.open_at(tx, account_id, batch_id, at_us)
            scheduled = await self._locked(tx, account_id, batch_id)
        await self._calls.wake()
        return scheduled

    async def stop(self, account_id: str, batch_id: str) -> None:
        """Nothing of it is dialled after this returns; what rings is cancelled. Raises UnknownBatch, NotRunning."""
        async with self._db.transaction() as tx:
            batch = await self._locked(tx, account_id, batch_id)
            if batch.state is not BatchState.SCHEDULED:
                raise NotRunning(f"The batch is {batch.state}, neither queued nor running")
            await self._close(tx, batch, BatchState.STOPPED, "The batch was stopped")
        await self._swept(account_id, batch_id)

    async def delete(self, account_id: str, batch_id: str) -> None:
        """Stop and hide it; its executions stay. Raises UnknownBatch."""
        async with self._db.transaction() as tx:
            batch = await self._locked(tx, account_id, batch_id)
            await self._close(tx, batch, BatchState.DELETED, "The batch was deleted")
        await self._swept(account_id, batch_id)

    async def stop_agent(self, account_id: str, agent_id: str) -> list[str]:
        """Stop all that waits for an agent: its calls and its batches, also those that were not scheduled. The
        executions that are stopped; what is dialled is cancelled."""
        now, lanes = self._clock.now_us(), [agent_id]
        async with self._db.transaction() as tx:
            up_to_seq = await gates.stop_agent(tx, account_id, agent_id)
            await jobs.add(tx, account_id, "sweep", agent_id, machine=None, now_us=now)
        lanes += await self._close_all(
            account_id, agent_id, _OPEN, BatchState.STOPPED, "The agent was stopped"
        )
        # Behind the gates, before the sweep: what has not been dialled by now will not be.
        stopped = await queries.held_back(
            self._db, account_id, agent_id, statuses=sorted(STOPPABLE), up_to_seq=up_to_seq
        )
        for lane in lanes:
            await self._sweep.some(account_id, lane)
        await self._wakeup.notify("sweep")
        await self._calls.wake()
        return stopped

    async def delete_agent(self, account_id: str, agent_id: str) -> None:
        """Hide an agent and its batches, and stop all that waits for it. What is dialled is cancelled; live calls go
        on, and go with the rest of it when they are over. Raises UnknownAgent."""
        now, why = self._clock.now_us(), "The agent was deleted"
        async with self._db.transaction() as tx:
            if not await agents.hide(tx, account_id, agent_id, now_us=now):
                raise UnknownAgent(agent_id)
            await gates.close(tx, account_id, "agent", agent_id, how="stopped", why=why, now_us=now)
            await jobs.add(tx, account_id, "sweep", agent_id, machine=None, now_us=now)
        shown = frozenset(BatchState) - {BatchState.DELETED}
        lanes = await self._close_all(account_id, agent_id, shown, BatchState.DELETED, why)
        for lane in (agent_id, *lanes):
            await self._sweep.some(account_id, lane)
        await self._sweep.remove_some(account_id, agent_id)
        await self._wakeup.notify("sweep")
        await self._calls.wake()

    async def settle(self, account_id: str, batch_id: str) -> bool:
        """Complete a batch of which nothing is left to do; whether this call did."""
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            # Locked before looking: of two calls that end at the same moment, one sees both.
            batch = await self._locked(tx, account_id, batch_id)
            if batch.state is not BatchState.SCHEDULED or batch.processed_at is None:
                return False
            if batch.scheduled_at is None or batch.scheduled_at > now:
                return False
            if not await _is_over(tx, batch.account_id, batch.agent_id, batch.id):
                return False
            changes = {"state": BatchState.COMPLETED, "updated_at": now}
            await queries.update(tx, account_id, batch_id, changes)
            await batch_record.told(tx, account_id, batch_id, "completed", now)
        await self._wakeup.notify(WEBHOOKS)
        return True

    async def settle_all(self) -> None:
        """Complete every batch that is over."""
        for row in await queries.begun(self._db, now_us=self._clock.now_us()):
            try:
                # A look first: only what seems to be over is locked.
                if await _is_over(self._db, row["account_id"], row["agent_id"], row["id"]):
                    await self.settle(row["account_id"], row["id"])
            except UnknownBatch:
                continue  # deleted a moment ago

    # Looking at it.

    async def get(self, account_id: str, batch_id: str) -> BatchView:
        """Raises UnknownBatch."""
        async with self._db.read() as reader:
            row = await queries.shown(reader, account_id, batch_id)
            if row is None:
                raise UnknownBatch(batch_id)
            return await view_of(reader, row)

    async def agent_of(self, account_id: str, batch_id: str) -> str:
        """Whose executions it has. Raises UnknownBatch."""
        row = await queries.progress(self._db, account_id, batch_id)
        if row is None or row["state"] == BatchState.DELETED:
            raise UnknownBatch(batch_id)
        agent_id: str = row["agent_id"]
        return agent_id

    async def faults(self, account_id: str, batch_id: str) -> AsyncIterator[BatchFault]:
        """Lines that are not dialled, in the order of the file; the first 100,000 of them."""
        line = 0
        while True:
            rows = await batch_faults.after(self._db, account_id, batch_id, line, limit=_FAULTS)
            for row in rows:
                yield BatchFault(row["line"], row["number"], row["reason"])
            if len(rows) < _FAULTS:
                return
            line = rows[-1]["line"]

    async def all(self, account_id: str, agent_id: str) -> AsyncIterator[BatchView]:
        """Of an agent, newest first."""
        before: tuple[int, str] | None = None
        while True:
            async with self._db.read() as reader:
                rows = await queries.shown_of_agent(reader, account_id, agent_id, before=before, limit=_PAGE)
                views = [await view_of(reader, row) for row in rows]
            for view in views:
                yield view
            if len(rows) < _PAGE:
                return
            before = rows[-1]["created_at"], rows[-1]["id"]

    # Within.

    async def _locked(self, tx: Transaction, account_id: str, batch_id: str) -> Batch:
        """Raises UnknownBatch."""
        row = await queries.lock(tx, account_id, batch_id)
        if row is None or row["state"] == BatchState.DELETED:
            raise UnknownBatch(batch_id)
        return batch_of(row)

    async def _close(self, tx: Transaction, batch: Batch, state: BatchState, why: str) -> None:
        """Nothing of it passes from now on; what waits is swept."""
        now, where = self._clock.now_us(), (batch.account_id, batch.id)
        await queries.update(tx, *where, {"state": state, "updated_at": now})
        await gates.close(tx, batch.account_id, "batch", batch.id, how="stopped", why=why, now_us=now)
        await jobs.add(tx, batch.account_id, "sweep", batch.id, machine=None, now_us=now)

    async def _close_all(
        self, account_id: str, agent_id: str, states: frozenset[BatchState], to: BatchState, why: str
    ) -> list[str]:
        """Those of an agent that are in one of the states; which they were."""
        closed = []
        for batch_id in await queries.of_agent(self._db, account_id, agent_id, sorted(states)):
            async with self._db.transaction() as tx:
                row = await queries.lock(tx, account_id, batch_id)
                if row is not None and row["state"] in states:
                    await self._close(tx, batch_of(row), to, why)
                    closed.append(batch_id)
        return closed

    async def _swept(self, account_id: str, batch_id: str) -> None:
        """A small batch is swept before the answer, a large one by the job."""
        await self._sweep.some(account_id, batch_id)
        await self._wakeup.notify("sweep")
        await self._calls.wake()


async def _is_over(db: Reader, account_id: str, agent_id: str, batch_id: str) -> bool:
    """Every call of it has come to its end, retries and after-call work too."""
    return not (await counts.of_batch(db, account_id, agent_id, batch_id)).keys() - TERMINAL
