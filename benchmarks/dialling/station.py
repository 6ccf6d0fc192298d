"""A fresh database with an account, a sink, and workers between `working` and its end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.crash.clients import AGENT, open_account, unfinished
from benchmarks.crash.worker import FROM, PROVIDER, PUBLIC_URL, Post
from benchmarks.crash.workforce import Workforce
from benchmarks.ledger.stores import Store
from ringback.clock import Clock, SystemClock
from ringback.dialing.queue import CallQueue, NewCall
from ringback.executions.ledger import Ledger
from ringback.executions.record import NewExecution
from ringback.store.database import Database, Row, open_database
from ringback.store.migrate import upgrade
from ringback.store.wakeup import Wakeup, open_wakeup
from tests.support.dial_sink import DialSink, dial_sink

_GROUP = 200
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Station:
    db: Database
    clock: Clock
    wakeup: Wakeup
    queue: CallQueue
    ledger: Ledger
    account_id: str
    sink: DialSink
    post: Post

    async def place(self, number: str) -> str:
        return await self.queue.place(NewCall(self.account_id, AGENT, number, None))

    async def fill(self, count: int, digit: str = "0") -> None:
        """So many calls that are due, in a few transactions, and nobody woken; `digit` ends the numbers."""
        for first in range(0, count, _GROUP):
            async with self.db.transaction() as tx:
                for number in range(first, min(count, first + _GROUP)):
                    to = f"+1415{number:06d}{digit}"
                    new = NewExecution(self.account_id, AGENT, to, FROM, PROVIDER)
                    await self.ledger.create(new, tx=tx)

    @asynccontextmanager
    async def working(self, workers: int, **changes: Any) -> AsyncIterator[Workforce]:
        workforce = await asyncio.to_thread(Workforce, workers, replace(self.post, **changes))
        try:
            yield workforce
        finally:
            await asyncio.to_thread(workforce.end)

    async def over(self, timeout_s: float) -> None:
        """Until no call is under way. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while await unfinished(self.db):
            if time.monotonic() > deadline:
                raise TimeoutError(f"calls are still under way after {timeout_s:.0f} s")
            await asyncio.sleep(_LOOK_S)

    async def attempts(self) -> list[Row]:
        return await self.db.fetch_all(
            "SELECT execution_id, call_id, dialled_at, dial_at, ended_at FROM attempts ORDER BY dialled_at"
        )

    def claimed(self) -> dict[str, int]:
        """When the claim of each execution began, of workers with `stamps`."""
        lines = [
            json.loads(line)
            for path in self.post.folder.glob("claims-*.jsonl")
            for line in path.read_text().splitlines()
        ]
        return {line["execution_id"]: line["at"] for line in lines}


@asynccontextmanager
async def station(store: Store, name: str, folder: Path, *, account: bool = True) -> AsyncIterator[Station]:
    """Under the name, which may be used again: what was left of it is dropped first. Without `account` its id is ''."""
    where = folder / store.name / name
    where.mkdir(parents=True, exist_ok=True)
    for path in where.glob("*.jsonl"):
        path.unlink()
    database = f"dialling_{name}"
    await asyncio.to_thread(_made, store, database)
    url = store.url(database)
    await upgrade(url)
    db = await open_database(url)
    wakeup, clock = await open_wakeup(db, where), SystemClock()
    try:
        account_id = await open_account(db) if account else ""
        ledger = Ledger(db, clock, PUBLIC_URL)
        queue = CallQueue(db, ledger, wakeup, provider=PROVIDER, from_numbers=[FROM])
        with dial_sink(where) as sink:
            post = Post(url, where, sink.port, capacity=20)
            yield Station(db, clock, wakeup, queue, ledger, account_id, sink, post)
    finally:
        await wakeup.close()
        await db.close()
        await asyncio.to_thread(store.drop, database)


def _made(store: Store, database: str) -> None:
    if database in store.databases():
        store.drop(database)
    store.create(database)
