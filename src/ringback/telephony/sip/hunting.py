"""One call by the first gateway that works: gateway after gateway, under one Call-ID (RFC 3263 section 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from ringback.telephony.causes import Trouble
from ringback.telephony.sip.agent import UserAgent
from ringback.telephony.sip.events import CallEvent, Emit, Finished
from ringback.telephony.sip.header import Reason
from ringback.telephony.sip.outgoing import Invitation, OutgoingCall
from ringback.telephony.sip.sdp import Negotiation

PATIENCE: Final = 4.0
"""Seconds that a gateway may be silent, not even 100, while there is another one: it was sent four INVITEs by then."""
_GONE: Final = frozenset({Trouble.NO_RESPONSE, Trouble.UNREACHABLE})


class Hunt:
    """Implements `leg.SipCall`. Once a gateway has said more than 100 a telephone may ring, and no other is tried:
    nobody is called twice."""

    def __init__(
        self,
        agent: UserAgent,
        invitations: Sequence[Invitation],
        negotiation: Negotiation,
        emit: Emit,
        tried: Callable[[int, str], None] = lambda place, why: None,
    ) -> None:
        """The invitations, at least one, are of one call; `tried` hears which of them failed, and how."""
        self._agent = agent
        self._ahead = list(enumerate(invitations))
        self._negotiation = negotiation
        self._emit = emit
        self._tried = tried
        self._over = False

    def start(self) -> None:
        self._next()

    def hang_up(self, reason: Reason | None = None) -> None:
        self._over = True
        self._call.hang_up(reason)

    def refer(self, target: str) -> None:
        self._call.refer(target)

    def hold(self, holding: bool) -> None:
        self._call.hold(holding)

    def _next(self) -> None:
        place, invitation = self._ahead.pop(0)
        asked = invitation.in_time

        def in_time() -> bool:
            # What was given up on must not be sent once more when its gateway comes back.
            return self._place == place and asked()

        self._place = place
        call = self._call = OutgoingCall(
            self._agent,
            replace(invitation, in_time=in_time),
            self._negotiation,
            lambda event: self._heard(place, event),
        )
        if self._ahead:
            self._agent.timers.call_later(PATIENCE, lambda: self._impatient(place))
        call.start()

    def _heard(self, place: int, event: CallEvent) -> None:
        if place != self._place:
            return  # of one that was given up on: it cancels, or hangs up, by itself
        if isinstance(event, Finished) and (why := self._fault(event)):
            self._tried(place, why)
            self._next()
        else:
            self._emit(event)

    def _fault(self, event: Finished) -> str | None:
        """Why the gateway is at fault, so that another may do better; None: it is not, or there is none."""
        if self._over or not self._ahead or event.ours or self._call.progressed:
            return None
        if event.trouble in _GONE:
            return "no answer"
        return str(event.status) if event.status is not None and 500 <= event.status < 600 else None

    def _impatient(self, place: int) -> None:
        if place != self._place or self._over or self._call.heard or not self._ahead:
            return
        silent = self._call
        silent.shun()
        self._tried(place, "no answer")
        self._next()
        silent.hang_up()
