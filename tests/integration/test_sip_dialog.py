"""What both sides negotiate in a call and about it, with sipp, a peer that is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.media.leg import (
    Answered,
    DialRequest,
    EarlyMedia,
    Ended,
    EndedBy,
    HangupCause,
    Outcome,
    Ringing,
)
from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.leg import SipLeg
from tests.support.needs import needs
from tests.support.sipp import run_sipp
from tests.support.telephone import expect, loudest_hertz, talk

pytestmark = [pytest.mark.realtime, needs("sipp")]


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(30000, 30999))
    yield endpoint
    await endpoint.close()


async def dialled(endpoint: Endpoint, port: int) -> SipLeg:
    carrier = SipCarrier(endpoint, Trunk("127.0.0.1", port, from_number="+15550100"))
    leg = await carrier.dial(DialRequest(carrier.new_call_id(), "+15550199", ""))
    await expect(leg, Ringing)
    return leg


async def test_the_audio_moves_to_another_address(endpoint: Endpoint, tmp_path: Path) -> None:
    async with run_sipp("moved", tmp_path, rtp_echo=True) as peer:
        leg = await dialled(endpoint, peer.port)
        await expect(leg, Answered)
        before = await talk(leg, 440, 0.4)
        await talk(leg, 440, 0.4)  # it moves meanwhile
        assert leg._rtp is not None
        assert leg._rtp._latch is not None
        moved_to = leg._rtp._latch.target
        heard = await talk(leg, 600, 0.6)
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()
    assert moved_to[1] == leg._rtp._latch.signalled[1]
    assert loudest_hertz(before[-1600:]) == pytest.approx(440, abs=10)
    assert loudest_hertz(heard[-2400:]) == pytest.approx(600, abs=10)


@pytest.mark.parametrize("method", ["update", "invite"])
async def test_we_refresh_the_session(endpoint: Endpoint, tmp_path: Path, method: str) -> None:
    async with run_sipp(f"refreshed_by_{method}", tmp_path) as peer:
        leg = await dialled(endpoint, peer.port)
        await expect(leg, Answered)
        await asyncio.sleep(4.5 if method == "update" else 2.5)
        await leg.hangup(HangupCause.NORMAL)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert ended.by is EndedBy.US


async def test_a_session_that_the_peer_does_not_refresh_ends(endpoint: Endpoint, tmp_path: Path) -> None:
    async with run_sipp("not_refreshed", tmp_path) as peer:
        leg = await dialled(endpoint, peer.port)
        await expect(leg, Answered)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert (ended.outcome, ended.by, ended.provider_code) == (Outcome.HUNG_UP, EndedBy.ERROR, 3110)


async def test_we_hold_and_resume(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.rtp_timeout_s = 0.4
    async with run_sipp("held_by_us", tmp_path, rtp_echo=True) as peer:
        leg = await dialled(endpoint, peer.port)
        await expect(leg, Answered)
        leg.hold(True)
        await asyncio.sleep(0.8)  # no audio, as it must be
        leg.hold(False)
        heard = await talk(leg, 440, 0.6)
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()
    assert loudest_hertz(heard[-2400:]) == pytest.approx(440, abs=10)


async def test_provisional_responses_that_must_arrive(endpoint: Endpoint, tmp_path: Path) -> None:
    async with run_sipp("reliable", tmp_path, rtp_echo=True) as peer:
        leg = await dialled(endpoint, peer.port)
        await expect(leg, EarlyMedia)
        await expect(leg, Answered)
        heard = await talk(leg, 440, 0.5)
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()
    assert loudest_hertz(heard[-2400:]) == pytest.approx(440, abs=10)


async def test_a_caller_that_insists(endpoint: Endpoint, tmp_path: Path) -> None:
    """On reliable provisional responses, and on a session timer that is too short at first."""
    legs: asyncio.Queue[SipLeg] = asyncio.Queue()

    async def take(call: IncomingCall) -> None:
        call.ring()
        await asyncio.sleep(0.2)
        legs.put_nowait(await call.answer())

    endpoint.on_invite = take
    async with run_sipp("call_insistent", tmp_path, call=endpoint.address, rtp_echo=True) as peer:
        async with asyncio.timeout(10):
            leg = await legs.get()
        await expect(leg, Answered)
        heard = await talk(leg, 500, 0.5)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert loudest_hertz(heard[-2000:]) == pytest.approx(500, abs=5)
    assert ended.by is EndedBy.PEER
