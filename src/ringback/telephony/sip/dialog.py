"""Dialogs (RFC 3261 section 12): who talks to whom, in which order, by which way."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import Self

from ringback.telephony.sip.header import CSeq, NameAddr
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.message import Headers, Request, Response
from ringback.telephony.sip.params import SipSyntaxError
from ringback.telephony.sip.uri import SipUri


@dataclass(slots=True)
class Dialog:
    """One dialog, from our point of view."""

    call_id: str
    local: NameAddr
    """Our From (or To), with our tag."""
    remote: NameAddr
    target: SipUri
    """Where the peer wants its requests: its Contact."""
    routes: tuple[NameAddr, ...]
    local_cseq: int
    remote_cseq: int | None = None
    allows: frozenset[str] = frozenset()
    """The methods that the peer has said it takes."""
    seen: Hop | None = None
    """Where what the peer said of its address came from."""

    @classmethod
    def of_caller(cls, request: Request, response: Response) -> Self:
        """The dialog that a response to our INVITE opens. Raises SipSyntaxError on an unusable route."""
        return cls(
            call_id=request.call_id,
            local=request.from_,
            remote=response.to,
            target=_contact(response) or SipUri.parse(request.uri),
            routes=_routes(response)[::-1],
            local_cseq=request.cseq.number,
            allows=frozenset(response.headers.all("Allow")),
            seen=response.source,
        )

    @classmethod
    def of_callee(cls, request: Request, tag: str) -> Self:
        """The dialog that a peer's INVITE opens. Raises SipSyntaxError without a usable Contact.

        RFC 2543 knew no tags: a caller without one has the empty tag (RFC 3261 section 12.1.1).
        """
        target = _contact(request)
        if target is None:
            raise SipSyntaxError("no Contact")
        return cls(
            call_id=request.call_id,
            local=request.to.with_tag(tag),
            remote=request.from_,
            target=target,
            routes=_routes(request),
            local_cseq=0,
            remote_cseq=request.cseq.number,
            allows=frozenset(request.headers.all("Allow")),
            seen=request.source,
        )

    @property
    def remote_tag(self) -> str:
        return self.remote.tag or ""

    @property
    def hop(self) -> Hop:
        """Where requests in the dialog go: the first route, or the peer itself.

        A peer behind a NAT may name an address that leads nowhere: it is answered where it was seen.
        """
        if self.routes:
            return self.routes[0].sip_uri().hop
        named = self.target.hop
        if self.seen is not None and _is_public(self.seen.host) and _is_hidden(named.host):
            return self.seen
        return named

    def request(self, method: str) -> Request:
        """The next request in the dialog; Via and Contact are the sender's to add."""
        self.local_cseq += 1
        return self._build(method, self.local_cseq)

    def ack(self, cseq: int) -> Request:
        """The ACK of a 2xx to the INVITE with this number."""
        return self._build("ACK", cseq)

    def in_order(self, request: Request) -> bool:
        """Whether a request of the peer is newer than all before; notes its number if so (section 12.2.2)."""
        number = request.cseq.number
        if self.remote_cseq is not None and number <= self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def refresh(self, message: Request | Response) -> None:
        """Take the peer's new Contact from a message that refreshes the target."""
        contact = _contact(message)
        if contact is not None:
            self.target, self.seen = contact, message.source

    def _build(self, method: str, cseq: int) -> Request:
        uri, routes = str(self.target), [str(route) for route in self.routes]
        if self.routes and self.routes[0].sip_uri().param("lr") is None:
            # A strict router of RFC 2543 wants itself in the Request-URI and the target last.
            uri, routes = self.routes[0].uri, [*routes[1:], f"<{self.target}>"]
        headers = Headers(
            [
                ("Max-Forwards", "70"),
                *(("Route", route) for route in routes),
                ("From", str(self.local)),
                ("To", str(self.remote)),
                ("Call-ID", self.call_id),
                ("CSeq", str(CSeq(cseq, method))),
            ]
        )
        return Request(method, uri, headers=headers)


def _contact(message: Request | Response) -> SipUri | None:
    contact = message.contact
    try:
        return replace(contact.sip_uri(), headers="") if contact else None
    except SipSyntaxError:
        return None


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _is_hidden(host: str) -> bool:
    """Whether a host is an address that only its own network knows."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _routes(message: Request | Response) -> tuple[NameAddr, ...]:
    """The Record-Route set. Raises SipSyntaxError if one is no SIP URI."""
    routes = tuple(NameAddr.parse(value) for value in message.headers.all("Record-Route"))
    for route in routes:
        route.sip_uri()
    return routes
