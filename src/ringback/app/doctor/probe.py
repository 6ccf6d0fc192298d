"""Asks a SIP server one question at a time, from a port of its own, and names what keeps the answer away."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
from dataclasses import dataclass
from typing import Final

from ringback.app.doctor import faults
from ringback.app.doctor.finding import Faulty
from ringback.telephony.sip.auth import MAX_ATTEMPTS, DigestSession
from ringback.telephony.sip.carrier import Trunk
from ringback.telephony.sip.header import BRANCH_COOKIE, CSeq, NameAddr
from ringback.telephony.sip.hop import Hop, Transport
from ringback.telephony.sip.locator import Locator
from ringback.telephony.sip.message import MAX_MESSAGE, Headers, MalformedMessage, Request, Response, parse
from ringback.telephony.sip.uri import SipUri, bracketed

PATIENCE_S: Final = 6.0
_FIRST_RESEND_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Reply:
    response: Response
    proven: bool
    """Whether the request carried our user name and password."""
    local: tuple[str, int]
    """From where it was asked."""

    @property
    def status(self) -> int:
        return self.response.status


class Probe:
    """Every method raises Faulty where no SIP answer comes."""

    def __init__(
        self, way: Trunk, host: str, patience_s: float = PATIENCE_S, tls: ssl.SSLContext | None = None
    ) -> None:
        """`host` is the address of ours to ask from; `tls` judges the trunk's certificate."""
        self._way = way
        self._host = host
        self._tls = tls or ssl.create_default_context()
        self._patience_s = patience_s
        self._peer = way.hop.host, way.hop.port or way.hop.transport.default_port
        self._cseq = 0

    @property
    def address(self) -> str:
        """The trunk's, once it is looked up."""
        host, port = self._peer
        return f"{bracketed(host)}:{port}"

    @property
    def peer(self) -> str:
        """The trunk's IP address, once it is looked up."""
        return self._peer[0]

    async def look_up(self) -> str:
        """The IP address of the trunk, the first one where it has several (RFC 3263)."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        locator = Locator(family)
        found: asyncio.Future[tuple[Hop, ...]] = asyncio.get_running_loop().create_future()
        locator.locate(self._way.hop, found.set_result)
        try:
            targets = await found
        finally:
            locator.close()
        if not targets:
            raise Faulty(faults.DNS, host=self._way.hop.host)
        self._peer = targets[0].host, targets[0].port or targets[0].transport.default_port
        return self._peer[0]

    async def ask(self, method: str) -> Reply:
        """The final answer to an OPTIONS, or to a REGISTER that only asks what is registered (RFC 3261 section
        10.2.3: without a Contact it changes nothing), through the challenges on the way."""
        digest, challengers = DigestSession(self._way.credentials), set[str]()
        call_id, tag = secrets.token_hex(16), secrets.token_hex(8)
        for _ in range(MAX_ATTEMPTS):
            self._cseq += 1
            request = self._request(method, call_id, tag)
            digest.authorize(request)
            response, local = await self._exchange(request)
            if response.status not in (401, 407) or not digest.learn(response, challengers):
                break
        proven = any(request.headers.get(name) for name in ("Authorization", "Proxy-Authorization"))
        return Reply(response, proven, local)

    def _request(self, method: str, call_id: str, tag: str) -> Request:
        way = self._way
        us = SipUri.of(way.username or way.from_number or "ringback", bracketed(way.host))
        target = SipUri(bracketed(way.host))
        return Request(
            method,
            str(target),
            headers=Headers(
                [
                    ("Max-Forwards", "70"),
                    ("From", str(NameAddr(str(us)).with_tag(tag))),
                    ("To", str(NameAddr(str(us if method == "REGISTER" else target)))),
                    ("Call-ID", call_id),
                    ("CSeq", str(CSeq(self._cseq, method))),
                    ("User-Agent", "Ringback doctor"),
                ]
            ),
        )

    async def _exchange(self, request: Request) -> tuple[Response, tuple[str, int]]:
        facts = {"address": self.address, "transport": self._way.hop.transport.value}
        exchange = self._over_udp if not self._way.hop.transport.reliable else self._over_stream
        try:
            async with asyncio.timeout(self._patience_s):
                return await exchange(request)
        except TimeoutError as error:
            raise Faulty(faults.SILENT, seconds=f"{self._patience_s:g}", **facts) from error
        except ConnectionRefusedError as error:
            raise Faulty(faults.PORT_CLOSED, **facts) from error
        except (MalformedMessage, EOFError, ConnectionResetError) as error:
            raise Faulty(faults.NOT_SIP, **facts) from error
        except ssl.SSLCertVerificationError as error:
            why = error.verify_message or "not trusted"
            raise Faulty(faults.CERTIFICATE, host=self._way.hop.host, error=why, **facts) from error
        except ssl.SSLError as error:
            raise Faulty(faults.NOT_SIP, **facts) from error
        except OSError as error:
            raise Faulty(faults.NO_ROUTE, error=error.strerror or "refused", **facts) from error

    async def _over_udp(self, request: Request) -> tuple[Response, tuple[str, int]]:
        """A connected socket, so that the kernel tells of the ICMP errors that come back."""
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in self._peer[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.bind((self._host, 0))
            sock.connect(self._peer)
            local = sock.getsockname()[:2]
            data, pause = _from(request, local, "UDP"), _FIRST_RESEND_S
            while True:
                await loop.sock_sendall(sock, data)
                try:
                    async with asyncio.timeout(pause):
                        while True:
                            answer = _answer(await loop.sock_recv(sock, MAX_MESSAGE * 2), request)
                            if answer is not None:
                                return answer, local
                except TimeoutError:
                    pause *= 2

    async def _over_stream(self, request: Request) -> tuple[Response, tuple[str, int]]:
        tls = self._way.hop.transport is Transport.TLS
        reader, writer = await asyncio.open_connection(
            *self._peer,
            ssl=self._tls if tls else None,
            server_hostname=self._way.hop.host if tls else None,
            local_addr=(self._host, 0),
            limit=MAX_MESSAGE,
        )
        try:
            local = writer.get_extra_info("sockname")[:2]
            writer.write(_from(request, local, self._way.hop.transport.value))
            while True:
                answer = _answer(await _message(reader), request)
                if answer is not None:
                    return answer, local
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One message of a stream (RFC 3261 section 18.3). Raises EOFError, MalformedMessage."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise MalformedMessage("too large") from error
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() in (b"content-length", b"l") and value.strip().isdigit():
            length = min(int(value), MAX_MESSAGE)
    return head + await reader.readexactly(length)


def _from(request: Request, local: tuple[str, int], transport: str) -> bytes:
    """The request as it leaves from there."""
    host, port = bracketed(local[0]), local[1]
    branch = f"{BRANCH_COOKIE}{secrets.token_hex(12)}"
    headers = [("Via", f"SIP/2.0/{transport} {host}:{port};branch={branch};rport"), *request.headers]
    if request.method == "OPTIONS":
        headers.append(("Contact", f"<sip:ringback@{host}:{port}>"))
    return Request(request.method, request.uri, headers=Headers(headers)).encode()


def _answer(data: bytes, request: Request) -> Response | None:
    """The final response in it, None for anything else. Raises MalformedMessage for what is no SIP."""
    message = parse(data)
    if not isinstance(message, Response) or message.status < 200:
        return None
    return message if message.call_id == request.call_id and message.cseq == request.cseq else None
