"""A SIP trunk with one ailment, written apart from Ringback's own SIP: real datagrams, real RTP."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import cast

from ringback.media.g711 import Codec

Address = tuple[str, int]
Mangle = Callable[[bytes], list[tuple[float, bytes]]]
"""What becomes of an RTP packet: the packets that leave instead, and after how many seconds."""

_HOST = "127.0.0.1"
_NONCE = "a1b2c3"


def echo(packet: bytes) -> list[tuple[float, bytes]]:
    return [(0.0, packet)]


def nothing(packet: bytes) -> list[tuple[float, bytes]]:
    return []


def silence(packet: bytes) -> list[tuple[float, bytes]]:
    return [(0.0, packet[:12] + b"\xff" * 160)]


def late(seconds: float) -> Mangle:
    return lambda packet: [(seconds, packet)]


def uneven(seconds: float) -> Mangle:
    source = random.Random(7)
    return lambda packet: [(source.uniform(0, seconds), packet)]


def lossy(share: float) -> Mangle:
    source = random.Random(7)
    return lambda packet: [] if source.random() < share else [(0.0, packet)]


def as_type(payload_type: int) -> Mangle:
    return lambda packet: [(0.0, packet[:1] + bytes([payload_type]) + packet[2:])]


def in_the_other_law(packet: bytes) -> list[tuple[float, bytes]]:
    """A gateway that sends A-law and calls it mu-law."""
    return [(0.0, packet[:12] + Codec.PCMA.encode(Codec.PCMU.decode(packet[12:])))]


class _Rtp(asyncio.DatagramProtocol):
    """Gives packets back, or on to the other face of a relay."""

    def __init__(self, mangle: Mangle) -> None:
        self.mangle = mangle
        self.other: _Rtp = self
        self.peer: Address | None = None
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    @property
    def port(self) -> int:
        assert self.transport is not None
        port: int = self.transport.get_extra_info("sockname")[1]
        return port

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.peer = addr
        for seconds, packet in self.mangle(data):
            asyncio.get_running_loop().call_later(seconds, self.other.leave, packet)

    def leave(self, packet: bytes) -> None:
        if self.peer is not None and self.transport is not None and not self.transport.is_closing():
            self.transport.sendto(packet, self.peer)


@dataclass
class AilingTrunk(asyncio.DatagramProtocol):
    """Healthy unless a field says otherwise: it answers every question and gives a call's audio back."""

    options: str | None = "200 OK"
    """None: no answer to anything."""
    raw: bytes | None = None
    """Answered to anything instead of SIP."""
    clock_s: float | None = 0.0
    """By how much its clock is ahead; None: it does not tell the time."""
    received: str = _HOST
    rport: int | None = None
    """What it claims to have seen of us."""
    password: str | None = None
    """What REGISTER, and OPTIONS with `asks_always`, need; user "joe"."""
    asks_always: bool = False
    register: str = "200 OK"
    invite: str | None = "200 OK"
    """"180 Ringing": and nothing after it. None: no answer."""
    description: str = "m=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    media_host: str = _HOST
    mangle: Mangle = echo
    hangs_up_after_s: float | None = None
    routes_to: int | None = None
    """The port to which calls are passed on, through a relay of their audio."""
    back: Mangle = echo
    """Of a relay: what becomes of the audio of the called side."""
    port: int = field(default=0, init=False)
    called: list[str] = field(default_factory=list, init=False)
    """The numbers."""
    asked: list[str] = field(default_factory=list, init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[AilingTrunk]:
        loop = asyncio.get_running_loop()
        self._near, self._far = _Rtp(self.mangle), _Rtp(self.back)
        faces = [self._near] if self.routes_to is None else [self._near, self._far]
        if self.routes_to is not None:
            self._near.other, self._far.other = self._far, self._near
        transports = [
            (await loop.create_datagram_endpoint(lambda face=face: face, (_HOST, 0)))[0] for face in faces
        ]
        transports.append((await loop.create_datagram_endpoint(lambda: self, (_HOST, 0)))[0])
        try:
            yield self
        finally:
            for transport in transports:
                transport.close()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        text = data.decode()
        if self.raw is not None:
            self._transport.sendto(self.raw, addr)
        elif text.startswith("SIP/2.0"):
            self._pass_back(text)
        elif self.options is not None:
            method = text.partition(" ")[0]
            self.asked.append(method)
            getattr(self, f"_{method.lower()}", self._ok)(text, addr)

    def _ok(self, text: str, addr: Address) -> None:
        self._answer(text, addr, "200 OK")

    def _ack(self, text: str, addr: Address) -> None:
        pass

    def _options(self, text: str, addr: Address) -> None:
        assert self.options is not None
        self._answer(text, addr, self._admitted(text) if self.asks_always else self.options)

    def _register(self, text: str, addr: Address) -> None:
        assert "\r\nContact:" not in text, "it would change what is registered"
        self._answer(text, addr, self.register if self.password is None else self._admitted(text))

    def _admitted(self, text: str) -> str:
        given = dict(re.findall(r'(\w+)="([^"]*)"', _line(text, "Authorization") or ""))
        ha1 = hashlib.md5(f"joe:home:{self.password}".encode()).hexdigest()
        ha2 = hashlib.md5(f"{text.partition(' ')[0]}:{given.get('uri')}".encode()).hexdigest()
        right = hashlib.md5(f"{ha1}:{_NONCE}:{ha2}".encode()).hexdigest()
        return "200 OK" if given.get("response") == right else "401 Unauthorized"

    def _invite(self, text: str, addr: Address) -> None:
        self.called.append(text.partition(":")[2].partition("@")[0])
        if self.invite is None:
            return
        if self.routes_to is not None:
            self._pass_on(text, addr)
            return
        self._answer(text, addr, "100 Trying")
        body = ""
        if self.invite.startswith("200"):
            body = (
                f"v=0\r\no=- 1 1 IN IP4 {self.media_host}\r\ns=-\r\nc=IN IP4 {self.media_host}\r\nt=0 0\r\n"
                + self.description.format(port=self._near.port)
            )
            if self.hangs_up_after_s is not None:
                asyncio.get_running_loop().call_later(self.hangs_up_after_s, self._hang_up, text, addr)
        self._invited = text
        self._answer(text, addr, self.invite, body)

    def _cancel(self, text: str, addr: Address) -> None:
        self._answer(text, addr, "200 OK")
        self._answer(self._invited, addr, "487 Request Terminated")

    def _hang_up(self, invite: str, addr: Address) -> None:
        contact = re.search(r"<(.*?)>", _line(invite, "Contact") or "")
        assert contact is not None
        lines = [
            f"BYE {contact[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {_HOST}:{self.port};branch=z9hG4bKbye",
            f"From: {_line(invite, 'To')};tag=trunk",
            f"To: {_line(invite, 'From')}",
            f"Call-ID: {_line(invite, 'Call-ID')}",
            "CSeq: 1 BYE",
            "Content-Length: 0",
        ]
        self._transport.sendto("\r\n".join([*lines, "", ""]).encode(), addr)

    def _answer(self, request: str, addr: Address, status: str, body: str = "") -> None:
        seen = f";received={self.received};rport={self.rport or addr[1]}"
        via = (_line(request, "Via") or "").replace(";rport", "") + seen
        to = _line(request, "To") or ""
        lines = [f"SIP/2.0 {status}", f"Via: {via}", f"From: {_line(request, 'From')}"]
        lines += [f"To: {to}" if "tag=" in to or status.startswith("100") else f"To: {to};tag=trunk"]
        lines += [f"Call-ID: {_line(request, 'Call-ID')}", f"CSeq: {_line(request, 'CSeq')}"]
        lines += [f"Contact: <sip:trunk@{_HOST}:{self.port}>"]
        if self.clock_s is not None:
            lines += [f"Date: {formatdate(time.time() + self.clock_s, usegmt=True)}"]
        if status.startswith("401"):
            lines += [f'WWW-Authenticate: Digest realm="home", nonce="{_NONCE}", algorithm=MD5']
        lines += ["Content-Type: application/sdp"] if body else []
        lines += [f"Content-Length: {len(body)}", "", body]
        self._transport.sendto("\r\n".join(lines).encode(), addr)

    # As a proxy (RFC 3261 section 16, without state)

    def _pass_on(self, invite: str, addr: Address) -> None:
        start, _, rest = invite.partition("\r\n")
        branch = re.search(r"branch=([^;\r]*)", invite)
        assert branch is not None
        via = f"Via: SIP/2.0/UDP {_HOST}:{self.port};branch={branch[1]}p;caller={addr[1]}"
        self._transport.sendto(
            f"{start}\r\n{via}\r\n{self._through(rest, self._far)}".encode(), (_HOST, self.routes_to or 0)
        )

    def _pass_back(self, response: str) -> None:
        ours, rest = re.search(r"Via: [^\r]*\r\n", response), response
        assert ours is not None
        caller = re.search(r"caller=(\d+)", ours[0])
        assert caller is not None
        rest = response.replace(ours[0], "", 1)
        self._transport.sendto(self._through(rest, self._near).encode(), (_HOST, int(caller[1])))

    def _through(self, message: str, face: _Rtp) -> str:
        """With the port of the relay in its description."""
        head, _, body = message.partition("\r\n\r\n")
        port = re.search(r"m=audio (\d+)", body)
        if port is None:
            return message
        other = self._near if face is self._far else self._far
        other.peer = _HOST, int(port[1])
        body = body.replace(f"m=audio {port[1]}", f"m=audio {face.port}")
        head = re.sub(r"Content-Length: \d+", f"Content-Length: {len(body)}", head)
        return f"{head}\r\n\r\n{body}"


def _line(message: str, name: str) -> str | None:
    found = re.search(rf"^{name}: ([^\r\n]*)", message, re.M)
    return found[1] if found else None
