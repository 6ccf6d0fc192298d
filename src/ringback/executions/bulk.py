"""Many executions in one transaction: a batch's lines written, and hundreds moved along at once."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from ringback.executions import counts, outbox, rows
from ringback.executions.hold import Held, hold_all
from ringback.executions.ledger import Ledger, left, said
from ringback.executions.lifecycle import STOPPABLE, TERMINAL, TRANSITIONS, Status
from ringback.executions.opening import created
from ringback.executions.record import AttemptChanges, Execution, ExecutionChanges, LogRow, NewExecution
from ringback.executions.rendering import shown
from ringback.executions.retries import next_attempt
from ringback.executions.stencil import Drawing, Line, Stencil
from ringback.store.database import Transaction
from ringback.store.queries import accounts, attempts, execution_log, executions, gates
from ringback.store.queries.counts import HOUR_US


@dataclass(frozen=True, slots=True)
class Move:
    """What `Ledger.transition` is told, for one of many."""

    execution_id: str
    to: Status
    changes: ExecutionChanges
    attempt: AttemptChanges
    why: str = ""
    """For the log row."""


@dataclass(frozen=True, slots=True)
class BatchTemplate:
    """What all executions of a batch have in common."""

    account_id: str
    agent_id: str
    batch_id: str
    provider: str
    from_numbers: tuple[str, ...]
    """A person is always called from the same one of them."""
    trunk_id: str | None = None
    """Of the account's trunk that they are on; None: that of the settings."""
    retry_config: Mapping[str, Any] | None = None
    bypass_guardrails: bool = False

    def from_number(self, line: Line) -> str | None:
        if not self.from_numbers:
            return None
        return self.from_numbers[zlib.crc32(line.number.encode()) % len(self.from_numbers)]


class LaneStopped(Exception):
    """Nothing more may wait in this batch; nothing was written that outlives the transaction."""


