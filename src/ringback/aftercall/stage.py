"""A stage of the work after a call: what it is given, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ringback.executions.record import (
    Attempt,
    AttemptChanges,
    Execution,
    ExecutionChanges,
    LogRow,
    Turn,
    UsageLine,
)

if TYPE_CHECKING:
    from ringback.agents.followup import FollowUps


class StageError(Exception):
    """A stage cannot do its work; the message is one clear sentence, without a secret: users read it."""


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """A call that has been disconnected, as far as the earlier stages have brought its record."""

    execution: Execution
    attempt: Attempt
    turns: Sequence[Turn]
    """What was said, in order."""
    results: Mapping[str, Any]
    """Of the stages that are done, by their names; those that failed or found nothing are not in it."""
    plan: FollowUps
    """What the agent is to find out afterwards; nothing, where it was deleted meanwhile."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage found; it is written with the stage in one transaction, once."""

    result: Mapping[str, Any] | None = None
    """JSON that later stages may look at."""
    execution_changes: ExecutionChanges = field(default_factory=lambda: ExecutionChanges())
    attempt_changes: AttemptChanges = field(default_factory=lambda: AttemptChanges())
    usage: Sequence[UsageLine] = ()
    """Rated lines, for the bill."""
    log: Sequence[LogRow] = ()
    """What was answered on the way; the pipeline says when."""
    note: str = ""
    """For the execution's log: what was found, or why nothing was."""
    answered: int = 0
    """Questions about the call that were answered, for whoever watches."""
    unanswered: int = 0


class Stage(Protocol):
    """Something to be done after a call. It changes nothing itself: what it returns is written by the pipeline.

    A crash may have it run again from the start; what it does outside of the store must bear that.
    """

    @property
    def name(self) -> str:
        """Its key in the store and in the log."""
        ...

    @property
    def tries(self) -> int:
        """So often it is run, if it raises; then it has failed, and the call goes on without it."""
        ...

    async def run(self, call: FinishedCall) -> Outcome:
        """Raises StageError, whose text users read; of anything else they are told to look into the worker's log.

        A StoreError is nobody's fault: all of the work is put off, and nothing is counted.
        """
        ...
