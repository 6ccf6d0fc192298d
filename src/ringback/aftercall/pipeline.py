"""From `call-disconnected` to `completed`: one stage after the other, each with one effect, whoever dies in between.

A stage is written with what it changes in one transaction: whoever comes later finds it done, or finds nothing of it.
What was quickly found is written together with what follows; a crash then costs a moment's work, and no money.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeVar

from ringback.aftercall.stage import FinishedCall, Outcome, Stage, StageError
from ringback.agents.chat import ChatError
from ringback.agents.followup import FollowUps
from ringback.clock import Clock
from ringback.executions import rows
from ringback.executions.ledger import LeaseLost, Ledger, UnknownExecution
from ringback.executions.lifecycle import IllegalTransition, Status
from ringback.executions.record import (
    MOST_AFTER_CALL_TRIES,
    AttemptChanges,
    Execution,
    ExecutionChanges,
    LogRow,
    UsageLine,
)
from ringback.store.database import Database, StoreError, Transaction
from ringback.store.queries import stages as stage_rows
from ringback.store.queries import turns as turn_rows

logger = logging.getLogger(__name__)

_MOVED_ON: Final = (LeaseLost, IllegalTransition, UnknownExecution)
_WORTH_SAVING_S: Final = 0.05
"""What took longer to find is written before the next stage begins."""
_LONGEST_S: Final = 300.0
"""No stage takes longer: each has timeouts of its own."""
_AGAIN_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Waits between tries of what the database refused: what was found, and paid for perhaps, is not thrown away."""
_LOG_SAYS_WHY: Final = "the worker's log says why"
_LOST: Final = "the worker was lost again and again while it ran"

_T = TypeVar("_T")

FollowUpsOf = Callable[[str, str], Awaitable[FollowUps]]
"""What the agent (account, id) is to find out after a call; nothing where it was deleted."""


class NotYet(Exception):
    """A stage failed and will be tried again by whoever finds the lease run out; what was found is written."""


@dataclass(frozen=True, slots=True)
class _Finding:
    """What came of a stage."""

    name: str
    state: Literal["done", "failing", "failed"]
    tries: int
    at_us: int
    outcome: Outcome = field(default_factory=Outcome)
    error: str | None = None

    @property
    def is_nothing(self) -> bool:
        return self.error is None and self.outcome == Outcome()

    @property
    def is_progress(self) -> bool:
        return self.state != "failing" and not self.is_nothing


class Pipeline:
    """Completes records from what the store and the recordings folder hold, so any worker can do it."""

    def __init__(
        self, db: Database, ledger: Ledger, stages: Sequence[Stage], follow_ups: FollowUpsOf
    ) -> None:
        """`stages` in their order."""
        self._db = db
        self._ledger = ledger
        self._stages = stages
        self._follow_ups = follow_ups

    async def complete(
        self, account_id: str, execution_id: str, number: int, lease_owner: str | None = None
    ) -> None:
        """Close the record of a disconnected call; one that is completed already is left alone.

        Raises NotYet; LeaseLost where attempt `number` is not current, or its lease not the owner's;
        UnknownExecution; StoreError, then all that is not written is done again.
        """
        work = await _patiently(
            self._ledger.clock, lambda: self._begun(account_id, execution_id, number, lease_owner)
        )
        if work is not None:
            await work.finish(self._stages)

    async def _begun(
        self, account_id: str, execution_id: str, number: int, lease_owner: str | None
    ) -> _Work | None:
        """The work as far as it has come; None: there is nothing left of it."""
        async with self._db.read() as reader:
            execution = await self._ledger.get(account_id, execution_id, tx=reader)
            if execution.status is not Status.CALL_DISCONNECTED:
                return None
            attempt = await self._ledger.attempt(account_id, execution_id, tx=reader)
            if attempt.number != number or lease_owner not in (None, attempt.lease_owner):
                raise LeaseLost(f"attempt {number} of {execution_id} is not {lease_owner}'s any more")
            said = await turn_rows.of_attempt(reader, account_id, execution_id, number)
            found = await stage_rows.of_attempt(reader, account_id, execution_id, number)
        failures = [_failure(row["name"], row["error"]) for row in found if row["state"] == "failed"]
        try:
            plan = await self._follow_ups(account_id, execution.agent_id)
        except StoreError:
            raise
        except Exception:
            logger.exception("what call %s is to be asked cannot be told", execution_id)
            plan = FollowUps()
            failures.append(_failure("extraction", _LOG_SAYS_WHY))
        results = {row["name"]: json.loads(row["result"]) for row in found if row["result"] is not None}
        call = FinishedCall(execution, attempt, [rows.to_turn(row) for row in said], results, plan)
        return _Work(
            self._db,
            self._ledger,
            lease_owner,
            call,
            settled={row["name"] for row in found if row["state"] != "failing"},
            tries={row["name"]: row["tries"] for row in found if row["state"] == "failing"},
            failures=failures,
        )


