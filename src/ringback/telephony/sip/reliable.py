"""Provisional responses that must arrive (RFC 3262): theirs that we acknowledge by PRACK, and ours."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ringback.telephony.sip.auth import DigestSession
from ringback.telephony.sip.dialog import Dialog
from ringback.telephony.sip.exchange import Exchange
from ringback.telephony.sip.message import Request, Response
from ringback.telephony.sip.params import SipSyntaxError
from ringback.telephony.sip.transaction import Timer
from ringback.telephony.sip.transaction_layer import ServerTransaction

if TYPE_CHECKING:
    from ringback.telephony.sip.agent import UserAgent

OPTION: Final = "100rel"
_MAX_DIALOGS: Final = 16


def is_reliable(message: Request | Response) -> bool:
    """Whether a message insists on reliable provisional responses, or is one."""
    return OPTION in (tag.lower() for tag in message.headers.all("Require"))


class Pracks:
    """The PRACKs of one call that we place: one for each reliable response, in each early dialog."""

    def __init__(self, agent: UserAgent, digest: DigestSession) -> None:
        self._agent = agent
        self._digest = digest
        self._early: dict[str, tuple[Dialog, int]] = {}
        """Each fork's dialog and the number of its last reliable response, by its tag."""

    def admit(self, invite: Request, response: Response) -> bool:
        """Acknowledge a provisional response if it asks for it; False for a repeated one or one out of turn."""
        if not is_reliable(response):
            return True
        rseq, tag = response.headers.get("RSeq") or "", response.to.tag
        if tag is None or not (rseq.isascii() and rseq.isdigit() and len(rseq) <= 10):
            return False
        number = int(rseq)
        known = self._early.get(tag)
        if known is None:
            if len(self._early) >= _MAX_DIALOGS:
                return False
            try:
                dialog = Dialog.of_caller(invite, response)
            except SipSyntaxError:
                return False
        elif number != known[1] + 1:
            return False
        else:
            dialog = known[0]
        self._early[tag] = dialog, number
        self._send(dialog, f"{number} {invite.cseq}")
        return True

    def continue_in(self, dialog: Dialog) -> None:
        """The dialog is confirmed: it goes on counting where the early one is."""
        if dialog.remote_tag in self._early:
            dialog.local_cseq = max(dialog.local_cseq, self._early[dialog.remote_tag][0].local_cseq)

    def _send(self, dialog: Dialog, rack: str) -> None:
        def build() -> Request:
            request = dialog.request("PRACK")
            request.headers.add("RAck", rack)
            return request

        # What becomes of it is the peer's affair: it goes on repeating its response, and the answer counts.
        Exchange(
            self._agent,
            self._digest,
            build,
            dialog.hop,
            on_response=lambda *_: None,
            on_failure=lambda _: None,
        ).start()


class ReliableResponse:
    """A provisional response of ours, sent again until its PRACK comes."""

    def __init__(
        self,
        agent: UserAgent,
        transaction: ServerTransaction,
        response: Response,
        on_timeout: Callable[[], None],
    ) -> None:
        """`on_timeout` is called if no PRACK comes, unless it is stopped before."""
        number = 1 + secrets.randbelow(2**31 - 1)
        response.headers.add("Require", OPTION)
        response.headers.add("RSeq", str(number))
        self._agent = agent
        self._transaction = transaction
        self._response = response
        self._rack = f"{number} {transaction.request.cseq}"
        self._interval = agent.timing.t1
        self._give_up = agent.timers.call_later(64 * agent.timing.t1, on_timeout)
        self._resend: Timer | None = None
        self._send()

    def receive(self, transaction: ServerTransaction) -> None:
        """Take a PRACK of the peer."""
        rack = " ".join((transaction.request.headers.get("RAck") or "").split())
        if rack == self._rack:
            self.stop()
            transaction.respond(self._agent.response(transaction.request, 200))
        else:
            transaction.reject(481)

    def stop(self) -> None:
        """Send it no more: acknowledged, or a final response makes it needless."""
        self._give_up.cancel()
        if self._resend is not None:
            self._resend.cancel()

    def _send(self) -> None:
        self._transaction.respond(self._response)
        self._resend = self._agent.timers.call_later(self._interval, self._send)
        self._interval *= 2
