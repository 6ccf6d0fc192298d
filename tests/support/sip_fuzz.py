"""Throws damaged SIP messages at a live endpoint: `python -m tests.support.sip_fuzz SEED COUNT udp|tcp`.

Run it inside `unshare -n`: the damage may name any address, and nothing must leave the machine. Prints one JSON
object; the endpoint must afterwards answer OPTIONS, hold a call with audio, and have forgotten all the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import random
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from ringback.media.leg import Answered, DialRequest, Ended, HangupCause, Ringing
from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.leg import SipLeg
from ringback.telephony.sip.message import Request, Response, parse
from ringback.telephony.sip.transaction import Timing
from tests.support.lossy import LossyRelay
from tests.support.sip_world import answer, peer_request
from tests.support.telephone import expect, loudest_hertz, talk

CANARY = "canary-in-the-mine"
"""Stands in every datagram; must never be printed."""


class Faults(logging.Handler):
    """Counts what the code under test calls an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class Person:
    """A peer of our own stack that answers every call."""

    def __init__(self) -> None:
        self.legs: asyncio.Queue[SipLeg] = asyncio.Queue()

    async def take(self, call: IncomingCall) -> None:
        call.ring()
        self.legs.put_nowait(await call.answer())


def raise_loopback() -> None:
    """Set `lo` up; a new namespace has it down."""
    up_and_running = struct.pack("16sh14x", b"lo", 0x1 | 0x40)
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, up_and_running)  # SIOCSIFFLAGS


def corpus(recorded: list[bytes]) -> list[bytes]:
    """Sound datagrams to damage: those of a real call, and what a peer may say in it and beside it."""
    messages = [parse(data) for data in recorded]
    invite = next(message for message in messages if isinstance(message, Request))
    ok = next(message for message in messages if isinstance(message, Response) and message.status == 200)
    us, them = ok.from_.tag, ok.to.tag or ""
    inside = [
        peer_request(method, 100 + number, call_id=invite.call_id, from_tag=them, to_tag=us, sdp=sdp, Subject=CANARY)
        for number, (method, sdp) in enumerate(
            [("INVITE", "sendonly"), ("UPDATE", "sendrecv"), ("INFO", None), ("ACK", "sendrecv"), ("BYE", None),
             ("OPTIONS", None)]
        )
    ]  # fmt: skip
    fields = {
        "NOTIFY": {"Event": "refer;id=2", "Subscription_State": "active;expires=60"},
        "INFO": {},
        "PRACK": {"RAck": "1 1 INVITE"},
        "UPDATE": {"Session_Expires": "90;refresher=uac", "Min_SE": "90", "Supported": "timer"},
        "REFER": {"Refer_To": "<sip:other@192.0.2.9>"},
    }
    for number, (method, more) in enumerate(fields.items(), 110):
        request = peer_request(
            method, number, call_id=invite.call_id, from_tag=them, to_tag=us, Subject=CANARY, **more
        )
        if method == "NOTIFY":
            request.set_body("message/sipfrag", b"SIP/2.0 180 Ringing\r\n")
        elif method == "INFO":
            request.set_body("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n")
        inside.append(request)
    outside = [
        peer_request(method, 1, sdp="sendrecv", Subject=CANARY)
        for method in ("INVITE", "CANCEL", "OPTIONS", "BYE")
    ]
    responses = [
        answer(invite, status, sdp="sendrecv", Subject=CANARY, WWW_Authenticate='Digest realm="r", nonce="n"')
        for status in (100, 180, 183, 200, 302, 401, 486)
    ]
    responses += [
        answer(invite, 183, sdp="sendrecv", Require="100rel", RSeq="7", Subject=CANARY),
        answer(invite, 200, sdp="sendrecv", Session_Expires="90;refresher=uac", Subject=CANARY),
        answer(invite, 422, Min_SE="3600", Subject=CANARY),
    ]
    return recorded + [message.encode() for message in (*inside, *outside, *responses)]


def damage(data: bytes, source: list[bytes], rng: random.Random) -> bytes:
    """The datagram with one to four injuries."""
    for _ in range(rng.randint(1, 4)):
        data = rng.choice(INJURIES)(data, source, rng) or b"\0"
    return data[:60_000]


