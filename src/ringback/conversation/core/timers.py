"""Which of the core's timers are set."""

from __future__ import annotations

from ringback.conversation.actions import CancelTimer, SetTimer
from ringback.conversation.core.outbox import Outbox
from ringback.conversation.events import Timer


class Timers:
    """Setting one that is set moves it."""

    def __init__(self, out: Outbox) -> None:
        self._out = out
        self._due: dict[Timer, float] = {}

    def set(self, timer: Timer, at: float) -> None:
        self._due[timer] = at
        self._out.do(SetTimer(timer, at))

    def cancel(self, timer: Timer) -> None:
        if self._due.pop(timer, None) is not None:
            self._out.do(CancelTimer(timer))

    def cancel_all(self) -> None:
        for timer in list(self._due):
            self.cancel(timer)

    def at(self, timer: Timer) -> float | None:
        """When it is due; None: it is not set."""
        return self._due.get(timer)

    def due(self, timer: Timer, before: float) -> bool:
        """Whether it is set, for a time before this one."""
        return self._due.get(timer, before) < before

    def take(self, timer: Timer, now: float) -> bool:
        """Whether a timer that fires is really due; it may have been moved while its news was on the way."""
        if self._due.get(timer, now + 1) > now:
            return False
        del self._due[timer]
        return True
