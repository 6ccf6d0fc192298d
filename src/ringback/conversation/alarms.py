"""The core's timers on the event loop: one handle each, no tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ringback.clock import Clock
from ringback.conversation.events import Event, Timer, TimerFired


class Alarms:
    def __init__(self, clock: Clock, post: Callable[[Event], None]) -> None:
        self._clock = clock
        self._post = post
        self._handles: dict[Timer, asyncio.TimerHandle] = {}

    def set(self, timer: Timer, at: float) -> None:
        """Post TimerFired at `at`, seconds of the clock; one that is set is moved."""
        self.cancel(timer)
        wait = max(0.0, at - self._clock.monotonic())
        self._handles[timer] = asyncio.get_running_loop().call_later(wait, self._ring, timer, at)

    def cancel(self, timer: Timer) -> None:
        handle = self._handles.pop(timer, None)
        if handle is not None:
            handle.cancel()

    def close(self) -> None:
        for timer in list(self._handles):
            self.cancel(timer)

    def _ring(self, timer: Timer, at: float) -> None:
        del self._handles[timer]
        # The loop may wake a hair early: the core takes no timer that is not due.
        if self._clock.monotonic() < at:
            self.set(timer, at)
        else:
            self._post(TimerFired(timer))
