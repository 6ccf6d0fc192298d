"""Blind transfers with sipp and baresip, peers that are not ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.media.leg import Answered, DialRequest, Ended, EndedBy, HangupCause, Referred, Ringing
from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.leg import SipLeg
from tests.support.needs import needs
from tests.support.sipp import run_sipp
from tests.support.softphone import softphone
from tests.support.telephone import expect

pytestmark = [pytest.mark.realtime, needs("sipp"), needs("baresip")]


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(30000, 30999))
    yield endpoint
    await endpoint.close()


async def dialled(endpoint: Endpoint, port: int, number: str = "+15550199") -> SipLeg:
    carrier = SipCarrier(endpoint, Trunk("127.0.0.1", port, from_number="+15550100"))
    leg = await carrier.dial(DialRequest(carrier.new_call_id(), number, ""))
    await expect(leg, Ringing)
    await expect(leg, Answered)
    return leg


@pytest.mark.parametrize("result", ["200 OK", "486 Busy Here", "603 Decline"])
async def test_the_peer_tells_of_each_step(endpoint: Endpoint, tmp_path: Path, result: str) -> None:
    async with run_sipp("refer", tmp_path, result=result) as peer:
        leg = await dialled(endpoint, peer.port)
        await leg.refer("+15550177")
        told = [await expect(leg, Referred) for _ in range(4)]
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()
    assert told == [
        Referred(202, False),
        Referred(100, False),
        Referred(180, False),
        Referred(int(result[:3]), True),
    ]


async def test_the_peer_takes_over_and_hangs_up(endpoint: Endpoint, tmp_path: Path) -> None:
    async with run_sipp("refer_taken", tmp_path) as peer:
        leg = await dialled(endpoint, peer.port)
        await leg.refer("+15550177")
        assert await expect(leg, Referred) == Referred(202, False)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert (ended.by, ended.reason) == (EndedBy.PEER, "Normal Hangup")


async def test_baresip_calls_whom_it_is_sent_to(endpoint: Endpoint, tmp_path: Path) -> None:
    """Both ends are ours: the call to the softphone, and the one that it places at our word."""
    second: asyncio.Queue[SipLeg] = asyncio.Queue()

    async def take(call: IncomingCall) -> None:
        call.ring()
        second.put_nowait(await call.answer())

    endpoint.on_invite = take
    async with softphone(tmp_path) as phone:
        leg = await dialled(endpoint, phone.port, "person")
        await leg.refer(f"sip:desk@127.0.0.1:{endpoint.address[1]}")
        assert await expect(leg, Referred) == Referred(202, False)
        async with asyncio.timeout(10):
            other = await second.get()
        await expect(other, Answered)
        last = await expect(leg, Referred)
        while not last.final:
            last = await expect(leg, Referred)
        assert last.code == 200
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await other.hangup(HangupCause.NORMAL)
        await expect(other, Ended)


async def test_nobody_sends_us_elsewhere(endpoint: Endpoint, tmp_path: Path) -> None:
    """A leg that is not answered cannot be transferred."""
    async with run_sipp("ring", tmp_path) as peer:
        carrier = SipCarrier(endpoint, Trunk("127.0.0.1", peer.port, from_number="+15550100"))
        leg = await carrier.dial(DialRequest(carrier.new_call_id(), "+15550199", ""))
        await expect(leg, Ringing)
        await leg.refer("+15550177")
        assert await expect(leg, Referred) == Referred(481, True)
        await leg.hangup(HangupCause.CANCELED)
        await expect(leg, Ended)
        await peer.succeeded()
