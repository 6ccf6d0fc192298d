"""May these calls, which are due, be made now? Writes down what becomes of those that may not."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from ringback.dialing.hours import Hours
from ringback.dialing.verdicts import Later, Never, Verdict, judge
from ringback.executions.ledger import LeaseLost, Ledger, UnknownExecution
from ringback.executions.lifecycle import IllegalTransition, Status
from ringback.executions.record import AttemptState, Execution, LogRow
from ringback.store.database import Row, Transaction
from ringback.store.queries import queue

logger = logging.getLogger(__name__)

_WAITS = frozenset({Status.PREPARED, Status.SCHEDULED, Status.RESCHEDULED})
_BROKEN = (IllegalTransition, LeaseLost, UnknownExecution)


class Judging:
    """`unknown` is the time zone of numbers that have none."""

    def __init__(self, ledger: Ledger, unknown: ZoneInfo) -> None:
        self._ledger = ledger
        self._unknown = unknown
        self._hours = Hours()

    async def judge(
        self, tx: Transaction, account_id: str, rows: Sequence[Row], now_us: int
    ) -> list[tuple[Row, Verdict]]:
        """The verdict on each attempt (execution_id, number; locked), which is carried out but for the claim itself.

        Who may be dialled is `queued` then.
        """
        executions = [await self._ledger.get(account_id, row["execution_id"], tx=tx) for row in rows]
        numbers = {execution.to_number for execution in executions if execution.to_number}
        forbidden = await queue.forbidden(tx, account_id, sorted(numbers))
        judged: list[tuple[Row, Verdict]] = []
        for row, execution in zip(rows, executions, strict=True):
            window = await self._hours.of(tx, account_id, execution.agent_id)
            verdict = judge(execution, window, forbidden, now_us, self._unknown)
            try:
                await self._carry_out(tx, execution, verdict, now_us)
            except _BROKEN as error:
                # Nothing that is written here comes from outside: a bug. It must not hold up its lane.
                logger.error("attempt %d of call %s waited in vain: %s", row["number"], execution.id, error)
                await queue.abandon(tx, (account_id, execution.id, row["number"]), now_us=now_us)
                verdict = Never(str(error))
            judged.append((row, verdict))
        return judged

    async def _carry_out(self, tx: Transaction, execution: Execution, verdict: Verdict, now_us: int) -> None:
        where = execution.account_id, execution.id
        match verdict:
            case Never():
                await self._ledger.transition(
                    *where,
                    Status.STOPPED,
                    changes={"error_message": verdict.why},
                    attempt={"state": AttemptState.DONE, "ended_at": now_us},
                    tx=tx,
                )
            case Later():
                await self._put_off(tx, execution, verdict)
                log = [LogRow(now_us, "event", "system", None, verdict.why)]
                await self._ledger.add_log(*where, log, tx=tx)
            case _ if execution.status in _WAITS:
                await self._ledger.transition(*where, Status.QUEUED, tx=tx)
            case _ if execution.status is not Status.QUEUED:
                raise IllegalTransition(execution.status, Status.QUEUED)

    async def _put_off(self, tx: Transaction, execution: Execution, later: Later) -> None:
        where = execution.account_id, execution.id
        if execution.status is Status.RESCHEDULED:
            await self._ledger.update(
                *where, changes={"rescheduled_at": later.due_us}, attempt={"due_at": later.due_us}, tx=tx
            )
            return
        if execution.status is Status.PREPARED:
            await self._ledger.transition(*where, Status.QUEUED, tx=tx)
        await self._ledger.transition(
            *where,
            Status.RESCHEDULED,
            changes={"rescheduled_at": later.due_us},
            attempt={"due_at": later.due_us},
            tx=tx,
        )
