"""Asking a gateway how it is, by OPTIONS (RFC 3261 section 11)."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Final

from ringback.telephony.sip.agent import UserAgent
from ringback.telephony.sip.header import CSeq, NameAddr
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.message import Headers, Request, Response
from ringback.telephony.sip.transaction import Event
from ringback.telephony.sip.uri import DEFAULT_PORT, SipUri, bracketed

TIMEOUT: Final = 4.0


@dataclass(frozen=True, slots=True)
class Health:
    """`code`: what it answered; None: nothing, and `error` says why."""

    code: int | None = None
    error: str | None = None

    @property
    def is_up(self) -> bool:
        """Any answer will do, also a refusal of the question; but for one that says that it takes no calls."""
        return self.code is not None and self.code < 500


async def ask(agent: UserAgent, hop: Hop, timeout: float = TIMEOUT) -> Health:
    """Send one OPTIONS and wait for its answer."""
    answered: asyncio.Future[Health] = asyncio.get_running_loop().create_future()

    def received(response: Response) -> None:
        if response.status >= 200 and not answered.done():
            error = None if response.status < 500 else f"it answers {response.status}"
            answered.set_result(Health(response.status, error))

    def lost(event: Event) -> None:
        if not answered.done():
            what = "no answer" if event is Event.TIMEOUT else "nothing can be sent to it"
            answered.set_result(Health(None, what))

    agent.send_request(_options(agent, hop), hop, received, lost, in_time=lambda: not answered.done())
    try:
        async with asyncio.timeout(timeout):
            return await asyncio.shield(answered)
    except TimeoutError:
        answered.set_result(Health(None, f"no answer within {timeout:g} s"))
        return answered.result()


def _options(agent: UserAgent, hop: Hop) -> Request:
    host = bracketed(agent.address[0])
    port = None if hop.port == DEFAULT_PORT else hop.port
    target = SipUri(bracketed(hop.host), None, port)
    return Request(
        "OPTIONS",
        str(target),
        headers=Headers(
            [
                ("Max-Forwards", "70"),
                ("From", str(NameAddr(str(SipUri(host, "ringback"))).with_tag(agent.new_tag()))),
                ("To", str(NameAddr(str(target)))),
                ("Call-ID", f"{secrets.token_hex(16)}@{host}"),
                ("CSeq", str(CSeq(1, "OPTIONS"))),
                ("Accept", "application/sdp"),
            ]
        ),
    )
