"""The four SIP transactions (RFC 3261 section 17, RFC 6026) as tables, and what runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.message import Request, Response

Address = tuple[str, int]


class Timer(Protocol):
    def cancel(self) -> None: ...


class Timers(Protocol):
    """How the cores wait: an event loop's `call_later`, or the virtual clock of a test."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Timer:
        """Call back once after `delay` seconds unless cancelled."""
        ...


def always() -> bool:
    """In time, whenever it is."""
    return True


class Wire(Protocol):
    """How the cores send: sockets, or a list in a test."""

    def locate(self, hop: Hop, use: Callable[[tuple[Hop, ...]], None]) -> None:
        """Give `use` the targets behind a hop, IP addresses with ports, the best first (RFC 3263).

        At once where nothing must be looked up, else later; none where the name leads nowhere.
        """
        ...

    def alias(self, source: Hop, port: int) -> None:
        """Whoever sent from `source` also hears on this port, by the same connection (RFC 5923)."""
        ...

    def avoid(self, target: Hop) -> None:
        """Try a target last for a while: it did not answer."""
        ...

    def send(
        self,
        data: bytes,
        to: Hop,
        failed: Callable[[], None],
        in_time: Callable[[], bool] = always,
    ) -> None:
        """Send a message to a target of `locate`, or back to where one came from.

        `failed` is called if that turned out to be impossible; later, never from inside `send`. Where a connection
        must be made first, `in_time` is asked after that: if it says no, nothing is sent, which is a failure too.
        """
        ...


@dataclass(frozen=True, slots=True)
class Timing:
    """The base timers of section 17.1.1.1, in seconds."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0


class State(Enum):
    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()


class Event(Enum):
    """What happens to a transaction: a message of the peer, one of its user, a timer, a broken transport."""

    REQUEST = auto()
    """A request of the peer again (a retransmission)."""
    ACK = auto()
    PROVISIONAL = auto()
    SUCCESS = auto()
    FAILURE = auto()
    """A final response of 300 to 699."""
    RETRANSMIT = auto()
    """Timers A, E and G."""
    TIMEOUT = auto()
    """Timers B, F and H."""
    LINGERED = auto()
    """Timers D, I, J, K, L and M."""
    BROKEN = auto()


class Do(Enum):
    """What a transaction does on an event."""

    SEND = auto()
    """Client: the request. Server: the response of the event, kept for retransmissions."""
    RESEND = auto()
    SEND_ACK = auto()
    DELIVER = auto()
    """Give the message to the transaction's user."""
    REPORT = auto()
    """Tell the user that no answer (or no ACK) will come."""
    QUIET = auto()
    """Cancel all timers."""
    BACK_OFF = auto()
    """Set the next RETRANSMIT: T1, then doubled each time (up to T2, except for an INVITE)."""
    SLOW = auto()
    """RETRANSMIT every T2 from now on."""
    GIVE_UP_LATER = auto()
    """Set TIMEOUT at 64 T1."""
    LINGER_64T1 = auto()
    """Set LINGERED at 64 T1."""
    LINGER_T4 = auto()


Table = Mapping[tuple[State, Event], tuple[State, tuple[Do, ...]]]
"""State and event to the next state and what to do on the way; a pair that is missing is ignored."""

# Section 17.1.1 with the Accepted state of RFC 6026: every 2xx goes up, its ACK is the dialog's affair.
INVITE_CLIENT: Final[Table] = {
    (State.CALLING, Event.RETRANSMIT): (State.CALLING, (Do.RESEND, Do.BACK_OFF)),
    (State.CALLING, Event.TIMEOUT): (State.TERMINATED, (Do.REPORT,)),
    (State.CALLING, Event.BROKEN): (State.TERMINATED, (Do.REPORT,)),
    (State.CALLING, Event.PROVISIONAL): (State.PROCEEDING, (Do.QUIET, Do.DELIVER)),
    (State.CALLING, Event.SUCCESS): (State.ACCEPTED, (Do.QUIET, Do.LINGER_64T1, Do.DELIVER)),
    (State.CALLING, Event.FAILURE): (State.COMPLETED, (Do.QUIET, Do.LINGER_64T1, Do.SEND_ACK, Do.DELIVER)),
    (State.PROCEEDING, Event.PROVISIONAL): (State.PROCEEDING, (Do.DELIVER,)),
    (State.PROCEEDING, Event.SUCCESS): (State.ACCEPTED, (Do.QUIET, Do.LINGER_64T1, Do.DELIVER)),
    (State.PROCEEDING, Event.FAILURE): (State.COMPLETED, (Do.QUIET, Do.LINGER_64T1, Do.SEND_ACK, Do.DELIVER)),
    (State.PROCEEDING, Event.TIMEOUT): (State.TERMINATED, (Do.REPORT,)),  # only after a CANCEL, section 9.1
    (State.COMPLETED, Event.FAILURE): (State.COMPLETED, (Do.SEND_ACK,)),
    (State.COMPLETED, Event.LINGERED): (State.TERMINATED, ()),
    (State.ACCEPTED, Event.SUCCESS): (State.ACCEPTED, (Do.DELIVER,)),
    (State.ACCEPTED, Event.LINGERED): (State.TERMINATED, ()),
}

