"""One rung of the ladder: a worker on one core, the people on another, so many calls, so long."""

from __future__ import annotations

import json
import math
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from benchmarks.density.station import RAMP_S

SETTLE_S: Final = 4.0
"""After the last call was answered, before anything is measured."""
MISSED: Final = 0.01
"""Answers that may stay away."""
_FINISH_S: Final = 30.0
LIMIT_MS: Final = 20.0
"""A frame later than this has missed its successor's turn."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What is measured: the module of its worker, and the Python that has it installed."""

    name: str
    module: str
    python: str = sys.executable


@dataclass(frozen=True, slots=True)
class Rung:
    """What was measured at so many calls; milliseconds."""

    calls: int
    people: dict[str, Any]
    worker: dict[str, Any]

    @property
    def late_p99_ms(self) -> float:
        return cast(float, self.people["lateness"]["p99"])

    @property
    def holds(self) -> bool:
        """Frames are punctual, the people are answered, and no call broke."""
        answered = self.people["missed"] <= MISSED * max(1, self.people["turns"])
        return self.late_p99_ms < LIMIT_MS and answered and not self.worker["failures"]

    def __str__(self) -> str:
        people, worker = self.people, self.worker
        late, gap, over = people["lateness"], people["gap"], worker.get("overhead")
        return (
            f"{self.calls:4d} calls: processor {worker['cpu_percent']:5.1f} %"
            f" ({worker['cpu_percent'] / self.calls:.2f} a call);"
            f" frames late p50 {late['p50']:.1f}, p99 {late['p99']:.1f} ms, {people['missing']} missing;"
            f" {gap['count']} answers after p50 {gap['p50']:.0f}, p99 {gap['p99']:.0f} ms"
            + (f", {people['missed']} missed" if people["missed"] else "")
            + (f", {worker['failures']} calls failed" if worker["failures"] else "")
            + (f", overhead p50 {over['p50']:.1f}, p99 {over['p99']:.1f} ms" if over else "")
            + f"; people late p99 {people['own_lateness']['p99']:.1f} ms, load {os.getloadavg()[0]:.1f}"
            + ("" if self.holds else "  <- too many")
        )


def climb(platform: Platform, calls: int, seconds: float, sounds: Path, cores: tuple[int, int]) -> Rung:
    """Measure `seconds` of so many calls; `cores` are the worker's and the people's."""
    with tempfile.TemporaryDirectory(prefix="density-") as folder:
        people = _start(
            [sys.executable, "-m", "benchmarks.density.people", str(calls), str(cores[1]), str(sounds)]
        )
        worker = _start([platform.python, "-m", platform.module, str(cores[0]), str(sounds), folder])
        limit = threading.Timer(0, worker.kill)
        try:
            _tell(worker, _told(people))
            legs = _told(worker)
            start = time.monotonic() + 0.5
            measure = start + RAMP_S + SETTLE_S
            end = measure + seconds
            _tell(worker, [start, measure, end])
            _tell(people, {"legs": legs, "start": start, "measure": measure, "end": end})
            # Whoever is so short of time that it does not come to an end is ended.
            limit = threading.Timer(end - time.monotonic() + _FINISH_S, worker.kill)
            limit.start()
            return Rung(calls, _told(people), _told(worker, {"cpu_percent": math.nan, "failures": calls}))
        finally:
            limit.cancel()
            for process in (worker, people):
                process.kill()
                process.communicate()


def _start(command: list[str]) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def _tell(process: subprocess.Popen[str], orders: Any) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(orders) + "\n")
    process.stdin.flush()


def _told(process: subprocess.Popen[str], otherwise: Any = None) -> Any:
    """Its next line; of one that has died `otherwise`, without that an error."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line and otherwise is None:
        raise SystemExit(
            f"a process of the benchmark ended: {shlex.join(map(str, cast(list[str], process.args)))}"
        )
    return json.loads(line) if line else otherwise
