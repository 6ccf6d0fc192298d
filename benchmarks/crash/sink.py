"""A SIP trunk that writes down who was dialled and when: plain UDP, and no code of the product, whose bugs it finds.

    python -m benchmarks.crash.sink --log FILE [--port P] [--loss SHARE --seed N]

Prints its port. With a loss, packets vanish in both directions. The last digit of a number says how its person takes a
call (MANNERS). Each line of the log is an event of a call, JSON: `at` (microseconds UTC, when the kernel took the
packet), `event`, `call_id`, `tag` (of From), `number`; `status` for `final` (the response that ended the dialling, or
200), `by` for `over`. `dropped` is an INVITE that vanished: its person was not dialled by it.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import re
import select
import signal
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Manner:
    """How somebody takes a call."""

    status: int | None
    """The final response; None: rings for ever, 0: not a packet comes back."""
    after_s: float = 0.0
    """From the INVITE to the final response."""
    talks_s: float | None = None
    """From the ACK to the BYE; None: leaves that to the caller."""
    rings: bool = True


MANNERS: Final = (
    Manner(486, 0.15, rings=False),
    Manner(486, 0.15, rings=False),
    Manner(None),
    Manner(503, 0.02, rings=False),
    Manner(0),
    Manner(200, 0.1, talks_s=0.05),
    Manner(200, 0.2, talks_s=0.3),
    Manner(200, 0.05, talks_s=1.0),
    Manner(200, 0.0, talks_s=2.0, rings=False),
    Manner(200, 0.1),
)
"""By the last digit of the number."""

_T1_S: Final = 0.5
_GIVE_UP_S: Final = 8.0
"""Of retransmissions: the other side was killed."""
_SO_TIMESTAMPNS: Final = 35
_BUFFER: Final = 8 * 1024 * 1024
_COMPACT: Final = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact"}


@dataclass(slots=True)
class Message:
    """One packet: its first line and its header fields, names in lower case, in their order."""

    first: str
    fields: list[tuple[str, str]]

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """Raises ValueError."""
        first, *lines = data.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        fields = []
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields.append((_COMPACT.get(name, name), value.strip()))
        return cls(first, fields)

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.fields if known == name]

    def one(self, name: str) -> str:
        """Raises ValueError."""
        if not (values := self.all(name)):
            raise ValueError(f"no {name}")
        return values[0]

    @property
    def method(self) -> str:
        """Empty for a response."""
        word = self.first.partition(" ")[0]
        return "" if word.startswith("SIP/") else word

    def tag(self, name: str) -> str:
        """Of `from` or `to`."""
        found = re.search(r";\s*tag=([^;\s>]+)", self.one(name))
        return found[1] if found else ""


@dataclass(slots=True)
class Call:
    """One INVITE and what became of it."""

    invite: Message
    source: Address
    number: str
    manner: Manner
    tag: str
    last: bytes | None = None
    """The last response to the INVITE, for its retransmissions."""
    final: int | None = None
    acked: bool = False
    over: bool = False
    gone: bool = False
    """Our BYE was answered."""

    @property
    def call_id(self) -> str:
        return self.invite.one("call-id")


class Sink:
    """Answers on a socket until told to stop."""

    def __init__(self, port: int, log: Path, loss: float, seed: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self._log = log.open("ab", buffering=0)
        self._loss = loss
        self._chance = random.Random(seed)
        self._calls: dict[tuple[str, str], Call] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._running = True

    def stop(self, *_: object) -> None:
        self._running = False

    def run(self) -> None:
        while self._running:
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2]()
            wait = min(0.2, self._timers[0][0] - now) if self._timers else 0.2
            if select.select([self._socket], [], [], max(0.0, wait))[0]:
                self._take_all()

    # In.

    def _take_all(self) -> None:
        while True:
            try:
                data, ancillary, _, source = self._socket.recvmsg(65536, 64)
            except OSError:
                return
            try:
                self._take(Message.parse(data), source, _taken_us(ancillary))
            except (ValueError, IndexError):
                continue  # not SIP: a sink need not say so

    def _take(self, message: Message, source: Address, at_us: int) -> None:
        call = self._calls.get((message.one("call-id"), message.tag("from")))
        if self._vanishes():
            if message.method == "INVITE" and call is None:
                self._write("dropped", Call(message, source, _number(message), MANNERS[0], ""), at_us)
            return
        match message.method:
            case "INVITE":
                self._invited(message, source, at_us, call)
            case "ACK" if call is not None:
                self._acknowledged(call, at_us)
            case "CANCEL":
                self._respond(message, source, 200)
                if call is not None and call.final is None:
                    self._finish(call, 487)
            case "BYE":
                self._respond(message, source, 200)
                if call is not None:
                    self._acknowledged(call, at_us)  # or it was lost
                    self._over(call, "caller", at_us)
            case "":
                self._responded(message)
            case "OPTIONS":
                self._respond(message, source, 200)

    def _invited(self, invite: Message, source: Address, at_us: int, call: Call | None) -> None:
        if call is not None:
            if call.last is not None:
                self._send(call.last, source)
            return
        number = _number(invite)
        call = Call(invite, source, number, MANNERS[int(number[-1])], f"sink{len(self._calls)}")
        self._calls[call.call_id, invite.tag("from")] = call
        self._write("invite", call, at_us)
        manner = call.manner
        if manner.status == 0:
            return
        self._answer(call, 180 if manner.rings else 100)
        if manner.status is not None:
            status = manner.status
            self._later(manner.after_s, lambda: self._finish(call, status))

    def _acknowledged(self, call: Call, at_us: int) -> None:
        if call.acked:
            return
        call.acked = True
        self._write("acked", call, at_us)
        if call.final == 200 and call.manner.talks_s is not None:
            self._later(call.manner.talks_s, lambda: self._bye(call))

    def _responded(self, message: Message) -> None:
        # To our BYE: From and To are the other way round in it.
        if message.one("cseq").endswith("BYE"):
            call = self._calls.get((message.one("call-id"), message.tag("to")))
            if call is not None:
                call.gone = True

    # Out.

    def _finish(self, call: Call, status: int) -> None:
        if call.final is not None:
            return
        call.final = status
        now_us = time.time_ns() // 1000
        self._write("final", call, now_us, status=status)
        self._answer(call, status)
        self._again(_T1_S, lambda: call.acked, lambda: self._answer(call, status))
        if status != 200:
            self._over(call, "sink", now_us)

    def _bye(self, call: Call) -> None:
        if call.over:
            return
        self._over(call, "sink", time.time_ns() // 1000)
        to, from_ = call.invite.one("from"), f"{call.invite.one('to')};tag={call.tag}"
        contact = call.invite.one("contact")
        target = contact[contact.find("<") + 1 : contact.find(">")] if "<" in contact else contact
        packet = _packet(
            f"BYE {target} SIP/2.0",
            [
                ("Via", f"SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{call.tag}bye;rport"),
                ("Max-Forwards", "70"),
                *(("Route", route) for route in call.invite.all("record-route")),
                ("From", from_),
                ("To", to),
                ("Call-ID", call.call_id),
                ("CSeq", "1 BYE"),
            ],
        )
        self._send(packet, call.source)
        self._again(_T1_S, lambda: call.gone, lambda: self._send(packet, call.source))

    def _answer(self, call: Call, status: int) -> None:
        body = self._sdp() if status == 200 else ""
        call.last = self._respond(call.invite, call.source, status, call.tag, body)

    def _respond(
        self, request: Message, source: Address, status: int, tag: str = "sink", body: str = ""
    ) -> bytes:
        to = request.one("to")
        fields = [("Via", via) for via in request.all("via")]
        fields += [("Record-Route", route) for route in request.all("record-route")]
        fields += [
            ("From", request.one("from")),
            ("To", to if ";tag=" in to.replace(" ", "") or status == 100 else f"{to};tag={tag}"),
            ("Call-ID", request.one("call-id")),
            ("CSeq", request.one("cseq")),
            ("Contact", f"<sip:sink@127.0.0.1:{self.port}>"),
        ]
        if body:
            fields.append(("Content-Type", "application/sdp"))
        packet = _packet(f"SIP/2.0 {status} {_REASONS.get(status, 'Whatever')}", fields, body)
        self._send(packet, source)
        return packet

    def _sdp(self) -> str:
        lines = ("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0")
        return "\r\n".join((*lines, "m=audio 9 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", ""))

    def _send(self, packet: bytes, to: Address) -> None:
        if not self._vanishes():
            self._socket.sendto(packet, to)

    def _vanishes(self) -> bool:
        return self._chance.random() < self._loss

    # Time and log.

    def _over(self, call: Call, by: str, at_us: int) -> None:
        if not call.over:
            call.over = True
            self._write("over", call, at_us, by=by)

    def _later(self, seconds: float, then: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._count, then))

    def _again(self, wait_s: float, done: Callable[[], bool], send: Callable[[], object]) -> None:
        def again() -> None:
            if not done() and wait_s < _GIVE_UP_S:
                send()
                self._again(2 * wait_s, done, send)

        self._later(wait_s, again)

    def _write(self, event: str, call: Call, at_us: int, **more: Any) -> None:
        line = {"at": at_us, "event": event, "call_id": call.call_id, "tag": call.invite.tag("from")}
        self._log.write(json.dumps({**line, "number": call.number, **more}).encode() + b"\n")


_REASONS: Final = {100: "Trying", 180: "Ringing", 200: "OK", 486: "Busy Here", 487: "Request Terminated"}


def _packet(first: str, fields: list[tuple[str, str]], body: str = "") -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in fields), f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


def _number(invite: Message) -> str:
    found = re.search(r"sip:(\+?\d+)", invite.first)
    return found[1] if found else "?0"


def _taken_us(ancillary: list[tuple[int, int, bytes]]) -> int:
    """When the kernel took the packet, however late we are ourselves."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= 16:
            seconds, nanoseconds = struct.unpack("qq", data[:16])
            return int(seconds * 1_000_000 + nanoseconds // 1000)
    return time.time_ns() // 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.crash.sink")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--loss", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sink = Sink(options.port, options.log, options.loss, options.seed)
    signal.signal(signal.SIGTERM, sink.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(sink.port, flush=True)
    sink.run()


if __name__ == "__main__":
    main()
