"""Pauses a batch whose calls fail one after the other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ringback.executions.lifecycle import Status

_WENT_WRONG: Final = frozenset({Status.FAILED, Status.ERROR, Status.BALANCE_LOW})
"""Somebody's trunk, number or agent is broken, or the wallet is empty; busy people and such that don't answer are not
to blame."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """When batches are paused, as the settings say."""

    calls: int = 20
    share: float = 0.8


def trips(last: Sequence[Status], calls: int, share: float) -> str | None:
    """Why to pause, a sentence; None: go on. `last` are the newest ends, tripped by `share` of at least `calls`.

    `calls` 0: never.
    """
    looked_at = last[:calls]
    if calls <= 0 or len(looked_at) < calls:
        return None
    wrong = sum(status in _WENT_WRONG for status in looked_at)
    if wrong < share * calls:
        return None
    unpaid = " or could not be paid for" if Status.BALANCE_LOW in looked_at else ""
    return f"{wrong} of the last {calls} calls failed{unpaid}; schedule the batch again when the cause is removed"
