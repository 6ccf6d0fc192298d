"""A call that we place (RFC 3261 section 13.2), from the INVITE to the answer or its failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ringback.telephony.causes import Trouble
from ringback.telephony.sip import sdp
from ringback.telephony.sip.auth import Credentials, DigestSession
from ringback.telephony.sip.dialog import Dialog
from ringback.telephony.sip.events import Alerting, Early, Emit, Finished
from ringback.telephony.sip.exchange import Exchange
from ringback.telephony.sip.header import CSeq, NameAddr, Reason
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.message import Headers, Request, Response
from ringback.telephony.sip.params import SipSyntaxError
from ringback.telephony.sip.reliable import Pracks
from ringback.telephony.sip.sdp import Media, Negotiation, SdpError
from ringback.telephony.sip.session import Session, send_bye, trouble_of
from ringback.telephony.sip.session_timer import Proposal
from ringback.telephony.sip.transaction import Event
from ringback.telephony.sip.transaction_layer import ServerTransaction
from ringback.telephony.sip.uri import SipUri

if TYPE_CHECKING:
    from ringback.telephony.sip.agent import UserAgent

CANCEL_WAIT: Final = 4.0
"""Seconds that a cancelled call waits for its final response before it ends without one."""
_MAX_FORKS: Final = 16


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whom to call, and as whom."""

    target: SipUri
    local: NameAddr
    hop: Hop
    """Where the INVITE is sent: the trunk or its outbound proxy."""
    call_id: str
    credentials: Credentials | None = None
    headers: Headers = field(default_factory=Headers)
    """Further header fields of the INVITE."""
    in_time: Callable[[], bool] = lambda: True
    """Once it says no, no INVITE leaves, not even again."""


