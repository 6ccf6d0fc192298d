"""Traces and metrics as a collector gets them: in memory for their shape, over a socket for the way there."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode, format_trace_id

from ringback.app.settings import MetricsSettings, Settings
from ringback.app.telemetry import catalogue
from ringback.app.telemetry.call_spans import CallSpans
from ringback.app.telemetry.opening import exporting, watched
from ringback.app.telemetry.opentelemetry import MeterSink
from ringback.app.telemetry.telemetry import Telemetry
from ringback.conversation.transcript import Turn, TurnTiming
from ringback.executions.lifecycle import Status
from ringback.executions.record import Execution
from tests.support.collector import Collector, collector
from tests.support.records import an_execution

CALL = "4c06b4d1-4096-4561-919a-4f94539c8d4a"
NUMBER, WORDS = "+14155550123", "my number is four two seven"
BEGAN_US = 1_795_493_045_000_000
NO_PROMETHEUS = Settings(metrics=MetricsSettings(enabled=False))
TIMING = TurnTiming(
    total_ms=600,
    endpointing_ms=400,
    overhead_ms=12,
    transcriptions=((140, WORDS),),
    first_token_ms=180,
    first_audio_ms=20,
)
ASKED = Turn("user", WORDS, 1000, 2000)
ANSWERED = Turn("assistant", "Thank you.", 2600, 3400, interrupted=True, timing=TIMING)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)


def a_call(status: Status, after_s: float = 0, **changes: Any) -> Execution:
    """One of attempt 1, with a new status at that time."""
    at = BEGAN_US + round(after_s * 1e6)
    values = {"id": CALL, "to_number": NUMBER, "retry_count": 0, "updated_at": at, **changes}
    return an_execution(status=status, **values)


def make_a_call(telemetry: Telemetry) -> None:
    telemetry.moved(a_call(Status.INITIATED))
    telemetry.moved(a_call(Status.RINGING, 1))
    telemetry.moved(a_call(Status.IN_PROGRESS, 4))
    for turn in (ASKED, ANSWERED):
        telemetry.turn(CALL, BEGAN_US + 4_000_000, turn)
    telemetry.moved(a_call(Status.CALL_DISCONNECTED, 9))
    telemetry.moved(a_call(Status.COMPLETED, 9.5))


# Their shape


class Traced:
    def __init__(self, **options: Any) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(**options)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.spans = CallSpans(provider.get_tracer("test"))
        self.telemetry = Telemetry("worker-0", spans=self.spans)

    @property
    def finished(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())


def seconds(span: ReadableSpan) -> tuple[float, float]:
    """Since the dial."""
    assert span.start_time is not None
    assert span.end_time is not None
    return span.start_time / 1e9 - BEGAN_US / 1e6, span.end_time / 1e9 - BEGAN_US / 1e6


def test_a_call_is_a_span_with_one_for_each_turn() -> None:
    traced = Traced()
    make_a_call(traced.telemetry)
    user, agent, call = traced.finished
    assert [span.name for span in (user, agent, call)] == ["user turn", "assistant turn", "call"]
    for turn in (user, agent):
        assert turn.parent == call.get_span_context()
    assert seconds(call) == pytest.approx((0, 9.5), abs=1e-3)
    assert seconds(user) == pytest.approx((5, 6), abs=1e-3)
    assert seconds(agent) == pytest.approx((6, 7.4), abs=1e-3), "from the end of the person's speech"
    assert [event.name for event in call.events] == [
        "initiated", "ringing", "in-progress", "call-disconnected", "completed",
    ]  # fmt: skip
    assert [(event.name, event.timestamp / 1e9 - BEGAN_US / 1e6) for event in agent.events] == [
        ("first audio", pytest.approx(6.6, abs=1e-3))
    ]


def test_it_names_its_execution_and_the_parts_of_each_answer() -> None:
    traced = Traced()
    make_a_call(traced.telemetry)
    user, agent, call = traced.finished
    assert call.attributes is not None
    assert call.attributes["ringback.execution_id"] == CALL
    assert call.attributes["ringback.status"] == "completed"
    assert call.attributes["ringback.attempt"] == 1
    assert dict(user.attributes or {}) == {"ringback.turn.interrupted": False}
    assert dict(agent.attributes or {}) == {
        "ringback.turn.interrupted": True,
        "ringback.turn.endpointing_ms": 400,
        "ringback.turn.transcription_ms": 140,
        "ringback.turn.first_token_ms": 180,
        "ringback.turn.first_audio_ms": 20,
        "ringback.turn.overhead_ms": 12,
        "ringback.turn.total_ms": 600,
    }


def test_its_id_is_known_while_it_runs() -> None:
    traced = Traced()
    assert traced.telemetry.trace_id(CALL) is None
    traced.telemetry.moved(a_call(Status.INITIATED))
    known = traced.telemetry.trace_id(CALL)
    traced.telemetry.moved(a_call(Status.BUSY, 2))
    [call] = traced.finished
    assert known == format_trace_id(call.get_span_context().trace_id)  # type: ignore[union-attr]
    assert traced.telemetry.trace_id(CALL) is None


@pytest.mark.parametrize(
    ("status", "code"),
    [(Status.BUSY, StatusCode.UNSET), (Status.FAILED, StatusCode.ERROR), (Status.ERROR, StatusCode.ERROR)],
)
def test_only_a_failure_is_an_error(status: Status, code: StatusCode) -> None:
    traced = Traced()
    traced.telemetry.moved(a_call(Status.INITIATED))
    traced.telemetry.moved(a_call(status, 2, error_message="No port was free"))
    [call] = traced.finished
    assert call.status.status_code is code
    assert call.status.description == ("No port was free" if code is StatusCode.ERROR else None)


def test_what_another_process_began_is_not_ours_to_tell() -> None:
    traced = Traced()
    traced.telemetry.moved(a_call(Status.COMPLETED))
    traced.telemetry.turn(CALL, BEGAN_US, ASKED)
    assert traced.finished == []


def test_calls_that_never_end_here_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.app.telemetry.call_spans._MOST", 3)
    traced = Traced()
    for number in range(5):
        traced.telemetry.moved(a_call(Status.INITIATED, id=str(number)))
    assert [(span.attributes or {})["ringback.execution_id"] for span in traced.finished] == ["0", "1"]


def test_a_call_that_is_not_sampled_has_no_id() -> None:
    traced = Traced(sampler=ALWAYS_OFF)
    traced.telemetry.moved(a_call(Status.INITIATED))
    assert traced.telemetry.trace_id(CALL) is None
    make_a_call(traced.telemetry)
    assert traced.finished == []


def measured(telemetry: Telemetry) -> None:
    make_a_call(telemetry)
    telemetry.provider_answered("llm", "brain", 0.25)
    telemetry.request("GET", "/health", 200, 0.01)
    with telemetry.talking():
        pass


def test_metrics_have_names_units_and_labels() -> None:
    reader = InMemoryMetricReader()
    measured(Telemetry("worker-0", [MeterSink(MeterProvider([reader]).get_meter("test"))]))
    data = reader.get_metrics_data()
    assert data is not None
    found = {m.name: m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}
    assert found.keys() == {
        "ringback.calls.started",
        "ringback.calls.ended",
        "ringback.calls.live",
        "ringback.turn",
        "ringback.provider",
        "ringback.http.request",
        "ringback.http.requests",
    }
    assert (found["ringback.turn"].unit, found["ringback.calls.live"].unit) == ("s", "1")
    points: Mapping[Any, Any] = {
        (point.attributes or {})["part"]: point for point in found["ringback.turn"].data.data_points
    }
    assert points["total"].sum == pytest.approx(0.6)
    assert points["total"].explicit_bounds == catalogue.TURN.buckets
    [llm] = found["ringback.provider"].data.data_points
    assert llm.attributes == {"component": "llm", "provider": "brain"}
    [ended] = found["ringback.calls.ended"].data.data_points
    assert (ended.value, ended.attributes) == (1, {"status": "completed"})  # type: ignore[union-attr]
    [live] = found["ringback.calls.live"].data.data_points
    assert (live.value, live.attributes) == (0, {"process": "worker-0"})  # type: ignore[union-attr]


# The way there


@pytest.fixture
def collecting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collector() as there:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", there.url)
        yield there


async def test_a_collector_gets_both(collecting: Collector) -> None:
    async with watched(NO_PROMETHEUS, "worker-3") as opened:
        measured(opened.telemetry)
    assert [span.name for span in collecting.spans] == ["user turn", "assistant turn", "call"]
    call = collecting.spans[-1]
    assert {span.trace_id for span in collecting.spans} == {call.trace_id}
    assert {span.parent_span_id for span in collecting.spans[:2]} == {call.span_id}
    attributes = {a.key: a.value.string_value for a in call.attributes}
    assert attributes["ringback.execution_id"] == CALL
    assert "ringback.turn" in collecting.metrics
    resource = collecting.resource()
    assert (resource["service.name"], resource["service.instance.id"]) == ("ringback", "worker-3")


async def test_neither_words_nor_numbers_leave(collecting: Collector) -> None:
    async with watched(NO_PROMETHEUS, "worker-0") as opened:
        measured(opened.telemetry)
    sent = b"".join(body for bodies in collecting.bodies.values() for body in bodies)
    assert CALL.encode() in sent
    for secret in (NUMBER, NUMBER[1:], WORDS, ANSWERED.text):
        assert secret.encode() not in sent


async def test_its_variables_rule(collecting: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "telephones")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    async with watched(NO_PROMETHEUS, "worker-0") as opened:
        measured(opened.telemetry)
    assert collecting.metrics == {}
    resource = collecting.resource()
    assert (resource["service.name"], resource["deployment.environment"]) == ("telephones", "test")


async def test_a_signal_may_have_its_own_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as there:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{there.url}/v1/traces")
        async with watched(NO_PROMETHEUS, "worker-0") as opened:
            measured(opened.telemetry)
    assert len(there.spans) == 3
    assert there.metrics == {}


async def test_a_collector_that_hangs_holds_up_nothing(
    collecting: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More spans than the queue holds are told while it hangs; and the process ends."""
    monkeypatch.setattr("ringback.app.telemetry.opentelemetry._LAST_EXPORT_S", 0.2)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "256")
    collecting.hangs.set()
    async with asyncio.timeout(20):
        async with watched(NO_PROMETHEUS, "worker-0") as opened:
            for _ in range(1000):
                make_a_call(opened.telemetry)
            await asyncio.to_thread(collecting.asked.wait, 10)
    assert collecting.asked.is_set()
    assert collecting.spans == []


