"""A worker's side of the settings' trunk: its transport, its certificates, its encryption."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ringback.app.settings import Settings, SettingsError, SipSettings, TrunkSettings
from ringback.app.telephony import opened_telephony
from ringback.media.leg import Answered, DialRequest, Ended, HangupCause, Ringing
from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.hop import Transport
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.leg import SipLeg
from ringback.telephony.sip.tls import TlsFiles
from tests.support.certificates import Authority
from tests.support.telephone import expect

LOCAL = "127.0.0.1"


async def test_a_call_by_tls_with_encrypted_audio_and_one_back(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    theirs, ours = authority.issue("localhost"), authority.issue(LOCAL)
    person = await Endpoint.open(
        LOCAL,
        0,
        PortRange(31000, 31999),
        tls=TlsFiles(theirs.certificate, theirs.key, authority.certificate),
    )
    legs: asyncio.Queue[SipLeg] = asyncio.Queue()

    async def take(call: IncomingCall) -> None:
        call.ring()
        legs.put_nowait(await call.answer())

    person.on_invite = take
    _, port = person.agent.address_by(Transport.TLS)
    settings = Settings(
        data=tmp_path,
        trunk=TrunkSettings(host="localhost", port=port, transport="tls", encryption="required"),
        sip=SipSettings(
            port=0,
            tls_port=0,
            tls_certificate=str(ours.certificate),
            tls_key=str(ours.key),
            tls_authorities=str(authority.certificate),
        ),
    )
    async with opened_telephony(settings, 0) as telephony:
        leg = await telephony.carrier.dial(
            DialRequest(telephony.carrier.new_call_id(), "+15550199", "+15550100")
        )
        await expect(leg, Ringing)
        await expect(leg, Answered)
        other = await legs.get()
        await expect(other, Answered)
        assert other.media is not None
        assert other.media.srtp is not None
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        assert telephony.endpoint is not None
        assert telephony.endpoint.guard is not None
        assert telephony.endpoint.agent.address_by(Transport.TLS)[1] != telephony.endpoint.address[1]
    await person.close()


async def test_bad_files_are_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    settings = Settings(
        data=tmp_path, trunk=TrunkSettings(host=LOCAL), sip=SipSettings(port=0, tls_certificate=str(wrong))
    )
    with pytest.raises(SettingsError, match=r"SIP TLS: .*wrong\.pem"):
        async with opened_telephony(settings, 0):
            pass


async def test_authorities_that_are_none_are_named_at_the_start(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    settings = Settings(
        data=tmp_path, trunk=TrunkSettings(host=LOCAL), sip=SipSettings(port=0, tls_authorities=str(wrong))
    )
    with pytest.raises(SettingsError, match=r"wrong\.pem holds no certificates"):
        async with opened_telephony(settings, 0):
            pass


def test_words_that_are_no_transport_are_refused() -> None:
    for wrong in ({"transport": "sctp"}, {"encryption": "yes"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            TrunkSettings(**wrong)  # type: ignore[arg-type]
