"""A worker's row in the table of workers, for whoever looks after the installation."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from ringback.clock import Clock
from ringback.store.database import Database, StoreError
from ringback.store.queries import workers

logger = logging.getLogger(__name__)

BEAT_S: Final = 5.0
GONE_S: Final = 600.0
"""A row that nobody has renewed for so long is removed by the next worker that starts or ends."""


@dataclass(frozen=True, slots=True)
class Presence:
    """One worker, and what it says of itself."""

    name: str
    number: int
    address: str | None
    """host:port of its SIP; None: it has no trunk."""
    capacity: int
    calls: Callable[[], int]
    lateness_ms: Callable[[], float]

    @asynccontextmanager
    async def shown(self, db: Database, clock: Clock, stopping: asyncio.Event) -> AsyncIterator[None]:
        """Be in the table within the block, as draining from the moment of `stopping` on.

        What the database refuses is tried again with the next beat: nobody's call depends on it.
        """
        await self._leave(db, clock, "")
        await self._beat(db, clock, stopping)
        beating = asyncio.create_task(self._keep(db, clock, stopping))
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await self._leave(db, clock, self.name)

    async def _keep(self, db: Database, clock: Clock, stopping: asyncio.Event) -> None:
        told = False
        while True:
            waits: list[asyncio.Task[object]] = [asyncio.create_task(clock.sleep(BEAT_S))]
            if not told:  # the stop, at once
                waits.append(asyncio.create_task(stopping.wait()))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waits:
                    task.cancel()
            told = stopping.is_set()
            await self._beat(db, clock, stopping)

    async def _beat(self, db: Database, clock: Clock, stopping: asyncio.Event) -> None:
        try:
            await workers.beat(
                db,
                name=self.name,
                machine=socket.gethostname(),
                number=self.number,
                pid=os.getpid(),
                address=self.address,
                capacity=self.capacity,
                calls=self.calls(),
                lateness_us=round(self.lateness_ms() * 1000),
                state="draining" if stopping.is_set() else "serving",
                now_us=clock.now_us(),
            )
        except StoreError as error:
            logger.error("the table of workers could not be written: %s", error)

    async def _leave(self, db: Database, clock: Clock, name: str) -> None:
        since = clock.now_us() - round(GONE_S * 1_000_000)
        try:
            await workers.remove(db, name=name, unseen_since_us=since)
        except StoreError as error:
            logger.error("the table of workers could not be written: %s", error)
