"""The only writer of executions: every change is one transaction that also logs and renders it."""

from __future__ import annotations

from collections.abc import Sequence

from ringback.clock import Clock
from ringback.executions.lifecycle import Status
from ringback.executions.record import (
    Attempt,
    AttemptChanges,
    Execution,
    ExecutionChanges,
    LogRow,
    NewExecution,
    Turn,
    UsageLine,
)
from ringback.store.database import Database, Transaction

_NO_EXECUTION_CHANGES: ExecutionChanges = {}
_NO_ATTEMPT_CHANGES: AttemptChanges = {}


class UnknownExecution(LookupError):
    """The account has no such execution."""


class LeaseLost(Exception):
    """The attempt is no longer this worker's (or no longer current); nothing was written."""


class Ledger:
    """Creates executions and moves them along.

    Every method runs in a transaction of its own unless it is given one, e.g. to claim and move in one step.
    """

    def __init__(self, db: Database, clock: Clock, public_url: str) -> None:
        """`public_url` is the base of the links in the record, without a trailing slash."""
        self._db = db
        self._clock = clock
        self._public_url = public_url

    async def create(self, new: NewExecution, *, tx: Transaction | None = None) -> Execution:
        """Write an execution that is queued (or scheduled, if its time is to come) and its first attempt."""
        raise NotImplementedError

    async def get(self, account_id: str, execution_id: str) -> Execution:
        """Raises UnknownExecution."""
        raise NotImplementedError

    async def attempt(self, account_id: str, execution_id: str) -> Attempt:
        """The current attempt. Raises UnknownExecution."""
        raise NotImplementedError

    async def turns(self, account_id: str, execution_id: str) -> list[Turn]:
        """What was said in the current attempt, in order."""
        raise NotImplementedError

    async def transition(
        self,
        account_id: str,
        execution_id: str,
        to: Status,
        *,
        changes: ExecutionChanges = _NO_EXECUTION_CHANGES,
        attempt: AttemptChanges = _NO_ATTEMPT_CHANGES,
        number: int | None = None,
        lease_owner: str | None = None,
        tx: Transaction | None = None,
    ) -> Execution:
        """Move the execution to the status `to`, with what else changes at that moment.

        A terminal status is written to the current attempt too. With `number` the current attempt must be
        that one, with `lease_owner` its lease must be that owner's. Raises IllegalTransition,
        UnknownExecution, LeaseLost.
        """
        raise NotImplementedError

    async def update(
        self,
        account_id: str,
        execution_id: str,
        *,
        changes: ExecutionChanges = _NO_EXECUTION_CHANGES,
        attempt: AttemptChanges = _NO_ATTEMPT_CHANGES,
        number: int | None = None,
        lease_owner: str | None = None,
        tx: Transaction | None = None,
    ) -> Execution:
        """Change anything but the status. Raises UnknownExecution, LeaseLost."""
        raise NotImplementedError

    async def add_turns(
        self, account_id: str, execution_id: str, turns: Sequence[Turn], *, tx: Transaction | None = None
    ) -> None:
        """Add turns to the current attempt; one with an index that is there already replaces it."""
        raise NotImplementedError

    async def add_log(
        self, account_id: str, execution_id: str, rows: Sequence[LogRow], *, tx: Transaction | None = None
    ) -> None:
        raise NotImplementedError

    async def add_usage(
        self, account_id: str, execution_id: str, lines: Sequence[UsageLine], *, tx: Transaction | None = None
    ) -> Execution:
        """Bill the current attempt; the execution's cost is the sum of its lines, always.

        Adding is not idempotent: give the transaction of the transition that may happen only once.
        """
        raise NotImplementedError
