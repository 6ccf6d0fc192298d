"""Calls by TCP with sipp; each test also asserts sipp's own verdict."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from ringback.media.leg import (
    Answered,
    DialRequest,
    EarlyMedia,
    Ended,
    EndedBy,
    HangupCause,
    Held,
    Outcome,
    Resumed,
    Ringing,
)
from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.hop import Transport
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.leg import SipLeg
from tests.support.needs import needs
from tests.support.sipp import run_sipp
from tests.support.telephone import expect, loudest_hertz, talk

pytestmark = [pytest.mark.realtime, needs("sipp")]

Dial = Callable[..., Awaitable[SipLeg]]


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(30000, 30999))
    yield endpoint
    await endpoint.close()


@pytest.fixture
def dial(endpoint: Endpoint) -> Dial:
    async def dial(port: int) -> SipLeg:
        trunk = Trunk("127.0.0.1", port, "joe", "open sesame", "+15550100", transport=Transport.TCP)
        carrier = SipCarrier(endpoint, trunk)
        return await carrier.dial(DialRequest(carrier.new_call_id(), "+15550199", ""))

    return dial


async def test_answer_and_speak_both_ways(dial: Dial, endpoint: Endpoint, tmp_path: Path) -> None:
    async with run_sipp("answer", tmp_path, tcp=True, rtp_echo=True) as peer:
        leg = await dial(peer.port)
        await expect(leg, Ringing)
        await expect(leg, Answered)
        heard = await talk(leg, 440, 1.0)
        assert endpoint.connections == 1
        await leg.hangup(HangupCause.NORMAL)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert loudest_hertz(heard[-4000:]) == pytest.approx(440, abs=5)
    assert ended == Ended(Outcome.HUNG_UP, EndedBy.US, "Normal Hangup", 4000)


async def test_401_with_the_right_password_on_invite_and_bye(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("challenge_401", tmp_path, tcp=True) as peer:
        leg = await dial(peer.port)
        await expect(leg, Answered)
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()


async def test_a_refusal(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("reject", tmp_path, tcp=True, status="486", cause="17") as peer:
        leg = await dial(peer.port)
        await expect(leg, Ringing)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert (ended.outcome, ended.sip_code) == (Outcome.BUSY, 486)


async def test_cancel_while_ringing(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("ring", tmp_path, tcp=True) as peer:
        leg = await dial(peer.port)
        await expect(leg, Ringing)
        await leg.hangup(HangupCause.CANCELED)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert (ended.outcome, ended.by, ended.sip_code) == (Outcome.CANCELED, EndedBy.US, 487)


async def test_early_media(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("early_media", tmp_path, tcp=True, rtp_echo=True) as peer:
        leg = await dial(peer.port)
        await expect(leg, EarlyMedia)
        await expect(leg, Answered)
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()


async def test_remote_hangup(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("hang_up", tmp_path, tcp=True) as peer:
        leg = await dial(peer.port)
        await expect(leg, Ringing)
        await expect(leg, Answered)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert ended.by is EndedBy.PEER


async def test_hold_and_resume(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("hold", tmp_path, tcp=True, rtp_echo=True) as peer:
        leg = await dial(peer.port)
        for kind in (Ringing, Answered, Held, Resumed):
            await expect(leg, kind)
        await talk(leg, 440, 0.5)
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()


async def test_sipp_calls_us(endpoint: Endpoint, tmp_path: Path) -> None:
    legs: asyncio.Queue[SipLeg] = asyncio.Queue()

    async def take(call: IncomingCall) -> None:
        call.ring()
        legs.put_nowait(await call.answer())

    endpoint.on_invite = take
    async with run_sipp("call", tmp_path, tcp=True, call=endpoint.address, rtp_echo=True) as peer:
        leg = await asyncio.wait_for(legs.get(), 10)
        await expect(leg, Answered)
        heard = await talk(leg, 500, 0.5)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert loudest_hertz(heard[-2000:]) == pytest.approx(500, abs=5)
    assert (ended.outcome, ended.by) == (Outcome.HUNG_UP, EndedBy.PEER)