class OutgoingCall:
    """One call that we place. Its owner hears of it through `emit`."""

    def __init__(
        self, agent: UserAgent, invitation: Invitation, negotiation: Negotiation, emit: Emit
    ) -> None:
        self.local_tag = agent.new_tag()
        self._agent = agent
        self._invitation = invitation
        self._negotiation = negotiation
        self._emit = emit
        self._digest = DigestSession(invitation.credentials)
        self._offer = negotiation.offer()
        self._cseq = 0
        self._exchange = Exchange(
            agent,
            self._digest,
            self._invite,
            invitation.hop,
            self._received,
            self._failed,
            invitation.in_time,
        )
        self._proposal = Proposal()
        self._pracks = Pracks(agent, self._digest)
        self._session: Session | None = None
        self._acks: dict[str, tuple[Request, Hop]] = {}
        """The ACK of every 2xx so far, by the tag of the fork that sent it."""
        self._early_tags: set[str] = set()
        self._byes: dict[str, tuple[Reason, ...]] = {}
        """BYEs that overtook their 2xx."""
        self._progressing: Request | None = None
        """The INVITE that has a provisional response, so that it may be cancelled (section 9.1)."""
        self._cancel: tuple[Reason, ...] | None = None
        self._cancel_sent = False
        self._alerting = False
        self._finished = False
        self.progressed = False
        """Somebody beyond the next hop has the call: more than 100 came."""

    @property
    def call_id(self) -> str:
        return self._invitation.call_id

    @property
    def heard(self) -> bool:
        """Whether the next hop has answered at all."""
        return self._progressing is not None or self._session is not None or self._finished

    def start(self) -> None:
        self._agent.register(self.call_id, self.local_tag, self)
        self._exchange.start()

    def shun(self) -> None:
        """Let later calls try the target's neighbours first: it does not answer."""
        self._agent.avoid(self._exchange.transaction.hop)

    def hang_up(self, reason: Reason | None = None) -> None:
        """CANCEL while it rings, BYE when it is answered. Idempotent."""
        if self._session is not None:
            self._session.hang_up(reason)
        elif not self._finished and self._cancel is None:
            self._cancel = (reason,) if reason else ()
            self._exchange.retrying = False
            self._agent.timers.call_later(CANCEL_WAIT, self._stop_waiting)
            self._send_cancel()

    def refer(self, target: str) -> None:
        """Transfer the answered call blindly; `ReferProgress` follows."""
        if self._session is not None:
            self._session.refer(target)

    def hold(self, holding: bool) -> None:
        """Hold the peer of the answered call, or resume."""
        if self._session is not None:
            self._session.hold(holding)

    def receive(self, transaction: ServerTransaction) -> None:
        """Take a request of the peer in a dialog of this call."""
        request = transaction.request
        tag = request.from_.tag or ""
        if self._session is not None and tag == self._session.dialog.remote_tag:
            self._session.receive(transaction)
        elif self._session is not None or tag not in self._early_tags:
            transaction.reject(481)
        elif request.method == "BYE":
            self._byes[tag] = tuple(request.reasons)
            transaction.respond(self._agent.response(request, 200))
        elif request.method == "UPDATE" and self._negotiation.agreed is not None:
            self._update(transaction)
        elif request.method in ("INVITE", "UPDATE"):
            transaction.reject(491)
        else:
            self._agent.answer_other(transaction)

    def receive_ack(self, ack: Request) -> None:
        if self._session is not None:
            self._session.receive_ack(ack)

    def _invite(self) -> Request:
        self._cseq += 1
        who = self._invitation
        request = Request(
            "INVITE",
            str(who.target),
            headers=Headers(
                [
                    ("Max-Forwards", "70"),
                    ("From", str(who.local.with_tag(self.local_tag))),
                    ("To", str(NameAddr(str(who.target)))),
                    ("Call-ID", who.call_id),
                    ("CSeq", str(CSeq(self._cseq, "INVITE"))),
                    *who.headers,
                ]
            ),
        )
        request.set_body(sdp.CONTENT_TYPE, self._offer)
        self._proposal.write(request)
        return request

    def _received(self, request: Request, response: Response) -> None:
        if response.status < 200:
            self._progress(request, response)
        elif response.status < 300:
            self._answered(request, response)
        elif self._cancel is None and self._proposal.raised_by(response):
            self._exchange.start()
        else:
            gave_up = self._cancel is not None and response.status in (401, 407, 487)
            self._finish(Finished(self._cancel_sent or gave_up, response.status, tuple(response.reasons)))

    def _progress(self, request: Request, response: Response) -> None:
        self._progressing = request
        self.progressed |= response.status > 100
        admitted = self._finished or self._pracks.admit(request, response)
        if self._cancel is not None:
            self._send_cancel()
            return
        if self._finished or self._session is not None or not admitted:
            return
        if response.to.tag and len(self._early_tags) < _MAX_FORKS:
            self._early_tags.add(response.to.tag)
        if response.status == 180 and not self._alerting:
            self._alerting = True
            self._emit(Alerting())
        media = self._agreement(response)
        if media is not None:
            self._emit(Early(media))

    def _answered(self, request: Request, response: Response) -> None:
        tag = response.to.tag or ""
        if tag in self._acks:
            ack, hop = self._acks[tag]
            self._agent.send_ack(ack, hop)
            return
        if len(self._acks) >= _MAX_FORKS:
            return
        try:
            dialog = Dialog.of_caller(request, response)
        except SipSyntaxError:
            self._finish(Finished(ours=False, trouble=Trouble.UNREACHABLE))
            return
        self._pracks.continue_in(dialog)
        self._acknowledge(dialog, request)
        if self._finished or self._session is not None or self._cancel is not None:
            # A fork that lost, or an answer that crossed our CANCEL.
            send_bye(self._agent, dialog, self._digest, self._cancel or (), lambda: None)
            if self._session is None:
                self._finish(Finished(ours=True))
        else:
            self._establish(dialog, response)

    def _acknowledge(self, dialog: Dialog, invite: Request) -> None:
        ack = dialog.ack(invite.cseq.number)
        for name in ("Authorization", "Proxy-Authorization"):
            for value in invite.headers.all(name):
                ack.headers.add(name, value)
        self._acks[dialog.remote_tag] = self._agent.send_ack(ack, dialog.hop), dialog.hop

    def _establish(self, dialog: Dialog, response: Response) -> None:
        media = self._agreement(response) or self._negotiation.agreed
        if media is None:
            send_bye(self._agent, dialog, self._digest, (), lambda: None)
            self._finish(Finished(ours=True, trouble=Trouble.NO_MEDIA))
            return
        self._session = Session(
            self._agent, dialog, self._negotiation, self._digest, self._emit, self._proposal, placed=True
        )
        self._session.answered(response, media)
        if dialog.remote_tag in self._byes:
            self._session.end_by_peer(self._byes[dialog.remote_tag])

    def _agreement(self, response: Response) -> Media | None:
        if response.content_type != sdp.CONTENT_TYPE:
            return None
        try:
            return self._negotiation.accept(response.body)
        except SdpError:
            return None

    def _update(self, transaction: ServerTransaction) -> None:
        """The early audio moves (RFC 3311): offer and answer are over, so that the peer may offer anew."""
        response = self._agent.response(transaction.request, 200)
        if transaction.request.body:
            try:
                body, media = self._negotiation.answer(transaction.request.body)
            except SdpError:
                transaction.reject(488)
                return
            response.set_body(sdp.CONTENT_TYPE, body)
            self._emit(Early(media))
        transaction.respond(response)

    def _send_cancel(self) -> None:
        invite = self._progressing
        if invite is None or self._cancel_sent or invite is not self._exchange.transaction.request:
            return
        self._cancel_sent = True
        self._exchange.transaction.limit()
        headers = Headers(
            [
                ("Via", str(invite.via)),
                ("Max-Forwards", "70"),
                ("From", str(invite.from_)),
                ("To", str(invite.to)),
                ("Call-ID", invite.call_id),
                ("CSeq", str(CSeq(invite.cseq.number, "CANCEL"))),
                *(("Reason", str(reason)) for reason in self._cancel or ()),
            ]
        )
        self._agent.send_cancel(
            Request("CANCEL", invite.uri, headers=headers), self._exchange.transaction.hop
        )

    def _stop_waiting(self) -> None:
        trouble = Trouble.NO_RESPONSE if self._progressing is None else None
        self._finish(Finished(ours=True, trouble=trouble))

    def _failed(self, event: Event) -> None:
        self._finish(Finished(ours=self._cancel is not None, trouble=trouble_of(event)))

    def _finish(self, event: Finished) -> None:
        if not self._finished and self._session is None:
            self._finished = True
            self._agent.unregister(self.call_id, self.local_tag)
            self._emit(event)
