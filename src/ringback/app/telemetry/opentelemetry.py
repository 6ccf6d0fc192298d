"""Metrics and traces to an OpenTelemetry collector, over OTLP/HTTP; needs the extra `otel`.

Everything is configured by OpenTelemetry's own environment variables. Export happens in threads of the SDK, with
bounded queues: what a collector does not take in time is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from ringback.app.telemetry.call_spans import CallSpans
from ringback.app.telemetry.catalogue import METRICS, Kind, Metric

logger = logging.getLogger(__name__)

SCOPE: Final = "ringback"
_BATCH: Final = 64
"""Spans that are encoded at once, unless OTEL_BSP_MAX_EXPORT_BATCH_SIZE says otherwise: meanwhile ticks may be late."""
_LAST_EXPORT_S: Final = 5.0

_Record = Callable[[float, Mapping[str, str]], None]


class MeterSink:
    """Implements `telemetry.Sink`."""

    def __init__(self, meter: Meter) -> None:
        self._records = {metric.name: _made(metric, meter) for metric in METRICS}

    def record(self, metric: Metric, value: float, *labels: str) -> None:
        self._records[metric.name](value, dict(zip(metric.labels, labels, strict=True)))


@dataclass(frozen=True, slots=True)
class OpenTelemetry:
    """What is exported from this process; None for what nobody asked for."""

    meters: MeterProvider | None
    traces: TracerProvider | None

    def sink(self) -> MeterSink | None:
        return MeterSink(self.meters.get_meter(SCOPE)) if self.meters else None

    def spans(self) -> CallSpans | None:
        return CallSpans(self.traces.get_tracer(SCOPE)) if self.traces else None

    async def close(self) -> None:
        """Export what is left, if that can be done in a few seconds."""
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _close(self) -> None:
        providers: list[Any] = [provider for provider in (self.traces, self.meters) if provider]
        threads = [threading.Thread(target=provider.shutdown, daemon=True) for provider in providers]
        for thread in threads:
            thread.start()
        end = time.monotonic() + _LAST_EXPORT_S
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))


def opened(process: str, environment: Mapping[str, str], *, traces: bool, metrics: bool) -> OpenTelemetry:
    """Begin to export the signals that were asked for."""
    resource = _resource(process, environment)
    tracing = metering = None
    if traces:
        tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
        batch = None if "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" in environment else _BATCH
        tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), max_export_batch_size=batch))
    if metrics:
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        metering = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    return OpenTelemetry(metering, tracing)


def _resource(process: str, environment: Mapping[str, str]) -> Resource:
    attributes = {"service.version": version("ringback"), "service.instance.id": process}
    if "OTEL_SERVICE_NAME" not in environment:
        attributes["service.name"] = "ringback"
    return Resource.create(attributes)


def _made(metric: Metric, meter: Meter) -> _Record:
    """`turn_seconds` is `ringback.turn` with the unit s."""
    base = metric.name.removesuffix("_total")
    unit = "s" if base.endswith("_seconds") else "1"
    name = f"ringback.{base.removesuffix('_seconds').replace('_', '.')}"
    match metric.kind:
        case Kind.COUNTER:
            return meter.create_counter(name, unit, metric.help).add
        case Kind.GAUGE:
            return meter.create_gauge(name, unit, metric.help).set
        case Kind.HISTOGRAM:
            return meter.create_histogram(
                name, unit, metric.help, explicit_bucket_boundaries_advisory=metric.buckets
            ).record
