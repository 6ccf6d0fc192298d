"""The user agent core (RFC 3261 section 8): sends for its calls, and gives them what is theirs."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final, Protocol

from ringback.telephony.sip import sdp
from ringback.telephony.sip.dialog import Dialog
from ringback.telephony.sip.header import BRANCH_COOKIE, Via
from ringback.telephony.sip.hop import Hop, Transport
from ringback.telephony.sip.incoming import IncomingInvite
from ringback.telephony.sip.message import Request, Response
from ringback.telephony.sip.params import Params
from ringback.telephony.sip.session_timer import MIN_S, too_brief
from ringback.telephony.sip.transaction import Address, Event, Timers, Timing, Wire, always
from ringback.telephony.sip.transaction_layer import ClientTransaction, ServerTransaction, TransactionLayer
from ringback.telephony.sip.uri import SipUri, bracketed, scheme_of

PRODUCT: Final = "Ringback"
ALLOW: Final = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, NOTIFY, INFO, PRACK"
SUPPORTED: Final = ("100rel", "timer")
MAX_CALLS: Final = 5_000
_RETRY_AFTER_S: Final = "10"
_KNOWN_METHODS: Final = frozenset(
    {"INVITE", "BYE", "OPTIONS", "UPDATE", "REGISTER", "INFO", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH",
     "MESSAGE", "REFER"}
)  # fmt: skip


class CallHandler(Protocol):
    """A call that receives the requests of its dialogs."""

    def receive(self, transaction: ServerTransaction) -> None: ...

    def receive_ack(self, ack: Request) -> None: ...

    def hang_up(self) -> None: ...


class UserAgent:
    """One SIP party on one socket. Sans I/O: datagrams come in by `receive` and leave by the wire."""

    def __init__(self, wire: Wire, timers: Timers, address: Address, timing: Timing) -> None:
        self.timers = timers
        self.timing = timing
        self.address = address
        """Host and port that peers are told to answer to."""
        self.ports: dict[Transport, int] = {}
        """Where it is another port than that of `address`, by transport."""
        self.on_invite: Callable[[IncomingInvite], None] | None = None
        """Takes new calls; None refuses them."""
        self.draining = False
        """Whether it only ends its calls: load balancers that ask with OPTIONS hear 503 and send no new ones."""
        self.on_idle: Callable[[], None] = lambda: None
        """Called when the last call is over and its BYE answered."""
        self._layer = TransactionLayer(wire, timers, timing, self)
        self._wire = wire
        self._calls: dict[tuple[str, str], CallHandler] = {}

    @property
    def calls(self) -> list[CallHandler]:
        return list(self._calls.values())

    @property
    def transactions(self) -> int:
        """How many are remembered, those that only wait for stragglers included."""
        return len(self._layer)

    def receive(self, data: bytes, source: Hop) -> None:
        """Take one datagram from the network."""
        self._layer.receive(data, source)

    def new_tag(self) -> str:
        return secrets.token_hex(8)

    def register(self, call_id: str, local_tag: str, call: CallHandler) -> None:
        self._calls[call_id, local_tag] = call

    def unregister(self, call_id: str, local_tag: str) -> None:
        self._calls.pop((call_id, local_tag), None)
        if not self._calls:
            self.on_idle()

    def forget(self, dialog: Dialog) -> None:
        self.unregister(dialog.call_id, dialog.local.tag or "")

    def send_request(
        self,
        request: Request,
        hop: Hop,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Event], None],
        in_time: Callable[[], bool] = always,
    ) -> ClientTransaction:
        """Send a request and hear of its responses; Via, Contact and the like are added here."""
        self._dress(request, hop.transport)
        return self._layer.send_request(request, hop, on_response, on_failure, in_time)

    def avoid(self, target: Hop) -> None:
        """Try a target last for a while."""
        self._wire.avoid(target)

    def send_cancel(self, request: Request, hop: Hop) -> None:
        """Send a CANCEL as it is: it borrows the Via of the INVITE that it cancels."""
        self._layer.send_request(request, hop, lambda _: None, lambda _: None)

    def send_ack(self, ack: Request, hop: Hop) -> Request:
        """Send the ACK of a 2xx; again with the same branch if it is sent again. Returns what was sent."""
        if ack.headers.get("Via") is None:
            self._dress(ack, hop.transport)

        def send(targets: tuple[Hop, ...]) -> None:
            if targets:
                self._wire.send(ack.encode(), targets[0], failed=lambda: None)

        self._wire.locate(hop, send)
        return ack

    def response(self, request: Request, status: int, to_tag: str | None = None) -> Response:
        """A response that also says who we are and where."""
        response = request.response(status, to_tag)
        if request.method in ("INVITE", "UPDATE") and status < 300:
            response.headers.add("Contact", self._contact(Transport.of(request.via.transport)))
            response.headers.add("Allow", ALLOW)
            response.headers.add("Supported", ", ".join(SUPPORTED))
        response.headers.add("Server", PRODUCT)
        return response

    def on_request(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        via = request.via
        if transaction.source.flow and via.param("alias") is not None:
            self._wire.alias(transaction.source, via.port or transaction.source.transport.default_port)
        required = [tag for tag in request.headers.all("Require") if tag.lower() not in SUPPORTED]
        if required:
            transaction.reject(420, Unsupported=", ".join(required)[:200])
        elif (tag := request.to.tag) is not None:
            call = self._calls.get((request.call_id, tag))
            if call is None:
                transaction.reject(481)
            else:
                call.receive(transaction)
        elif scheme_of(request.uri) not in ("sip", "sips", "tel"):
            transaction.reject(416)
        elif request.method == "INVITE":
            self._invite(transaction)
        elif request.method in ("BYE", "UPDATE", "PRACK", "INFO", "NOTIFY"):
            transaction.reject(481)
        elif request.method == "OPTIONS" and self.draining:
            transaction.reject(503, Retry_After=_RETRY_AFTER_S)
        else:
            self.answer_other(transaction)

    def on_ack(self, ack: Request) -> None:
        call = self._calls.get((ack.call_id, ack.to.tag or ""))
        if call is not None:
            call.receive_ack(ack)

    def answer_other(self, transaction: ServerTransaction) -> None:
        """Answer what is neither a call nor in one: OPTIONS, and the methods that we don't do."""
        request = transaction.request
        if request.method == "OPTIONS":
            response = self.response(request, 200, self.new_tag())
            response.headers.add("Allow", ALLOW)
            response.headers.add("Accept", sdp.CONTENT_TYPE)
            transaction.respond(response)
        elif request.method in _KNOWN_METHODS:
            transaction.reject(405, Allow=ALLOW)
        else:
            transaction.reject(501)

    def _invite(self, transaction: ServerTransaction) -> None:
        if self.draining or len(self._calls) >= MAX_CALLS:
            transaction.reject(503, Retry_After=_RETRY_AFTER_S)
        elif self.on_invite is None:
            transaction.reject(480, reason="Takes No Calls")
        elif transaction.request.contact is None:
            transaction.reject(400)
        elif not sdp.welcome(transaction.request.headers.all("Accept")):
            transaction.reject(406, Accept=sdp.CONTENT_TYPE)
        elif too_brief(transaction.request):
            transaction.reject(422, Min_SE=str(MIN_S))
        else:
            transaction.respond(transaction.request.response(100))
            self.on_invite(IncomingInvite(self, transaction))

    def _dress(self, request: Request, transport: Transport) -> None:
        host, port = self.address_by(transport)
        params: Params = (("branch", f"{BRANCH_COOKIE}{secrets.token_hex(12)}"), ("rport", None))
        if transport.reliable:
            params += (("alias", None),)  # RFC 5923: requests to us may come by the same connection
        via = Via(host, port, transport, params)
        request.headers = type(request.headers)([("Via", str(via)), *request.headers])
        if request.method in ("INVITE", "UPDATE", "REFER"):
            request.headers.add("Contact", self._contact(transport))
            request.headers.add("Allow", ALLOW)
            request.headers.add("Supported", ", ".join(SUPPORTED))
        request.headers.add("User-Agent", PRODUCT)

    def address_by(self, transport: Transport) -> Address:
        """Host and port of ours that peers reach by a transport."""
        host, port = self.address
        return host, self.ports.get(transport, port)

    def _contact(self, transport: Transport) -> str:
        host, port = self.address_by(transport)
        params: Params = (("transport", transport.lower()),) if transport.reliable else ()
        return f"<{SipUri(bracketed(host), 'ringback', port, params)}>"
