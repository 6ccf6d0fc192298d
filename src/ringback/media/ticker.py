"""The heartbeat of a process's calls: one tick every 20 ms for all of them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from ringback.clock import Clock, SystemClock
from ringback.media.frame import FRAME_MS

TICK_S: Final = FRAME_MS / 1000

_CATCH_UP: Final = 5
"""Ticks made up for after a stall: a burst that the far end can take. Older ones are skipped."""
_WINDOW: Final = 3000
"""Ticks (one minute) that the lateness figures cover."""

_log = logging.getLogger(__name__)


class Member(Protocol):
    """What ticks: one call's audio."""

    def tick(self) -> None:
        """20 ms have passed. Must not block."""
        ...

    def skip(self, ticks: int) -> None:
        """So many ticks will never take place, though their time has passed: the process stood still."""
        ...

    def failed(self, error: Exception) -> None:
        """`tick` or `skip` raised, and the member was removed."""
        ...


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late ticks began over the last minute, and what never took place since the start."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    ticks: int
    skipped: int


class Ticker:
    """Calls every member once per 20 ms on an absolute schedule, then the `after` callbacks once."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._members: dict[Member, None] = {}
        self._after: list[Callable[[], None]] = []
        self._broken: set[Callable[[], None]] = set()
        self._late_s: deque[float] = deque(maxlen=_WINDOW)
        self._ticks = 0
        self._skipped = 0
        self._stopped = False

    def add(self, member: Member) -> None:
        """The member's first tick is the next one. Members compare by identity."""
        self._members[member] = None

    def remove(self, member: Member) -> None:
        """No tick follows, not even a running one. Idempotent."""
        self._members.pop(member, None)

    def after(self, callback: Callable[[], None]) -> None:
        """Run `callback` at the end of every tick (the batched voice detector). One that raises stays."""
        self._after.append(callback)

    def lateness(self) -> Lateness:
        late_ms = sorted(late * 1000 for late in self._late_s) or [0.0]
        return Lateness(
            p50_ms=late_ms[len(late_ms) // 2],
            p99_ms=late_ms[len(late_ms) * 99 // 100],
            max_ms=late_ms[-1],
            ticks=self._ticks,
            skipped=self._skipped,
        )

    async def run(self) -> None:
        """Tick until `stop`."""
        start = self._clock.monotonic()
        while not self._stopped:
            due = start + (self._ticks + self._skipped + 1) * TICK_S
            # Also when behind: incoming packets get their turn between the ticks that are made up for.
            await self._clock.sleep(max(0.0, due - self._clock.monotonic()))
            late = max(0.0, self._clock.monotonic() - due)
            if late > (_CATCH_UP + 1) * TICK_S:
                self._skip(int(late / TICK_S) - _CATCH_UP)
            self._late_s.append(late)
            self._ticks += 1
            self._tick()

    def stop(self) -> None:
        self._stopped = True

    def _skip(self, ticks: int) -> None:
        _log.warning("audio stood still: %d ms skipped", ticks * FRAME_MS)
        self._skipped += ticks
        for member in tuple(self._members):
            try:
                member.skip(ticks)
            except Exception as error:
                self._expel(member, error)

    def _tick(self) -> None:
        for member in tuple(self._members):
            if member not in self._members:
                continue
            try:
                member.tick()
            except Exception as error:
                self._expel(member, error)
        for callback in self._after:
            try:
                callback()
                self._broken.discard(callback)
            except Exception as error:
                if callback not in self._broken:
                    self._broken.add(callback)
                    _log.error("a callback after the tick fails: %r", error)

    def _expel(self, member: Member, error: Exception) -> None:
        _log.error("a call's audio failed and was taken off the ticker: %r", error)
        self.remove(member)
        try:
            member.failed(error)
        except Exception as second:
            _log.error("and could not be told so: %r", second)
