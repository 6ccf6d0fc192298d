"""What the real network does to a call, with peers that are not ours: silence, moves, addresses that lie."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.app.settings import Settings, SettingsError
from ringback.app.telephony import opened_telephony
from ringback.media.leg import (
    Answered,
    DialRequest,
    Digit,
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
from ringback.telephony.sip.leg import SipLeg
from tests.support.needs import needs
from tests.support.sipp import run_sipp
from tests.support.softphone import softphone
from tests.support.telephone import expect, loudest_hertz, talk

pytestmark = [pytest.mark.realtime, needs("sipp"), needs("baresip")]

RTP_PORTS = PortRange(30000, 30999)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = await Endpoint.open("127.0.0.1", 0, RTP_PORTS)
    yield endpoint
    await endpoint.close()


async def dialled(endpoint: Endpoint, port: int, number: str = "+15550199") -> SipLeg:
    carrier = SipCarrier(endpoint, Trunk("127.0.0.1", port, from_number="+15550100"))
    leg = await carrier.dial(DialRequest(carrier.new_call_id(), number, ""))
    await expect(leg, Ringing)
    await expect(leg, Answered)
    return leg


async def test_keys_by_info(endpoint: Endpoint, tmp_path: Path) -> None:
    async with run_sipp("info", tmp_path) as peer:
        leg = await dialled(endpoint, peer.port)
        keys = [await expect(leg, Digit) for _ in range(3)]
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await peer.succeeded()
    assert keys == [Digit("5", 160), Digit("#", 160), Digit("*", 250)]


async def test_a_call_without_audio_ends_with_its_reason(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.rtp_timeout_s = 0.5
    async with run_sipp("answer", tmp_path) as peer:  # it sends no audio
        leg = await dialled(endpoint, peer.port)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert (ended.outcome, ended.by, ended.provider_code) == (Outcome.HUNG_UP, EndedBy.ERROR, 3110)
    assert ended.reason == "Call timed out"
    assert "audio" in (ended.detail or "")


async def test_a_call_with_audio_goes_on(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.rtp_timeout_s = 0.5
    async with run_sipp("answer", tmp_path, rtp_echo=True) as peer:
        leg = await dialled(endpoint, peer.port)
        await talk(leg, 440, 1.5)
        await leg.hangup(HangupCause.NORMAL)
        ended = await expect(leg, Ended)
        await peer.succeeded()
    assert ended.by is EndedBy.US


async def test_a_held_call_may_be_silent(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.rtp_timeout_s = 0.5
    async with softphone(tmp_path) as phone:
        leg = await dialled(endpoint, phone.port, "person")
        await talk(leg, 440, 0.5)
        await phone.do("hold")
        await expect(leg, Held)
        await asyncio.sleep(1.5)
        await phone.do("resume")
        await expect(leg, Resumed)
        await leg.hangup(HangupCause.NORMAL)
        ended = await expect(leg, Ended)
    assert ended.by is EndedBy.US


async def test_the_external_address_is_told(tmp_path: Path) -> None:
    """Via, Contact and the description name it; what comes back by rport and symmetric RTP works all the same."""
    endpoint = await Endpoint.open("127.0.0.1", 0, RTP_PORTS, external_host="198.51.100.7")
    try:
        async with run_sipp("external", tmp_path, rtp_echo=True, external="198[.]51[.]100[.]7") as peer:
            leg = await dialled(endpoint, peer.port)
            heard = await talk(leg, 440, 1.0)
            await leg.hangup(HangupCause.NORMAL)
            await expect(leg, Ended)
            await peer.succeeded()
    finally:
        await endpoint.close()
    assert loudest_hertz(heard[-2000:]) == pytest.approx(440, abs=5)


async def test_the_setting_of_the_external_address() -> None:
    def settings(**sip: object) -> Settings:
        return Settings.model_validate({"trunk": {"host": "127.0.0.1"}, "sip": {"port": 0, **sip}})

    async with opened_telephony(settings(external_host="localhost", rtp_timeout_s=7), 0) as telephony:
        assert telephony.endpoint is not None
        assert telephony.endpoint.address[0] == "127.0.0.1"
        assert telephony.endpoint.rtp_timeout_s == 7
    async with opened_telephony(settings(host="0.0.0.0", external_host="198.51.100.7"), 0) as telephony:
        assert telephony.address is not None
        assert telephony.address.startswith("198.51.100.7:")
    with pytest.raises(SettingsError, match=r"sip\.external_host"):
        async with opened_telephony(settings(external_host="nowhere.invalid"), 0):
            pass
    with pytest.raises(SettingsError, match="external"):
        async with opened_telephony(settings(host="0.0.0.0"), 0):
            pass
