"""A call as a trace: one span from its dial to its completed record, and one for each turn within it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from opentelemetry.trace import Span, StatusCode, Tracer, format_trace_id, set_span_in_context

from ringback.app.latency import parts
from ringback.conversation.transcript import Turn
from ringback.executions.lifecycle import TERMINAL, Status
from ringback.executions.record import Execution

_MOST: Final = 2000
"""Calls that may be under way; of more the oldest is closed. Another worker may end what this one began."""
_FAILED: Final = frozenset({Status.FAILED, Status.ERROR})
_NS_PER_MS: Final = 1_000_000


class CallSpans:
    """Implements `telemetry.Spans`. Neither numbers nor words of people are exported."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._calls: OrderedDict[str, Span] = OrderedDict()

    def moved(self, execution: Execution) -> None:
        status, at = execution.status, execution.updated_at * 1000
        if status is Status.INITIATED:
            self._start(execution, at)
        span = self._calls.get(execution.id)
        if span is None:
            return
        span.add_event(str(status), timestamp=at)
        span.set_attribute("ringback.status", str(status))
        if status in TERMINAL:
            if status in _FAILED:
                span.set_status(StatusCode.ERROR, execution.error_message)
            self._calls.pop(execution.id).end(at)

    def turn(self, execution_id: str, answered_us: int, turn: Turn) -> None:
        call = self._calls.get(execution_id)
        if call is None:
            return
        answered = answered_us * 1000
        waited = turn.timing.total_ms if turn.timing else 0
        span = self._tracer.start_span(
            f"{turn.role} turn",
            set_span_in_context(call),
            start_time=answered + (turn.start_ms - waited) * _NS_PER_MS,
            attributes={"ringback.turn.interrupted": turn.interrupted, **_times(turn)},
        )
        if turn.timing is not None:
            span.add_event("first audio", timestamp=answered + turn.start_ms * _NS_PER_MS)
        span.end(answered + turn.end_ms * _NS_PER_MS)

    def trace_id(self, execution_id: str) -> str | None:
        span = self._calls.get(execution_id)
        if span is None or not span.is_recording():
            return None
        return format_trace_id(span.get_span_context().trace_id)

    def _start(self, execution: Execution, at: int) -> None:
        while len(self._calls) >= _MOST:
            self._calls.popitem(last=False)[1].end()
        self._calls[execution.id] = self._tracer.start_span(
            "call",
            start_time=at,
            attributes={
                "ringback.execution_id": execution.id,
                "ringback.agent_id": execution.agent_id,
                "ringback.account_id": execution.account_id,
                "ringback.call_type": execution.call_type,
                "ringback.provider": execution.provider,
                "ringback.attempt": execution.retry_count + 1,
            },
        )


def _times(turn: Turn) -> dict[str, int]:
    """`ringback.turn.endpointing_ms` and the like."""
    if turn.timing is None:
        return {}
    return {f"ringback.turn.{part}_ms": ms for part, ms in parts(turn.timing).items() if ms is not None}