# Section 17.1.2.
CLIENT: Final[Table] = {
    (State.TRYING, Event.RETRANSMIT): (State.TRYING, (Do.RESEND, Do.BACK_OFF)),
    (State.TRYING, Event.TIMEOUT): (State.TERMINATED, (Do.REPORT,)),
    (State.TRYING, Event.BROKEN): (State.TERMINATED, (Do.REPORT,)),
    (State.TRYING, Event.PROVISIONAL): (State.PROCEEDING, (Do.SLOW, Do.DELIVER)),
    (State.TRYING, Event.SUCCESS): (State.COMPLETED, (Do.QUIET, Do.LINGER_T4, Do.DELIVER)),
    (State.TRYING, Event.FAILURE): (State.COMPLETED, (Do.QUIET, Do.LINGER_T4, Do.DELIVER)),
    (State.PROCEEDING, Event.RETRANSMIT): (State.PROCEEDING, (Do.RESEND, Do.SLOW)),
    (State.PROCEEDING, Event.TIMEOUT): (State.TERMINATED, (Do.REPORT,)),
    (State.PROCEEDING, Event.BROKEN): (State.TERMINATED, (Do.REPORT,)),
    (State.PROCEEDING, Event.PROVISIONAL): (State.PROCEEDING, (Do.DELIVER,)),
    (State.PROCEEDING, Event.SUCCESS): (State.COMPLETED, (Do.QUIET, Do.LINGER_T4, Do.DELIVER)),
    (State.PROCEEDING, Event.FAILURE): (State.COMPLETED, (Do.QUIET, Do.LINGER_T4, Do.DELIVER)),
    (State.COMPLETED, Event.LINGERED): (State.TERMINATED, ()),
}

# Section 17.2.1 with RFC 6026; here PROVISIONAL, SUCCESS and FAILURE are what our user answers. The
# retransmission of a 2xx is the user's affair.
INVITE_SERVER: Final[Table] = {
    (State.PROCEEDING, Event.REQUEST): (State.PROCEEDING, (Do.RESEND,)),
    (State.PROCEEDING, Event.PROVISIONAL): (State.PROCEEDING, (Do.SEND,)),
    (State.PROCEEDING, Event.SUCCESS): (State.ACCEPTED, (Do.SEND, Do.LINGER_64T1)),
    (State.PROCEEDING, Event.FAILURE): (State.COMPLETED, (Do.SEND, Do.BACK_OFF, Do.GIVE_UP_LATER)),
    (State.PROCEEDING, Event.BROKEN): (State.TERMINATED, (Do.REPORT,)),
    (State.COMPLETED, Event.REQUEST): (State.COMPLETED, (Do.RESEND,)),
    (State.COMPLETED, Event.RETRANSMIT): (State.COMPLETED, (Do.RESEND, Do.BACK_OFF)),
    (State.COMPLETED, Event.ACK): (State.CONFIRMED, (Do.QUIET, Do.LINGER_T4)),
    (State.COMPLETED, Event.TIMEOUT): (State.TERMINATED, (Do.REPORT,)),
    (State.CONFIRMED, Event.LINGERED): (State.TERMINATED, ()),
    (State.ACCEPTED, Event.SUCCESS): (State.ACCEPTED, (Do.SEND,)),
    (State.ACCEPTED, Event.ACK): (State.ACCEPTED, (Do.DELIVER,)),
    (State.ACCEPTED, Event.LINGERED): (State.TERMINATED, ()),
}

