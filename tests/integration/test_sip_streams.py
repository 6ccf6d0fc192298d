"""Calls by TCP and TLS between two endpoints of ours, and peers that misuse their connection."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.media.leg import Answered, DialRequest, Ended, EndedBy, HangupCause, Outcome, Ringing
from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip import connection, connections
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.crypto import Encryption
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.guard import Guard, Limits
from ringback.telephony.sip.hop import Transport
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.leg import SipLeg
from ringback.telephony.sip.tls import TlsFiles
from ringback.telephony.sip.transaction import Timing
from tests.support.certificates import Authority
from tests.support.sip_world import peer_request
from tests.support.telephone import expect, loudest_hertz, talk
from tests.support.torture import OTHERS, VALID

PING, PONG = b"\r\n\r\n", b"\r\n"
LOCAL = "127.0.0.1"


class Person:
    """Answers every call."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.legs: asyncio.Queue[SipLeg] = asyncio.Queue()
        endpoint.on_invite = self.take

    async def take(self, call: IncomingCall) -> None:
        call.ring()
        self.legs.put_nowait(await call.answer())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextlib.asynccontextmanager
async def opened(
    low: int, tls: TlsFiles | None = None, guard: Guard | None = None
) -> AsyncIterator[Endpoint]:
    timing = Timing(t1=0.05)
    endpoint = await Endpoint.open(LOCAL, 0, PortRange(low, low + 999), timing, tls=tls, guard=guard)
    yield endpoint
    await endpoint.close()


@pytest.fixture
async def us(authority: Authority) -> AsyncIterator[Endpoint]:
    async with opened(30000, TlsFiles(authorities=authority.certificate)) as endpoint:
        yield endpoint


@pytest.fixture
async def person(authority: Authority) -> AsyncIterator[Person]:
    issued = authority.issue("localhost", LOCAL)
    async with opened(31000, TlsFiles(issued.certificate, issued.key)) as endpoint:
        yield Person(endpoint)


def trunk(
    person: Person, transport: Transport, host: str = LOCAL, encryption: Encryption = Encryption.NONE
) -> Trunk:
    _, port = person.endpoint.agent.address_by(transport)
    return Trunk(host, port, transport=transport, encryption=encryption)


async def dial(endpoint: Endpoint, way: Trunk) -> SipLeg:
    carrier = SipCarrier(endpoint, way)
    return await carrier.dial(DialRequest(carrier.new_call_id(), "+15550199", "+15550100"))


async def connected(us: Endpoint, person: Person, way: Trunk) -> tuple[SipLeg, SipLeg]:
    leg = await dial(us, way)
    await expect(leg, Ringing)
    await expect(leg, Answered)
    other = await person.legs.get()
    await expect(other, Answered)
    return leg, other


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.TLS])
@pytest.mark.parametrize("hung_up_by", ["us", "them"])
async def test_a_call_with_audio_and_its_end(
    us: Endpoint, person: Person, transport: Transport, hung_up_by: str
) -> None:
    leg, other = await connected(us, person, trunk(person, transport))
    heard, heard_by_them = await asyncio.gather(talk(leg, 440, 0.5), talk(other, 600, 0.5))
    first, second = (leg, other) if hung_up_by == "us" else (other, leg)
    await first.hangup(HangupCause.NORMAL)
    assert (await expect(second, Ended)).by is EndedBy.PEER
    await expect(first, Ended)
    assert loudest_hertz(heard[-2000:]) == pytest.approx(600, abs=5)
    assert loudest_hertz(heard_by_them[-2000:]) == pytest.approx(440, abs=5)
    assert us.connections == person.endpoint.connections == 1


@pytest.mark.parametrize("encryption", [Encryption.OPTIONAL, Encryption.REQUIRED])
async def test_encrypted_audio(us: Endpoint, person: Person, encryption: Encryption) -> None:
    leg, other = await connected(us, person, trunk(person, Transport.TLS, "localhost", encryption))
    heard, heard_by_them = await asyncio.gather(talk(leg, 440, 0.5), talk(other, 600, 0.5))
    await leg.hangup(HangupCause.NORMAL)
    await expect(other, Ended)
    encrypted = encryption is Encryption.REQUIRED  # the other side offers plain audio no key
    assert loudest_hertz(heard[-2000:]) == pytest.approx(600, abs=5)
    assert loudest_hertz(heard_by_them[-2000:]) == pytest.approx(440, abs=5)
    assert leg.media is not None
    assert (leg.media.srtp is not None) is encrypted


