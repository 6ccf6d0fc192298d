"""Metrics as Prometheus reads them.

Processes under one supervisor share a folder of memory-mapped files, so that one scrape sees them all; a role that was
started alone has its values in its own memory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from ringback.app.telemetry.catalogue import METRICS, Kind, Metric
from ringback.app.telemetry.metrics_folder import METRICS_FOLDER

_PREFIX: Final = "ringback_"
_LIVE: Final = re.compile(r"gauge_live\w+_(\d+)\.db")

_Record = Callable[[float], None]


class Prometheus:
    """Implements `telemetry.Sink`. One a process."""

    content_type: Final = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._metrics = {metric.name: _made(metric, self._registry) for metric in METRICS}
        self._records: dict[tuple[str, tuple[str, ...]], _Record] = {}

    def record(self, metric: Metric, value: float, *labels: str) -> None:
        known = self._records.get((metric.name, labels))
        if known is None:
            known = self._records[metric.name, labels] = self._record(metric, labels)
        known(value)

    def text(self) -> bytes:
        """All values, of all processes that share the folder. Reads files: for a thread."""
        folder = os.environ.get(METRICS_FOLDER)
        if folder is None:
            return generate_latest(self._registry)
        _forget_the_dead(Path(folder))
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _record(self, metric: Metric, labels: tuple[str, ...]) -> _Record:
        parent = self._metrics[metric.name]
        child = parent.labels(*labels) if labels else parent
        if isinstance(child, Counter):
            return child.inc
        return child.set if isinstance(child, Gauge) else child.observe


def _made(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    name = _PREFIX + metric.name
    match metric.kind:
        case Kind.COUNTER:
            return Counter(name, metric.help, metric.labels, registry=registry)
        case Kind.GAUGE:
            return Gauge(
                name, metric.help, metric.labels, registry=registry, multiprocess_mode="livemostrecent"
            )
        case Kind.HISTOGRAM:
            return Histogram(name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)


def _forget_the_dead(folder: Path) -> None:
    """Gauges of processes that are gone; their counters stay, for a sum must not fall."""
    for file in folder.glob("gauge_live*.db"):
        pid = _LIVE.fullmatch(file.name)
        if pid is not None and not Path(f"/proc/{pid[1]}").exists():
            file.unlink(missing_ok=True)
