"""A 2xx of ours to an INVITE, sent again until its ACK comes (RFC 3261 section 13.3.1.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.telephony.sip.message import Request, Response
from ringback.telephony.sip.transaction import Timer
from ringback.telephony.sip.transaction_layer import ServerTransaction

if TYPE_CHECKING:
    from ringback.telephony.sip.agent import UserAgent


class Acceptance:
    """`on_ack` or `on_timeout` is called once, unless it is stopped before."""

    def __init__(
        self,
        agent: UserAgent,
        transaction: ServerTransaction,
        response: Response,
        on_ack: Callable[[Request], None],
        on_timeout: Callable[[], None],
    ) -> None:
        self.cseq = transaction.request.cseq.number
        self._timing = agent.timing
        self._timers = agent.timers
        self._transaction = transaction
        self._response = response
        self._on_ack = on_ack
        self._on_timeout = on_timeout
        self._interval = self._timing.t1
        self._resend: Timer | None = None
        self._give_up = self._timers.call_later(64 * self._timing.t1, self._timed_out)
        transaction.on_ack = self.acknowledge
        self._send()

    def acknowledge(self, ack: Request) -> None:
        """Take the ACK, whichever way it came; a second one changes nothing."""
        if self._resend is not None:
            self.stop()
            self._on_ack(ack)

    def _send(self) -> None:
        self._transaction.respond(self._response)
        self._resend = self._timers.call_later(self._interval, self._send)
        self._interval = min(self._interval * 2, self._timing.t2)

    def _timed_out(self) -> None:
        self.stop()
        self._on_timeout()

    def stop(self) -> None:
        """Send it no more."""
        self._give_up.cancel()
        if self._resend is not None:
            self._resend.cancel()
            self._resend = None