@pytest.mark.parametrize("encryption", [Encryption.NONE, Encryption.OPTIONAL, Encryption.REQUIRED])
async def test_a_call_to_us_whose_audio_must_be_encrypted(
    us: Endpoint, person: Person, encryption: Encryption
) -> None:
    async def take(call: IncomingCall) -> None:
        call.encryption = Encryption.REQUIRED
        person.legs.put_nowait(await call.answer())

    person.endpoint.on_invite = take
    leg = await dial(us, trunk(person, Transport.TLS, "localhost", encryption))
    if encryption is Encryption.NONE:
        assert (await expect(leg, Ended)).sip_code == 488
        return
    await expect(leg, Answered)
    assert leg.media is not None
    assert leg.media.srtp is not None
    await leg.hangup(HangupCause.NORMAL)
    await expect(leg, Ended)


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.TLS])
async def test_calls_of_both_directions_share_a_connection(
    us: Endpoint, person: Person, transport: Transport
) -> None:
    for _ in range(3):
        leg, other = await connected(us, person, trunk(person, transport))
        await other.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await expect(other, Ended)
    back = Trunk(LOCAL, us.agent.address_by(transport)[1], transport=transport)
    legs = Person(us).legs
    leg = await dial(person.endpoint, back)
    await expect(leg, Ringing)
    await expect(leg, Answered)
    await (await legs.get()).hangup(HangupCause.NORMAL)
    await expect(leg, Ended)
    assert us.connections == person.endpoint.connections == 1


async def test_a_connection_that_broke_is_made_again(us: Endpoint, person: Person) -> None:
    leg, other = await connected(us, person, trunk(person, Transport.TCP))
    await asyncio.sleep(0.05)  # for the ACK
    for flow in list(person.endpoint._wire._connections._flows.values()):
        flow.abort()
    await gone(us)
    await leg.hangup(HangupCause.NORMAL)
    assert (await expect(other, Ended)).by is EndedBy.PEER
    await expect(leg, Ended)


async def test_nobody_listens(us: Endpoint) -> None:
    for transport in (Transport.TCP, Transport.TLS):
        ended = await expect(await dial(us, Trunk(LOCAL, free_port(), transport=transport)), Ended)
        assert (ended.outcome, ended.provider_code) == (Outcome.FAILED, 3110)


async def test_a_server_that_hangs_up_at_once(us: Endpoint) -> None:
    """Without this its INVITE would wait for 32 seconds."""

    def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(refuse, LOCAL, 0)
    port = server.sockets[0].getsockname()[1]
    ended = await expect(await dial(us, Trunk(LOCAL, port, transport=Transport.TCP)), Ended, timeout=2)
    assert (ended.outcome, ended.provider_code) == (Outcome.FAILED, 3110)
    server.close()


