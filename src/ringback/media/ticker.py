"""The heartbeat of a process's calls: a tick every 20 ms for each, spread over phases of 10 ms."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from operator import methodcaller
from typing import Final, Protocol

from ringback.clock import Clock, SystemClock
from ringback.media.frame import FRAME_MS

TICK_S: Final = FRAME_MS / 1000

PHASES: Final = 2
"""Groups of calls that tick one after the other within the 20 ms: whatever else waits for the event loop then waits
for a part of the calls only. More of them would cost the voice detector more than they give: its batches shrink (100
calls measured: 16 % of a core in one phase, 19 % in two, 23 % in four)."""

_CATCH_UP: Final = 5
"""Ticks made up for after a stall: a burst that the far end can take. Older ones are skipped."""
_WINDOW_S: Final = 60.0
_NAP_S: Final = 0.5
"""Without members the ticker sleeps, and looks so often whether the process still has time."""
_PUNCTUAL_S: Final = 0.005
_WATCHFUL_S: Final = 5.0
"""It sleeps only after so long without members in which all was punctual: whoever takes calls by its lateness goes on
learning of it on a machine that is short of time."""
_COMPLAIN_S: Final = 10.0
"""Stalls are logged no more often: a process that is short of time must not spend it on its log."""

_tick: Final = methodcaller("tick")
_settle: Final = methodcaller("settle")

_log = logging.getLogger(__name__)


class Member(Protocol):
    """What ticks: one call's audio."""

    def tick(self) -> None:
        """20 ms have passed. Must not block."""
        ...

    def settle(self) -> None:
        """What runs after a tick has run after this one (the voice detector). Must not block."""
        ...

    def skip(self, ticks: int) -> None:
        """So many ticks will never take place, though their time has passed: the process stood still."""
        ...

    def failed(self, error: Exception) -> None:
        """One of the above raised, and the member was removed."""
        ...


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late ticks began, of each tick its latest phase; and what never took place since the start.

    Ticks that the ticker slept through count as punctual, but for the one after which it woke up late by itself.
    """

    p50_ms: float
    p99_ms: float
    max_ms: float
    ticks: int
    skipped: int


class Ticker:
    """Calls every member once per 20 ms on an absolute schedule, and sleeps while it has none.

    Members share `phases` phases evenly. After those of a phase the `after` callbacks run once, then the members
    settle. Not thread-safe.
    """

    def __init__(self, clock: Clock | None = None, phases: int = PHASES) -> None:
        self._clock = clock or SystemClock()
        self._phases: list[dict[Member, None]] = [{} for _ in range(phases)]
        self._after: list[Callable[[], None]] = []
        self._broken: set[Callable[[], None]] = set()
        self._late_s: deque[float] = deque(maxlen=int(_WINDOW_S / TICK_S))
        self._noted = -1
        """The tick whose lateness was noted last."""
        self._ticks = 0
        self._skipped = 0
        self._unsaid = 0
        """Ticks skipped since the last line of the log that spoke of them."""
        self._complained: float | None = None
        self._stopped = False
        self._apart = TICK_S / phases
        self._start = self._watchful_until = 0.0
        self._napping: asyncio.Future[None] | None = None
        self._woken = 0.0
        """The moment from which the next tick is reckoned: when a member joined, not when the process noticed."""

    def add(self, member: Member) -> None:
        """The member's first tick follows within 20 ms; 30, if it is the first of its phase and others tick already.
        Members compare by identity."""
        min(self._phases, key=len)[member] = None
        self._wake()

    def remove(self, member: Member) -> None:
        """No tick follows, not even a running one. Idempotent."""
        for phase in self._phases:
            phase.pop(member, None)

    def after(self, callback: Callable[[], None]) -> None:
        """Run `callback` at the end of every phase (the batched voice detector). One that raises stays."""
        self._after.append(callback)

    def lateness(self, window_s: float = _WINDOW_S) -> Lateness:
        """Of so many of the last seconds, at most a minute."""
        window = islice(reversed(self._late_s), round(window_s / TICK_S))
        late_ms = sorted(late * 1000 for late in window) or [0.0]
        return Lateness(
            p50_ms=late_ms[len(late_ms) // 2],
            p99_ms=late_ms[len(late_ms) * 99 // 100],
            max_ms=late_ms[-1],
            ticks=self._ticks,
            skipped=self._skipped,
        )

    async def run(self) -> None:
        """Tick until `stop`."""
        self._start = self._watchful_until = self._clock.monotonic() + TICK_S
        beat = 0
        while not self._stopped:
            number = beat % len(self._phases)
            # The first phase ticks also without members: somebody may be waiting for what it says of lateness.
            if number == 0 or self._phases[number]:
                due = self._start + beat * self._apart
                # Also when behind: incoming packets get their turn between the ticks that are made up for.
                await self._clock.sleep(max(0.0, due - self._clock.monotonic()))
                late = max(0.0, self._clock.monotonic() - due)
                self._note(beat // len(self._phases), late)
                if late > (_CATCH_UP + 1) * TICK_S:
                    ticks = int(late / TICK_S) - _CATCH_UP
                    beat += ticks * len(self._phases)
                    self._skip(ticks)
                self._tick(self._phases[number])
                if late > _PUNCTUAL_S or any(self._phases):
                    self._watchful_until = due + _WATCHFUL_S
            beat = await self._rested(beat + 1)

    def stop(self) -> None:
        self._stopped = True
        self._wake()

    async def _rested(self, beat: int) -> int:
        """Sleep as long as there is no need for ticks; the next one then."""
        while not (any(self._phases) or self._stopped) and self._clock.monotonic() > self._watchful_until:
            if await self._nap() > _PUNCTUAL_S:
                self._watchful_until = self._woken + _WATCHFUL_S
            beat = max(beat, math.ceil((self._woken - self._start) / self._apart))
        return beat

    async def _nap(self) -> float:
        """Until a member joins or it is stopped, for a while at most; by how much it took longer."""
        since = self._clock.monotonic()
        self._napping = nap = asyncio.ensure_future(self._clock.sleep(_NAP_S))
        try:
            await asyncio.wait([nap])
        finally:
            self._napping = None
            nap.cancel()
        if not nap.cancelled():
            self._woken = self._clock.monotonic()
        slept = self._woken - since
        late = max(0.0, slept - _NAP_S)
        self._late_s.extend([0.0] * int(min(slept, _WINDOW_S) / TICK_S))
        if late:
            self._late_s[-1] = late
        return late

    def _wake(self) -> None:
        if self._napping is not None and not self._napping.done():
            self._woken = self._clock.monotonic()
            self._napping.cancel()

    def _note(self, tick: int, late: float) -> None:
        if tick != self._noted:
            self._noted = tick
            self._ticks += 1
            self._late_s.append(late)
        else:
            self._late_s[-1] = max(self._late_s[-1], late)

    def _skip(self, ticks: int) -> None:
        self._skipped += ticks
        self._unsaid += ticks
        now = self._clock.monotonic()
        if self._complained is None or now - self._complained >= _COMPLAIN_S:
            _log.warning("audio stood still: %d ms skipped", self._unsaid * FRAME_MS)
            self._complained, self._unsaid = now, 0
        for phase in self._phases:
            self._each(phase, methodcaller("skip", ticks))

    def _tick(self, phase: dict[Member, None]) -> None:
        self._each(phase, _tick)
        for callback in self._after:
            try:
                callback()
                self._broken.discard(callback)
            except Exception as error:
                if callback not in self._broken:
                    self._broken.add(callback)
                    _log.error("a callback after the tick fails: %r", error)
        self._each(phase, _settle)

    def _each(self, phase: dict[Member, None], act: Callable[[Member], None]) -> None:
        for member in tuple(phase):
            if member in phase:
                try:
                    act(member)
                except Exception as error:
                    self._expel(member, error)

    def _expel(self, member: Member, error: Exception) -> None:
        _log.error("a call's audio failed and was taken off the ticker: %r", error)
        self.remove(member)
        try:
            member.failed(error)
        except Exception as second:
            _log.error("and could not be told so: %r", second)
