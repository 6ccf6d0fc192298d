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
_FILE: Final = re.compile(r"(gauge_live)?\w+_(\d+)\.db")
_DEAD_KEPT: Final = 50
"""Processes that are gone and whose counters still count. One that dies again and again must not fill the memory."""

_Record = Callable[[float], None]


class Prometheus:
    """Implements `telemetry.Sink`. One a process."""

    content_type: Final = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        if folder := os.environ.get(METRICS_FOLDER):
            _forget_the_dead(Path(folder))
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
    """The gauges of processes that are gone; their counters stay, for a sum must not fall, but not of too many."""
    dead: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*.db"), key=_changed):
        found = _FILE.fullmatch(file.name)
        if found is None or Path(f"/proc/{found[2]}").exists():
            continue
        if found[1]:
            file.unlink(missing_ok=True)
        else:
            dead.setdefault(found[2], []).append(file)
    for pid in list(dead)[:-_DEAD_KEPT]:
        for file in dead[pid]:
            file.unlink(missing_ok=True)


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:  # another process has just removed it
        return 0.0
