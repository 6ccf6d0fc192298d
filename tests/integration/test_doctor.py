"""`ringback doctor`: every fault of docs/doctor.md is provoked here, by a peer or a machine that has it, and named."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import trustme
from cryptography.fernet import Fernet
from pydantic import SecretStr
from wyoming.asr import Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import async_read_event

from ringback.accounts.accounts import Accounts
from ringback.app.doctor import machine, speech, store, trunk
from ringback.app.doctor.doctor import examine, of_trunks
from ringback.app.doctor.faults import FAULTS
from ringback.app.doctor.finding import Faulty, Finding, State
from ringback.app.doctor.line import CallWish
from ringback.app.settings import Settings
from ringback.clock import SystemClock
from ringback.demo.run import foreign_environment
from ringback.store.database import open_database
from ringback.store.migrate import upgrade
from ringback.store.queries import workers
from ringback.telephony.sip.carrier import Trunk
from ringback.telephony.sip.hop import Transport
from ringback.trunks.gateway import Gateway
from ringback.trunks.numbers import NewNumber
from ringback.trunks.secrecy import Secrecy
from ringback.trunks.trunk import Registration, TrunkFields
from ringback.trunks.trunk import Trunk as KeptTrunk
from ringback.trunks.trunks import Trunks
from tests.support.ailing_trunk import (
    AilingTrunk,
    as_type,
    echo,
    in_the_other_law,
    late,
    lossy,
    nothing,
    silence,
    uneven,
)
from tests.support.sipp import free_udp_ports
from tests.support.speech_process import speech_process
from tests.support.wyoming_peer import Peer, wyoming_peer

pytestmark = pytest.mark.realtime

DOCS: Final = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text()
ROWS: Final = dict(re.findall(r"^\| `([a-z-]+)` \| (.+?) \| .+ \|$", DOCS, re.M))
"""Name and sentence of each fault that operators read of."""
NUMBER: Final = "+15550100200"
PATIENCE_S: Final = 1.0
LISTEN_S: Final = 2.6

Findings = list[Finding]
Provoke = Callable[[Path], Awaitable[Findings]]
PROVOCATIONS: Final[dict[str, Provoke]] = {}


def provokes(name: str) -> Callable[[Provoke], Provoke]:
    def keep(provoke: Provoke) -> Provoke:
        PROVOCATIONS[name] = provoke
        return provoke

    return keep


@pytest.mark.parametrize("name", ROWS)
async def test_each_fault_is_named_by_its_sentence(name: str, tmp_path: Path) -> None:
    findings = await PROVOCATIONS[name](tmp_path)
    wrong = [finding for finding in findings if finding.state in (State.FAULT, State.WARNING)]
    assert [finding.fault for finding in wrong] == [name], findings
    pieces = re.split(r"\{\w+\}", ROWS[name])
    assert re.fullmatch(".+".join(map(re.escape, pieces)), wrong[0].sentence), wrong[0].sentence


def test_the_table_lists_every_fault() -> None:
    assert {fault.name: fault.sentence for fault in FAULTS} == ROWS
    assert PROVOCATIONS.keys() == ROWS.keys()


def test_a_sentence_is_one() -> None:
    for fault in FAULTS:
        assert not re.search(r"[.!?] ", fault.sentence), fault.name
        assert "{" in fault.sentence[:9] or fault.sentence[0].isupper()
        assert fault.sentence.endswith(".")


# With nothing wrong


async def test_a_healthy_installation(tmp_path: Path) -> None:
    """Its own number leads back to it, so that both ends of the call are heard."""
    settings = made(tmp_path, trunk={"username": "joe", "password": "open sesame"})
    await upgrade(settings.store_url)
    await at_work(settings, lateness_us=300)
    trunk = AilingTrunk(password="open sesame", routes_to=settings.sip.port)
    async with trunk.running():
        settings = to(settings, trunk)
        with speech_process(settings.speech_uri, settings.data):
            findings = [one async for one in examine(settings, SystemClock(), wish(), PATIENCE_S)]
    assert [(one.check, one.state) for one in findings if one.check != "language model"] == [
        (check, State.OK)
        for check in ("disk", "database", "workers", "sip port", "audio ports", "speech", "trunk")
    ] + [(check, State.OK) for check in ("credentials", "clock", "address", "call")], findings
    assert "Both sides hear each other" in findings[-1].sentence


async def test_an_echo_service_shows_both_directions(tmp_path: Path) -> None:
    findings = await called(tmp_path, AilingTrunk(), echoes=True)
    assert findings[-1].state is State.OK
    assert "Both sides hear each other" in findings[-1].sentence


async def test_without_a_call_only_questions_are_asked(tmp_path: Path) -> None:
    trunk = AilingTrunk()
    async with trunk.running():
        settings = to(made(tmp_path, trunk={"username": "joe"}), trunk)
        findings = [one async for one in of_trunks(settings, SystemClock(), (), None, PATIENCE_S)]
    assert findings[-1].state is State.SKIPPED
    assert trunk.asked == ["OPTIONS", "REGISTER"]


async def test_a_lost_question_is_asked_again(tmp_path: Path) -> None:
    trunk = AilingTrunk(options=None)
    async with trunk.running():
        asyncio.get_running_loop().call_later(0.3, setattr, trunk, "options", "200 OK")
        findings = await looked_at(tmp_path, trunk)
    assert findings[0].state is State.OK


async def test_a_trunk_behind_its_own_challenge(tmp_path: Path) -> None:
    trunk = AilingTrunk(password="open sesame", asks_always=True)
    async with trunk.running():
        findings = await looked_at(tmp_path, trunk, username="joe", password="open sesame")
    assert all(one.state in (State.OK, State.SKIPPED) for one in findings), findings


@pytest.mark.parametrize(("arguments", "faults"), [((), 1), (("--json",), 1)])
async def test_the_command(tmp_path: Path, arguments: tuple[str, ...], faults: int) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ringback", "doctor", *arguments),
        env={**foreign_environment(), "RINGBACK_PORT": "no port", "RINGBACK_CONFIG": ""},
        stdout=subprocess.PIPE,
    )
    told, _ = await process.communicate()
    assert process.returncode == 1
    if arguments:
        report = json.loads(told)
        assert report["faults"] == faults
        assert report["findings"][0]["fault"] == "bad-configuration"
    else:
        assert told.startswith(b"FAULT    configuration")


# The machine


def secret_key() -> str:
    return Fernet.generate_key().decode()


def made(folder: Path, **changes: Any) -> Settings:
    sip = {"host": "127.0.0.1", "port": free_udp_ports(2), **changes.pop("sip", {})}
    return Settings(data=folder, sip=sip, **changes)


def to(settings: Settings, trunk: AilingTrunk, **changes: Any) -> Settings:
    """With that trunk."""
    own = {"host": "127.0.0.1", "port": trunk.port, "from_numbers": [NUMBER], **changes}
    return settings.model_copy(update={"trunk": settings.trunk.model_copy(update=own)})


def wish(echoes: bool = False) -> CallWish:
    return CallWish(NUMBER, "", echoes, LISTEN_S, ring_timeout_s=1.5)


def fault_of(look: Callable[[], Finding]) -> Findings:
    try:
        return [look()]
    except Faulty as fault:
        return [fault.finding("machine")]


async def fault_from(look: Awaitable[Any]) -> Findings:
    try:
        await look
    except Faulty as fault:
        return [fault.finding("machine")]
    return []


@contextmanager
def held(*ports: int) -> Iterator[None]:
    """By another program."""
    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)).bind(("127.0.0.1", port))
        yield


@provokes("bad-configuration")
async def _(folder: Path) -> Findings:
    return fault_of(lambda: machine.rtp(made(folder, sip={"rtp_port_low": 5, "rtp_port_high": 3}), 0))


@provokes("data-folder")
async def _(folder: Path) -> Findings:
    (folder / "file").write_text("in the way")
    return fault_of(lambda: machine.disk(made(folder / "file" / "data")))


@provokes("disk-full")
async def _(folder: Path) -> Findings:
    return fault_of(lambda: machine.disk(made(folder), least_bytes=1 << 60))


@provokes("sip-address")
async def _(folder: Path) -> Findings:
    return fault_of(lambda: machine.sip(made(folder, sip={"host": "192.0.2.77"}), []))


@provokes("sip-port")
async def _(folder: Path) -> Findings:
    settings = made(folder)
    with held(settings.sip.port, settings.sip.port + 1):
        ours = f"127.0.0.1:{settings.sip.port}"
        assert machine.sip(settings, [ours]).state is State.OK  # where it is a worker of ours
        return fault_of(lambda: machine.sip(settings, []))


@provokes("rtp-ports")
async def _(folder: Path) -> Findings:
    first = free_udp_ports(6)
    settings = made(folder, sip={"rtp_port_low": first, "rtp_port_high": first + 5}, calls_per_worker=3)
    assert machine.rtp(settings, 0).state is State.OK
    with held(first + 2):
        return fault_of(lambda: machine.rtp(settings, 0))


# The store


async def at_work(settings: Settings, lateness_us: int) -> None:
    db = await open_database(settings.store_url)
    try:
        await workers.beat(
            db,
            name="here/0",
            machine="here",
            number=0,
            pid=1,
            address=None,
            capacity=20,
            calls=1,
            lateness_us=lateness_us,
            state="serving",
            now_us=SystemClock().now_us(),
        )
    finally:
        await db.close()


async def staffed(settings: Settings) -> Findings:
    return store.at_work(settings, await store.workforce(settings, SystemClock()))


@provokes("database")
async def _(folder: Path) -> Findings:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"postgresql://nobody:secret@127.0.0.1:{sock.getsockname()[1]}/nothing"
        findings = await fault_from(store.workforce(made(folder, database_url=url), SystemClock()))
    assert "secret" not in findings[0].sentence
    return findings


@provokes("tables")
async def _(folder: Path) -> Findings:
    return await fault_from(store.workforce(made(folder), SystemClock()))


@provokes("no-worker")
async def _(folder: Path) -> Findings:
    settings = made(folder)
    await upgrade(settings.store_url)
    return await staffed(settings)


@provokes("late-audio")
async def _(folder: Path) -> Findings:
    settings = made(folder)
    await upgrade(settings.store_url)
    await at_work(settings, lateness_us=55_000)
    return await staffed(settings)


@asynccontextmanager
async def kept_trunk(
    folder: Path, port: int, key: str = ""
) -> AsyncIterator[tuple[Settings, Trunks, KeptTrunk]]:
    """Of an account, registering."""
    settings = made(folder, secret_key=key)
    await upgrade(settings.store_url)
    db = await open_database(settings.store_url)
    try:
        account = (await Accounts(db, SystemClock()).create("Somebody")).id
        secrecy = Secrecy.of_key(key) if key else Secrecy.of_folder(folder)
        trunks = Trunks(db, SystemClock(), secrecy)
        fields = TrunkFields(
            name="Carrier",
            provider="carrier",
            auth_type="userpass",
            auth_username="joe",
            auth_password="open sesame",
            gateways=(Gateway("127.0.0.1", port),),
            outbound_leading_plus_enabled=False,
        )
        kept = await trunks.create(account, fields, [NewNumber(NUMBER)])
        yield settings, trunks, kept
    finally:
        await db.close()


async def of_accounts(settings: Settings, wish: CallWish | None = None) -> Findings:
    ways = await store.trunks(settings, SystemClock())
    return [one async for one in of_trunks(settings, SystemClock(), ways, wish, PATIENCE_S)]


async def test_the_trunks_of_accounts_are_looked_at_too(tmp_path: Path) -> None:
    trunk = AilingTrunk(password="open sesame")
    async with trunk.running(), kept_trunk(tmp_path, trunk.port) as (settings, _, _):
        own = await of_accounts(settings)
        wanted = CallWish(NUMBER, "Carrier", True, LISTEN_S)
        called = await of_accounts(
            to(settings, trunk, username="joe", password=SecretStr("open sesame")), wanted
        )
    assert [one.check for one in own] == [
        "trunk Carrier", "credentials Carrier", "clock Carrier", "address Carrier", "call",
    ]  # fmt: skip
    assert own[1].state is State.OK
    assert [one.check for one in called if "call" in one.check] == ["call Carrier"]
    assert called[-1].state is State.OK
    assert trunk.called == [NUMBER.removeprefix("+")]


@provokes("secret-key")
async def _(folder: Path) -> Findings:
    async with kept_trunk(folder, 5060, key=secret_key()) as (settings, _, _):
        changed = settings.model_copy(update={"secret_key": SecretStr(secret_key())})
        return await fault_from(store.trunks(changed, SystemClock()))


@provokes("not-registered")
async def _(folder: Path) -> Findings:
    trunk = AilingTrunk(password="open sesame")
    async with trunk.running(), kept_trunk(folder, trunk.port) as (settings, trunks, kept):
        await trunks.keep("worker", 60.0, 10)
        failing = Registration("failing", code=423, error="The registrar wants longer registrations")
        await trunks.registered(kept, "worker", failing)
        return await of_accounts(settings)


# Speech and language model


@provokes("speech")
async def _(folder: Path) -> Findings:
    return await fault_from(speech.understood(made(folder)))


@provokes("misheard")
async def _(folder: Path) -> Findings:
    async def mishears(peer: Peer) -> None:
        event = await async_read_event(peer.reader)
        assert event is not None
        if event.type == "synthesize":
            await peer.say(AudioStart(8000, 2, 1), AudioChunk(8000, 2, 1, bytes(16000)), AudioStop())
        else:
            await peer.hear("audio-stop")
            await peer.say(Transcript("thank you for watching"))

    async with wyoming_peer(folder, mishears) as uri:
        settings = made(folder, speech={"transcriber_uri": uri, "synthesizer_uri": uri})
        return await fault_from(speech.understood(settings))


@provokes("language-model")
async def _(folder: Path) -> Findings:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/v1"
        return await fault_from(speech.language_model(made(folder, llm={"base_url": url})))


# The way to the trunk


async def looked_at(folder: Path, trunk: AilingTrunk, **changes: Any) -> Findings:
    """Without a call."""
    settings = to(made(folder, trunk=changes), trunk)
    return [one async for one in of_trunks(settings, SystemClock(), (), None, PATIENCE_S)]


async def asked(folder: Path, trunk: AilingTrunk, **changes: Any) -> Findings:
    async with trunk.running():
        return await looked_at(folder, trunk, **changes)


async def without_peer(folder: Path, **changes: Any) -> Findings:
    return [one async for one in of_trunks(made(folder, trunk=changes), SystemClock(), (), None, PATIENCE_S)]


@provokes("no-trunk")
async def _(folder: Path) -> Findings:
    return await without_peer(folder)


@provokes("dns")
async def _(folder: Path) -> Findings:
    return await without_peer(folder, host="sip.nowhere.invalid")


@provokes("loopback")
async def _(folder: Path) -> Findings:
    return await without_peer(folder, host="192.0.2.1")


@provokes("no-route")
async def _(folder: Path) -> Findings:
    way = Trunk("255.255.255.255")  # the kernel refuses to broadcast
    return await fault_from(trunk.reached(way, "0.0.0.0", PATIENCE_S))


@provokes("port-closed")
async def _(folder: Path) -> Findings:
    return await without_peer(folder, host="127.0.0.1", port=free_udp_ports())


@provokes("silent")
async def _(folder: Path) -> Findings:
    return await asked(folder, AilingTrunk(options=None))


@provokes("not-sip")
async def _(folder: Path) -> Findings:
    return await asked(folder, AilingTrunk(raw=b"HTTP/1.1 400 Bad Request\r\n\r\n"))


@asynccontextmanager
async def tls_server() -> AsyncIterator[int]:
    """Whose certificate nobody knows."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@provokes("certificate")