# Section 17.2.2.
SERVER: Final[Table] = {
    (State.TRYING, Event.PROVISIONAL): (State.PROCEEDING, (Do.SEND,)),
    (State.TRYING, Event.SUCCESS): (State.COMPLETED, (Do.SEND, Do.LINGER_64T1)),
    (State.TRYING, Event.FAILURE): (State.COMPLETED, (Do.SEND, Do.LINGER_64T1)),
    (State.PROCEEDING, Event.REQUEST): (State.PROCEEDING, (Do.RESEND,)),
    (State.PROCEEDING, Event.PROVISIONAL): (State.PROCEEDING, (Do.SEND,)),
    (State.PROCEEDING, Event.SUCCESS): (State.COMPLETED, (Do.SEND, Do.LINGER_64T1)),
    (State.PROCEEDING, Event.FAILURE): (State.COMPLETED, (Do.SEND, Do.LINGER_64T1)),
    (State.COMPLETED, Event.REQUEST): (State.COMPLETED, (Do.RESEND,)),
    (State.COMPLETED, Event.LINGERED): (State.TERMINATED, ()),
}


def response_event(status: int) -> Event:
    if status < 200:
        return Event.PROVISIONAL
    return Event.SUCCESS if status < 300 else Event.FAILURE


class Transaction:
    """A table at work: the state, the timers, and the last message sent."""

    def __init__(
        self,
        table: Table,
        state: State,
        wire: Wire,
        timers: Timers,
        timing: Timing,
        ended: Callable[[], None],
    ) -> None:
        self.state = state
        self._table = table
        self._wire = wire
        self._timers = timers
        self._timing = timing
        self._ended = ended
        self._running: dict[Event, Timer] = {}
        self._interval = timing.t1
        self._in_time: Callable[[], bool] = always
        self._last: tuple[bytes, Hop] | None = None
        self._reliable = False
        """Whether the transport repeats what is lost: then we do not, and nothing straggles."""

    def fire(self, event: Event, message: Request | Response | None = None) -> None:
        """Let an event happen; a pair of state and event that the table lacks is ignored."""
        row = self._table.get((self.state, event))
        if row is None:
            return
        self.state, actions = row
        if self.state is State.TERMINATED:
            self._cancel_timers()
            self._ended()
        for action in actions:
            self._act(action, event, message)

    def _act(self, action: Do, event: Event, message: Request | Response | None) -> None:
        timing = self._timing
        match action:
            case Do.SEND | Do.SEND_ACK | Do.DELIVER:
                assert message is not None
                self._handle(action, message)
            case Do.REPORT:
                self._report(event)
            case Do.RESEND:
                self._resend()
            case Do.QUIET:
                self._cancel_timers()
            case Do.BACK_OFF:
                self._back_off()
            case Do.SLOW:
                if not self._reliable:
                    self._set(Event.RETRANSMIT, timing.t2)
            case Do.GIVE_UP_LATER:
                self._set(Event.TIMEOUT, 64 * timing.t1)
            case Do.LINGER_64T1:
                # The Accepted state waits for other forks' answers and for ACKs, over any transport (RFC 6026).
                stragglers = not self._reliable or self.state is State.ACCEPTED
                self._set(Event.LINGERED, 64 * timing.t1 if stragglers else 0)
            case Do.LINGER_T4:
                self._set(Event.LINGERED, 0 if self._reliable else timing.t4)

    def _handle(self, action: Do, message: Request | Response) -> None:
        raise NotImplementedError

    def _report(self, event: Event) -> None:
        raise NotImplementedError

    def _send(self, data: bytes, to: Hop) -> None:
        self._last = data, to
        self._reliable = to.transport.reliable
        self._resend()

    def _resend(self) -> None:
        if self._last is not None:
            self._wire.send(*self._last, failed=self._unsent, in_time=self._in_time)

    def _unsent(self) -> None:
        self.fire(Event.BROKEN if self._in_time() else Event.TIMEOUT)

    def _back_off(self) -> None:
        if self._reliable:
            return
        self._set(Event.RETRANSMIT, self._interval)
        doubled = self._interval * 2
        self._interval = doubled if self._table is INVITE_CLIENT else min(doubled, self._timing.t2)

    def _set(self, event: Event, delay: float) -> None:
        if event in self._running:
            self._running[event].cancel()
        self._running[event] = self._timers.call_later(delay, lambda: self.fire(event))

    def _cancel_timers(self) -> None:
        for timer in self._running.values():
            timer.cancel()
        self._running.clear()