async def test_a_collector_that_is_not_there_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.app.telemetry.opentelemetry._LAST_EXPORT_S", 0.2)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    async with asyncio.timeout(20):
        async with watched(NO_PROMETHEUS, "worker-0") as opened:
            measured(opened.telemetry)


# Whether


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SERVICE_NAME": "ringback"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"},
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
        },
    ],
)
def test_nothing_is_exported_unless_somebody_asks(environment: dict[str, str]) -> None:
    assert exporting("api", environment) is None


def test_another_protocol_is_refused_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    assert exporting("api", environment) is None
    assert "traces do not go to the collector: only http/protobuf is spoken, not grpc" in caplog.text


def test_without_the_extra_it_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "ringback.app.telemetry.opentelemetry", raising=False)
    monkeypatch.delattr("ringback.app.telemetry.opentelemetry", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    assert exporting("api", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}) is None
    assert 'see the extra "otel"' in caplog.text


def test_nothing_of_it_is_loaded_unless_somebody_asks() -> None:
    script = """
import asyncio, sys
from ringback.app.settings import MetricsSettings, Settings
from ringback.app.telemetry.opening import watched

async def main():
    async with watched(Settings(metrics=MetricsSettings(enabled=False)), "api"):
        print([name for name in ("opentelemetry", "prometheus_client", "fastapi") if name in sys.modules])

asyncio.run(main())
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
