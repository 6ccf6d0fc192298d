"""The retry policy: whether an attempt that has ended is followed by another, and when. Pure."""

from __future__ import annotations

from ringback.executions.record import Execution


def next_attempt(execution: Execution, number: int, now_us: int) -> int | None:
    """When the attempt after `number` is due; None: there is none.

    `execution` has the terminal status that the attempt ended with. Attempts of an execution are at most one more
    than its `max_retries`, whatever became of them.
    """
    raise NotImplementedError
