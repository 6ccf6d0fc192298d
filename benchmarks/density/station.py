"""A worker's side of the benchmark, the same for every platform: orders in, legs open, the clock, the figures."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.density.people import HOST
from benchmarks.density.scene import Sounds
from ringback.media.g711 import Codec
from ringback.media.rtp_stream import PortRange, RtpStream

_PORTS: Final = PortRange(20000, 39999)
RAMP_S: Final = 5.0
"""Calls begin one after the other over so long, before anything is measured."""


@dataclass(frozen=True, slots=True)
class Shift:
    """One run of a worker. Times are seconds of the machine's monotonic clock."""

    start: float
    measure: float
    end: float
    streams: list[RtpStream]
    sounds: Sounds
    folder: Path

    def begins(self, number: int) -> float:
        """When call `number` is answered."""
        return self.start + RAMP_S * number / len(self.streams)


@dataclass(slots=True)
class Busy:
    """The processor time of this process, all its threads, over the measured part of a shift."""

    began: float = 0.0
    wall: float = 0.0

    def start(self) -> None:
        self.began, self.wall = time.process_time(), time.monotonic()

    def percent(self) -> float:
        return 100 * (time.process_time() - self.began) / (time.monotonic() - self.wall)


async def work(run: Callable[[Shift], Awaitable[dict[str, Any]]]) -> None:
    """Arguments: the core to stay on, the prepared sounds, a folder for recordings. Orders come on standard input."""
    sounds, folder = Sounds(Path(sys.argv[2])), Path(sys.argv[3])
    people: list[int] = json.loads(sys.stdin.readline())
    streams = [await RtpStream.open(HOST, _PORTS, lambda digit: None) for _ in people]
    for stream, port in zip(streams, people, strict=True):
        stream.connect((HOST, port), Codec.PCMU, None)
    print(json.dumps([stream.local_port for stream in streams]), flush=True)
    # As Ringback's worker does; LiveKit's does not, and gains by it here.
    gc.collect()
    gc.freeze()
    start, measure, end = json.loads(sys.stdin.readline())
    figures = await run(Shift(start, measure, end, streams, sounds, folder))
    print(json.dumps(figures), flush=True)


def pin() -> None:
    """Before anything starts a thread: threads inherit it."""
    os.sched_setaffinity(0, {int(sys.argv[1])})
