"""Calls with baresip by TCP and TLS, with encrypted audio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.media.leg import Answered, DialRequest, Ended, EndedBy, HangupCause, Outcome, Ringing
from ringback.media.rtp_stream import PortRange
from ringback.media.srtp import Suite
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.crypto import Encryption
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.hop import Transport
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.leg import SipLeg
from ringback.telephony.sip.tls import TlsFiles
from tests.support.certificates import Authority
from tests.support.needs import needs
from tests.support.softphone import softphone
from tests.support.telephone import expect, loudest_hertz, talk

pytestmark = [pytest.mark.realtime, needs("baresip")]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def us(authority: Authority) -> AsyncIterator[Endpoint]:
    issued = authority.issue("localhost", "127.0.0.1")
    files = TlsFiles(issued.certificate, issued.key, authority.certificate)
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(30000, 30999), tls=files)
    yield endpoint
    await endpoint.close()


def secured(authority: Authority, folder: Path) -> str:
    """Lines for baresip: its certificate, whom it trusts, and encrypted audio."""
    issued = authority.issue("person.localhost", "127.0.0.1")
    both = folder / "baresip.pem"
    both.write_bytes(issued.key.read_bytes() + issued.certificate.read_bytes())
    return f"sip_certificate {both}\nsip_cafile {authority.certificate}\nmodule srtp.so\n"


async def dial(us: Endpoint, trunk: Trunk) -> SipLeg:
    carrier = SipCarrier(us, trunk)
    return await carrier.dial(DialRequest(carrier.new_call_id(), "person", ""))


async def test_by_tcp(us: Endpoint, tmp_path: Path) -> None:
    async with softphone(tmp_path) as phone:
        leg = await dial(us, Trunk("127.0.0.1", phone.port, from_number="+15550100", transport=Transport.TCP))
        await expect(leg, Ringing)
        await expect(leg, Answered)
        heard = await talk(leg, 440, 1.0)
        await leg.hangup(HangupCause.NORMAL)
        ended = await expect(leg, Ended)
    assert loudest_hertz(heard[-4000:]) == pytest.approx(440, abs=5)
    assert (ended.outcome, ended.by) == (Outcome.HUNG_UP, EndedBy.US)


@pytest.mark.parametrize(
    ("ours", "theirs", "encrypted"),
    [
        (Encryption.REQUIRED, "srtp-mand", True),
        (Encryption.OPTIONAL, "srtp", True),
        (Encryption.OPTIONAL, "", False),
    ],
)
async def test_by_tls_with_encrypted_audio(
    us: Endpoint, authority: Authority, tmp_path: Path, ours: Encryption, theirs: str, encrypted: bool
) -> None:
    more = f";mediaenc={theirs}" if theirs else ""
    async with softphone(tmp_path, more=more, config=secured(authority, tmp_path)) as phone:
        leg = await dial(us, Trunk("127.0.0.1", phone.port + 1, transport=Transport.TLS, encryption=ours))
        await expect(leg, Ringing)
        await expect(leg, Answered)
        heard = await talk(leg, 440, 1.0)
        media = leg.media
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
    assert loudest_hertz(heard[-4000:]) == pytest.approx(440, abs=5)
    assert media is not None
    assert (media.srtp is not None) is encrypted
    if media.srtp is not None:
        assert media.srtp.ours.suite is Suite.SHA1_80


async def test_without_encryption_it_refuses_us(us: Endpoint, authority: Authority, tmp_path: Path) -> None:
    config = secured(authority, tmp_path)
    async with softphone(tmp_path, more=";mediaenc=srtp-mand", config=config) as phone:
        ended = await expect(
            await dial(us, Trunk("127.0.0.1", phone.port + 1, transport=Transport.TLS)), Ended
        )
    assert (ended.outcome, ended.sip_code) == (Outcome.FAILED, 488)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_it_calls_us(us: Endpoint, authority: Authority, tmp_path: Path, transport: str) -> None:
    legs: asyncio.Queue[SipLeg] = asyncio.Queue()

    async def take(call: IncomingCall) -> None:
        legs.put_nowait(await call.answer())

    us.on_invite = take
    _, port = us.agent.address_by(Transport.of(transport))
    async with softphone(
        tmp_path,
        f"/dial sip:us@127.0.0.1:{port};transport={transport}",
        more=";mediaenc=srtp-mand" if transport == "tls" else "",
        config=secured(authority, tmp_path),
    ):
        leg = await asyncio.wait_for(legs.get(), 10)
        await expect(leg, Answered)
        heard = await talk(leg, 440, 1.0)
        media = leg.media
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
    assert loudest_hertz(heard[-4000:]) == pytest.approx(440, abs=5)
    assert media is not None
    assert (media.srtp is not None) is (transport == "tls")
