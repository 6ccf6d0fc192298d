"""Calls with baresip, a softphone that is not ours; it echoes what it hears."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.media.leg import Answered, DialRequest, Ended, EndedBy, HangupCause, Outcome, Ringing
from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.leg import SipLeg
from tests.support.needs import needs
from tests.support.sipp import free_udp_ports, port_bound
from tests.support.telephone import expect, loudest_hertz, talk

pytestmark = [pytest.mark.realtime, needs("baresip")]

CONFIG = """\
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
audio_player aubridge,echo
audio_source aubridge,echo
rtp_ports 32000-32200
module_path /usr/lib/baresip/modules
module g711.so
module aubridge.so
module_app account.so
module_app menu.so
"""
ACCOUNT = "<sip:person@127.0.0.1>;regint=0;answermode=auto;audio_codecs={codec}/8000/1\n"


@contextlib.asynccontextmanager
async def baresip(folder: Path, codec: str, *commands: str) -> AsyncIterator[int]:
    """A running baresip that answers by itself; gives its port."""
    port = free_udp_ports()
    (folder / "config").write_text(CONFIG.format(port=port))
    (folder / "accounts").write_text(ACCOUNT.format(codec=codec))
    arguments = [argument for command in commands for argument in ("-e", command)]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        "baresip", "-f", str(folder), *arguments, stdin=asyncio.subprocess.PIPE, stdout=quiet, stderr=quiet
    )
    try:
        await port_bound(port, process)
        yield port
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(30000, 30999))
    yield endpoint
    await endpoint.close()


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_baresip_answers(endpoint: Endpoint, tmp_path: Path, codec: str) -> None:
    async with baresip(tmp_path, codec) as port:
        carrier = SipCarrier(endpoint, Trunk("127.0.0.1", port, from_number="+15550100"))
        leg = await carrier.dial(DialRequest(carrier.new_call_id(), "person", ""))
        await expect(leg, Ringing)
        await expect(leg, Answered)
        heard = await talk(leg, 440, 1.2)
        await leg.hangup(HangupCause.NORMAL)
        ended = await expect(leg, Ended)
    assert loudest_hertz(heard[-4000:]) == pytest.approx(440, abs=5)
    assert (ended.outcome, ended.by) == (Outcome.HUNG_UP, EndedBy.US)


async def test_baresip_calls(endpoint: Endpoint, tmp_path: Path) -> None:
    legs: asyncio.Queue[SipLeg] = asyncio.Queue()

    async def take(call: IncomingCall) -> None:
        legs.put_nowait(await call.answer())

    endpoint.on_invite = take
    async with baresip(tmp_path, "PCMU", f"/dial sip:us@127.0.0.1:{endpoint.address[1]}"):
        async with asyncio.timeout(10):
            leg = await legs.get()
        await expect(leg, Answered)
        heard = await talk(leg, 440, 1.2)
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
    assert loudest_hertz(heard[-4000:]) == pytest.approx(440, abs=5)
