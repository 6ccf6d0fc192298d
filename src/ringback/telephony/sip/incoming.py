"""A call that a peer places to us (RFC 3261 section 13.3), until we answer or refuse it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ringback.telephony.causes import Trouble
from ringback.telephony.sip.auth import DigestSession
from ringback.telephony.sip.dialog import Dialog
from ringback.telephony.sip.events import CallEvent, Emit, Finished
from ringback.telephony.sip.header import NameAddr, Reason
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.message import Request
from ringback.telephony.sip.params import SipSyntaxError
from ringback.telephony.sip.reliable import ReliableResponse, is_reliable
from ringback.telephony.sip.sdp import Negotiation
from ringback.telephony.sip.session import Session
from ringback.telephony.sip.session_timer import Proposal
from ringback.telephony.sip.transaction import State
from ringback.telephony.sip.transaction_layer import ServerTransaction

if TYPE_CHECKING:
    from ringback.telephony.sip.agent import UserAgent

MAX_RINGING: Final = 180.0
"""Seconds until a call that nobody answers is refused (what section 13.3.1.1 lets the caller expect)."""


class IncomingInvite:
    """One call to us. Its owner hears of it through `emit`; what came before `emit` was set is kept."""

    def __init__(self, agent: UserAgent, transaction: ServerTransaction) -> None:
        self.request = transaction.request
        self.local_tag = agent.new_tag()
        self._agent = agent
        self._transaction = transaction
        self._emit: Emit | None = None
        self._unheard: list[CallEvent] = []
        self._session: Session | None = None
        self._finished = False
        self._progress: ReliableResponse | None = None
        self._patience = agent.timers.call_later(MAX_RINGING, lambda: self.reject(480))
        transaction.on_cancel = lambda cancel: self._abandoned(cancel)
        agent.register(self.call_id, self.local_tag, self)

    @property
    def call_id(self) -> str:
        return self.request.call_id

    @property
    def caller(self) -> NameAddr:
        return self.request.from_

    @property
    def source(self) -> Hop:
        """Where the INVITE came from."""
        return self._transaction.source

    def listen(self, emit: Emit) -> None:
        """Set who hears of this call."""
        self._emit = emit
        for event in self._unheard:
            emit(event)
        self._unheard.clear()

    def ring(self) -> None:
        """Answer 180; so that it surely arrives, if the caller insists on that."""
        if self._transaction.answered:
            return
        response = self._agent.response(self.request, 180, self.local_tag)
        if not is_reliable(self.request):
            self._transaction.respond(response)
        elif self._progress is None:
            self._progress = ReliableResponse(
                self._agent, self._transaction, response, on_timeout=lambda: self.reject(504)
            )

    def accept(self, negotiation: Negotiation) -> None:
        """Answer 200, or 488 if there is no common codec. Too late, it does nothing."""
        if self._transaction.answered:
            return
        try:
            dialog = Dialog.of_callee(self.request, self.local_tag)
        except SipSyntaxError:
            self.reject(400)
            return
        self._patience.cancel()
        if self._progress is not None:
            self._progress.stop()
        session = Session(
            self._agent, dialog, negotiation, DigestSession(None), self._tell, Proposal(), placed=False
        )
        session.accept(self._transaction)
        if self._transaction.state is State.ACCEPTED:
            self._session = session
        else:
            self._finish(Finished(ours=True, trouble=Trouble.NO_MEDIA))

    def reject(self, status: int, reason: str | None = None, **fields: str) -> None:
        """Refuse the call; `fields` are header fields. Too late, it does nothing."""
        if not self._transaction.answered:
            self._transaction.reject(status, self.local_tag, reason, **fields)
            self._finish(Finished(ours=True, status=status))

    def hang_up(self, reason: Reason | None = None) -> None:
        """End the call: a BYE if it was answered, else a refusal. Idempotent."""
        if self._session is not None:
            self._session.hang_up(reason)
        else:
            self.reject(480)

    def refer(self, target: str) -> None:
        """Transfer the answered call blindly; `ReferProgress` follows."""
        if self._session is not None:
            self._session.refer(target)

    def hold(self, holding: bool) -> None:
        """Hold the peer of the answered call, or resume."""
        if self._session is not None:
            self._session.hold(holding)

    def receive(self, transaction: ServerTransaction) -> None:
        """Take a request of the peer in the dialog of this call."""
        request = transaction.request
        if request.from_.tag != self.caller.tag:
            transaction.reject(481)
        elif request.method == "PRACK" and self._progress is not None:
            self._progress.receive(transaction)
        elif self._session is not None:
            self._session.receive(transaction)
        elif request.method == "BYE":
            transaction.respond(self._agent.response(request, 200))
            self._abandoned(request)
        elif request.method in ("INVITE", "UPDATE"):
            transaction.reject(500, Retry_After="1")
        else:
            self._agent.answer_other(transaction)

    def receive_ack(self, ack: Request) -> None:
        if self._session is not None:
            self._session.receive_ack(ack)

    def _abandoned(self, request: Request) -> None:
        """The caller gave up: a CANCEL, or a BYE before the answer."""
        if not self._transaction.answered:
            self._transaction.reject(487, self.local_tag)
            self._finish(Finished(ours=False, reasons=tuple(request.reasons)))

    def _finish(self, event: Finished) -> None:
        if not self._finished:
            self._finished = True
            self._patience.cancel()
            if self._progress is not None:
                self._progress.stop()
            self._agent.unregister(self.call_id, self.local_tag)
            self._tell(event)

    def _tell(self, event: CallEvent) -> None:
        if self._emit is not None:
            self._emit(event)
        else:
            self._unheard.append(event)
