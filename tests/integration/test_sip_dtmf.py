"""Keys over the wire, to and from telephones that are not ours: telephone-events, and tones where there are none."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ringback.media.frame import SILENCE
from ringback.media.leg import Answered, DialRequest, Digit, Ended, HangupCause, Ringing
from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.leg import SipLeg
from tests.support import captures
from tests.support.needs import needs, needs_raw_sockets
from tests.support.sipp import free_udp_ports, port_bound, run_sipp
from tests.support.telephone import expect

pytestmark = [pytest.mark.realtime]

KEYS = "159*0#D"


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(30000, 30999))
    yield endpoint
    await endpoint.close()


async def answered(endpoint: Endpoint, port: int) -> SipLeg:
    carrier = SipCarrier(endpoint, Trunk("127.0.0.1", port, from_number="+15550100"))
    leg = await carrier.dial(DialRequest(carrier.new_call_id(), "person", ""))
    await expect(leg, Ringing)
    await expect(leg, Answered)
    return leg


@contextlib.asynccontextmanager
async def ticking(leg: SipLeg) -> AsyncIterator[None]:
    """Frames go both ways, as in a conversation."""

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        start, number = loop.time(), 0
        while True:
            leg.read_frame()
            leg.write_frame(SILENCE)
            number += 1
            await asyncio.sleep(max(0.0, start + number * 0.02 - loop.time()))

    ticks = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticks.cancel()


async def keys_heard(leg: SipLeg, count: int) -> list[Digit]:
    return [await expect(leg, Digit) for _ in range(count)]


def of(digits: list[Digit]) -> str:
    assert all(50 <= digit.duration_ms <= 150 for digit in digits), digits
    return "".join(digit.key for digit in digits)


# sipp, which sends back every packet that it gets


@needs("sipp")
async def test_our_telephone_events_come_back_as_they_are(endpoint: Endpoint, tmp_path: Path) -> None:
    async with run_sipp("answer", tmp_path, rtp_echo=True) as peer:
        leg = await answered(endpoint, peer.port)
        async with ticking(leg):
            leg.send_digits(f"{KEYS}w1")
            heard = await keys_heard(leg, len(KEYS) + 1)
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()
    assert of(heard) == f"{KEYS}1"


@needs("sipp")
@needs_raw_sockets()
async def test_a_telephone_without_events_presses_with_tones(endpoint: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "tones.pcap").write_bytes(captures.tones(KEYS))
    async with run_sipp("tones", tmp_path, tones="tones.pcap") as peer:
        leg = await answered(endpoint, peer.port)
        async with ticking(leg):
            heard = await keys_heard(leg, len(KEYS))
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()
    assert of(heard) == KEYS


@needs("sipp")
@needs_raw_sockets()
async def test_to_a_telephone_without_events_we_press_with_tones(endpoint: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "tones.pcap").write_bytes(captures.tones(""))
    async with run_sipp("tones", tmp_path, rtp_echo=True, tones="tones.pcap") as peer:
        leg = await answered(endpoint, peer.port)
        async with ticking(leg):
            leg.send_digits(KEYS)
            heard = await keys_heard(leg, len(KEYS))
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()
    assert of(heard) == KEYS


# baresip, which says what it has understood


CONFIG = """\
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
audio_player aubridge,echo
audio_source aubridge,echo
rtp_ports 32200-32400
module_path /usr/lib/baresip/modules
ctrl_tcp_listen 127.0.0.1:{control}
module g711.so
module aubridge.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
"""


class Baresip:
    """Its remote control: netstrings of JSON."""

    def __init__(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.port = port
        self._reader = reader
        self._writer = writer

    async def next_key(self) -> str:
        while True:
            event = await self._read()
            if event.get("type") == "CALL_DTMF_START":
                return str(event["param"])

    async def press(self, key: str) -> None:
        command = json.dumps({"command": "sndcode", "params": key})
        self._writer.write(f"{len(command)}:{command},".encode())
        await self._writer.drain()

    async def _read(self) -> dict[str, Any]:
        length = await self._reader.readuntil(b":")
        body = await self._reader.readexactly(int(length[:-1]) + 1)
        read: dict[str, Any] = json.loads(body[:-1])
        return read


@contextlib.asynccontextmanager
async def baresip(folder: Path) -> AsyncIterator[Baresip]:
    port, control = free_udp_ports(), free_udp_ports()
    (folder / "config").write_text(CONFIG.format(port=port, control=control))
    (folder / "accounts").write_text(
        "<sip:person@127.0.0.1>;regint=0;answermode=auto;audio_codecs=PCMU/8000/1\n"
    )
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        "baresip", "-f", str(folder), stdin=asyncio.subprocess.PIPE, stdout=quiet, stderr=quiet
    )
    try:
        await port_bound(port, process)
        await port_bound(control, process, "tcp")
        reader, writer = await asyncio.open_connection("127.0.0.1", control)
        yield Baresip(port, reader, writer)
        writer.close()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@needs("baresip")
async def test_baresip_understands_our_keys(endpoint: Endpoint, tmp_path: Path) -> None:
    async with baresip(tmp_path) as peer:
        leg = await answered(endpoint, peer.port)
        async with ticking(leg), asyncio.timeout(10):
            await asyncio.sleep(0.3)  # until it hears
            leg.send_digits(KEYS)
            understood = [await peer.next_key() for _ in KEYS]
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
    assert "".join(understood) == KEYS


@needs("baresip")
async def test_we_understand_baresip(endpoint: Endpoint, tmp_path: Path) -> None:
    async with baresip(tmp_path) as peer:
        leg = await answered(endpoint, peer.port)
        heard: list[Digit] = []
        async with ticking(leg):
            for key in KEYS:
                await peer.press(key)
                heard.append(await expect(leg, Digit))
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
    assert "".join(digit.key for digit in heard) == KEYS
