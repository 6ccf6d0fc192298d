"""The SIP trunk of the crash test as a process beside a test."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class DialSink:
    port: int
    log: Path

    def events(self) -> list[dict[str, Any]]:
        """What happened at the sink so far. A line that is being written is left out."""
        lines = self.log.read_bytes().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    async def until(self, count: int) -> list[dict[str, Any]]:
        """The events once there are so many. The sink is another process: nothing but a look tells."""
        async with asyncio.timeout(10):
            while True:
                events = self.events()
                if len(events) >= count:
                    return events
                await asyncio.sleep(0.01)


@contextmanager
def dial_sink(folder: Path, port: int = 0, loss: float = 0.0, seed: int = 0) -> Iterator[DialSink]:
    """Its log is `sink.jsonl` in the folder; such a share of the packets vanishes in each direction."""
    log = folder / "sink.jsonl"
    log.touch()
    command = [sys.executable, "-m", "benchmarks.crash.sink", "--log", str(log), "--port", str(port)]
    command += ["--loss", str(loss), "--seed", str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the SIP sink did not start")
        yield DialSink(int(line), log)
    finally:
        process.terminate()
        process.wait(10)
