"""Clients of the queue while its workers die: they place calls, stop some, and remember what they were told."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.crash.worker import FROM, PROVIDER, PUBLIC_URL
from ringback.accounts.accounts import Accounts
from ringback.billing.wallet import Wallets
from ringback.clock import SystemClock
from ringback.dialing.queue import CallQueue, NewCall, NotStoppable
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import TERMINAL
from ringback.net.signing import new_secret
from ringback.store.database import Database, StoreError
from ringback.store.queries import agents, gates, webhook_endpoints
from ringback.store.wakeup import Wakeup

AGENT: Final = "agent"
_STATUSES: Final = ("busy", "no-answer", "failed", "error")
_STOPPED_SHARE: Final = 0.06
_LOOK_S: Final = 0.25


@dataclass(slots=True)
class Told:
    """What clients know for certain."""

    placed: list[str] = field(default_factory=list)
    stopped: dict[str, int] = field(default_factory=dict)
    """The moment, microseconds UTC, by which the answer was there."""


class Clients:
    """Seeded; everything else is up to who dies when."""

    def __init__(self, db: Database, wakeup: Wakeup, account_id: str, chance: random.Random) -> None:
        self.told = Told()
        self._db = db
        self._clock = SystemClock()
        self._account_id = account_id
        self._queue = CallQueue(
            db, Ledger(db, self._clock, PUBLIC_URL), wakeup, provider=PROVIDER, from_numbers=[FROM]
        )
        self._chance = chance
        self._count = 0
        self._stops: set[asyncio.Task[None]] = set()

    async def keep(self, backlog: int, until: asyncio.Event) -> None:
        """See to it that about so many calls are not over yet, until told to stop."""
        while not until.is_set():
            with contextlib.suppress(StoreError):
                for _ in range(backlog - await unfinished(self._db)):
                    await self._place()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), _LOOK_S)
        await asyncio.gather(*self._stops, return_exceptions=True)

    async def _place(self) -> None:
        self._count += 1
        number = f"+1415{self._count:06d}{self._chance.randrange(10)}"
        call = NewCall(self._account_id, AGENT, number, None, retry_config=self._retry_config())
        stopped_after_s = self._chance.uniform(0, 2)
        is_stopped = self._chance.random() < _STOPPED_SHARE
        execution_id = await self._queue.place(call)
        self.told.placed.append(execution_id)
        if is_stopped:
            task = asyncio.create_task(self._stop(execution_id, stopped_after_s))
            self._stops.add(task)
            task.add_done_callback(self._stops.discard)

    async def _stop(self, execution_id: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        with contextlib.suppress(NotStoppable, StoreError):
            await self._queue.stop(self._account_id, execution_id)
            self.told.stopped[execution_id] = self._clock.now_us()

    def _retry_config(self) -> dict[str, Any] | None:
        if self._chance.random() < 0.4:
            return None
        return {
            "enabled": True,
            "max_retries": self._chance.randint(1, 3),
            "retry_on_statuses": self._chance.sample(_STATUSES, self._chance.randint(1, 4)),
            "retry_on_voicemail": False,
            "retry_intervals_minutes": [0],
        }


async def unfinished(db: Database) -> int:
    """How many executions have no terminal status."""
    over = ", ".join(f"'{status}'" for status in sorted(TERMINAL))
    row = await db.fetch_one(f"SELECT COUNT(*) AS n FROM executions WHERE status NOT IN ({over})")
    assert row is not None
    count: int = row["n"]
    return count


async def open_account(
    db: Database,
    *,
    max_calls: int | None = None,
    interval_us: int | None = None,
    webhook_url: str | None = None,
    wallet: int | None = None,
) -> str:
    """An account with one agent, and limits of its own; its id. `wallet`: what it has, in 1e-4 cents, and no more."""
    clock = SystemClock()
    account = await Accounts(db, clock).create("the account")
    async with db.transaction() as tx:
        await agents.insert(
            tx,
            account_id=account.id,
            agent_id=AGENT,
            definition="{}",
            prompts="{}",
            status="processed",
            now_us=1,
            webhook_url=webhook_url,
        )
        await gates.set_limits(tx, account.id, "account", "", max_calls=max_calls, interval_us=interval_us)
        if webhook_url is not None:
            await webhook_endpoints.ensure(tx, account.id, webhook_url, secret=new_secret(), now_us=1)
    if wallet is not None:
        await Wallets(db, clock).top_up(account.id, wallet)
        await Wallets(db, clock).limit(account.id)
    return account.id
