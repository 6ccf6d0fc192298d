"""An answered call (RFC 3261 sections 13 to 15): the requests of both sides in its dialog."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from ringback.telephony.causes import Trouble
from ringback.telephony.sip import info, sdp
from ringback.telephony.sip.acceptance import Acceptance
from ringback.telephony.sip.auth import DigestSession
from ringback.telephony.sip.dialog import Dialog
from ringback.telephony.sip.events import Connected, Emit, Finished, Keyed, MediaChanged, ReferProgress
from ringback.telephony.sip.exchange import Exchange
from ringback.telephony.sip.header import Reason
from ringback.telephony.sip.message import Request, Response
from ringback.telephony.sip.params import SipSyntaxError
from ringback.telephony.sip.refer import Referral, refer_to
from ringback.telephony.sip.reinvite import Reinvite
from ringback.telephony.sip.sdp import Negotiation, SdpError
from ringback.telephony.sip.session_timer import MIN_S, Proposal, SessionTimer, too_brief
from ringback.telephony.sip.transaction import Event
from ringback.telephony.sip.transaction_layer import ServerTransaction

if TYPE_CHECKING:
    from ringback.telephony.sip.agent import UserAgent


class Session:
    """The dialog of an answered call, the agreement on its audio, and its end."""

    def __init__(
        self,
        agent: UserAgent,
        dialog: Dialog,
        negotiation: Negotiation,
        digest: DigestSession,
        emit: Emit,
        proposal: Proposal,
        *,
        placed: bool,
    ) -> None:
        """`placed`: we placed the call, rather than the peer."""
        self.dialog = dialog
        self._agent = agent
        self._negotiation = negotiation
        self._digest = digest
        self._emit = emit
        self._acceptance: Acceptance | None = None
        self._offered = False
        """Whether our 2xx carries an offer that the ACK must answer."""
        self._placed = self._confirmed = placed
        """Whether both sides know of the dialog: before, a callee may not send BYE (section 15)."""
        self._connected = False
        self._over = False
        self._bye_after_ack: tuple[Reason, ...] | None = None
        self._referral: Referral | None = None
        self._reinvite: Reinvite | None = None
        self._proposal = proposal
        self._timer = SessionTimer(agent.timers, proposal, self._refresh, lambda: self._fail(Trouble.EXPIRED))

    def answered(self, response: Response, media: sdp.Media) -> None:
        """The peer has answered our INVITE."""
        self._timer.answered(response)
        self._connect(media)

    def _connect(self, media: sdp.Media) -> None:
        self._connected = True
        self._emit(Connected(media))

    def accept(self, transaction: ServerTransaction) -> None:
        """Answer an INVITE with 200, by the offer that it brings or with one of ours; 488 if that fails."""
        request = transaction.request
        if request.body and request.content_type != sdp.CONTENT_TYPE:
            transaction.reject(415, Accept=sdp.CONTENT_TYPE)
            return
        if too_brief(request):
            transaction.reject(422, Min_SE=str(MIN_S))
            return
        try:
            body, media = (
                self._negotiation.answer(request.body) if request.body else (self._negotiation.offer(), None)
            )
        except SdpError:
            transaction.reject(488)
            return
        self.dialog.refresh(request)
        response = self._agent.response(request, 200, self.dialog.local.tag)
        response.set_body(sdp.CONTENT_TYPE, body)
        for route in request.headers.all("Record-Route"):
            response.headers.add("Record-Route", route)
        self._timer.answer(request, response)
        self._offered = media is None
        self._acceptance = Acceptance(
            self._agent, transaction, response, self._acknowledged, self._unacknowledged
        )
        if media is not None:
            self._apply(media)

    def receive(self, transaction: ServerTransaction) -> None:
        """Take a request of the peer in this dialog."""
        request = transaction.request
        if not self.dialog.in_order(request):
            transaction.reject(500)
        elif request.method == "BYE":
            transaction.respond(self._agent.response(request, 200))
            self.end_by_peer(tuple(request.reasons))
        elif self._over:
            transaction.reject(481)
        elif request.method in ("INVITE", "UPDATE"):
            self._renegotiate(transaction)
        elif request.method == "NOTIFY":
            self._notified(transaction)
        elif request.method == "INFO":
            self._informed(transaction)
        elif request.method == "REFER":
            transaction.reject(603)  # whoever answers here is not to be sent elsewhere by the other side
        else:
            self._agent.answer_other(transaction)

    def refer(self, target: str) -> None:
        """Ask the peer to call `target` (`refer_to`) in our place. While one is under way, no other begins."""
        if self._over or (self._referral is not None and not self._referral.over):
            return
        try:
            uri = refer_to(target, self.dialog)
        except SipSyntaxError:
            self._emit(ReferProgress(400, final=True))
            return
        self._referral = Referral(self._agent, self.dialog, self._digest, self._emit, uri)
        self._referral.start()

    def hold(self, holding: bool) -> None:
        """Hold the peer, or resume; nothing happens where another negotiation is under way, or for want of need."""
        if self._over or self._busy or not self._confirmed or holding == self._negotiation.holding:
            return
        self._negotiation.holding = holding

        def refused() -> None:
            self._negotiation.holding = not holding
            self._negotiation.offer()  # what holds as it was is what the next refresh repeats

        self._negotiate("INVITE", self._negotiation.offer(), refused)

    def receive_ack(self, ack: Request) -> None:
        if self._acceptance is not None and ack.cseq.number == self._acceptance.cseq:
            self._acceptance.acknowledge(ack)

    def end_by_peer(self, reasons: tuple[Reason, ...]) -> None:
        """The peer hung up."""
        if self._acceptance is not None:
            self._acceptance.stop()
        self._agent.forget(self.dialog)
        self._finish(Finished(ours=False, reasons=reasons))

    def hang_up(self, reason: Reason | None = None) -> None:
        """End the call with a BYE. Idempotent."""
        if self._over:
            return
        reasons = (reason,) if reason else ()
        if self._confirmed:
            self._send_bye(reasons)
        else:
            self._bye_after_ack = reasons
        self._finish(Finished(ours=True))

    def _renegotiate(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        ours = self._reinvite
        crosses = (
            ours is not None and ours.open and ours.offers and (request.method == "INVITE" or request.body)
        )
        if self._acceptance is not None or crosses:
            transaction.reject(491)
        elif request.method == "INVITE":
            self.accept(transaction)
        else:
            self._update(transaction)

    def _informed(self, transaction: ServerTransaction) -> None:
        """RFC 6086; one without a body only asks whether we are still there."""
        request = transaction.request
        if request.body and not info.is_keypad(request):
            transaction.reject(415, Accept=info.ACCEPT)
            return
        transaction.respond(self._agent.response(request, 200))
        if request.body and (digit := info.digit_of(request)) is not None:
            self._emit(Keyed(digit))

    def _notified(self, transaction: ServerTransaction) -> None:
        if self._referral is not None and self._referral.owns(transaction.request):
            self._referral.notified(transaction)
        else:
            transaction.reject(481)

    def _update(self, transaction: ServerTransaction) -> None:
        """RFC 3311; without a body it only refreshes the target."""
        request = transaction.request
        if too_brief(request):
            transaction.reject(422, Min_SE=str(MIN_S))
            return
        response = self._agent.response(request, 200)
        if request.body:
            try:
                body, media = self._negotiation.answer(request.body)
            except SdpError:
                transaction.reject(488)
                return
            response.set_body(sdp.CONTENT_TYPE, body)
            self._apply(media)
        self._timer.answer(request, response)
        self.dialog.refresh(request)
        transaction.respond(response)

    @property
    def _busy(self) -> bool:
        """Whether one side's negotiation is under way."""
        return self._acceptance is not None or (self._reinvite is not None and not self._reinvite.over)

    def _refresh(self) -> None:
        """It is our turn to ask whether the peer is still there."""
        if self._busy or not self._confirmed:
            self._timer.postpone()
        elif "UPDATE" in self.dialog.allows:
            self._negotiate("UPDATE", b"")
        else:
            self._negotiate("INVITE", self._negotiation.again())

    def _negotiate(
        self, method: Literal["INVITE", "UPDATE"], offer: bytes, refused: Callable[[], None] = lambda: None
    ) -> None:
        def negotiated(response: Response | None) -> None:
            if response is None or response.status in (408, 481):
                self._fail(Trouble.EXPIRED)
            elif response.status < 300:
                self._timer.answered(response)
                if offer:
                    self._take_answer(response.body)
            elif self._proposal.raised_by(response):
                self._negotiate(method, offer, refused)
            elif method == "UPDATE":
                self.dialog.allows -= {method}
                self._refresh()
            else:
                refused()
                self._timer.postpone()

        self._reinvite = Reinvite(
            self._agent,
            self.dialog,
            self._digest,
            method,
            offer,
            self._timer.ask,
            negotiated,
            patient=self._placed,
        )
        self._reinvite.start()

    def _apply(self, media: sdp.Media) -> None:
        if self._connected:
            self._emit(MediaChanged(media))
        else:
            self._connect(media)

    def _acknowledged(self, ack: Request) -> None:
        self._acceptance = None
        self._confirmed = True
        if self._bye_after_ack is not None:
            self._send_bye(self._bye_after_ack)
        elif self._offered and not self._over:
            self._take_answer(ack.body)

    def _take_answer(self, body: bytes) -> None:
        before = self._negotiation.agreed
        try:
            media = self._negotiation.accept(body)
        except SdpError:
            self._fail(Trouble.NO_MEDIA)
        else:
            if media != before or not self._connected:
                self._apply(media)

    def _unacknowledged(self) -> None:
        self._acceptance = None
        self._confirmed = True
        if self._bye_after_ack is not None:
            self._send_bye(self._bye_after_ack)
        elif not self._over:
            self._fail(Trouble.NO_ACK)

    def _fail(self, trouble: Trouble) -> None:
        self._send_bye(())
        self._finish(Finished(ours=True, trouble=trouble))

    def _finish(self, event: Finished) -> None:
        if not self._over:
            self._over = True
            self._timer.stop()
            if self._reinvite is not None:
                self._reinvite.stop()
            if self._referral is not None:
                self._referral.stop()
            self._emit(event)

    def _send_bye(self, reasons: tuple[Reason, ...]) -> None:
        send_bye(self._agent, self.dialog, self._digest, reasons, lambda: self._agent.forget(self.dialog))


def send_bye(
    agent: UserAgent,
    dialog: Dialog,
    digest: DigestSession,
    reasons: tuple[Reason, ...],
    done: Callable[[], None],
) -> None:
    """Send a BYE in a dialog, answering challenges; `done` is called when it is answered or given up."""

    def build() -> Request:
        request = dialog.request("BYE")
        for reason in reasons:
            request.headers.add("Reason", str(reason))
        return request

    Exchange(
        agent,
        digest,
        build,
        dialog.hop,
        on_response=lambda _, response: done() if response.status >= 200 else None,
        on_failure=lambda _: done(),
    ).start()


def trouble_of(event: Event) -> Trouble:
    return Trouble.UNREACHABLE if event is Event.BROKEN else Trouble.NO_RESPONSE
