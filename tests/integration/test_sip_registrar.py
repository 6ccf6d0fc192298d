"""Registered with Kamailio, a registrar that is not ours, and called by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.media.leg import Answered, DialRequest, Ended, HangupCause
from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.auth import Credentials
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.registration import Registered, Registrar, Registration, Unregistered
from tests.support.needs import needs
from tests.support.sipp import free_udp_ports, port_bound
from tests.support.telephone import expect

pytestmark = [pytest.mark.realtime, needs("kamailio")]

CONFIGURATION = Path(__file__).parents[1] / "support" / "registrar.cfg"
RTP_PORTS = PortRange(32000, 32999)


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """Of the registrar."""
    free = free_udp_ports()
    process = await asyncio.create_subprocess_exec(
        *("kamailio", "-DD", "-E", "-m", "32", "-M", "4", "-f", str(CONFIGURATION), "-Y", str(tmp_path)),
        *("-A", f"LISTEN=udp:127.0.0.1:{free}"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=tmp_path,
    )
    try:
        await port_bound(free, process)
        yield free
    finally:
        process.terminate()
        await process.wait()


async def registered(
    endpoint: Endpoint, port: int, password: str
) -> tuple[Registration, Registered | Unregistered]:
    told: asyncio.Queue[Registered | Unregistered] = asyncio.Queue()
    who = Registrar(Hop("127.0.0.1", port), "127.0.0.1", port, "joe", Credentials("joe", password))
    registration = Registration(endpoint.agent, [who], told.put_nowait)
    registration.start()
    async with asyncio.timeout(10):
        return registration, await told.get()


async def test_the_registrar_calls_us_while_we_are_registered(port: int) -> None:
    us = await Endpoint.open("127.0.0.1", 0, RTP_PORTS)
    caller = await Endpoint.open("127.0.0.1", 0, RTP_PORTS)
    called: list[str] = []

    async def take(call: IncomingCall) -> None:
        called.append(call.called)
        await call.answer()

    us.on_invite = take
    registration, how = await registered(us, port, "open sesame")
    assert how == Registered(400, f"127.0.0.1:{us.address[1]}"), "it wants at least 400 s"
    carrier = SipCarrier(caller, Trunk("127.0.0.1", port))
    leg = await carrier.dial(DialRequest(carrier.new_call_id(), "joe", "+15550100"))
    await expect(leg, Answered)
    await leg.hangup(HangupCause.NORMAL)
    await expect(leg, Ended)
    assert called == [f"sip:joe@127.0.0.1:{us.address[1]}"]
    registration.stop()
    await asyncio.sleep(0.5)
    leg = await carrier.dial(DialRequest(carrier.new_call_id(), "joe", "+15550100"))
    assert (await expect(leg, Ended)).sip_code == 404
    await us.close()
    await caller.close()


async def test_it_knows_a_wrong_password(port: int) -> None:
    us = await Endpoint.open("127.0.0.1", 0, RTP_PORTS)
    registration, how = await registered(us, port, "guessed")
    assert isinstance(how, Unregistered)
    assert how.code == 401
    assert "password" in how.why
    registration.stop()
    await us.close()
