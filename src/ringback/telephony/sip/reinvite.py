"""A request of ours that negotiates anew in a call: re-INVITE or UPDATE (RFC 3261 section 14, RFC 3311)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from ringback.telephony.sip import sdp
from ringback.telephony.sip.auth import DigestSession
from ringback.telephony.sip.dialog import Dialog
from ringback.telephony.sip.exchange import Exchange
from ringback.telephony.sip.message import Request, Response
from ringback.telephony.sip.transaction import Timer

if TYPE_CHECKING:
    from ringback.telephony.sip.agent import UserAgent

_TRIES: Final = 5
"""How often a re-INVITE that meets one of the peer's (491) is sent at most."""


class Reinvite:
    """One negotiation by us. `done` is told the final response once; None where none came."""

    def __init__(
        self,
        agent: UserAgent,
        dialog: Dialog,
        digest: DigestSession,
        method: Literal["INVITE", "UPDATE"],
        offer: bytes,
        dress: Callable[[Request], None],
        done: Callable[[Response | None], None],
        *,
        patient: bool,
    ) -> None:
        """`offer` may be empty for UPDATE. `patient`: the Call-ID is ours, so that we wait longer after a 491."""
        self.offers = bool(offer)
        self.over = False
        self._agent = agent
        self._dialog = dialog
        self._method = method
        self._offer = offer
        self._dress = dress
        self._done = done
        self._patient = patient
        self._tries = 0
        self._waiting: Timer | None = None
        self._ack: Request | None = None
        self._digest = digest
        # A peer that says "trying" and then nothing is as good as gone.
        self._patience = agent.timers.call_later(64 * agent.timing.t1, lambda: self._finish(None))

    def start(self) -> None:
        self._tries += 1
        self._waiting = None
        Exchange(
            self._agent,
            self._digest,
            self._build,
            self._dialog.hop,
            self._received,
            lambda _: self._finish(None),
        ).start()

    def stop(self) -> None:
        """The call is over: nothing is told, and nothing sent but the ACK of what is still answered."""
        self.over = True
        self._patience.cancel()
        if self._waiting is not None:
            self._waiting.cancel()

    @property
    def open(self) -> bool:
        """Whether it is on the wire now, so that a negotiation of the peer would cross it."""
        return not self.over and self._waiting is None

    def _build(self) -> Request:
        request = self._dialog.request(self._method)
        if self._offer:
            request.set_body(sdp.CONTENT_TYPE, self._offer)
        self._dress(request)
        return request

    def _received(self, request: Request, response: Response) -> None:
        if response.status < 200:
            return
        if response.status < 300:
            self._dialog.refresh(response)
            self._acknowledge(request)
        if self.over:
            return
        if response.status == 491 and self._tries < _TRIES:
            self._waiting = self._agent.timers.call_later(self._pause(), self.start)
        else:
            self._finish(response)

    def _acknowledge(self, request: Request) -> None:
        """The ACK of a 2xx, the same one each time that it comes."""
        if self._method == "INVITE":
            ack = self._ack or self._dialog.ack(request.cseq.number)
            self._ack = self._agent.send_ack(ack, self._dialog.hop)

    def _pause(self) -> float:
        """Seconds, in steps of 10 ms: the two sides must not meet again (section 14.1)."""
        return 2.1 + secrets.randbelow(191) / 100 if self._patient else secrets.randbelow(201) / 100

    def _finish(self, response: Response | None) -> None:
        if not self.over:
            self.stop()
            self._done(response)
