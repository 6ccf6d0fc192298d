"""The only writer of executions: every change is one transaction that also logs and renders it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from ringback.clock import Clock
from ringback.executions import counts, lifecycle, outbox, retries, rows
from ringback.executions.hold import Held, hold
from ringback.executions.hold import LeaseLost as LeaseLost  # what callers catch
from ringback.executions.hold import UnknownExecution as UnknownExecution
from ringback.executions.lifecycle import STOPPABLE, TERMINAL, IllegalTransition, Status
from ringback.executions.opening import created, first_attempt, further_attempt
from ringback.executions.record import (
    Attempt,
    AttemptChanges,
    AttemptState,
    Execution,
    ExecutionChanges,
    LogRow,
    NewExecution,
    Turn,
    UsageLine,
    cost_of,
)
from ringback.executions.rendering import has_ended, shown
from ringback.executions.settlement import settle
from ringback.store.database import Database, Reader, Transaction
from ringback.store.queries import (
    accounts,
    attempts,
    call_events,
    execution_log,
    executions,
    gates,
    segments,
    usage_lines,
)
from ringback.store.queries import turns as turn_rows

_NO_EXECUTION_CHANGES: ExecutionChanges = {}
_NO_ATTEMPT_CHANGES: AttemptChanges = {}


class Ledger:
    """Creates executions and moves them along.

    Every method runs in a transaction of its own unless it is given one, e.g. to claim and move in one step.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        public_url: str,
        moved: Callable[[Execution], None] = lambda execution: None,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        """`public_url` is the base of the links in the record, without a trailing slash.

        `moved` is told of every execution with a new status; where the caller has the transaction, before its end.
        `told` is called when a webhook is to be delivered, likewise.
        """
        self._db = db
        self.clock = clock
        self.public_url = public_url
        self.moved = moved
        self.told = told

    async def create(self, new: NewExecution, *, tx: Transaction | None = None) -> Execution:
        """Write an execution that is queued (or scheduled, if its time is to come) and its first attempt.

        Raises LookupError for an unknown account, ValueError for `recipient_data` that JSON can't hold.
        """
        async with self._within(tx) as tx:
            execution, attempt, told = await self._open(tx, new, {})
            await gates.offer(
                tx,
                execution.account_id,
                execution.agent_id,
                execution.batch_id,
                seq=execution.seq,
                due_us=attempt.due_at,
            )
        if told:
            self.told()
        return execution

    async def receive(self, new: NewExecution, attempt: AttemptChanges, *, tx: Transaction) -> Execution:
        """Write a call to us, which nobody dials: it is queued, and with `attempt` in the hands of who was called.

        Raises as `create`.
        """
        execution, _, told = await self._open(tx, new, attempt)
        if told:
            self.told()
        return execution

    async def _open(
        self, tx: Transaction, new: NewExecution, changes: AttemptChanges
    ) -> tuple[Execution, Attempt, bool]:
        """With whether there is something to deliver."""
        now = self.clock.now_us()
        seq = await accounts.next_seq(tx, new.account_id, now)
        if seq is None:
            raise LookupError(f"there is no account {new.account_id}")
        execution = created(new, seq, now)
        attempt = replace(first_attempt(execution, now), **changes)
        body = shown(execution, attempt, (), (), self.public_url)
        await executions.insert(tx, rows.columns_of(execution) | body)
        await attempts.insert(tx, rows.columns_of(attempt))
        await counts.changed(tx, None, execution)
        await self._log_event(tx, execution, str(execution.status))
        return execution, attempt, await outbox.told(tx, execution)

    async def get(self, account_id: str, execution_id: str, *, tx: Reader | None = None) -> Execution:
        """Raises UnknownExecution."""
        row = await executions.get(tx or self._db, account_id, execution_id)
        if row is None:
            raise UnknownExecution(execution_id)
        return rows.to_execution(row)

    async def attempt(self, account_id: str, execution_id: str, *, tx: Reader | None = None) -> Attempt:
        """The current attempt. Raises UnknownExecution."""
        row = await attempts.current(tx or self._db, account_id, execution_id)
        if row is None:
            raise UnknownExecution(execution_id)
        return rows.to_attempt(row)

    async def turns(self, account_id: str, execution_id: str) -> list[Turn]:
        """What was said in the current attempt, in order. Raises UnknownExecution."""
        async with self._db.read() as reader:
            attempt = await self.attempt(account_id, execution_id, tx=reader)
            return await _turns(reader, attempt)

    async def transition(
        self,
        account_id: str,
        execution_id: str,
        to: Status,
        *,
        changes: ExecutionChanges = _NO_EXECUTION_CHANGES,
        attempt: AttemptChanges = _NO_ATTEMPT_CHANGES,
        usage: Sequence[UsageLine] = (),
        log: Sequence[LogRow] = (),
        number: int | None = None,
        lease_owner: str | None = None,
        why: str = "",
        tx: Transaction | None = None,
    ) -> Execution:
        """Move the execution to the status `to`, with what else changes at that moment.

        `usage` is billed to the current attempt, and the execution's cost is the sum of all its lines. As no
        transition happens twice, neither does its bill. A terminal status is written to the attempt too, which is
        then done unless `attempt` says otherwise, and its payer's wallet is settled. Where the retry policy wants
        another attempt, and its lane is not stopped, that is opened at the same moment: the execution that is returned
        is `scheduled` again.

        With `number` the current attempt must be that one, with `lease_owner` its lease must be that owner's. `why`
        is for the log, where the message of an error stands in for it.
        Raises IllegalTransition, UnknownExecution, LeaseLost; ValueError for data that JSON can't hold.
        """
        asked_us = self.clock.now_us()  # of the log row: an agent speaks before its call's answer is written
        async with self._within(tx) as tx:
            held = await hold(tx, account_id, execution_id, number=number, lease_owner=lease_owner)
            before = held.execution.status
            if before in TERMINAL:
                # The way back in the table is the retry policy's: it opens a new attempt.
                raise IllegalTransition(before, to)
            lifecycle.check(before, to)
            ended = replace(held.execution, **changes, status=to, updated_at=self.clock.now_us())
            again = await self._again(tx, held, ended)
            changed = left(to, attempt)
            execution = await self._write(tx, held, {**changes, "status": to}, changed, usage)
            told = await outbox.told(tx, execution)
            if again:
                # Its end is told as well, so it is written first.
                over = Held(execution, replace(held.attempt, **changed))
                execution = await self._write(tx, over, again, {}, (), further=True)
                await outbox.told(tx, execution)
            await _insert_log(tx, account_id, execution_id, log)
            if before is Status.IN_PROGRESS:
                await call_events.delete_all(tx, account_id, execution_id)
            await self._log_event(
                tx, execution, said(before, to, why or changes.get("error_message")), asked_us
            )
            if again:
                await self._log_event(tx, execution, said(to, execution.status))
            if to in TERMINAL and before not in STOPPABLE:
                # It was dialled. After everything else: nobody waits for a wallet who is waited for.
                await settle(tx, held.attempt, execution.cost.total, self.clock.now_us())
        self.moved(ended)
        if again:
            self.moved(execution)
        if told:
            self.told()
        return execution

    async def update(
        self,
        account_id: str,
        execution_id: str,
        *,
        changes: ExecutionChanges = _NO_EXECUTION_CHANGES,
        attempt: AttemptChanges = _NO_ATTEMPT_CHANGES,
        usage: Sequence[UsageLine] = (),
        log: Sequence[LogRow] = (),
        number: int | None = None,
        lease_owner: str | None = None,
        tx: Transaction | None = None,
    ) -> Execution:
        """Change anything but the status. Raises UnknownExecution, LeaseLost; ValueError as `transition`."""
        async with self._within(tx) as tx:
            held = await hold(tx, account_id, execution_id, number=number, lease_owner=lease_owner)
            execution = await self._write(tx, held, {**changes}, {**attempt}, usage)
            await _insert_log(tx, account_id, execution_id, log)
        return execution

    async def reassign(
        self,
        account_id: str,
        execution_id: str,
        agent_id: str,
        *,
        changes: ExecutionChanges = _NO_EXECUTION_CHANGES,
        number: int | None = None,
        lease_owner: str | None = None,
    ) -> Execution:
        """Let it be another agent's, who must exist, and change what else changes with that; a batch has none such.

        What is told of it from now on is told to that agent's webhook. Raises as `update`.
        """
        async with self._db.transaction() as tx:
            held = await hold(tx, account_id, execution_id, number=number, lease_owner=lease_owner)
            moved = {**changes, "agent_id": agent_id}
            execution = await self._write(tx, held, moved, {"agent_id": agent_id, "lane": agent_id}, ())
            await segments.make_room(tx, account_id, agent_id, execution.seq)
            await self._log_event(tx, execution, f"agent {held.execution.agent_id} -> {agent_id}")
        return execution

    async def add_turns(
        self,
        account_id: str,
        execution_id: str,
        turns: Sequence[Turn],
        *,
        metered: Sequence[UsageLine] = (),
        number: int | None = None,
        lease_owner: str | None = None,
        tx: Transaction | None = None,
    ) -> None:
        """Add turns to the current attempt; one with an index that is there already replaces it.

        `metered`: what providers have done so far. `number` and `lease_owner` as in `transition`.
        Raises UnknownExecution, LeaseLost.
        """
        if not turns:
            return
        async with self._within(tx) as tx:
            held = await hold(tx, account_id, execution_id, number=number, lease_owner=lease_owner)
            owner = {
                "account_id": account_id,
                "execution_id": execution_id,
                "attempt": held.attempt.number,
            }
            await turn_rows.put(tx, [owner | rows.turn_columns(turn) for turn in turns])
            if metered:
                columns = rows.to_columns({"metered": metered})
                await attempts.update(tx, account_id, execution_id, held.attempt.number, columns)
            if has_ended(held.execution.status):
                await self._write(tx, held, {}, {}, ())

    async def add_log(
        self, account_id: str, execution_id: str, log: Sequence[LogRow], *, tx: Transaction | None = None
    ) -> None:
        """Raises UnknownExecution."""
        if not log:
            return
        async with self._within(tx) as tx:
            if await executions.lock(tx, account_id, execution_id) is None:
                raise UnknownExecution(execution_id)
            await _insert_log(tx, account_id, execution_id, log)

    async def _again(self, tx: Transaction, held: Held, ended: Execution) -> dict[str, Any]:
        """What changes of an execution that has `ended`, if it is dialled again; nothing if not."""
        if ended.status not in TERMINAL or (
            # Somebody was talked to; that our own work failed later is no reason to call again.
            ended.status is Status.ERROR and held.execution.status is Status.CALL_DISCONNECTED
        ):
            return {}
        if held.attempt.cancel_requested:
            return {}  # somebody was told that it is stopped, however its ringing ended
        number, now = held.attempt.number, ended.updated_at
        due = retries.next_attempt(ended, number, now)
        if due is None or not await gates.offer(
            tx, ended.account_id, ended.agent_id, ended.batch_id, seq=ended.seq, due_us=due
        ):
            return {}
        return retries.reopened(ended, number, due, now)

    async def _write(
        self,
        tx: Transaction,
        held: Held,
        changes: dict[str, Any],
        attempt_changes: dict[str, Any],
        usage: Sequence[UsageLine],
        *,
        further: bool = False,
    ) -> Execution:
        """Write the changes, and the body and the counts that follow from them; `further`: another attempt too."""
        attempt = replace(held.attempt, **attempt_changes)
        account_id, execution_id = attempt.account_id, attempt.execution_id
        if attempt_changes:
            columns = rows.to_columns(attempt_changes)
            await attempts.update(tx, account_id, execution_id, attempt.number, columns)
        if usage:
            await _insert_usage(tx, attempt, usage)
        changes["updated_at"] = max(self.clock.now_us(), held.execution.updated_at)
        if "status" in changes:
            changes["moves"] = held.execution.moves + 1
        execution = replace(held.execution, **changes)
        if further:
            attempt = further_attempt(execution, execution.updated_at)
            await attempts.insert(tx, rows.columns_of(attempt))
        turns: list[Turn] = []
        lines: list[UsageLine] = []
        if usage or has_ended(execution.status):
            found = await usage_lines.of_execution(tx, account_id, execution_id)
            lines = [rows.to_usage_line(row) for row in found]
            changes["cost"] = cost_of(lines)
            execution = replace(execution, cost=changes["cost"])
        if has_ended(execution.status):
            turns = await _turns(tx, attempt)
        body = shown(execution, attempt, turns, lines, self.public_url)
        await executions.update(tx, account_id, execution_id, rows.to_columns(changes) | body)
        await counts.changed(tx, held.execution, execution)
        if held.execution.status in TERMINAL:
            # Only of settled executions a segment may hold a copy.
            await segments.reopen(tx, account_id, execution.agent_id, [execution.seq])
        return execution

    async def _log_event(
        self, tx: Transaction, execution: Execution, data: str, at_us: int | None = None
    ) -> None:
        at_us = self.clock.now_us() if at_us is None else at_us
        row = LogRow(at_us, "event", "system", execution.provider, data)
        await _insert_log(tx, execution.account_id, execution.id, [row])

    @asynccontextmanager
    async def _within(self, tx: Transaction | None) -> AsyncIterator[Transaction]:
        if tx is not None:
            yield tx
            return
        async with self._db.transaction() as own:
            yield own


