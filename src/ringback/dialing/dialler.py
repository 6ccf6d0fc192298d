"""The worker's side of the queue: claims what it has room for and takes each call to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final

from ringback.dialing.call import Call, Line
from ringback.dialing.claims import Claim
from ringback.dialing.queue import CALLS
from ringback.executions.ledger import LeaseLost, UnknownExecution
from ringback.executions.lifecycle import IllegalTransition
from ringback.media.leg import HangupCause
from ringback.store.database import StoreError
from ringback.store.wakeup import Wakeup

logger = logging.getLogger(__name__)

_IDLE_S: Final = 30.0
"""Longest sleep without a wake-up: bounds what a lost notification can cost."""
_REFUSED_S: Final = 1.0
"""So long after it had no time for another call a worker looks again."""
_RENEW_S: Final = 5.0
_REAP_S: Final = 10.0
"""Both at most: with a short lease more often."""
_REPAIR_S: Final = 3600.0
_GATHER_S: Final = 0.02
"""So long a worker that was full lets calls end before it claims others in their place: all at once."""
_MOST_AFTER: Final = 4
"""So many times its capacity of calls a worker has under way at most, calls and the work after them together: language
models that are slow to answer keep nobody from dialling, until they are very slow."""
_AGAIN_US: Final = 1_000_000
"""So long after the database refused a claim a worker tries again."""

HANGUP_S: Final = 45.0
"""How long a call that was hung up may take to its record: SIP gives up after 32 s."""

_MOVED_ON: Final = (LeaseLost, IllegalTransition, UnknownExecution)
"""The call is not ours any more: stopped, deleted, or taken over after our lease ran out."""


class Dialler:
    """Runs the calls of one worker."""

    def __init__(
        self,
        line: Line,
        wakeup: Wakeup,
        *,
        capacity: int,
        drain_s: float,
        admits: Callable[[], bool] = lambda: True,
        others: Callable[[], int] = lambda: 0,
    ) -> None:
        """`drain_s`: how long calls may go on after the stop before they are hung up.

        `admits` is asked before calls are claimed. While it says no, they are left to other workers; only a
        worker without calls takes one then: it has none to harm, and somebody must dial. `others`: how many calls the
        worker holds that nobody dialled.
        """
        self._line = line
        self._wakeup = wakeup
        self._capacity = capacity
        self._admits = admits
        self._others = others
        self._refused = False
        self._drain_s = drain_s
        self._tasks: dict[Claim, asyncio.Task[None]] = {}
        """Work under way: calls, and the work after them, also after those of lost workers."""
        self._calls: dict[Claim, Call] = {}
        """Those that are not over."""
        self._room = asyncio.Event()
        self._next_look_us: int | None = None
        self._telling: asyncio.Task[None] | None = None

    @property
    def calls(self) -> int:
        """How many are not over."""
        return len(self._calls)

    def look(self) -> None:
        """There is room for another call."""
        self._room.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Claim and dial until `stopping`, then bring the calls that are under way to their end."""
        lease_s = self._line.claims.lease_s
        keepers = [
            asyncio.create_task(self._every(min(_RENEW_S, lease_s / 6), self._keep_leases)),
            asyncio.create_task(self._reap_again_and_again(min(_REAP_S, lease_s / 3))),
            asyncio.create_task(self._every(_REPAIR_S, self._line.taking.repair)),
        ]
        try:
            while not stopping.is_set():
                if not await self._claim_some(stopping):
                    await self._wait(stopping)
            logger.info("draining: %d calls to finish", len(self._tasks))
            await self._finish(self._drain_s)
            for call in tuple(self._calls.values()):
                await call.hang_up(HangupCause.CANCELED)
            await self._finish(HANGUP_S)
        finally:
            for task in (*keepers, *self._tasks.values()):
                task.cancel()
            await asyncio.gather(*keepers, *self._tasks.values(), return_exceptions=True)

    async def _finish(self, seconds: float) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=seconds)

    async def _claim_some(self, stopping: asyncio.Event) -> bool:
        """Start what is due and fits; whether there was any."""
        room = self._free_places()
        self._refused = room > 0 and not self._admits()
        if self._refused:
            room = 0 if self.calls or self._others() else 1
        if room <= 0:
            return False
        try:
            taken = await self._line.taking.take(room)
            self._next_look_us = taken.next_look_us
            if stopping.is_set():
                for claim in taken.claims:
                    await self._line.claims.release(claim)
                return False
        except StoreError as error:
            logger.error("cannot claim calls: %s", error)
            self._next_look_us = self._line.clock.now_us() + _AGAIN_US
            return False
        for claim in taken.claims:
            call = Call(claim, self._line, self._tell, partial(self._silent, claim))
            self._calls[claim] = call
            self._start(claim, call.run())
        return bool(taken.claims)

    def _free_places(self) -> int:
        most = self._capacity * (1 + _MOST_AFTER)
        return max(0, min(self._capacity - self.calls - self._others(), most - len(self._tasks)))

    def _silent(self, claim: Claim) -> None:
        """Its audio takes no time any more: there is room for another."""
        self._calls.pop(claim, None)
        self.look()

    def _tell(self) -> None:
        """Whoever is kept from dialling by a limit, or waits for the next call, looks again. Ends of one moment are one
        wake-up."""
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._wakeup.notify(CALLS))

    def _start(self, claim: Claim, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks[claim] = asyncio.create_task(self._guarded(claim, work))

        def forget(_: asyncio.Task[None]) -> None:
            self._tasks.pop(claim, None)
            self._calls.pop(claim, None)
            self.look()

        task.add_done_callback(forget)

    async def _guarded(self, claim: Claim, work: Coroutine[Any, Any, None]) -> None:
        """What is left unfinished here loses its lease and is closed by whoever reaps it."""
        try:
            await work
        except _MOVED_ON as reason:
            logger.warning("call %s is not ours any more: %s", claim.execution_id, reason)
        except StoreError as error:
            logger.error("the record of call %s could not be written: %s", claim.execution_id, error)
        except Exception:
            logger.exception("call %s failed", claim.execution_id)

    async def _wait(self, stopping: asyncio.Event) -> None:
        """Until the queue changed, the next call is due, a call ended, or we stop."""
        was_full = not self._free_places()
        self._room.clear()
        changed = asyncio.create_task(self._wakeup.wait(CALLS, self._idle_s()))
        waits = [changed, asyncio.create_task(self._room.wait()), asyncio.create_task(stopping.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        if self._calls and not changed.cancelled():
            with contextlib.suppress(StoreError):
                await self._cancel((await self._line.claims.held()).cancelled)
        if was_full:
            await self._line.clock.sleep(_GATHER_S)

    def _idle_s(self) -> float:
        """Never by the time of what is due and blocked: its turn comes with a wake-up."""
        if not self._free_places():
            return _IDLE_S
        if self._refused:
            return _REFUSED_S
        if self._next_look_us is None:
            return _IDLE_S
        return min(_IDLE_S, max(0.0, (self._next_look_us - self._line.clock.now_us()) / 1_000_000))

    # What goes on beside the calls.

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except StoreError as error:
                logger.error("%s", error)
            except Exception:
                logger.exception("work beside the calls failed; it is tried again")
            await self._line.clock.sleep(seconds)

    async def _reap_again_and_again(self, seconds: float) -> None:
        """Not at once: a worker that starts when writing is possible again would be there before the owners."""
        await self._line.clock.sleep(seconds)
        await self._every(seconds, self._reap)

    async def _keep_leases(self) -> None:
        # As of now: what is claimed while the database answers is not in the answer.
        calls = dict(self._calls)
        held = await self._line.claims.renew(tuple(self._tasks))
        for claim in calls.keys() - held.claims:
            if claim in self._calls:
                await calls[claim].hang_up(HangupCause.ERROR)
        await self._cancel(held.cancelled)

    async def _cancel(self, cancelled: frozenset[Claim]) -> None:
        for claim in cancelled & self._calls.keys():
            await self._calls[claim].hang_up(HangupCause.CANCELED)

    async def _reap(self) -> None:
        for orphan in await self._line.reaper.reap():
            logger.warning(
                "call %s was left by a lost worker; its record is completed here", orphan.execution_id
            )
            self._start(orphan, self._line.after_call(orphan))
