"""Session timers (RFC 4028): who asks in a call whether the other side is still there, how often, and until when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Self

from ringback.telephony.sip.message import Request, Response
from ringback.telephony.sip.params import SipSyntaxError, find_param, split_params
from ringback.telephony.sip.transaction import Timer, Timers

USUAL_S: Final = 1800
"""What we propose, and RFC 4028 section 4 recommends."""
MIN_S: Final = 90
"""The least that we take, and the RFC allows."""
_MAX_S: Final = 7 * 86_400
_AGAIN_S: Final = 10.0
_SOONEST_S: Final = 4
"""A peer that answers with less is not asked more often than this allows."""

Role = Literal["uac", "uas"]
"""Who refreshes: the sender of the request that agreed on it, or its receiver."""


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """The value of a Session-Expires header field."""

    seconds: int
    refresher: Role | None = None

    @classmethod
    def of(cls, message: Request | Response) -> Self | None:
        """The message's, None without a legible one."""
        seconds, _, params = (message.headers.get("Session-Expires") or "").partition(";")
        number = _number(seconds)
        try:
            role = (find_param(split_params(params), "refresher") or "").lower()
        except SipSyntaxError:
            return None
        if number is None:
            return None
        return cls(number, "uac" if role == "uac" else "uas" if role == "uas" else None)

    def __str__(self) -> str:
        return f"{self.seconds};refresher={self.refresher}" if self.refresher else str(self.seconds)


@dataclass(slots=True)
class Proposal:
    """What our requests propose."""

    seconds: int = USUAL_S
    min_s: int | None = None
    """What the peers on the way have asked for at least."""

    def write(self, request: Request, refresher: Role | None = None) -> None:
        request.headers.add("Session-Expires", str(SessionExpires(self.seconds, refresher)))
        if self.min_s is not None:
            request.headers.add("Min-SE", str(self.min_s))

    def raised_by(self, response: Response) -> bool:
        """Take the least that a 422 demands; False where trying again would be the same."""
        demanded = _number(response.headers.get("Min-SE") or "")
        if response.status != 422 or demanded is None or demanded <= (self.min_s or 0):
            return False
        self.min_s = demanded
        self.seconds = max(self.seconds, demanded)
        return True


def too_brief(request: Request) -> bool:
    """Whether a peer that could take a 422 wants a shorter session than we do (section 9)."""
    wanted = SessionExpires.of(request)
    return wanted is not None and wanted.seconds < MIN_S and _knows_timers(request)


class SessionTimer:
    """The timer of one call; `refresh` and `expire` are called when it is time to."""

    def __init__(
        self, timers: Timers, proposal: Proposal, refresh: Callable[[], None], expire: Callable[[], None]
    ) -> None:
        self.ours = False
        """Whether we are the one that refreshes."""
        self._proposal = proposal
        self._timers = timers
        self._refresh = refresh
        self._expire = expire
        self._running: tuple[Timer, ...] = ()

    def ask(self, request: Request) -> None:
        """Write our proposal on a request in the dialog."""
        self._proposal.write(request, "uac" if self.ours else "uas" if self._running else None)

    def answered(self, response: Response) -> None:
        """A 2xx to a request with our proposal: what it says holds (section 7.2)."""
        agreed = SessionExpires.of(response)
        if agreed is None:
            self.stop()
        else:
            self._proposal.seconds = max(agreed.seconds, self._proposal.min_s or MIN_S)
            self._run(agreed.seconds, ours=agreed.refresher != "uas")

    def answer(self, request: Request, response: Response) -> None:
        """Agree to what a peer's request proposes, in our 2xx (section 9)."""
        wanted = SessionExpires.of(request)
        if wanted is None:
            self.stop()
            return
        refresher: Role = wanted.refresher or "uac"
        if _knows_timers(request):
            if refresher == "uac":
                response.headers.add("Require", "timer")
        else:
            refresher = "uas"  # a proxy asks for it: the peer itself would not do it
        self._proposal.seconds = seconds = max(wanted.seconds, MIN_S)
        response.headers.add("Session-Expires", str(SessionExpires(seconds, refresher)))
        self._run(seconds, ours=refresher == "uas")

    def postpone(self) -> None:
        """A refresh was refused, or is not possible now: try again soon, until the session expires."""
        self._refresh_in(_AGAIN_S)

    def stop(self) -> None:
        for timer in self._running:
            timer.cancel()
        self._running = ()

    def _run(self, seconds: int, ours: bool) -> None:
        self.stop()
        self.ours = ours
        seconds = max(seconds, _SOONEST_S)
        # Section 10: whoever does not hear in time ends the call a little before the other side forgets it.
        self._running = (self._timers.call_later(seconds - min(32.0, seconds / 3), self._expire),)
        if ours:
            self._refresh_in(seconds / 2)

    def _refresh_in(self, delay_s: float) -> None:
        if self._running:
            self._running = (self._running[0], self._timers.call_later(delay_s, self._refresh))


def _number(text: str) -> int | None:
    text = text.partition(";")[0].strip()
    plausible = text.isascii() and text.isdigit() and len(text) <= 9
    return min(int(text), _MAX_S) if plausible else None


def _knows_timers(request: Request) -> bool:
    return "timer" in (tag.lower() for tag in request.headers.all("Supported"))
