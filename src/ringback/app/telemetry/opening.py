"""The telemetry of one process, as its settings and environment want it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ringback.app.settings import Settings
from ringback.app.supervisor import SUPERVISED
from ringback.app.telemetry.pulse import Sample, pulse
from ringback.app.telemetry.telemetry import Sink, Spans, Telemetry
from ringback.clock import Clock

if TYPE_CHECKING:
    from ringback.app.telemetry.opentelemetry import OpenTelemetry
    from ringback.app.telemetry.prometheus import Prometheus

logger = logging.getLogger(__name__)

API: Final = "api"
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
_HTTP: Final = "http/protobuf"


@dataclass(frozen=True, slots=True)
class Watched:
    """What watches one process."""

    telemetry: Telemetry
    prometheus: Prometheus | None
    """None where metrics are turned off."""

    @asynccontextmanager
    async def pulse(self, clock: Clock, *samples: Sample) -> AsyncIterator[None]:
        """Look regularly, within the block."""
        task = asyncio.create_task(pulse(self.telemetry, clock, samples))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def watched(settings: Settings, process: str) -> AsyncIterator[Watched]:
    """Watch this process within the block. Raises SettingsError where the port for its metrics cannot be used."""
    async with AsyncExitStack() as stack:
        sinks: list[Sink] = []
        spans: Spans | None = None
        prometheus = _prometheus(settings, process, stack) if settings.metrics.enabled else None
        if prometheus is not None:
            sinks.append(prometheus)
        exported = exporting(process, os.environ)
        if exported is not None:
            stack.push_async_callback(exported.close)
            spans = exported.spans()
            sinks += filter(None, [exported.sink()])
        yield Watched(Telemetry(process, sinks, spans), prometheus)


def _prometheus(settings: Settings, process: str, stack: AsyncExitStack) -> Prometheus:
    # Imported here: who turns it off does not pay for it.
    from ringback.app.telemetry.port import port
    from ringback.app.telemetry.prometheus import Prometheus

    prometheus = Prometheus()
    alone = process != API and os.environ.get(SUPERVISED) != "1"
    if alone and settings.metrics.port:
        stack.enter_context(port(settings, prometheus.text))
    return prometheus


def exporting(process: str, environment: Mapping[str, str]) -> OpenTelemetry | None:
    """The export to a collector, where the environment names one and the extra is installed."""
    signals = {signal: _wanted(signal, environment) for signal in ("traces", "metrics")}
    if not any(signals.values()):
        return None
    try:
        from ringback.app.telemetry.opentelemetry import opened
    except ModuleNotFoundError as error:
        logger.warning('nothing goes to the collector: %s is missing, see the extra "otel"', error.name)
        return None
    return opened(process, environment, **signals)


def _wanted(signal: str, environment: Mapping[str, str]) -> bool:
    name = signal.upper()
    named = environment.get(_ENDPOINT) or environment.get(f"OTEL_EXPORTER_OTLP_{name}_ENDPOINT")
    disabled = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if not named or disabled or environment.get(f"OTEL_{name}_EXPORTER", "otlp") != "otlp":
        return False
    protocol = environment.get(f"OTEL_EXPORTER_OTLP_{name}_PROTOCOL") or environment.get(_PROTOCOL, _HTTP)
    if protocol != _HTTP:
        logger.warning("%s do not go to the collector: only %s is spoken, not %s", signal, _HTTP, protocol)
    return protocol == _HTTP