class Bulk:
    """Writes what `Ledger` would, a statement a table instead of a transaction a row."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def move(self, tx: Transaction, account_id: str, moves: Sequence[Move]) -> list[Execution]:
        """Move what may move, one for each execution; who may not (illegal, unknown, dialled again meanwhile) is left
        out of the result.

        What may follow `queued` may follow whatever may become `queued`: that step is left out. Locks the attempts,
        then the executions, in the order of their keys. Whoever lets attempts wait again offers them to their gates.
        """
        wanted = {move.execution_id: move for move in moves}
        plain, moved = [], []
        for held in await hold_all(tx, account_id, sorted(wanted)):
            move = wanted[held.execution.id]
            if not _may(held.execution.status, move.to):
                continue
            if _is_plain(held, move, self._ledger.clock.now_us()):
                plain.append((held, move))
            else:
                moved.append(await self._one(tx, held, move))
        return moved + await self._all(tx, plain)

    async def _one(self, tx: Transaction, held: Held, move: Move) -> Execution:
        where = held.execution.account_id, held.execution.id
        if move.to not in TRANSITIONS[held.execution.status]:
            await self._ledger.transition(*where, Status.QUEUED, tx=tx)
        return await self._ledger.transition(
            *where, move.to, changes=move.changes, attempt=move.attempt, why=move.why, tx=tx
        )

    async def _all(self, tx: Transaction, plain: Sequence[tuple[Held, Move]]) -> list[Execution]:
        """Write those that were never dialled: nothing was said, nothing is to be paid."""
        now = self._ledger.clock.now_us()
        steps = [_step(held, move, now) for held, move in plain]
        attempt_rows = [step.attempt_row() for step in steps if step.attempt_changes]
        await _update(tx, attempts.update_many, attempt_rows, {"account_id", "execution_id", "number"})
        execution_rows = [step.execution_row(self._ledger.public_url) for step in steps]
        await _update(tx, executions.update_many, execution_rows, {"account_id", "id"})
        await counts.changed_many(
            tx, [change for step in steps for change in ((step.held.execution, -1), (step.after, 1))]
        )
        if steps:
            await execution_log.insert(tx, [step.log_row(now) for step in steps])
        if await outbox.told_all(tx, [step.after for step in steps]):
            self._ledger.told()
        for step in steps:
            self._ledger.moved(step.after)
        return [step.after for step in steps]

    def stencil(self, template: BatchTemplate) -> Stencil:
        """Draws what `create` writes. Takes half a millisecond."""
        like = replace(created(_new(template), 0, 0), status=Status.PREPARED)
        return Stencil(like, template.from_number, self._ledger.public_url)

    async def create(self, tx: Transaction, drawing: Drawing) -> None:
        """Write executions of a batch, which are `prepared`, and their first attempts, due with their lane.

        Their log begins when their turn comes. Locks the account until the transaction ends. Raises LookupError for an
        unknown account, LaneStopped.
        """
        like, count = drawing.like, len(drawing)
        if not count:
            return
        first = await accounts.next_seqs(tx, like.account_id, self._ledger.clock.now_us(), count)
        if first is None:
            raise LookupError(f"there is no account {like.account_id}")
        made, attempted = drawing.rows(first)
        await executions.insert_many(tx, made.columns, made.rows)
        await attempts.insert_many(tx, attempted.columns, attempted.rows)
        await counts.changed_many(tx, ((replace(like, seq=seq), n) for seq, n in _by_hour(first, count)))
        if not await gates.offer(tx, like.account_id, like.agent_id, like.batch_id, seq=first, due_us=0):
            raise LaneStopped(f"batch {like.batch_id} was stopped")
        if await outbox.told_new(tx, like, first, count, self._ledger.clock.now_us()):
            self._ledger.told()


@dataclass(frozen=True, slots=True)
class _Step:
    """What becomes of an execution and its attempt."""

    held: Held
    changes: dict[str, Any]
    attempt_changes: dict[str, Any]
    why: str
    after: Execution

    def attempt_row(self) -> dict[str, object]:
        attempt = self.held.attempt
        key = {
            "account_id": attempt.account_id,
            "execution_id": attempt.execution_id,
            "number": attempt.number,
        }
        return key | rows.to_columns(self.attempt_changes)

    def execution_row(self, public_url: str) -> dict[str, object]:
        attempt = replace(self.held.attempt, **self.attempt_changes)
        key = {"account_id": self.after.account_id, "id": self.after.id}
        return key | rows.to_columns(self.changes) | shown(self.after, attempt, (), (), public_url)

    def log_row(self, now: int) -> dict[str, object]:
        text = said(self.held.execution.status, self.after.status, self.why)
        row = LogRow(now, "event", "system", self.after.provider, text)
        owner = {"account_id": self.after.account_id, "execution_id": self.after.id}
        return owner | rows.columns_of(row)


def _step(held: Held, move: Move, now: int) -> _Step:
    before = held.execution
    changes: dict[str, Any] = {
        **move.changes,
        "status": move.to,
        "updated_at": max(now, before.updated_at),
        "moves": before.moves + 1,
    }
    why = move.why or move.changes.get("error_message") or ""
    return _Step(held, changes, left(move.to, move.attempt), why, replace(before, **changes))


def _may(before: Status, to: Status) -> bool:
    if before in TERMINAL:
        return False  # the way back is the retry policy's
    after = TRANSITIONS[before]
    return to in after or (Status.QUEUED in after and to in TRANSITIONS[Status.QUEUED])


def _is_plain(held: Held, move: Move, now: int) -> bool:
    """It was not dialled before, and is not to be dialled again."""
    before = held.execution
    if before.status not in STOPPABLE or move.to not in TERMINAL:
        return before.status in STOPPABLE
    ended = replace(before, **move.changes, status=move.to)
    return before.retry_count == 0 and next_attempt(ended, held.attempt.number, now) is None


async def _update(
    tx: Transaction,
    update: Callable[[Transaction, Sequence[str], Sequence[Mapping[str, object]]], Awaitable[None]],
    changes: Sequence[Mapping[str, object]],
    key: Set[str],
) -> None:
    """One statement for all that change the same columns."""
    alike: dict[tuple[str, ...], list[Mapping[str, object]]] = {}
    for change in changes:
        alike.setdefault(tuple(change), []).append(change)
    for names, together in alike.items():
        await update(tx, [name for name in names if name not in key], together)


def _new(template: BatchTemplate) -> NewExecution:
    return NewExecution(
        account_id=template.account_id,
        agent_id=template.agent_id,
        to_number="",
        from_number=None,
        provider=template.provider,
        hosted_telephony=template.trunk_id is None,
        trunk_id=template.trunk_id,
        retry_config=template.retry_config,
        batch_id=template.batch_id,
        bypass_guardrails=template.bypass_guardrails,
    )


def _by_hour(first: int, count: int) -> Iterator[tuple[int, int]]:
    """A sequence number of each hour, and how many of them fall into it."""
    end = first + count
    while first < end:
        until = min(end, (first // HOUR_US + 1) * HOUR_US)
        yield first, until - first
        first = until
