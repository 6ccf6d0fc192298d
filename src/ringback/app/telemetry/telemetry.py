"""The one thing that the rest of a process tells what happened; it goes on to whoever watches, or to nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from ringback.app.latency import parts
from ringback.app.telemetry import catalogue
from ringback.app.telemetry.catalogue import Metric
from ringback.conversation.transcript import Turn
from ringback.executions.lifecycle import TERMINAL, Status
from ringback.executions.record import Execution

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """Where values go."""

    def record(self, metric: Metric, value: float, *labels: str) -> None:
        """Add to a counter, set a gauge, observe in a histogram. A few microseconds; no I/O that can wait."""
        ...


class Spans(Protocol):
    """Traces of calls. As cheap as `Sink.record`."""

    def moved(self, execution: Execution) -> None:
        """An execution has a new status."""
        ...

    def turn(self, execution_id: str, answered_us: int, turn: Turn) -> None: ...

    def trace_id(self, execution_id: str) -> str | None:
        """None where the call is not traced."""
        ...


class Telemetry:
    """Of one process. Nothing here raises: watching must not disturb what is watched."""

    def __init__(self, process: str, sinks: Sequence[Sink] = (), spans: Spans | None = None) -> None:
        self.process = process
        self._sinks = tuple(sinks)
        self._spans = spans
        self._live = 0
        self._broken: set[str] = set()

    def record(self, metric: Metric, value: float, *labels: str) -> None:
        for sink in self._sinks:
            self._guarded(metric.name, lambda sink=sink: sink.record(metric, value, *labels))  # type: ignore[misc]

    def moved(self, execution: Execution) -> None:
        """An execution has a new status."""
        if execution.status is Status.INITIATED:
            self.record(catalogue.CALLS_STARTED, 1)
        elif execution.status in TERMINAL:
            self.record(catalogue.CALLS_ENDED, 1, str(execution.status))
        if (spans := self._spans) is not None:
            self._guarded("spans", lambda: spans.moved(execution))

    @contextmanager
    def talking(self) -> Iterator[None]:
        """A call is live within the block."""
        self._set_live(self._live + 1)
        try:
            yield
        finally:
            self._set_live(self._live - 1)

    def turn(self, execution_id: str, answered_us: int, turn: Turn) -> None:
        if turn.timing is not None:
            for part, ms in parts(turn.timing).items():
                if ms is not None:
                    self.record(catalogue.TURN, ms / 1000, part)
        if (spans := self._spans) is not None:
            self._guarded("spans", lambda: spans.turn(execution_id, answered_us, turn))

    def trace_id(self, execution_id: str) -> str | None:
        """The trace of a call, None without one."""
        return self._spans.trace_id(execution_id) if self._spans is not None else None

    def provider_answered(self, component: str, provider: str, seconds: float) -> None:
        self.record(catalogue.PROVIDER, seconds, component, provider)

    def provider_failed(self, component: str, provider: str) -> None:
        self.record(catalogue.PROVIDER_ERRORS, 1, component, provider)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """The API answered."""
        self.record(catalogue.HTTP, seconds, method, route)
        self.record(catalogue.HTTP_ANSWERS, 1, method, route, str(status))

    def webhook(self, seconds: float, code: int | None) -> None:
        """A delivery was answered, or not (None)."""
        self.record(catalogue.WEBHOOK, seconds)
        self.record(catalogue.WEBHOOKS, 1, "none" if code is None else f"{code // 100}xx")

    def _set_live(self, calls: int) -> None:
        self._live = calls
        self.record(catalogue.CALLS_LIVE, calls, self.process)

    def _guarded(self, what: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            if what not in self._broken:
                self._broken.add(what)
                logger.exception("%s cannot be recorded; said only once", what)
