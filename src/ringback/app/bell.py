"""From "there is something to do" in this process to a wake-up in all others, now and then instead of each time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ringback.clock import Clock
from ringback.store.wakeup import Wakeup

_APART_S: Final = 0.05
"""Also what a transaction has to end in, whose caller rang before its end."""


class Bell:
    """Costs nothing to ring."""

    def __init__(self, wakeup: Wakeup, clock: Clock, topic: str) -> None:
        self._wakeup = wakeup
        self._clock = clock
        self._topic = topic
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    @asynccontextmanager
    async def heard(self) -> AsyncIterator[None]:
        """Within the block."""
        task = asyncio.create_task(self._pass_on())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if self._rung.is_set():
                await self._wakeup.notify(self._topic)

    async def _pass_on(self) -> None:
        while True:
            await self._rung.wait()
            await self._clock.sleep(_APART_S)
            self._rung.clear()
            await self._wakeup.notify(self._topic)