async def _(folder: Path) -> Findings:
    async with tls_server() as port:
        way = Trunk("127.0.0.1", port, transport=Transport.TLS)
        return await fault_from(trunk.reached(way, "127.0.0.1", 5.0))


@provokes("trunk-busy")
async def _(folder: Path) -> Findings:
    return await asked(folder, AilingTrunk(options="503 Service Unavailable"))


@provokes("address-refused")
async def _(folder: Path) -> Findings:
    return await asked(folder, AilingTrunk(options="403 Forbidden"))


@provokes("no-credentials")
async def _(folder: Path) -> Findings:
    return await asked(folder, AilingTrunk(password="open sesame", asks_always=True))


@provokes("wrong-password")
async def _(folder: Path) -> Findings:
    for asks_always in (True, False):
        trunk = AilingTrunk(password="open sesame", asks_always=asks_always)
        findings = await asked(folder, trunk, username="joe", password="open barley")
        assert findings[-2].fault == "wrong-password"
        assert "barley" not in str(findings)
    return findings


@provokes("unknown-user")
async def _(folder: Path) -> Findings:
    return await asked(folder, AilingTrunk(register="404 Not Found"), username="john", password="open sesame")


@provokes("clock")
async def _(folder: Path) -> Findings:
    findings = await asked(folder, AilingTrunk(clock_s=90))
    assert "90 s behind" in str(findings) or "89 s behind" in str(findings) or "91 s behind" in str(findings)
    return findings