def _flip(data: bytes, _: list[bytes], rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _cut(data: bytes, _: list[bytes], rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.randint(1, 80) :]


def _truncate(data: bytes, _: list[bytes], rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _splice(data: bytes, source: list[bytes], rng: random.Random) -> bytes:
    other = rng.choice(source)
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def _repeat_line(data: bytes, _: list[bytes], rng: random.Random) -> bytes:
    lines = data.split(b"\r\n")
    at = rng.randrange(len(lines))
    return b"\r\n".join(lines[:at] + [lines[at]] * rng.choice([2, 50, 400]) + lines[at + 1 :])


def _drop_line(data: bytes, _: list[bytes], rng: random.Random) -> bytes:
    lines = data.split(b"\r\n")
    del lines[rng.randrange(len(lines))]
    return b"\r\n".join(lines)


def _stuff(data: bytes, _: list[bytes], rng: random.Random) -> bytes:
    filler = rng.choice(FILLERS)
    at = rng.randrange(len(data))
    return data[:at] + filler + data[at:]


def _swap_number(data: bytes, _: list[bytes], rng: random.Random) -> bytes:
    digits = [at for at, byte in enumerate(data) if chr(byte).isdigit()]
    if not digits:
        return data
    at = rng.choice(digits)
    return (
        data[:at] + rng.choice([b"-1", b"0", b"99999", b"4294967296", b"1e9", "²".encode()]) + data[at + 1 :]
    )


FILLERS = [
    b"A" * 9000,
    b"%s%n" * 50,
    b"\xff" * 300,
    b"<" * 400,
    b'"',
    b";" * 500,
    b",",
    b"\0",
    b"\r",
    b"9" * 40,
]
HASTY = Timing(t1=0.01, t2=0.1, t4=0.1)
"""So that what is remembered only for stragglers is forgotten within a second."""
ROUNDS = 20
"""Calls during which the damage is thrown: a damaged BYE may well end one."""

INJURIES: list[Callable[[bytes, list[bytes], random.Random], bytes]] = [
    _flip, _cut, _truncate, _splice, _repeat_line, _drop_line, _stuff, _swap_number,
]  # fmt: skip


async def connect(carrier: SipCarrier, person: Person) -> tuple[SipLeg, SipLeg]:
    """A call that is up, from both sides."""
    leg = await carrier.dial(
        DialRequest(carrier.new_call_id(), "+15550199", "+15550100", headers={"Subject": CANARY})
    )
    other = await asyncio.wait_for(person.legs.get(), 5)
    await expect(leg, Ringing)
    await expect(leg, Answered)
    return leg, other


async def throw(endpoint: Endpoint, sound: list[bytes], rng: random.Random, count: int) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        for number in range(count):
            sock.sendto(damage(rng.choice(sound), sound, rng), endpoint.address)
            if number % 10 == 0:
                await asyncio.sleep(0)  # let the endpoint read, as its kernel buffer is finite


async def throw_by_tcp(endpoint: Endpoint, sound: list[bytes], rng: random.Random, count: int) -> None:
    """Each connection carries a few, in pieces; what answers it brings is read and forgotten."""
    while count > 0:
        reader, writer = await asyncio.open_connection(*endpoint.address)
        reading = asyncio.create_task(reader.read())
        for _ in range(few := min(count, rng.randint(1, 8))):
            data = damage(rng.choice(sound), sound, rng)
            cut = rng.randrange(len(data))
            writer.write(data[:cut])
            if rng.random() < 0.3:
                await asyncio.sleep(0)
            writer.write(data[cut:])
        count -= few
        await asyncio.sleep(0)
        with contextlib.suppress(OSError):
            writer.close() if rng.random() < 0.8 else writer.transport.abort()
            await writer.wait_closed()
        with contextlib.suppress(OSError):
            await reading


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def most_memory_mb() -> int:
    """Of this program: getrusage would count what the one that started it had."""
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


async def forgotten(endpoint: Endpoint, guests: Person) -> dict[str, int]:
    """What is left of it all once every timer is over. Some damage has the endpoint answer itself by TCP: such a
    connection (both its ends are here) stays until it was idle for long."""
    while not guests.legs.empty():
        await guests.legs.get_nowait().hangup(HangupCause.NORMAL)
    left: dict[str, int] = {}
    for _ in range(200):
        left = {
            "calls": len(endpoint.agent.calls),
            "transactions": endpoint.agent.transactions,
            "connections": endpoint.connections,
        }
        if not left["calls"] and not left["transactions"] and left["connections"] in (0, 2):
            break
        await asyncio.sleep(0.1)
    return left


async def options_answered(endpoint: Endpoint) -> bool:
    """Whether the endpoint answers a sound OPTIONS with 200."""
    loop = asyncio.get_running_loop()
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        request = peer_request("OPTIONS", 1, call_id="sound", branch="z9hG4bKsound")
        await loop.sock_sendto(sock, request.encode(), endpoint.address)
        answered = await asyncio.wait_for(loop.sock_recv(sock, 65_535), 5)
    return answered.startswith(b"SIP/2.0 200 ")


async def main(seed: int, count: int, transport: str) -> dict[str, object]:
    rng = random.Random(seed)
    faults = Faults()
    logging.getLogger().addHandler(faults)
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(30000, 30999), HASTY)
    victims_guests, person = Person(), Person()
    endpoint.on_invite = victims_guests.take
    peer = await Endpoint.open("127.0.0.1", 0, PortRange(31000, 31999))
    peer.on_invite = person.take
    async with LossyRelay.open(()) as relay:
        relay.peer_port = peer.address[1]
        carrier = SipCarrier(endpoint, Trunk("127.0.0.1", relay.port))
        files = open_files()
        for _ in range(ROUNDS):
            relay.seen.clear()
            live, other = await connect(carrier, person)
            await (throw if transport == "udp" else throw_by_tcp)(
                endpoint, corpus(relay.seen), rng, count // ROUNDS
            )
            await live.hangup(HangupCause.NORMAL)
            await other.hangup(HangupCause.NORMAL)  # a damaged BYE may have ended our side alone
        answered = await options_answered(endpoint)
        leg, other = await connect(carrier, person)
        _, heard = await asyncio.gather(talk(leg, 440, 0.6), talk(other, 600, 0.6))
        await leg.hangup(HangupCause.NORMAL)
        ended = await expect(leg, Ended)
        left = await forgotten(endpoint, victims_guests)
        left["files"] = open_files() - files
    result = {
        "left": left,
        "memory_mb": most_memory_mb(),
        "options": answered,
        "heard_hertz": loudest_hertz(heard[-2400:]),
        "ended": ended.outcome,
        "faults": faults.lines,
    }
    await asyncio.gather(endpoint.close(), peer.close())
    return result


if __name__ == "__main__":
    raise_loopback()
    print(json.dumps(asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))))
