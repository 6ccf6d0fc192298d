"""Which of the core's timers are set."""

from __future__ import annotations

from collections.abc import Callable

from ringback.conversation.actions import Action, CancelTimer, SetTimer
from ringback.conversation.events import Timer


class Timers:
    """Setting one that is set moves it."""

    def __init__(self, do: Callable[[Action], None]) -> None:
        self._do = do
        self._due: dict[Timer, float] = {}

    def __contains__(self, timer: Timer) -> bool:
        return timer in self._due

    def set(self, timer: Timer, at: float) -> None:
        self._due[timer] = at
        self._do(SetTimer(timer, at))

    def cancel(self, timer: Timer) -> None:
        if self._due.pop(timer, None) is not None:
            self._do(CancelTimer(timer))

    def cancel_all(self) -> None:
        for timer in list(self._due):
            self.cancel(timer)

    def take(self, timer: Timer, now: float) -> bool:
        """Whether a timer that fires is really due; it may have been moved while its news was on the way."""
        if self._due.get(timer, now + 1) > now:
            return False
        del self._due[timer]
        return True
