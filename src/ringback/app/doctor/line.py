"""A test call through the trunk, which plays a tone and listens.

Three others may answer. Anybody: then it is told only what comes in. An echo service: then the tone must come back.
Or we ourselves, where the number leads back here: then both ends are heard.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from ringback.app.doctor import faults
from ringback.app.doctor.finding import Faulty
from ringback.app.doctor.listening import Heard, burst, judge
from ringback.app.doctor.way import address_of
from ringback.app.settings import Settings
from ringback.app.telephony import sip_ports, tls_files
from ringback.media.frame import FRAME_MS, Frame
from ringback.media.leg import Answered, DialRequest, Ended, EndedBy, HangupCause, Outcome
from ringback.media.rtp_stream import PortRange, RtpStatistics
from ringback.telephony.causes import CAUSES, Trouble
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.crypto import Encryption
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.leg import SipLeg

HERE_HZ: Final = 1100.0
THERE_HZ: Final = 700.0
"""Of the far end, where that is us."""
_END_S: Final = 3.0
_NO_MEDIA: Final = CAUSES[Trouble.NO_MEDIA][4]
_UNHEARD: Final = {CAUSES[trouble][4] for trouble in (Trouble.NO_RESPONSE, Trouble.UNREACHABLE)}


@dataclass(frozen=True, slots=True)
class CallWish:
    number: str
    trunk: str = ""
    """Name of an account's trunk; empty: the settings' own, or else the first."""
    echoes: bool = False
    """Whether the number is an echo service."""
    seconds: float = 6.0
    """To listen."""
    ring_timeout_s: float = 30.0


@dataclass(slots=True)
class End:
    """One end of the call: what it sent and heard."""

    leg: SipLeg
    sends_hz: float
    hears_hz: float
    frames: list[Frame] = field(default_factory=list)
    ended: Ended | None = None

    async def listen(self, seconds: float) -> None:
        """Play and record until the time is over or the call is."""
        watching = asyncio.create_task(self._watch())
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number in range(int(seconds * 1000 / FRAME_MS)):
            if watching.done():
                break
            self.frames.append(self.leg.read_frame())
            self.leg.write_frame(burst(number, self.sends_hz))
            await asyncio.sleep(max(0.0, start + (number + 1) * FRAME_MS / 1000 - loop.time()))
        watching.cancel()

    async def _watch(self) -> None:
        while not isinstance(event := await self.leg.next_event(), Ended):
            pass
        self.ended = event

    @property
    def seconds(self) -> float:
        return len(self.frames) * FRAME_MS / 1000

    @property
    def cut_off(self) -> Ended | None:
        """How the call ended, where it was the other side that ended it."""
        return self.ended if self.ended is not None and self.ended.by is not EndedBy.US else None

    @property
    def statistics(self) -> RtpStatistics:
        found = self.leg.statistics()
        assert found is not None, "an answered call has audio"
        return found

    def heard(self, hertz: float | None = None) -> Heard:
        """Of the other side's tone, or of another frequency."""
        return judge(self.frames, hertz or self.hears_hz)


@dataclass(frozen=True, slots=True)
class Tried:
    """A call that was answered."""

    here: End
    there: End | None
    """The other end, where that was us too."""


async def tried(way: Trunk, settings: Settings, wish: CallWish) -> Tried:
    """Place the call. Raises Faulty where it is not answered."""
    async with _endpoint(settings) as endpoint:
        ourselves: list[asyncio.Task[End]] = []

        async def answer(call: IncomingCall) -> None:
            if _digits(call.called) != _digits(wish.number) or ourselves:
                call.reject(480)
            else:
                ourselves.append(asyncio.create_task(_answered(call, wish)))

        endpoint.on_invite = answer
        carrier = SipCarrier(endpoint, way)
        request = DialRequest(
            carrier.new_call_id(), wish.number, way.from_number, ring_timeout_s=wish.ring_timeout_s
        )
        leg = await carrier.dial(request)
        await _picked_up(leg, way, wish)
        here = End(leg, HERE_HZ, HERE_HZ if wish.echoes else THERE_HZ)
        await here.listen(wish.seconds)
        await leg.hangup(HangupCause.NORMAL)
        if not ourselves:
            return Tried(here, None)
        async with asyncio.timeout(wish.seconds + _END_S):
            return Tried(here, await ourselves[0])


async def _answered(call: IncomingCall, wish: CallWish) -> End:
    end = End(await call.answer(), THERE_HZ, HERE_HZ)
    await end.listen(wish.seconds)
    return end


@asynccontextmanager
async def _endpoint(settings: Settings) -> AsyncIterator[Endpoint]:
    """On a port where calls to us arrive, if one is free: then the number may be our own."""
    ports = [port for index in range(settings.workers) for port in sip_ports(settings, index)]
    endpoint = await _opened(settings, [*ports, 0])
    try:
        yield endpoint
    finally:
        await endpoint.close()


async def _opened(settings: Settings, ports: list[int]) -> Endpoint:
    sip = settings.sip
    ports_for_audio, external = (
        PortRange(sip.rtp_port_low, sip.rtp_port_high),
        await address_of(sip.external_host),
    )
    for port in ports:
        try:
            return await Endpoint.open(
                sip.host, port, ports_for_audio, external_host=external, tls=tls_files(settings)
            )
        except OSError:
            continue
    raise Faulty(faults.SIP_ADDRESS, host=sip.host)


async def _picked_up(leg: SipLeg, way: Trunk, wish: CallWish) -> None:
    while not isinstance(event := await leg.next_event(), Answered):
        if isinstance(event, Ended):
            raise _refusal(event, way, wish)


def _refusal(ended: Ended, way: Trunk, wish: CallWish) -> Faulty:
    """Why the call was not answered."""
    code, address = ended.sip_code, f"{way.hop.host}:{way.hop.port or way.hop.transport.default_port}"
    facts = {"number": wish.number, "status": code, "seconds": f"{wish.ring_timeout_s:g}"}
    if code in (401, 407):
        if way.credentials is None:
            return Faulty(faults.NO_CREDENTIALS, address=address)
        return Faulty(faults.WRONG_PASSWORD, address=address, username=way.username, status=code)
    if code == 403:
        return Faulty(faults.CALL_FORBIDDEN, caller=way.from_number or "nobody", **facts)
    if code in (404, 410, 484, 604):
        return Faulty(faults.NUMBER_UNKNOWN, **facts)
    if way.encryption is Encryption.REQUIRED and (code in (415, 488, 606) or ended.detail == _NO_MEDIA):
        return Faulty(faults.SRTP_REFUSED)
    if code in (415, 488, 606):
        return Faulty(faults.CODEC_REFUSED, **facts)
    if ended.detail in _UNHEARD:
        return Faulty(faults.CALL_SILENT, **facts)
    if ended.detail == _NO_MEDIA:
        return Faulty(faults.CODEC_MISMATCH)
    if ended.outcome is Outcome.BUSY:
        return Faulty(faults.BUSY, **facts)
    if ended.outcome is Outcome.NO_ANSWER:
        return Faulty(faults.UNANSWERED, **facts)
    return Faulty(faults.CALL_FAILED, status=code or "no status", reason=ended.detail or ended.reason)


def _digits(text: str) -> str:
    """Of a number, or of the URI of one."""
    return re.sub(r"\D", "", text.partition("@")[0])
