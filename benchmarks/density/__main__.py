"""Calls on one core: a ladder of ever more calls for Ringback's worker and for LiveKit Agents, in the same run.

    python -m benchmarks.density [--platform ringback|livekit] [--calls N] [--seconds S] [--livekit-python PATH]

A worker pinned to one core holds N calls on real RTP over loopback; the people, another process on another core,
speak and listen, and measure how late the agent's frames arrive against the 20 ms schedule. Remote services are fakes
with fixed delays (scene.py). Prints a line a rung and ends with one line of JSON; figures that were not measured are
null there. With --calls only that rung is measured.

LiveKit Agents is the extra `bench` (`pip install -e '.[bench]'`); it pulls in `livekit-local-inference`, parts of
which stand under LiveKit's model licence. It may live in another environment: --livekit-python names its Python.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.density import scene
from benchmarks.density.ladder import most
from benchmarks.density.rung import Platform, Rung, climb

RINGBACK: Final = Platform("ringback", "benchmarks.density.ringback_worker")
TYPICAL: Final = 100
"""Calls at which processor time and overhead are measured."""
TYPICAL_SECONDS: Final = 30.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--platform", choices=("ringback", "livekit"))
    parser.add_argument("--calls", type=int)
    parser.add_argument("--seconds", type=float, default=15.0, help="of a rung, after its calls have begun")
    parser.add_argument("--livekit-python", default=sys.executable)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        print("one core only: worker and people share it, and the figures are too low")
    with tempfile.TemporaryDirectory() as folder:
        sounds = Path(folder) / "sounds.npz"
        scene.prepare(sounds)
        measure = partial(_shown, sounds=sounds, cores=(cores[0], cores[-1]))
        figures = _ringback(measure, options) if options.platform != "livekit" else {}
        if options.platform != "ringback":
            figures |= _livekit(measure, options)
    print(json.dumps(figures))


Measure = Callable[[Platform, int, float], Rung]


def _shown(platform: Platform, calls: int, seconds: float, sounds: Path, cores: tuple[int, int]) -> Rung:
    rung = climb(platform, calls, seconds, sounds, cores)
    print(f"{platform.name:8s} {rung}", flush=True)
    return rung


def _ringback(measure: Measure, options: argparse.Namespace) -> dict[str, float | None]:
    calls = options.calls
    rung = measure(RINGBACK, calls or TYPICAL, max(options.seconds, 0 if calls else TYPICAL_SECONDS))
    maximum = None
    if not calls:
        maximum = most(lambda n: measure(RINGBACK, n, options.seconds), start=120, stride=40, fine=10)
    overhead = rung.worker["overhead"]
    return {
        "max_calls_per_core": maximum,
        "cpu_percent_per_call": round(rung.worker["cpu_percent"] / rung.calls, 3),
        "overhead_p50_ms": round(overhead["p50"], 1),
        "overhead_p99_ms": round(overhead["p99"], 1),
    }


def _livekit(measure: Measure, options: argparse.Namespace) -> dict[str, float | None]:
    platform = Platform("livekit", "benchmarks.density.livekit_worker", options.livekit_python)
    command = [platform.python, "-c", "import livekit.agents, livekit.plugins.silero"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        print(
            "livekit  not measured: the extra is not installed (pip install -e '.[bench]', or --livekit-python)"
        )
        return {"livekit_max_calls_per_core": None, "livekit_cpu_percent_per_call": None}
    rung = measure(platform, options.calls or 10, options.seconds)
    maximum = None
    if not options.calls:
        maximum = most(lambda n: measure(platform, n, options.seconds), start=15, stride=10, fine=5)
    return {
        "livekit_max_calls_per_core": maximum,
        "livekit_cpu_percent_per_call": round(rung.worker["cpu_percent"] / rung.calls, 3),
    }


if __name__ == "__main__":
    main()
