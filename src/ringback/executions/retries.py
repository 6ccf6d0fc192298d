"""The retry policy: whether an attempt that has ended is followed by another, and when. Pure."""

from __future__ import annotations

from typing import Any, Final

from ringback.executions.lifecycle import Status
from ringback.executions.record import Execution
from ringback.executions.rendering import timestamp

_MINUTE_US: Final = 60_000_000
_RETRIED: Final = frozenset({Status.NO_ANSWER, Status.BUSY, Status.FAILED, Status.ERROR})
"""A call that was called off, or that nobody could pay for, is not dialled again, whatever is configured."""


def next_attempt(execution: Execution, number: int, now_us: int) -> int | None:
    """When the attempt after `number` is due; None: there is none.

    `execution` has the terminal status that the attempt ended with. Attempts of an execution are at most one more
    than its `max_retries`, whatever became of them.
    """
    config = execution.retry_config
    if not config or not config.get("enabled") or number > config.get("max_retries", 0):
        return None
    intervals = config.get("retry_intervals_minutes")
    if not intervals or not _wanted(execution, config):
        return None
    minutes: int = intervals[min(number, len(intervals)) - 1]
    return now_us + minutes * _MINUTE_US


def reopened(execution: Execution, number: int, due_us: int, now_us: int) -> dict[str, Any]:
    """What changes of an execution whose attempt `number` has ended, when another is due: of what the last one said
    only its line in the history stays; the rest is in its own rows."""
    ended = {"attempt": number, "status": str(execution.status), "at": timestamp(now_us)}
    return {
        "status": Status.SCHEDULED,
        "scheduled_at": due_us,
        "rescheduled_at": None,
        "retry_count": number,
        "retry_history": [*(execution.retry_history or ()), ended],
        "initiated_at": None,
        "context_data": None,
        "extracted_data": None,
        "summary": None,
        "error_message": None,
        "answered_by_voice_mail": False,
        "termination_reason": None,
        "latency_data": None,
        "extraction_webhook_status": None,
    }


def _wanted(execution: Execution, config: Any) -> bool:
    if execution.status is Status.COMPLETED:
        return execution.answered_by_voice_mail and bool(config.get("retry_on_voicemail"))
    return execution.status in _RETRIED and execution.status in config.get("retry_on_statuses", ())
