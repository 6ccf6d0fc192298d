"""A ledger on a real database, with an account and an agent, under a clock that ticks by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ringback.accounts.accounts import Accounts
from ringback.executions.filters import Filters
from ringback.executions.frames import Frame, decompress
from ringback.executions.history import History
from ringback.executions.ledger import Ledger
from ringback.executions.listing import Listing
from ringback.executions.record import Execution, NewExecution
from ringback.store.database import Database, Row
from ringback.store.queries import agents, execution_log

EVERYTHING = Filters()
PUBLIC_URL = "https://ringback.example"


class TickingClock:
    """Every look is a millisecond later."""

    def __init__(self, now_us: int = 1_795_493_045_000_000) -> None:
        self.us = now_us

    def now_us(self) -> int:
        self.us += 1000
        return self.us

    def monotonic(self) -> float:
        return self.us / 1_000_000

    async def sleep(self, seconds: float) -> None:
        self.us += round(seconds * 1_000_000)


@dataclass(frozen=True)
class Books:
    db: Database
    clock: TickingClock
    ledger: Ledger
    listing: Listing
    account_id: str
    agent_id: str

    async def create(self, **changes: Any) -> Execution:
        values: dict[str, Any] = {
            "account_id": self.account_id,
            "agent_id": self.agent_id,
            "to_number": "+14155550123",
            "from_number": "+14155550100",
            "provider": "sip-trunk",
        }
        return await self.ledger.create(NewExecution(**(values | changes)))

    async def body(self, execution: Execution) -> dict[str, Any]:
        """The object as it is served."""
        stored = await self.listing.by_id(execution.account_id, execution.id)
        assert stored is not None
        record: dict[str, Any] = json.loads(stored.body)
        return record

    async def log(self, execution: Execution) -> Sequence[Row]:
        """In time order."""
        return await execution_log.of_execution(self.db, execution.account_id, execution.id)

    async def list(self, agent_id: str | None = None) -> list[dict[str, Any]]:
        """The v1 list."""
        records: list[dict[str, Any]] = json.loads(await self.array(agent_id or self.agent_id))
        return records

    async def array(self, agent_id: str, filters: Filters = EVERYTHING) -> bytes:
        """The v1 list, as it is served."""
        chunks = History(self.db).v1_array(self.account_id, agent_id, filters)
        return b"".join([decompress(chunk) if isinstance(chunk, Frame) else chunk async for chunk in chunks])

    async def agent(self, agent_id: str) -> str:
        """One more agent."""
        await _insert_agent(self.db, self.account_id, agent_id)
        return agent_id


async def open_books(db: Database) -> Books:
    clock = TickingClock()
    account = await Accounts(db, clock).create("the account")
    await _insert_agent(db, account.id, "agent")
    return Books(db, clock, Ledger(db, clock, PUBLIC_URL), Listing(db), account.id, "agent")


async def everything(db: Database) -> dict[str, list[str]]:
    """All rows of the tables that a ledger writes, to compare before and after."""
    tables = ("accounts", "executions", "attempts", "turns", "execution_log", "usage_lines")
    return {
        table: sorted(repr(dict(row)) for row in await db.fetch_all(f"SELECT * FROM {table}"))
        for table in tables
    }


async def _insert_agent(db: Database, account_id: str, agent_id: str) -> None:
    async with db.transaction() as tx:
        await agents.insert(
            tx,
            account_id=account_id,
            agent_id=agent_id,
            definition="{}",
            prompts="{}",
            status="processed",
            now_us=1,
        )