@dataclass(slots=True)
class _Work:
    """One worker's go at one call."""

    db: Database
    ledger: Ledger
    lease_owner: str | None
    call: FinishedCall
    settled: set[str]
    tries: dict[str, int]
    """Of the stages that failed and are tried again."""
    failures: list[str]
    """Of the stages that have failed for good, in order."""
    unsaved: list[_Finding] = field(default_factory=list)

    async def finish(self, stages: Sequence[Stage]) -> None:
        """Run what is not done, and complete the record."""
        # Something went wrong here before: what, the rows shall tell.
        careful = self.call.attempt.tries > 0
        hopeless = self.call.attempt.tries >= MOST_AFTER_CALL_TRIES
        for stage in stages:
            if stage.name in self.settled:
                continue
            began_s = self.ledger.clock.monotonic()
            finding = self._given_up(stage) if hopeless else await self._tried(stage)
            hopeless = False
            if careful or not finding.is_nothing:
                self._take(finding)
            if finding.state == "failing":
                await self._save()
                raise NotYet(f"{stage.name} of {self.call.execution.id} is tried again: {finding.error}")
            if careful or self.ledger.clock.monotonic() - began_s > _WORTH_SAVING_S:
                await self._save()
        await self._close()

    async def _tried(self, stage: Stage) -> _Finding:
        tries = self.tries.get(stage.name, 0) + 1
        try:
            async with asyncio.timeout(_LONGEST_S) as limit:
                outcome = await stage.run(self.call)
            _check(outcome)
        except (StoreError, *_MOVED_ON):
            raise
        except (StageError, ChatError) as error:
            reason = str(error)
        except TimeoutError:
            reason = (
                f"it took longer than {_LONGEST_S:.0f} s" if limit.expired() else "no answer came in time"
            )
        except Exception:
            logger.exception("%s of call %s failed", stage.name, self.call.execution.id)
            reason = _LOG_SAYS_WHY
        else:
            return _Finding(stage.name, "done", tries, self._now(), outcome)
        return _Finding(
            stage.name, "failing" if tries < stage.tries else "failed", tries, self._now(), error=reason
        )

    def _given_up(self, stage: Stage) -> _Finding:
        logger.error("%s of call %s is given up: %s", stage.name, self.call.execution.id, _LOST)
        return _Finding(stage.name, "failed", self.tries.get(stage.name, 0), self._now(), error=_LOST)

    def _take(self, finding: _Finding) -> None:
        """Later stages see what this one found."""
        self.unsaved.append(finding)
        if finding.state == "failed":
            self.failures.append(_failure(finding.name, finding.error))
        outcome, call = finding.outcome, self.call
        found = {} if outcome.result is None else {finding.name: outcome.result}
        self.call = replace(
            call,
            execution=replace(call.execution, **outcome.execution_changes),
            attempt=replace(call.attempt, **outcome.attempt_changes),
            results={**call.results, **found},
        )

    async def _save(self) -> None:
        """Write what was found. Who comes this far begins to count his tries anew."""
        if not self.unsaved:
            return
        attempt = self._attempt_changes()
        if any(finding.is_progress for finding in self.unsaved):
            attempt["tries"] = 0
            self.call = replace(self.call, attempt=replace(self.call.attempt, tries=0))
        await _patiently(self.ledger.clock, lambda: self._update(attempt))
        self.unsaved.clear()

    async def _update(self, attempt: AttemptChanges) -> None:
        async with self.db.transaction() as tx:
            await self.ledger.update(
                *self._where,
                changes=self._execution_changes(),
                attempt=attempt,
                usage=self._usage(),
                log=self._log(),
                number=self.call.attempt.number,
                lease_owner=self.lease_owner,
                tx=tx,
            )
            await self._insert(tx)

    async def _close(self) -> None:
        """Complete the record, with what was not written before."""
        try:
            await _patiently(self.ledger.clock, lambda: self._move(Status.COMPLETED, self._closing_changes()))
        except (StoreError, *_MOVED_ON):
            raise
        except Exception:
            if self.call.attempt.tries < MOST_AFTER_CALL_TRIES:
                raise
            logger.exception("the record of call %s cannot be completed", self.call.execution.id)
            why = f"post-processing failed: {_LOG_SAYS_WHY}"
            await self._move(Status.ERROR, {"error_message": why})

    async def _move(self, to: Status, changes: ExecutionChanges) -> None:
        async with self.db.transaction() as tx:
            await self.ledger.transition(
                *self._where,
                to,
                changes=changes,
                attempt=self._attempt_changes(),
                usage=self._usage(),
                log=self._log(),
                number=self.call.attempt.number,
                lease_owner=self.lease_owner,
                tx=tx,
            )
            await self._insert(tx)

    async def _insert(self, tx: Transaction) -> None:
        if self.tries:
            await stage_rows.forget_failing(tx, *self._where, self.call.attempt.number)
        if self.unsaved:
            owner = dict(zip(("account_id", "execution_id"), self._where, strict=True))
            attempt = {"attempt": self.call.attempt.number}
            await stage_rows.insert(tx, [owner | attempt | _row(finding) for finding in self.unsaved])

    def _closing_changes(self) -> ExecutionChanges:
        changes = self._execution_changes()
        if self.failures:
            before = self.call.execution.error_message
            changes["error_message"] = f"{before}; {self.failures[0]}" if before else self.failures[0]
        return changes

    def _execution_changes(self) -> ExecutionChanges:
        changes = ExecutionChanges()
        for finding in self.unsaved:
            changes.update(finding.outcome.execution_changes)
        return changes

    def _attempt_changes(self) -> AttemptChanges:
        changes = AttemptChanges()
        for finding in self.unsaved:
            changes.update(finding.outcome.attempt_changes)
        return changes

    def _usage(self) -> list[UsageLine]:
        return [line for finding in self.unsaved for line in finding.outcome.usage]

    def _log(self) -> list[LogRow]:
        rows: list[LogRow] = []
        for finding in self.unsaved:
            rows += (replace(row, at_us=finding.at_us) for row in finding.outcome.log)
            if not finding.is_nothing:
                rows.append(_said(finding, self.call.execution))
        return rows

    def _now(self) -> int:
        return self.ledger.clock.now_us()

    @property
    def _where(self) -> tuple[str, str]:
        return self.call.execution.account_id, self.call.execution.id


