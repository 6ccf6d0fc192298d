"""The transactions in progress: each message finds its own, or begins it (RFC 3261 section 17)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from ringback.telephony.sip.header import BRANCH_COOKIE, CSeq
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.message import Headers, MalformedMessage, Request, Response, parse
from ringback.telephony.sip.params import SipSyntaxError
from ringback.telephony.sip.transaction import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    Do,
    Event,
    State,
    Timers,
    Timing,
    Transaction,
    Wire,
    always,
    response_event,
)

log = logging.getLogger(__name__)

MAX_SERVER_TRANSACTIONS: Final = 20_000
"""Requests of others that are remembered at a time; more get no answer until older ones are done."""

Key = tuple[str, ...]


class ClientTransaction(Transaction):
    """One request of ours until its final answer."""

    def __init__(
        self,
        layer: TransactionLayer,
        request: Request,
        hop: Hop,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Event], None],
        in_time: Callable[[], bool],
    ) -> None:
        """`in_time` is asked before each packet: once it says no, none leaves, and no answer will come."""
        invite = request.method == "INVITE"
        key = _client_key(request)
        super().__init__(
            INVITE_CLIENT if invite else CLIENT,
            State.CALLING if invite else State.TRYING,
            layer.wire,
            layer.timers,
            layer.timing,
            ended=lambda: layer.forget_client(key),
        )
        self.request = request
        self.hop = hop
        """The target that it was sent to, once it is located."""
        self._targets: list[Hop] = []
        self._in_time = in_time
        self._on_response = on_response
        self._on_failure = on_failure

    def start(self) -> None:
        self._reliable = self.hop.transport.reliable
        self._back_off()
        self.limit()
        self._wire.locate(self.hop, self._located)

    def fire(self, event: Event, message: Request | Response | None = None) -> None:
        late = event is Event.RETRANSMIT and not self._in_time()
        super().fire(Event.TIMEOUT if late else event, message)

    def limit(self) -> None:
        """Wait for the final response at most 64 T1 more: for a cancelled INVITE."""
        self._set(Event.TIMEOUT, 64 * self._timing.t1)

    def _located(self, targets: tuple[Hop, ...]) -> None:
        if self.state is State.TERMINATED:
            return
        # The look-up may have taken seconds.
        if not targets or not self._in_time():
            self._timers.call_later(0, self._unsent)
            return
        self._targets = list(targets)
        self._try_next()

    def _try_next(self) -> None:
        self.hop = self._targets.pop(0)
        self._send(self.request.encode(), self.hop)

    def _unsent(self) -> None:
        if self._last is not None:
            self._wire.avoid(self.hop)
        if self._targets and self._in_time() and self.state in (State.CALLING, State.TRYING):
            self._try_next()  # it never left, so this is no second call (RFC 3263 section 4.3)
        else:
            super()._unsent()

    def _handle(self, action: Do, message: Request | Response) -> None:
        assert isinstance(message, Response)
        if action is Do.SEND_ACK:
            self._wire.send(ack_of_failure(self.request, message).encode(), self.hop, failed=_ignore)
        else:
            self._on_response(message)

    def _report(self, event: Event) -> None:
        if event is Event.TIMEOUT:
            self._wire.avoid(self.hop)
        self._on_failure(event)


class ServerTransaction(Transaction):
    """One request of a peer until our final answer has surely arrived."""

    def __init__(self, layer: TransactionLayer, request: Request, key: Key, source: Hop) -> None:
        invite = request.method == "INVITE"
        super().__init__(
            INVITE_SERVER if invite else SERVER,
            State.PROCEEDING if invite else State.TRYING,
            layer.wire,
            layer.timers,
            layer.timing,
            ended=lambda: layer.forget_server(key),
        )
        self.request = request
        self.source = source
        """Where the request came from."""
        self.on_ack: Callable[[Request], None] = _ignore
        self.on_cancel: Callable[[Request], None] = _ignore

    @property
    def answered(self) -> bool:
        """Whether a final response was given."""
        return self.state not in (State.PROCEEDING, State.TRYING)

    def respond(self, response: Response) -> None:
        """Send a response; ignored after a final one (except the retransmission of a 2xx)."""
        self.fire(response_event(response.status), response)

    def reject(
        self, status: int, to_tag: str | None = None, reason: str | None = None, **fields: str
    ) -> None:
        """Answer with an error; `fields` are header fields, `Retry_After="5"` for Retry-After."""
        response = self.request.response(status, to_tag or secrets.token_hex(8), reason)
        for name, value in fields.items():
            response.headers.add(name.replace("_", "-"), value)
        self.respond(response)

    def _handle(self, action: Do, message: Request | Response) -> None:
        if isinstance(message, Response):
            self._send(message.encode(), way_back(self.request, self.source))
        else:
            self.on_ack(message)

    def _unsent(self) -> None:
        if self._last is not None and self._last[1].flow:
            # Its connection is gone: a new one leads to where the Via says (section 18.2.2).
            self._send(self._last[0], way_back(self.request, replace(self.source, flow=0)))
        else:
            super()._unsent()

    def _report(self, event: Event) -> None:
        """A peer that never ACKs our refusal changes nothing for us."""


class TransactionUser(Protocol):
    """What takes the requests that begin something."""

    def on_request(self, transaction: ServerTransaction) -> None:
        """A new request other than ACK and CANCEL."""
        ...

    def on_ack(self, ack: Request) -> None:
        """An ACK that belongs to no transaction: of a 2xx."""
        ...


class TransactionLayer:
    """Every transaction of one socket."""

    def __init__(self, wire: Wire, timers: Timers, timing: Timing, user: TransactionUser) -> None:
        self.wire = wire
        self.timers = timers
        self.timing = timing
        self._user = user
        self._clients: dict[Key, ClientTransaction] = {}
        self._servers: dict[Key, ServerTransaction] = {}

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    def send_request(
        self,
        request: Request,
        hop: Hop,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Event], None],
        in_time: Callable[[], bool] = always,
    ) -> ClientTransaction:
        """Begin a client transaction; `request` must carry its Via with a fresh branch."""
        transaction = ClientTransaction(self, request, hop, on_response, on_failure, in_time)
        self._clients[_client_key(request)] = transaction
        transaction.start()
        return transaction

    def receive(self, data: bytes, source: Hop) -> None:
        """Take one datagram. What cannot be answered sensibly is dropped in silence."""
        try:
            message = parse(data)
        except MalformedMessage as error:
            self._answer_malformed(error, source)
            return
        if message is not None:
            message.source = source
        if isinstance(message, Request):
            self._receive_request(message, source)
        elif isinstance(message, Response):
            transaction = self._clients.get((message.via.branch, message.cseq.method))
            if transaction is not None:
                transaction.fire(response_event(message.status), message)

    def forget_client(self, key: Key) -> None:
        self._clients.pop(key, None)

    def forget_server(self, key: Key) -> None:
        self._servers.pop(key, None)

    def _receive_request(self, request: Request, source: Hop) -> None:
        _stamp(request, source)
        if request.method == "CANCEL":
            self._cancel(request, source)
            return
        key = _server_key(request, "INVITE" if request.method == "ACK" else request.method)
        transaction = self._servers.get(key)
        if request.method == "ACK":
            if transaction is not None:
                transaction.fire(Event.ACK, request)
            else:
                self._user.on_ack(request)
        elif transaction is not None:
            transaction.fire(Event.REQUEST, request)
        else:
            created = self._begin(request, key, source)
            if created is not None:
                self._user.on_request(created)

    def _begin(self, request: Request, key: Key, source: Hop) -> ServerTransaction | None:
        if len(self._servers) >= MAX_SERVER_TRANSACTIONS:
            log.warning("SIP: too many transactions, a request is dropped")
            return None
        transaction = ServerTransaction(self, request, key, source)
        self._servers[key] = transaction
        return transaction

    def _cancel(self, request: Request, source: Hop) -> None:
        key = _server_key(request, "CANCEL")
        known = self._servers.get(key)
        if known is not None:
            known.fire(Event.REQUEST, request)
            return
        transaction = self._begin(request, key, source)
        if transaction is None:
            return
        target = self._servers.get(_server_key(request, "INVITE"))
        if target is None:
            transaction.reject(481)
            return
        transaction.respond(request.response(200, secrets.token_hex(8)))
        if not target.answered:
            target.on_cancel(request)

    def _answer_malformed(self, error: MalformedMessage, source: Hop) -> None:
        request = error.request
        if request is None or request.method == "ACK":
            return
        try:
            _stamp(request, source)
            response = request.response(error.status, secrets.token_hex(8))
            to = way_back(request, source)
        except SipSyntaxError:
            return
        self.wire.send(response.encode(), to, failed=_ignore)


def ack_of_failure(invite: Request, response: Response) -> Request:
    """The ACK of a final response >= 300: part of the INVITE's transaction (section 17.1.1.3)."""
    headers = Headers(
        [
            ("Via", str(invite.via)),
            ("Max-Forwards", "70"),
            ("From", str(invite.from_)),
            ("To", str(response.to)),
            ("Call-ID", invite.call_id),
            ("CSeq", str(CSeq(invite.cseq.number, "ACK"))),
            *(("Route", route) for route in invite.headers.all("Route")),
        ]
    )
    return Request("ACK", invite.uri, headers=headers)


def _client_key(request: Request) -> Key:
    return request.via.branch, request.method


def _server_key(request: Request, method: str) -> Key:
    """Section 17.2.3; without the cookie of RFC 3261 in the branch, what RFC 2543 compares."""
    via = request.via
    if via.branch.startswith(BRANCH_COOKIE) and via.branch != BRANCH_COOKIE:
        return via.branch, via.sent_by, method
    number = str(request.cseq.number)
    return request.call_id, request.from_.tag or "", number, str(via), request.uri, method


def _stamp(request: Request, source: Hop) -> None:
    """Note in the top Via where the request really came from."""
    top = request.via.seen_from((source.host, source.port or 0))
    request.headers.set("Via", str(top), *request.headers.all("Via")[1:])


def way_back(request: Request, source: Hop) -> Hop:
    """Where the response to a stamped request goes: by its connection, else to the Via (section 18.2.2)."""
    if source.flow:
        return source
    via = request.via
    if not source.transport.reliable:
        return Hop(*via.reply_address)
    return Hop(via.reply_address[0], via.port or source.transport.default_port, source.transport)


def _ignore(_: object = None) -> None:
    """Nothing to do."""