@provokes("nat-address")
async def _(folder: Path) -> Findings:
    return await asked(folder, AilingTrunk(received="203.0.113.9"))


@provokes("nat-port")
async def _(folder: Path) -> Findings:
    return await asked(folder, AilingTrunk(rport=40001))


# The call


async def called(folder: Path, trunk: AilingTrunk, echoes: bool = False, **changes: Any) -> Findings:
    settings = made(folder)
    if trunk.routes_to is not None:
        trunk.routes_to = settings.sip.port
    async with trunk.running():
        settings = to(settings, trunk, **changes)
        return [one async for one in of_trunks(settings, SystemClock(), (), wish(echoes), PATIENCE_S)]


@provokes("number-unknown")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(invite="404 Not Found"))


@provokes("call-forbidden")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(invite="403 Forbidden"))


@provokes("codec-refused")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(invite="488 Not Acceptable Here"))


@provokes("codec-mismatch")
async def _(folder: Path) -> Findings:
    g729 = "m=audio {port} RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n"
    return await called(folder, AilingTrunk(description=g729))


@provokes("srtp-refused")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(invite="488 Not Acceptable Here"), encryption="required")


@provokes("call-failed")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(invite="500 Server Internal Error"))


@provokes("call-silent")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(invite=None))


@provokes("busy")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(invite="486 Busy Here"))


@provokes("unanswered")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(invite="180 Ringing"))


@provokes("dropped")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(hangs_up_after_s=1.0))


# Its audio


@provokes("no-audio")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(mangle=nothing))


@provokes("one-way-inbound")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(routes_to=0, back=nothing))


@provokes("one-way-outbound")
async def _(folder: Path) -> Findings:
    assert (await called(folder, AilingTrunk(mangle=silence), echoes=True))[-1].fault == "one-way-outbound"
    return await called(folder, AilingTrunk(routes_to=0, mangle=nothing))


@provokes("private-media")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(media_host="10.255.255.1"))


@provokes("silent-audio")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(mangle=silence))


@provokes("wrong-codec")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(mangle=as_type(18)))


@provokes("garbled")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(mangle=in_the_other_law), echoes=True)


@provokes("loss")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(mangle=lossy(0.15)), echoes=True)


@provokes("jitter")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(routes_to=0, back=uneven(0.25)))


@provokes("delay")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(routes_to=0, mangle=late(0.35), back=late(0.35)))


@provokes("line-echo")
async def _(folder: Path) -> Findings:
    return await called(folder, AilingTrunk(mangle=echo))