async def _patiently(clock: Clock, act: Callable[[], Awaitable[_T]]) -> _T:
    for wait_s in _AGAIN_S:
        try:
            return await act()
        except StoreError as error:
            logger.warning("the work after a call waits %.1f s for the database: %s", wait_s, error)
            await clock.sleep(wait_s)
    return await act()


def _check(outcome: Outcome) -> None:
    """Raises ValueError for what cannot be written: the stage is at fault, and no other may suffer from it."""
    rows.json_column(outcome.result)
    rows.to_columns(outcome.execution_changes)
    rows.to_columns(outcome.attempt_changes)


def _row(finding: _Finding) -> dict[str, Any]:
    result = finding.outcome.result
    return {
        "name": finding.name,
        "state": finding.state,
        "tries": finding.tries,
        "result": None if result is None else rows.json_column(result),
        "error": None if finding.error is None else rows.clean(finding.error),
        "at_us": finding.at_us,
    }


def _said(finding: _Finding, execution: Execution) -> LogRow:
    if finding.error is None:
        text = finding.outcome.note or "done"
        return LogRow(finding.at_us, "event", "system", execution.provider, f"{finding.name}: {text}")
    text = "failed" if finding.state == "failed" else "failed and is tried again"
    return LogRow(
        finding.at_us, "error", "system", execution.provider, f"{finding.name} {text}: {finding.error}"
    )


def _failure(name: str, error: str | None) -> str:
    return f"{name} failed: {error}"
