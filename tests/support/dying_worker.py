"""A worker process that kills itself, as `kill -9` does, at the n-th moment of its work after a call."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from ringback.aftercall.pipeline import Pipeline
from ringback.aftercall.stage import FinishedCall, Outcome, Stage
from ringback.executions.ledger import Ledger
from ringback.executions.record import ExecutionChanges, UsageKind, UsageLine
from ringback.store.database import Database, Transaction, open_database
from tests.support.after_call import OWNER, pipeline
from tests.support.ledgers import PUBLIC_URL, TickingClock

_CONTEXT: Final = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.dying_worker"])
_END_S: Final = 60.0
_PR_SET_PDEATHSIG: Final = 1
_SLOW_US: Final = 1_000_000

Strike = Callable[[], None]
"""Another moment has come; it may be the last."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the process is to do, and the moment, counted from one, at which it dies."""

    url: str
    folder: Path
    account_id: str
    execution_id: str
    now_us: int
    dies_at: int


@dataclass
class Asked:
    """A stage in the place of one that asks a language model: slow, paid for, and always with the same answer."""

    clock: TickingClock
    name: str
    tries: int = 3

    async def run(self, call: FinishedCall) -> Outcome:
        self.clock.us += _SLOW_US
        found = {**(call.execution.extracted_data or {}), self.name: len(call.turns)}
        line = UsageLine(
            UsageKind.LLM, "simulated", self.name, "input_tokens", 100, 25, price=Decimal("0.000025"),
            purpose=self.name,
        )  # fmt: skip
        summary = f"{self.name} of {len(call.turns)} turns, after {sorted(call.results)}"
        return Outcome(found, ExecutionChanges(extracted_data=found, summary=summary), usage=[line])


def work_after(db: Database, clock: TickingClock, folder: Path, strike: Strike = lambda: None) -> Pipeline:
    """Two stages that are slow among those that are not."""
    ledger = Ledger(db, clock, PUBLIC_URL)
    asked = Asked(clock, "extraction"), Asked(clock, "dispositions")
    work = pipeline(db, ledger, folder, *asked)
    work._stages = [_Struck(stage, strike) for stage in work._stages]
    return work


def lives(order: Order) -> bool:
    """Let a process do it; False: it was killed."""
    process = _CONTEXT.Process(target=_work, args=(order,), daemon=True)
    process.start()
    process.join(_END_S)
    if process.exitcode not in (0, -signal.SIGKILL):
        raise AssertionError(f"the worker ended by itself: {process.exitcode}; its log is in {order.folder}")
    return process.exitcode == 0


def _work(order: Order) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    logging.basicConfig(filename=order.folder / "worker.log", level=logging.INFO, force=True)
    asyncio.run(_complete(order))


async def _complete(order: Order) -> None:
    moments = 0

    def strike() -> None:
        nonlocal moments
        moments += 1
        if moments == order.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    db = await open_database(order.url)
    work = work_after(DyingDatabase(db, strike), TickingClock(order.now_us), order.folder, strike)
    await work.complete(order.account_id, order.execution_id, 1, OWNER)
    await db.close()


@dataclass
class _Struck:
    """A stage before and behind which a moment comes."""

    stage: Stage
    strike: Strike

    @property
    def name(self) -> str:
        return self.stage.name

    @property
    def tries(self) -> int:
        return self.stage.tries

    async def run(self, call: FinishedCall) -> Outcome:
        self.strike()
        outcome = await self.stage.run(call)
        self.strike()
        return outcome


class DyingDatabase:
    """Implements `Database`: a moment comes before each statement that writes, before each COMMIT and behind it."""

    def __init__(self, db: Database, strike: Strike) -> None:
        self._db = db
        self._strike = strike
        self.url = db.url
        self.read = db.read
        self.fetch_one = db.fetch_one
        self.fetch_all = db.fetch_all
        self.close = db.close

    def transaction(self, *, durable: bool = True) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(durable)

    @asynccontextmanager
    async def _transaction(self, durable: bool) -> AsyncIterator[Transaction]:
        async with self._db.transaction(durable=durable) as tx:
            yield _Statements(tx, self._strike)
            self._strike()
        self._strike()


class _Statements:
    def __init__(self, tx: Transaction, strike: Strike) -> None:
        self._tx = tx
        self._strike = strike
        self.fetch_one = tx.fetch_one
        self.fetch_all = tx.fetch_all

    async def execute(self, sql: str, **params: object) -> int:
        self._strike()
        return await self._tx.execute(sql, **params)

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]]) -> None:
        self._strike()
        await self._tx.execute_many(sql, rows)

    async def insert_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        self._strike()
        await self._tx.insert_rows(table, columns, rows)
