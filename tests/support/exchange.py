"""A queue and a dialler around a real database, with whatever carrier a test gives them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ringback.aftercall.stage import Stage
from ringback.calls.call import Attempted, LiveCall, Talk, Talker
from ringback.clock import SystemClock
from ringback.dialing.call import Line
from ringback.dialing.claims import LEASE_S, Claims
from ringback.dialing.dialler import Dialler
from ringback.dialing.limits import Defaults
from ringback.dialing.queue import CallQueue, NewCall
from ringback.dialing.reaper import Reaper
from ringback.dialing.taking import Taking
from ringback.executions.lifecycle import TERMINAL, Status
from ringback.executions.record import Execution, UsageKind, UsageLine
from ringback.media.leg import Carrier, Ended
from ringback.store.database import Database
from ringback.store.wakeup import Wakeup, open_wakeup
from tests.support.after_call import pipeline
from tests.support.ledgers import Books, open_books

TIMEOUT_S = 15


class Listener:
    """Talks until the leg ends, as a talker must."""

    async def talk(self, call: LiveCall) -> Talk:
        while not isinstance(event := await call.leg.next_event(), Ended):
            pass
        usage = [UsageLine(UsageKind.TRANSCRIBER, "ears", "", "ms", 1000, 125)]
        return Talk(event, conversation_ms=1234, extracted={"slot": 1}, usage=usage)


async def listener(execution: Execution) -> Talker:
    return Listener()


@dataclass
class Exchange:
    """A queue, a dialler and a simulated carrier around one database."""

    books: Books
    queue: CallQueue
    wakeup: Wakeup
    folder: Path
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    defaults: Defaults = field(default_factory=Defaults)

    @asynccontextmanager
    async def open(
        self,
        carrier: Carrier,
        prepare: Callable[[Execution], Awaitable[Talker]] = listener,
        capacity: int = 10,
        ring_timeout_s: float = 30,
        drain_s: float = TIMEOUT_S,
        worker: str = "worker",
        admits: Callable[[], bool] = lambda: True,
        stages: Sequence[Stage] = (),
        lease_s: float = LEASE_S,
    ) -> AsyncIterator[None]:
        clock, store = SystemClock(), (self.books.db, self.books.ledger)
        after = pipeline(*store, self.folder, *stages)

        async def after_call(claim: Attempted) -> None:
            await after.complete(claim.account_id, claim.execution_id, claim.number, worker)

        line = Line(
            claims=Claims(*store, clock, worker, lease_s, defaults=self.defaults),
            taking=Taking(*store, clock, worker, defaults=self.defaults),
            reaper=Reaper(*store, clock, worker, lease_s=lease_s, wakeup=self.wakeup),
            ledger=self.books.ledger,
            carrier=carrier,
            clock=clock,
            prepare=prepare,
            after_call=after_call,
            ring_timeout_s=ring_timeout_s,
        )
        dialler = Dialler(line, self.wakeup, capacity=capacity, drain_s=drain_s, admits=admits)
        running = asyncio.create_task(dialler.run(self.stopping))
        try:
            yield
        finally:
            self.stopping.set()
            await asyncio.wait_for(running, TIMEOUT_S)

    async def place(self, to: str = "+14155550123") -> str:
        return await self.queue.place(NewCall(self.books.account_id, self.books.agent_id, to, None))

    async def until(self, execution_id: str, *wanted: Status) -> dict[str, Any]:
        """The record once it has one of the statuses. It is written by this process: a look is cheap."""
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                execution = await self.books.ledger.get(self.books.account_id, execution_id)
                if execution.status in wanted:
                    return await self.books.body(execution)
                await asyncio.sleep(0.01)

    async def over(self, execution_id: str) -> dict[str, Any]:
        return await self.until(execution_id, *TERMINAL)

    async def statuses(self, execution_id: str) -> list[str]:
        rows = await self.books.listing.log(self.books.account_id, execution_id)
        moved = [row.data.rpartition("-> ")[2].partition(":")[0] for row in rows if row.component == "system"]
        return [word for word in moved if word in set(Status)]


@asynccontextmanager
async def open_exchange(database: Database, folder: Path) -> AsyncIterator[Exchange]:
    books = await open_books(database)
    wakeup = await open_wakeup(database, folder)
    queue = CallQueue(database, books.ledger, wakeup, provider="sip-trunk", from_numbers=["+14155550100"])
    yield Exchange(books, queue, wakeup, folder)
    await wakeup.close()
