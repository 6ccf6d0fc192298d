"""The people of the calls: one process that talks and listens on every leg, and measures what reaches it.

    python -m benchmarks.density.people

It reads one line of JSON (`Orders`) after it has printed its own ports, and prints its figures at the end. Arrival
is stamped by the kernel, so that its own lateness, which it prints, is not taken for the worker's.
"""

from __future__ import annotations

import json
import math
import os
import random
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.density.scene import Sounds
from benchmarks.density.wire import lateness_ms, spread
from ringback.media.frame import FRAME_MS, FRAME_SAMPLES
from ringback.media.g711 import Codec

HOST: Final = "127.0.0.1"
CALLS_PER_SOCKET: Final = 16
"""As a carrier's gateway has one address for many calls."""
_SLOTS: Final = 20
"""Calls send spread over the 20 ms."""
_SILENCE: Final = bytes([0xFF]) * FRAME_SAMPLES
_HEADER: Final = struct.Struct("!BBHII")
_SO_TIMESTAMPNS: Final = 35
_STAMP: Final = struct.Struct("=qq")
FRAME_S: Final = FRAME_MS / 1000
NEVER_MS: Final = 10_000.0
_ANSWER_S: Final = 6.0
"""A person who has heard nothing for so long speaks again; the turn counts as missed."""
_PAUSE_S: Final = (0.8, 1.6)
"""After the agent fell silent, before the person speaks."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What the parent sends: where the legs are, and the schedule on the machine's monotonic clock."""

    legs: list[int]
    start: float
    measure: float
    end: float


class Person:
    """One end of a call."""

    def __init__(self, number: int, speech: list[list[bytes]], socket_: socket.socket, leg: int) -> None:
        self.random = random.Random(number)
        self.socket = socket_
        self.leg = (HOST, leg)
        self.speech = speech
        self.ssrc = 0x1000 + number
        self.sequence = self.timestamp = 0
        self.turn = number
        self.frames: list[bytes] | None = None
        self.cursor = 0
        self.ended_at = math.inf
        """When this person fell silent; the agent speaks first."""
        self.heard_at = 0.0
        self.answered = False
        self.pause = self.random.uniform(*_PAUSE_S)
        self.arrived: list[float] = []
        self.timestamps: list[int] = []
        self.gaps: list[tuple[float, float]] = []
        self.turns = self.missed = 0

    def payload(self, now: float) -> bytes:
        """The next 20 ms that are said."""
        if self.frames is None:
            waited = now - (self.heard_at if self.answered else self.ended_at)
            if waited < (self.pause if self.answered else _ANSWER_S):
                return _SILENCE
            self.missed += not self.answered
            self.frames, self.cursor = self.speech[self.turn % len(self.speech)], 0
            self.turn += 1
        payload = self.frames[self.cursor]
        self.cursor += 1
        if self.cursor == len(self.frames):
            self.frames, self.answered, self.ended_at = None, False, now
            self.pause = self.random.uniform(*_PAUSE_S)
            self.turns += 1
        return payload

    def send(self, now: float) -> None:
        header = _HEADER.pack(0x80, 0, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc)
        self.socket.sendto(header + self.payload(now), self.leg)
        self.sequence += 1
        self.timestamp += FRAME_SAMPLES

    def hear(self, data: bytes, at: float) -> None:
        self.arrived.append(at)
        self.timestamps.append(int.from_bytes(data[4:8], "big"))
        if data[12:] != _SILENCE:
            self.heard_at = at
            if not self.answered and self.frames is None:
                self.answered = True
                if self.ended_at < math.inf:
                    self.gaps.append((at, at - self.ended_at))


def open_sockets(calls: int) -> list[socket.socket]:
    sockets = []
    for _ in range(0, calls, CALLS_PER_SOCKET):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((HOST, 0))
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sockets.append(sock)
    return sockets


def run(people: list[Person], sockets: list[socket.socket], orders: Orders) -> list[float]:
    """Talk until the end; how late each slot was, in milliseconds."""
    by_port = {person.leg[1]: person for person in people}
    slots = [people[slot::_SLOTS] for slot in range(_SLOTS)]
    realtime = time.time() - time.monotonic()
    late = []
    tick = 0
    while True:
        due = orders.start + tick * 0.001
        now = time.monotonic()
        if due > now:
            time.sleep(due - now)
            now = time.monotonic()
        if due > orders.end:
            return late
        if due >= orders.measure:
            late.append((now - due) * 1000)
        for person in slots[tick % _SLOTS]:
            person.send(now)
        tick += 1
        for sock in sockets:
            drain(sock, by_port, realtime)


def drain(sock: socket.socket, by_port: dict[int, Person], realtime: float) -> None:
    while True:
        try:
            data, ancillary, _, address = sock.recvmsg(512, 64)
        except BlockingIOError:
            return
        seconds, nanoseconds = _STAMP.unpack(ancillary[0][2])
        by_port[address[1]].hear(data, seconds - realtime + nanoseconds * 1e-9)


def figures(people: list[Person], orders: Orders, late: list[float]) -> dict[str, object]:
    lateness: list[float] = []
    missing = 0
    for person in people:
        within = [n for n, at in enumerate(person.arrived) if orders.measure <= at < orders.end]
        arrived, stamps = [person.arrived[n] for n in within], [person.timestamps[n] for n in within]
        lateness += lateness_ms(arrived, stamps).tolist()
        missing += max(0, round((orders.end - orders.measure) / FRAME_S) - 1 - len(within))
    gaps = [gap * 1000 for person in people for at, gap in person.gaps if at >= orders.measure]
    return {
        # A frame that never came is later than any.
        "lateness": asdict(spread(lateness + [NEVER_MS] * missing)),
        "missing": missing,
        "gap": asdict(spread(gaps)),
        "own_lateness": asdict(spread(late)),
        "own_cpu_percent": 100 * time.process_time() / (time.monotonic() - orders.start),
        "turns": sum(person.turns for person in people),
        "missed": sum(person.missed for person in people),
    }


def main() -> None:
    calls, core, sounds = int(sys.argv[1]), int(sys.argv[2]), Sounds(Path(sys.argv[3]))
    os.sched_setaffinity(0, {core})
    sockets = open_sockets(calls)
    of_call = [sockets[n // CALLS_PER_SOCKET] for n in range(calls)]
    print(json.dumps([sock.getsockname()[1] for sock in of_call]), flush=True)
    orders = Orders(**json.loads(sys.stdin.readline()))
    speech = [
        [Codec.PCMU.encode(frame) for frame in audio.reshape(-1, FRAME_SAMPLES)] for audio in sounds.person
    ]
    people = [
        Person(n, speech, sock, leg) for n, (sock, leg) in enumerate(zip(of_call, orders.legs, strict=True))
    ]
    late = run(people, sockets, orders)
    print(json.dumps(figures(people, orders, late)), flush=True)


if __name__ == "__main__":
    main()
