"""Calls to us with audio on one worker: none may be lost, its memory must be flat, the recordings right in length.

    python -m benchmarks.inbound [--calls 100] [--seconds 600] [--database-url postgresql://...]

`ringback serve` runs on one core, with everything real but ears and voice (benchmarks/density/scene.py); the people
and the services on another. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from benchmarks.density import scene
from benchmarks.inbound.audit import Memory, audited
from benchmarks.inbound.callers import Callers
from benchmarks.inbound.house import House, house

_SETTLE_S: Final = 4.0
_LOOK_S: Final = 5.0
_COMPLETE_S: Final = 120.0
"""For the work after the calls, which all end at once."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--database-url", default="", help="empty: SQLite")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="ringback-inbound-") as name:
        folder, sounds = Path(name), Path(name) / "sounds.npz"
        scene.prepare(sounds)
        socket = folder / "speech.sock"
        services = _start("benchmarks.inbound.services", str(cores[-1]), str(sounds), str(socket))
        people = _start("benchmarks.density.people", str(options.calls), str(cores[-1]), str(sounds))
        try:
            assert services.stdout is not None
            services.stdout.readline()
            with house(folder, options.calls, cores[0], f"unix://{socket}", options.database_url) as running:
                figures = asyncio.run(_soak(running, people, options.calls, options.seconds))
            _say_what_went_wrong(folder / "serve.txt")
        finally:
            for process in (services, people):
                process.kill()
                process.communicate()
    print(json.dumps(figures))


async def _soak(running: House, people: subprocess.Popen[str], calls: int, seconds: float) -> dict[str, Any]:
    agent_id = running.open_line()
    memory = Memory(running.worker_pid())
    assert people.stdin is not None
    assert people.stdout is not None
    callers = await Callers.open(running.sip_port)
    called = await callers.place(json.loads(people.stdout.readline()))
    answered = sum(bool(one.answered) for one in called)
    refusals = Counter(one.status for one in called if not one.answered)
    print(
        f"{answered} of {calls} calls are up",
        *(f"{n} got {status}" for status, n in refusals.items()),
        flush=True,
    )
    start = time.monotonic() + 0.2
    measure = start + _SETTLE_S
    orders = {
        "legs": [one.leg for one in called],
        "start": start,
        "measure": measure,
        "end": measure + seconds,
    }
    people.stdin.write(json.dumps(orders) + "\n")
    people.stdin.flush()
    while time.monotonic() < measure + seconds:
        memory.look()
        await asyncio.sleep(_LOOK_S)
    await callers.hang_up()
    heard = json.loads(await asyncio.to_thread(people.stdout.readline))
    records = await _completed(running, agent_id, calls)
    return {
        "calls": calls,
        "seconds": seconds,
        **audited(called, records, running.data / "recordings"),
        **memory.figures(),
        "frame_late_p99_ms": round(heard["lateness"]["p99"], 1),
        "frames_missing": heard["missing"],
        "turns": heard["turns"],
        "turns_missed": heard["missed"],
    }


async def _completed(running: House, agent_id: str, calls: int) -> list[dict[str, Any]]:
    until = time.monotonic() + _COMPLETE_S
    while True:
        records = running.records(agent_id)
        over = sum(record["status"] == "completed" for record in records)
        if over >= calls or time.monotonic() > until:
            return records
        await asyncio.sleep(1.0)


def _say_what_went_wrong(log: Path) -> None:
    for line in log.read_text(errors="replace").splitlines():
        if " ERROR " in line or " WARNING " in line:
            print(f"serve: {line}")


def _start(module: str, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


if __name__ == "__main__":
    main()
