"""The signalling of the callers: it places the calls, notes what becomes of each, and hangs up."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Final

from benchmarks.density.people import HOST
from benchmarks.inbound.house import NUMBER
from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.events import CallEvent, Connected, Finished
from ringback.telephony.sip.header import NameAddr
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.outgoing import Invitation, OutgoingCall
from ringback.telephony.sip.sdp import Negotiation
from ringback.telephony.sip.uri import SipUri

RAMP_S: Final = 0.1
"""Between two calls."""
_ANSWER_S: Final = 30.0
_DISCARD: Final = 9
"""A port where nobody listens, for those who are not answered."""
_PORTS: Final = PortRange(10000, 19999)


@dataclass(slots=True)
class Called:
    """One call, from the caller's side; times are monotonic seconds."""

    call_id: str
    leg: int = _DISCARD
    """The worker's port for its audio."""
    answered: float = 0.0
    ended: float = 0.0
    ours: bool = True
    """Whether it was we that ended it."""
    status: int | None = None
    """Of the refusal."""
    done: asyncio.Event = field(default_factory=asyncio.Event)
    """It was answered, or will not be."""

    def hear(self, event: CallEvent) -> None:
        if isinstance(event, Connected) and event.media.remote is not None:
            self.answered, self.leg = time.monotonic(), event.media.remote[1]
        elif isinstance(event, Finished):
            self.ended, self.ours, self.status = time.monotonic(), event.ours, event.status
        else:
            return
        self.done.set()

    @property
    def lost(self) -> bool:
        """Never answered, or ended by the other side."""
        return not self.answered or not self.ours


class Callers:
    """Use `open`."""

    def __init__(self, endpoint: Endpoint, sip_port: int) -> None:
        self._endpoint = endpoint
        self._hop = Hop(HOST, sip_port)
        self._calls: list[tuple[Called, OutgoingCall]] = []

    @classmethod
    async def open(cls, sip_port: int) -> Callers:
        return cls(await Endpoint.open(HOST, 0, _PORTS), sip_port)

    async def place(self, media_ports: list[int]) -> list[Called]:
        """A call for each of the ports that its person's audio comes from, all answered or given up."""
        for number, port in enumerate(media_ports):
            called = Called(f"{secrets.token_hex(16)}@{HOST}")
            invitation = Invitation(
                target=SipUri.of(NUMBER, HOST, self._hop.port),
                local=NameAddr(str(SipUri.of(f"+1555020{number:04}", HOST))),
                hop=self._hop,
                call_id=called.call_id,
            )
            call = OutgoingCall(self._endpoint.agent, invitation, Negotiation(HOST, port), called.hear)
            self._calls.append((called, call))
            call.start()
            await asyncio.sleep(RAMP_S)
        waits = [asyncio.wait_for(called.done.wait(), _ANSWER_S) for called, _ in self._calls]
        await asyncio.gather(*waits, return_exceptions=True)
        return [called for called, _ in self._calls]

    async def hang_up(self) -> None:
        for _, call in self._calls:
            call.hang_up()
            await asyncio.sleep(RAMP_S / 10)
        await asyncio.sleep(1.0)
        await self._endpoint.close()
