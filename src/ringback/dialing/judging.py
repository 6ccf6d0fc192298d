"""May these calls, which are due, be made now? Writes down what becomes of those that may not."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from ringback.dialing.hours import Hours
from ringback.dialing.verdicts import Dial, Later, Never, Verdict, judge
from ringback.executions.bulk import Bulk, Move
from ringback.executions.hold import hold_all
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, Execution
from ringback.store.database import Row, Transaction
from ringback.store.queries import batches, queue

logger = logging.getLogger(__name__)

_WAITS: Final = frozenset({Status.PREPARED, Status.SCHEDULED, Status.RESCHEDULED})


@dataclass(frozen=True, slots=True)
class Judged:
    """`dial`: attempts that may be claimed, and until when they may be dialled; their calls are `queued`."""

    dial: tuple[tuple[Row, Dial], ...]
    put_off: int
    """How many may not be made now, or ever: that is written."""


class Judging:
    """`unknown` is the time zone of numbers that have none."""

    def __init__(self, ledger: Ledger, unknown: ZoneInfo) -> None:
        self._bulk = Bulk(ledger)
        self._unknown = unknown
        self._hours = Hours()

    async def judge(
        self, tx: Transaction, account_id: str, rows: Sequence[Row], most: int, now_us: int
    ) -> Judged:
        """Judge attempts (execution_id, number; locked), of which `most` may be dialled: the others are left as they
        are."""
        held = await hold_all(tx, account_id, sorted(row["execution_id"] for row in rows))
        executions = {each.execution.id: each.execution for each in held}
        verdicts = await self._verdicts(tx, account_id, list(executions.values()), now_us)
        dial: list[tuple[Row, Dial]] = []
        put_off: list[Row] = []
        for row in rows:
            verdict = verdicts.get(row["execution_id"])
            if not isinstance(verdict, Dial):
                put_off.append(row)
            elif len(dial) < most:
                dial.append((row, verdict))
        wanted = [row["execution_id"] for row in (*(row for row, _ in dial), *put_off)]
        moves = [_move(executions[key], verdicts[key], now_us) for key in wanted if key in executions]
        settled = await self._carry_out(tx, account_id, [move for move in moves if move is not None])
        settled |= {key for key in wanted if key in executions and executions[key].status is Status.QUEUED}
        unsettled = set(wanted) - settled
        for row in rows:
            if row["execution_id"] in unsettled:
                # Nothing that is written here comes from outside: a bug. It must not hold up its lane.
                logger.error("attempt %d of call %s waited in vain", row["number"], row["execution_id"])
                await queue.abandon(tx, (account_id, row["execution_id"], row["number"]), now_us=now_us)
        may = tuple((row, verdict) for row, verdict in dial if row["execution_id"] in settled)
        return Judged(may, len(wanted) - len(may))

    async def _verdicts(
        self, tx: Transaction, account_id: str, executions: Sequence[Execution], now_us: int
    ) -> dict[str, Verdict]:
        numbers = {execution.to_number for execution in executions if execution.to_number}
        forbidden = await queue.forbidden(tx, account_id, sorted(numbers))
        windows = {
            agent_id: await self._hours.of(tx, account_id, agent_id)
            for agent_id in {execution.agent_id for execution in executions}
        }
        # A schedule says it for its whole batch, whose rows were written before.
        named = {execution.batch_id for execution in executions if execution.batch_id is not None}
        bypassing = await batches.bypassing(tx, account_id, sorted(named))
        return {
            execution.id: judge(
                execution,
                None if execution.batch_id in bypassing else windows[execution.agent_id],
                forbidden,
                now_us,
                self._unknown,
            )
            for execution in executions
        }

    async def _carry_out(self, tx: Transaction, account_id: str, moves: Sequence[Move]) -> set[str]:
        """The executions that were moved."""
        moved = await self._bulk.move(tx, account_id, moves) if moves else []
        return {execution.id for execution in moved}


def _move(execution: Execution, verdict: Verdict, now_us: int) -> Move | None:
    match verdict:
        case Never():
            return Move(
                execution.id,
                Status.STOPPED,
                {"error_message": verdict.why},
                {"state": AttemptState.DONE, "ended_at": now_us},
            )
        case Later():
            due_us = verdict.due_us
            return Move(
                execution.id,
                Status.RESCHEDULED,
                {"rescheduled_at": due_us},
                {"due_at": due_us},
                verdict.why,
            )
        case Dial():
            return Move(execution.id, Status.QUEUED, {}, {}) if execution.status in _WAITS else None
