"""The life of a call as one table: its statuses, which may follow which, and where it ends (contract 4.5)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where an execution stands."""

    PREPARED = "prepared"
    SCHEDULED = "scheduled"
    RESCHEDULED = "rescheduled"
    QUEUED = "queued"
    INITIATED = "initiated"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    CALL_DISCONNECTED = "call-disconnected"
    COMPLETED = "completed"
    NO_ANSWER = "no-answer"
    BUSY = "busy"
    FAILED = "failed"
    CANCELED = "canceled"
    STOPPED = "stopped"
    ERROR = "error"
    BALANCE_LOW = "balance-low"


class IllegalTransition(Exception):
    """A status was asked to follow one that it may not follow; nothing was written."""

    def __init__(self, current: Status, to: Status) -> None:
        super().__init__(f"an execution that is {current} cannot become {to}")
        self.current = current
        self.to = to


_S = Status

TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {
    # A row of a batch that was not scheduled yet.
    _S.PREPARED: frozenset({_S.SCHEDULED, _S.QUEUED, _S.STOPPED}),
    # Its time comes, moves, or is called off.
    _S.SCHEDULED: frozenset({_S.QUEUED, _S.RESCHEDULED, _S.STOPPED, _S.CANCELED}),
    _S.RESCHEDULED: frozenset({_S.QUEUED, _S.STOPPED, _S.CANCELED}),
    # Due: dialled, put off by a calling window, refused by the wallet, called off, or impossible to dial.
    _S.QUEUED: frozenset({_S.INITIATED, _S.RESCHEDULED, _S.BALANCE_LOW, _S.STOPPED, _S.CANCELED, _S.ERROR}),
    # The intent to dial is committed. Straight to in-progress: no 180 was sent. Error: its worker was lost.
    _S.INITIATED: frozenset(
        {
            _S.RINGING,
            _S.IN_PROGRESS,
            _S.BUSY,
            _S.NO_ANSWER,
            _S.FAILED,
            _S.CANCELED,
            _S.ERROR,
            _S.STOPPED,
        }
    ),
    _S.RINGING: frozenset({_S.IN_PROGRESS, _S.NO_ANSWER, _S.BUSY, _S.FAILED, _S.CANCELED, _S.ERROR}),
    # Answered: whatever happens, the leg ends first.
    _S.IN_PROGRESS: frozenset({_S.CALL_DISCONNECTED}),
    # After-call work; error only where that work is broken beyond repair.
    _S.CALL_DISCONNECTED: frozenset({_S.COMPLETED, _S.ERROR}),
    # Ends. The way back is the retry policy's alone and opens a new attempt (completed: after a voicemail).
    _S.NO_ANSWER: frozenset({_S.SCHEDULED}),
    _S.BUSY: frozenset({_S.SCHEDULED}),
    _S.FAILED: frozenset({_S.SCHEDULED}),
    _S.ERROR: frozenset({_S.SCHEDULED}),
    _S.COMPLETED: frozenset({_S.SCHEDULED}),
    _S.CANCELED: frozenset(),
    _S.STOPPED: frozenset(),
    _S.BALANCE_LOW: frozenset(),
}

TERMINAL: Final = frozenset(
    {
        _S.COMPLETED,
        _S.NO_ANSWER,
        _S.BUSY,
        _S.FAILED,
        _S.CANCELED,
        _S.STOPPED,
        _S.ERROR,
        _S.BALANCE_LOW,
    }
)

STOPPABLE: Final = frozenset({_S.PREPARED, _S.SCHEDULED, _S.RESCHEDULED, _S.QUEUED})
"""Where an API stop makes the call `stopped`; one that rings is `canceled`, a live one cannot be stopped."""

V1_STATUS: Final[Mapping[Status, Status]] = {
    # The eleven statuses of the v1 list know no others (contract 4.4, row 3).
    _S.PREPARED: _S.QUEUED,
    _S.SCHEDULED: _S.QUEUED,
    _S.RESCHEDULED: _S.QUEUED,
    _S.STOPPED: _S.CANCELED,
    _S.ERROR: _S.FAILED,
}


def check(current: Status, to: Status) -> None:
    """Raise IllegalTransition unless `to` may follow `current`."""
    if to not in TRANSITIONS[current]:
        raise IllegalTransition(current, to)