@pytest.mark.parametrize("names", [("other.example",), ("*.localhost",)])
async def test_a_certificate_for_another_name_is_refused(
    us: Endpoint, authority: Authority, names: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    issued = authority.issue(*names)
    async with opened(31000, TlsFiles(issued.certificate, issued.key)) as endpoint:
        person = Person(endpoint)
        with caplog.at_level("INFO"):
            ended = await expect(await dial(us, trunk(person, Transport.TLS, "localhost")), Ended)
    assert ended.outcome is Outcome.FAILED
    assert "certificate" in caplog.text


async def test_a_certificate_of_an_unknown_authority_is_refused(person: Person) -> None:
    async with opened(30000) as endpoint:
        ended = await expect(await dial(endpoint, trunk(person, Transport.TLS, "localhost")), Ended)
    assert ended.outcome is Outcome.FAILED


async def test_bad_files_are_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for files in (TlsFiles(certificate=wrong), TlsFiles(certificate=tmp_path / "none.pem")):
        with pytest.raises(ValueError, match=r"SIP TLS: .*\.pem"):
            await Endpoint.open(LOCAL, 0, PortRange(30000, 30999), tls=files)
    with pytest.raises(ValueError, match=r"wrong\.pem holds no certificates"):
        TlsFiles(authorities=wrong).client()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((LOCAL, 0))
        port: int = sock.getsockname()[1]
        return port


class Peer:
    """A bare connection to an endpoint."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def status(self) -> int:
        """Of the next response."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await self.reader.readexactly(length)
        return int(head.split()[1])

    async def closed(self, within: float = 5) -> bool:
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(within):
                while await self.reader.read(65_536):
                    pass
        return True


@contextlib.asynccontextmanager
async def peer_of(endpoint: Endpoint, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    _, port = endpoint.agent.address_by(Transport.TLS if tls else Transport.TCP)
    reader, writer = await asyncio.open_connection(
        LOCAL, port, ssl=tls, server_hostname="localhost" if tls else None
    )
    yield Peer(reader, writer)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def gone(endpoint: Endpoint) -> None:
    """Wait until no connection is left."""
    async with asyncio.timeout(5):
        while endpoint.connections:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


def options(number: int = 1, **fields: str) -> bytes:
    return peer_request("OPTIONS", number, branch=f"z9hG4bKo{number}", **fields).encode()


async def test_pings_are_answered_between_messages(person: Person) -> None:
    async with peer_of(person.endpoint) as peer:
        peer.send(PING)
        assert await peer.reader.readexactly(2) == PONG
        peer.send(options(1)[:40])
        await asyncio.sleep(0.02)
        peer.send(options(1)[40:] + PING + options(2))
        assert await peer.status() == 200
        assert await peer.reader.readexactly(2) == PONG
        assert await peer.status() == 200


async def test_answers_come_back_by_their_connection(person: Person) -> None:
    """The Via names a host that is not there: the connection is what counts (RFC 3261 section 18.2.2)."""
    async with peer_of(person.endpoint) as one, peer_of(person.endpoint) as other:
        other.send(options(2))
        one.send(options(1))
        assert (await one.status(), await other.status()) == (200, 200)


@pytest.mark.parametrize(
    ("damage", "status"),
    [
        ((b"Content-Length: 0", b"Content-Length: -1"), 400),
        ((b"Content-Length: 0", b"Content-Length: 9999999"), 400),
        ((b"Content-Length: 0", b"Content-Length: 0\r\nl: 3"), 400),
        ((b"Max-Forwards: 70", b"Max-Forwards 70"), 400),
        ((b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia"), 505),
    ],
)
async def test_damaged_messages_are_answered(
    person: Person, damage: tuple[bytes, bytes], status: int
) -> None:
    async with peer_of(person.endpoint) as peer:
        peer.send(options().replace(*damage))
        assert await peer.status() == status


@pytest.mark.parametrize(
    ("data", "status"),
    [(data, 200) for name, data in VALID.items() if "RFC 2543" not in name]  # it has no length
    + [one for name, one in OTHERS.items() if name != "a length that is longer"],  # a stream waits for it
)
async def test_the_messages_of_rfc_4475_have_the_right_answer(
    person: Person, data: bytes, status: int
) -> None:
    async with peer_of(person.endpoint) as peer:
        peer.send(data.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"))
        while (found := await peer.status()) < 200:
            pass
        assert found == status


async def test_whoever_speaks_no_sip_is_shown_the_door(person: Person) -> None:
    async with peer_of(person.endpoint) as peer:
        peer.send(b"A" * 40_000)
        assert await peer.closed()
    async with peer_of(person.endpoint) as peer:
        peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await peer.closed()


async def test_whoever_says_nothing_is_shown_the_door(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_FIRST_MESSAGE", 0.1)
    async with peer_of(person.endpoint) as peer:
        peer.send(PING + b"OPTIONS sip:")
        assert await peer.closed(1)


async def test_whoever_reads_nothing_is_given_up(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_MAX_UNSENT", 4_096)
    async with peer_of(person.endpoint) as peer:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for number in range(4_000):
            peer.send(peer_request("OPTIONS", 1, branch=f"z9hG4bK{number}{'x' * 7_000}").encode())
            if number % 50 == 0:
                await asyncio.sleep(0)
                if peer.writer.transport.is_closing() or not person.endpoint.connections:
                    break
        await gone(person.endpoint)


async def test_connections_have_a_limit(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_MAX_OF_ONE", 3)
    async with contextlib.AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(peer_of(person.endpoint)) for _ in range(3)]
        for number, peer in enumerate(peers):
            peer.send(options(number))
            assert await peer.status() == 200
        async with peer_of(person.endpoint) as one_more:
            assert await one_more.closed()
    await gone(person.endpoint)
    async with peer_of(person.endpoint) as again:
        again.send(options())
        assert await again.status() == 200


async def test_our_connection_is_kept_alive_and_a_dead_one_noticed(
    us: Endpoint, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_PING_EVERY", 0.05)
    leg, other = await connected(us, person, trunk(person, Transport.TCP))
    await leg.hangup(HangupCause.NORMAL)
    await expect(other, Ended)
    await asyncio.sleep(0.2)
    assert us.connections == 1  # it answers
    (theirs,) = person.endpoint._wire._connections._flows.values()
    assert theirs._transport is not None
    theirs._transport.pause_reading()
    await gone(us)


class TestGuarded:
    @pytest.fixture
    async def guarded(self) -> AsyncIterator[Endpoint]:
        loop = asyncio.get_running_loop()
        limits = Limits(messages=1_000, messages_burst=1_000, beginnings=50, beginnings_burst=5)
        async with opened(31000, guard=Guard(loop.time, limits)) as endpoint:
            yield endpoint

    async def test_too_much_waits_and_nothing_is_lost(self, guarded: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        async with peer_of(guarded) as peer:
            start = loop.time()
            for number in range(20):
                peer.send(options(number))
            assert [await peer.status() for _ in range(20)] == [200] * 20
            assert loop.time() - start > 0.25

    async def test_a_scanner_waits_for_nothing(
        self, guarded: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connection, "_SLOW", 0.3)
        loop = asyncio.get_running_loop()
        async with peer_of(guarded) as peer:
            start = loop.time()
            peer.send(options(User_Agent="friendly-scanner") + options(2))
            assert await peer.reader.read() == b""
            assert loop.time() - start > 0.25
        async with peer_of(guarded) as peer:
            assert await peer.closed(1)

    async def test_a_flood_of_calls_costs_its_sender_and_nobody_else(self, guarded: Endpoint) -> None:
        loop, begun = asyncio.get_running_loop(), 0

        async def count(call: IncomingCall) -> None:
            nonlocal begun
            begun += 1
            call.reject(486)

        guarded.on_invite = count
        with socket.socket(type=socket.SOCK_DGRAM) as flooder, socket.socket(type=socket.SOCK_DGRAM) as other:
            for sock, host in ((flooder, "127.0.0.2"), (other, LOCAL)):
                sock.bind((host, 0))
                sock.setblocking(False)
            start = loop.time()
            for number in range(2_000):
                flooder.sendto(
                    peer_request("INVITE", 1, call_id=str(number), branch=f"z9hG4bKf{number}").encode(),
                    guarded.address,
                )
                if number % 20 == 0:
                    await asyncio.sleep(0.002)
            asked = loop.time()
            await loop.sock_sendto(other, options(), guarded.address)
            assert (await asyncio.wait_for(loop.sock_recv(other, 2_000), 2)).startswith(b"SIP/2.0 200")
            assert loop.time() - asked < 0.5
            assert 5 <= begun <= 5 + 50 * (loop.time() - start) + 1
        assert guarded.guard is not None
        assert guarded.guard.refused > 1_500

    async def test_a_datagram_of_a_scanner_has_no_answer(self, guarded: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind((LOCAL, 0))
            sock.setblocking(False)
            await loop.sock_sendto(sock, options(User_Agent="sipvicious"), guarded.address)
            await loop.sock_sendto(sock, options(2), guarded.address)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(loop.sock_recv(sock, 2_000), 0.3)

    async def test_a_stranger_s_connection_has_no_answer_and_no_handshake(
        self, authority: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "_MAX_OF_STRANGERS", 2)
        issued = authority.issue("localhost")
        guard = Guard(asyncio.get_running_loop().time)
        guard.known = "192.0.2.9".__eq__
        context = ssl.create_default_context(cafile=authority.certificate)
        async with (
            opened(31000, TlsFiles(issued.certificate, issued.key), guard) as endpoint,
            peer_of(endpoint) as one,
            peer_of(endpoint) as two,
            peer_of(endpoint) as three,
        ):
            assert await three.closed(1)
            for peer in (one, two):
                peer.send(options())
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(peer.reader.read(), 0.2)
            with pytest.raises((ConnectionError, ssl.SSLError)):
                async with peer_of(endpoint, context):
                    pass
            guard.known = LOCAL.__eq__
            async with peer_of(endpoint, context) as friend:
                friend.send(options())
                assert await friend.status() == 200

    async def test_a_handshake_that_never_comes_is_forgotten(
        self, authority: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "CONNECT_TIMEOUT", 0.2)
        issued = authority.issue("localhost")
        async with opened(31000, TlsFiles(issued.certificate, issued.key)) as endpoint:
            _, writer = await asyncio.open_connection(*endpoint.agent.address_by(Transport.TLS))
            reader, other = await asyncio.open_connection(*endpoint.agent.address_by(Transport.TLS))
            other.write(b"this is no handshake")
            assert await asyncio.wait_for(reader.read(), 2) != b"SIP"
            await asyncio.sleep(0.3)
            assert not endpoint._wire._connections._made_by
            writer.close()
            other.close()