def said(before: Status, to: Status, why: str | None = None) -> str:
    """What the log says of a transition."""
    return f"{before} -> {to}{f': {why}' if why else ''}"


def left(to: Status, attempt: AttemptChanges) -> dict[str, Any]:
    """The changes of an attempt with what follows from its new status: who is over holds neither slot nor lease.

    A dial of unknown outcome keeps its slot: the person may be on the line.
    """
    if to is Status.CALL_DISCONNECTED:
        return {"slot_since": None, **attempt}
    if to not in TERMINAL:
        return {**attempt}
    over: dict[str, Any] = {"state": AttemptState.DONE, "lease_owner": None, "lease_until": None, **attempt}
    if over["state"] is not AttemptState.UNKNOWN:
        over.setdefault("slot_since", None)
    return over | {"status": to}


async def _turns(reader: Reader, attempt: Attempt) -> list[Turn]:
    found = await turn_rows.of_attempt(reader, attempt.account_id, attempt.execution_id, attempt.number)
    return [rows.to_turn(row) for row in found]


async def _insert_log(tx: Transaction, account_id: str, execution_id: str, log: Sequence[LogRow]) -> None:
    if not log:
        return
    owner = {"account_id": account_id, "execution_id": execution_id}
    await execution_log.insert(tx, [owner | rows.columns_of(row) for row in log])


async def _insert_usage(tx: Transaction, attempt: Attempt, lines: Sequence[UsageLine]) -> None:
    owner = {
        "account_id": attempt.account_id,
        "execution_id": attempt.execution_id,
        "attempt": attempt.number,
    }
    await usage_lines.insert(tx, [owner | rows.columns_of(line) for line in lines])
