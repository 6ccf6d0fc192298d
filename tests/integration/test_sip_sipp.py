"""Calls with sipp, a peer that is not ours; each test also asserts sipp's own verdict."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from ringback.media.leg import (
    Answered,
    DialRequest,
    Digit,
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
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.leg import SipLeg
from tests.support.lossy import LossyRelay
from tests.support.needs import needs, needs_raw_sockets
from tests.support.sipp import Sipp, run_sipp
from tests.support.telephone import expect, loudest_hertz, talk

pytestmark = [pytest.mark.realtime, needs("sipp")]

RTP_PORTS = PortRange(30000, 30999)
Dial = Callable[..., Awaitable[SipLeg]]


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = await Endpoint.open("127.0.0.1", 0, RTP_PORTS)
    yield endpoint
    await endpoint.close()


@pytest.fixture
def dial(endpoint: Endpoint) -> Dial:
    async def dial(port: int, password: str = "open sesame", ring_timeout_s: float = 20.0) -> SipLeg:
        trunk = Trunk("127.0.0.1", port, "joe", password, from_number="+15550100")
        carrier = SipCarrier(endpoint, trunk)
        return await carrier.dial(
            DialRequest(carrier.new_call_id(), "+15550199", "", ring_timeout_s=ring_timeout_s)
        )

    return dial


async def test_answer_and_speak_both_ways(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("answer", tmp_path, rtp_echo=True) as peer:
        leg = await dial(peer.port)
        await expect(leg, Ringing)
        await expect(leg, Answered)
        heard = await talk(leg, 440, 1.0)  # the peer echoes what it hears
        await leg.hangup(HangupCause.NORMAL)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert loudest_hertz(heard[-4000:]) == pytest.approx(440, abs=5)
    assert ended == Ended(Outcome.HUNG_UP, EndedBy.US, "Normal Hangup", 4000)


async def test_401_with_the_right_password_on_invite_and_bye(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("challenge_401", tmp_path) as peer:
        leg = await dial(peer.port)
        await expect(leg, Answered)
        await leg.hangup(HangupCause.AGENT)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert (ended.outcome, ended.reason, ended.provider_code) == (Outcome.HUNG_UP, "end_call_tool", 4000)


async def test_401_with_a_wrong_password_ends_at_the_second_challenge(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("challenge_401", tmp_path) as peer:
        leg = await dial(peer.port, password="open barley")
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert (ended.outcome, ended.reason, ended.sip_code) == (Outcome.FAILED, "Carrier declined", 401)
    assert "password" in (ended.detail or "")


async def test_407_with_the_right_password(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("challenge_407", tmp_path) as peer:
        leg = await dial(peer.port)
        await expect(leg, Answered)
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()
        (authorization,) = _authorizations(peer)
    assert _is_answered_with(authorization, "open sesame")


async def test_407_with_a_wrong_password_ends_at_the_second_challenge(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("challenge_407_twice", tmp_path) as peer:
        leg = await dial(peer.port, password="open barley")
        ended = await expect(leg, Ended)
        await peer.succeeded()
        (authorization,) = _authorizations(peer)
    assert _is_answered_with(authorization, "open barley")
    assert not _is_answered_with(authorization, "open sesame")
    assert (ended.outcome, ended.sip_code) == (Outcome.FAILED, 407)


@pytest.mark.parametrize(
    ("status", "outcome", "code", "reason"),
    [
        (486, Outcome.BUSY, 3010, "Call recipient was busy"),
        (603, Outcome.FAILED, 3020, "Call recipient rejected"),
        (404, Outcome.FAILED, 2000, "Call recipient number invalid"),
        (480, Outcome.NO_ANSWER, 3000, "Call unanswered"),
        (503, Outcome.FAILED, 3040, "Network Congestion From Carrier"),
        (302, Outcome.FAILED, 3020, "Carrier declined"),
    ],
)
async def test_refusals(
    dial: Dial, tmp_path: Path, status: int, outcome: Outcome, code: int, reason: str
) -> None:
    async with run_sipp("reject", tmp_path, status=str(status), cause="31") as peer:
        leg = await dial(peer.port)
        await expect(leg, Ringing)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert (ended.outcome, ended.provider_code, ended.reason) == (outcome, code, reason)
    assert ended.sip_code == status


async def test_a_reason_header_says_more_than_480(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("reject", tmp_path, status="480", cause="17") as peer:
        leg = await dial(peer.port)
        await expect(leg, Ringing)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert (ended.outcome, ended.sip_code) == (Outcome.BUSY, 480)


async def test_ring_timeout_is_no_answer(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("ring", tmp_path) as peer:
        leg = await dial(peer.port, ring_timeout_s=0.5)
        await expect(leg, Ringing)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert (ended.outcome, ended.reason, ended.sip_code) == (Outcome.NO_ANSWER, "Call unanswered", 487)


async def test_cancel_while_ringing(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("ring", tmp_path) as peer:
        leg = await dial(peer.port)
        await expect(leg, Ringing)
        await leg.hangup(HangupCause.CANCELED)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert (ended.outcome, ended.by, ended.sip_code) == (Outcome.CANCELED, EndedBy.US, 487)


async def test_cancel_that_crosses_the_answer(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("cancel_crosses_answer", tmp_path) as peer:
        leg = await dial(peer.port)
        await expect(leg, Ringing)
        await leg.hangup(HangupCause.CANCELED)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert ended.outcome is Outcome.CANCELED


async def test_second_answer_of_a_fork(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("fork", tmp_path) as peer:
        leg = await dial(peer.port)
        await expect(leg, Ringing)
        await expect(leg, Answered)
        await talk(leg, 440, 0.5)
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()


async def test_early_media_is_heard_before_the_answer(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("early_media", tmp_path, rtp_echo=True) as peer:
        leg = await dial(peer.port)
        await expect(leg, EarlyMedia)
        heard = await talk(leg, 600, 0.5)
        await expect(leg, Answered)
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()
    assert loudest_hertz(heard[-2000:]) == pytest.approx(600, abs=5)


async def test_remote_hangup_with_a_reason(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("hang_up", tmp_path) as peer:
        leg = await dial(peer.port)
        await expect(leg, Ringing)
        await expect(leg, Answered)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert ended == Ended(Outcome.HUNG_UP, EndedBy.PEER, "Normal Hangup", 4000, sip_code=16)


@needs_raw_sockets()
async def test_dtmf(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("dtmf", tmp_path) as peer:
        leg = await dial(peer.port)
        await expect(leg, Answered)
        digit = await expect(leg, Digit)
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()
    assert digit.key == "1"


async def test_hold_and_resume(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("hold", tmp_path, rtp_echo=True) as peer:
        leg = await dial(peer.port)
        await expect(leg, Ringing)
        await expect(leg, Answered)
        await expect(leg, Held)
        silence = await talk(leg, 440, 0.2)
        await expect(leg, Resumed)
        heard = await talk(leg, 440, 0.5)
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()
    assert not silence[-800:].any()
    assert loudest_hertz(heard[-2000:]) == pytest.approx(440, abs=5)


async def test_strange_requests_in_a_call_are_answered(dial: Dial, tmp_path: Path) -> None:
    async with run_sipp("strange_requests", tmp_path) as peer:
        leg = await dial(peer.port)
        await expect(leg, Answered)
        await talk(leg, 440, 0.3)
        await leg.hangup(HangupCause.MAX_DURATION)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert (ended.reason, ended.provider_code) == ("call_terminate", 4020)


@pytest.mark.parametrize("lost", [("INVITE",), ("SIP/2.0 200",), ("ACK", "BYE")])
async def test_lost_datagrams_are_sent_again(dial: Dial, tmp_path: Path, lost: tuple[str, ...]) -> None:
    async with (
        LossyRelay.open(lost) as relay,
        run_sipp("answer_by_relay", tmp_path, relay_port=str(relay.port)) as peer,
    ):
        relay.peer_port = peer.port
        leg = await dial(relay.port)
        await _until_answered(leg)
        await talk(leg, 440, 0.8)  # long enough for a lost ACK to be asked for again
        await leg.hangup(HangupCause.NORMAL)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert ended.outcome is Outcome.HUNG_UP
    assert relay.dropped == list(lost)


async def test_sipp_calls_us(endpoint: Endpoint, tmp_path: Path) -> None:
    legs: asyncio.Queue[SipLeg] = asyncio.Queue()

    async def take(call: IncomingCall) -> None:
        assert call.caller.startswith("sip:caller@")
        call.ring()
        legs.put_nowait(await call.answer())

    endpoint.on_invite = take
    async with run_sipp("call", tmp_path, call=endpoint.address, rtp_echo=True) as peer:
        leg = await legs.get()
        await expect(leg, Answered)
        heard = await talk(leg, 500, 0.5)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert loudest_hertz(heard[-2000:]) == pytest.approx(500, abs=5)
    assert (ended.outcome, ended.by) == (Outcome.HUNG_UP, EndedBy.PEER)


async def test_without_a_handler_calls_are_refused(endpoint: Endpoint, tmp_path: Path) -> None:
    async with run_sipp("call_refused", tmp_path, call=endpoint.address) as peer:
        await peer.succeeded()


async def _until_answered(leg: SipLeg) -> None:
    async with asyncio.timeout(10):
        while not isinstance(event := await leg.next_event(), Answered):
            assert isinstance(event, Ringing)


def _authorizations(peer: Sipp) -> list[dict[str, str]]:
    lines = [line for line in peer.logged() if "Digest" in line]
    return [dict(re.findall(r'(\w+)="?([^",]*)"?', line.partition("Digest")[2])) for line in lines]


def _is_answered_with(given: dict[str, str], password: str) -> bool:
    """Recompute the digest (RFC 7616 section 3.4.1): sipp checks only Authorization."""

    def md5(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode()).hexdigest()

    ha1 = md5(given["username"], given["realm"], password)
    ha2 = md5("INVITE", given["uri"])
    expected = md5(ha1, given["nonce"], given["nc"], given["cnonce"], given["qop"], ha2)
    return given["response"] == expected
