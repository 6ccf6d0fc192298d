"""Many executions in one transaction: a batch's lines written, and hundreds moved along at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ringback.executions import counts
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.opening import created
from ringback.executions.record import AttemptChanges, ExecutionChanges, NewExecution
from ringback.executions.stencil import Stencil
from ringback.store.database import Transaction
from ringback.store.queries import accounts, attempts, executions, gates
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
    trunk: str
    from_numbers: tuple[str, ...]
    """Taken in turn."""
    retry_config: Mapping[str, Any] | None = None
    bypass_guardrails: bool = False

    def from_number(self, line: Line) -> str | None:
        return self.from_numbers[line.line % len(self.from_numbers)] if self.from_numbers else None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a batch's file that is to be dialled."""

    line: int
    """Where its record begins, from 1."""
    number: str
    """E.164."""
    data: Mapping[str, str]
    """The other columns: the prompt's variables."""
    end_byte: int
    """Of the file, after it."""


class LaneStopped(Exception):
    """Nothing more may wait in this batch; nothing was written that outlives the transaction."""


class Bulk:
    """Writes what `Ledger` would, a statement a table instead of a transaction a row."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def create(self, tx: Transaction, template: BatchTemplate, lines: Sequence[Line]) -> None:
        """Write an execution that is `prepared`, and its first attempt (due with its lane), for each line.

        Its log begins when its turn comes. Locks the account until the transaction ends. Raises LookupError for an
        unknown account, LaneStopped; ValueError for data that JSON can't hold.
        """
        if not lines:
            return
        first = await accounts.next_seqs(tx, template.account_id, self._ledger.clock.now_us(), len(lines))
        if first is None:
            raise LookupError(f"there is no account {template.account_id}")
        like = replace(created(_new(template), first, first), status=Status.PREPARED)
        stencil = Stencil(like, self._ledger.public_url)
        made = [
            stencil.fill(seq, line.number, template.from_number(line), line.data, line.line)
            for seq, line in enumerate(lines, first)
        ]
        await executions.insert_many(tx, stencil.execution_columns, [execution for execution, _ in made])
        await attempts.insert_many(tx, stencil.attempt_columns, [attempt for _, attempt in made])
        await counts.changed_many(tx, ((replace(like, seq=seq), n) for seq, n in _by_hour(first, len(lines))))
        if not await gates.offer(tx, like.account_id, like.agent_id, like.batch_id, seq=first, due_us=0):
            raise LaneStopped(f"batch {like.batch_id} was stopped")


def _new(template: BatchTemplate) -> NewExecution:
    return NewExecution(
        account_id=template.account_id,
        agent_id=template.agent_id,
        to_number="",
        from_number=None,
        provider=template.trunk,
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
