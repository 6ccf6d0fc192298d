"""Notices that a call's audio has stopped coming."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ringback.telephony.sip.transaction import Timer, Timers

DEFAULT_TIMEOUT: Final = 30.0
HELD_TIMEOUT: Final = 600.0
"""Seconds that a call on hold may be silent, as most are."""
_LOOKS: Final = 10
"""How often it looks within the timeout: it may be late by one of them."""


class MediaWatch:
    """Counts the time without a packet from the peer. `lost` is called once, then it rests."""

    def __init__(
        self, timers: Timers, timeout_s: float, received: Callable[[], int], lost: Callable[[], None]
    ) -> None:
        """`timeout_s` 0: it never calls. `received` gives the packets so far."""
        self._held = False
        self._timers = timers
        self._timeout_s = timeout_s
        self._over = timeout_s <= 0
        self._received = received
        self._lost = lost
        self._seen = 0
        self._silent_s = 0.0
        self._timer: Timer | None = None

    def start(self) -> None:
        """From now on audio is expected. Idempotent."""
        if self._timer is None and not self._over:
            self._seen = self._received()
            self._wait()

    def hold(self, held: bool) -> None:
        """The peer holds the call, or resumes it: from then on the time counts anew."""
        if held != self._held:
            self._held = held
            self._silent_s = 0.0
            if self._timer is not None and not self._over:
                self._timer.cancel()
                self._wait()

    def stop(self) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        self._timer = self._timers.call_later(self._timeout_s / _LOOKS, self._look)

    def _look(self) -> None:
        received = self._received()
        self._silent_s = 0.0 if received != self._seen else self._silent_s + self._timeout_s / _LOOKS
        self._seen = received
        limit = max(HELD_TIMEOUT, self._timeout_s) if self._held else self._timeout_s
        # A hair under it counts: the looks are added up in floating point.
        if self._silent_s > limit - 1e-6:
            self._over = True
            self._lost()
        else:
            self._wait()
