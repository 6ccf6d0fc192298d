"""A minute's call of the demo's scripted agent as the ledger writes it, and any number of copies of its rows."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from benchmarks.ledger.stores import Store
from ringback.accounts.accounts import Accounts
from ringback.agents.definition import read
from ringback.agents.registry import Agents
from ringback.clock import Clock, SystemClock
from ringback.executions import counts
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.record import (
    AttemptState,
    Execution,
    LogRow,
    NewExecution,
    Turn,
    UsageKind,
    UsageLine,
)
from ringback.store.database import Database, Row, open_database
from ringback.store.migrate import upgrade

OWNER: Final = "the worker"
_TALKED_MS: Final = 60_000
_LEASE_US: Final = 3_600_000_000
_TURNS: Final = 12
_CHUNK: Final = 1_000
_TABLES: Final = {
    "executions": "id",
    "attempts": "execution_id",
    "turns": "execution_id",
    "execution_log": "execution_id",
    "usage_lines": "execution_id",
    "stages": "execution_id",
    "wallet_entries": "execution_id",
    "webhook_deliveries": "subject",
}
"""What holds rows of one execution, and the column with its id."""


@dataclass(frozen=True, slots=True)
class Place:
    """An open database with an account and its agent."""

    store: Store
    name: str
    """Of the database."""
    db: Database
    clock: Clock
    ledger: Ledger
    account_id: str
    agent_id: str

    async def disconnected(self) -> Execution:
        """A call that is over and whose record is to be completed."""
        new = NewExecution(self.account_id, self.agent_id, "+14155550123", "+14155550100", "sip-trunk")
        call = await self.ledger.create(new)
        where, now = (self.account_id, call.id), self.clock.now_us()
        answered, ended = now - (_TALKED_MS + 500) * 1000, now
        dialled: dict[str, Any] = {"state": AttemptState.DIALLING, "call_id": uuid.uuid4().hex}
        await self.ledger.transition(*where, Status.INITIATED, attempt={**dialled, "dialled_at": answered})
        lease: dict[str, Any] = {"lease_owner": OWNER, "lease_until": now + _LEASE_US}
        await self.ledger.transition(
            *where,
            Status.IN_PROGRESS,
            attempt={"state": AttemptState.LIVE, "answered_at": answered, **lease},
        )
        await self.ledger.add_turns(*where, [_turn(index) for index in range(_TURNS)])
        await self.ledger.add_log(*where, [_logged(index, answered) for index in range(_TURNS)])
        return await self.ledger.transition(
            *where,
            Status.CALL_DISCONNECTED,
            changes={"extracted_data": {"confirmed": True, "patient_number": "4711"}},
            attempt={"ended_at": ended, "conversation_ms": _TALKED_MS},
            usage=[line for index in range(_TURNS) for line in _used(index, answered)],
        )

    async def copied(self, call: Execution, count: int) -> list[str]:
        """The ids of so many more of it, with the same content."""
        found = {
            table: await self.db.fetch_all(f"SELECT * FROM {table} WHERE {key} = :id LIMIT 1", id=call.id)
            for table, key in _TABLES.items()
        }
        ids = [str(uuid.uuid4()) for _ in range(count)]
        await self._execute("CREATE TABLE copies (number INTEGER PRIMARY KEY, id TEXT NOT NULL)")
        async with self.db.transaction() as tx:
            await tx.insert_rows("copies", ("number", "id"), list(enumerate(ids, 1)))
        for start in range(1, count + 1, _CHUNK):
            async with self.db.transaction() as tx:
                for table, rows in found.items():
                    if rows:
                        sql = _copying(table, _TABLES[table], rows[0])
                        values = {"old": call.id, "first": start, "last": start + _CHUNK - 1}
                        await tx.execute(sql, account=self.account_id, **values)
        await self._execute("DROP TABLE copies")
        async with self.db.transaction() as tx:
            await counts.changed_many(tx, [(call, count)])
        return ids

    async def _execute(self, statement: str) -> None:
        await asyncio.to_thread(self.store.execute, self.name, statement)


@asynccontextmanager
async def place(store: Store, name: str) -> AsyncIterator[Place]:
    """In a database of this name; what was left of it is dropped first."""
    await asyncio.to_thread(_made, store, name)
    await upgrade(store.url(name))
    db, clock = await open_database(store.url(name)), SystemClock()
    try:
        account = await Accounts(db, clock).create("the account")
        text = (files("ringback.demo") / "appointment.json").read_text()
        agent = await Agents(db, clock).create(account.id, read(json.loads(text)))
        ledger = Ledger(db, clock, "https://ringback.example")
        yield Place(store, name, db, clock, ledger, account.id, agent.id)
    finally:
        await db.close()
        await asyncio.to_thread(store.drop, name)


def _made(store: Store, name: str) -> None:
    if name in store.databases():
        store.drop(name)
    store.create(name)


def _copying(table: str, key: str, row: Row) -> str:
    """The statement that copies the rows of the call `:old`; what is unique stays so."""
    selected = ", ".join(_copied(name, value, key) for name, value in row.items())
    return f"""
    INSERT INTO {table} ({", ".join(row)})
    SELECT {selected} FROM {table} r CROSS JOIN copies c
    WHERE r.account_id = :account AND r.{key} = :old AND c.number BETWEEN :first AND :last
    """


def _copied(name: str, value: object, key: str) -> str:
    if name == "seq":
        return "r.seq + c.number"
    if name in (key, "recording_token", "call_id"):
        return "c.id"
    if name == "id":
        return "SUBSTR(r.id, 1, 18) || SUBSTR(REPLACE(c.id, '-', ''), 1, 14)"
    if name in ("body", "payload", "recording_path"):
        return f"REPLACE(r.{name}, :old, c.id)"
    return f"r.{name}"


def _turn(index: int) -> Turn:
    said = "You have an appointment with Doctor Chen on Thursday at ten; can you come?"
    start = index * _TALKED_MS // _TURNS
    return Turn(index, "user" if index % 2 else "assistant", said, start, start + 4000)


def _logged(index: int, answered: int) -> LogRow:
    component = "transcriber" if index % 2 else "synthesizer"
    return LogRow(answered + index * 5_000_000, "response", component, "wyoming", _turn(index).text)


def _used(index: int, answered: int) -> list[UsageLine]:
    """Of one turn: rated already, for the talker rates as it goes."""
    heard = UsageLine(UsageKind.TRANSCRIBER, "wyoming", "whisper", "ms", 4000, turn=index)
    spoken = UsageLine(
        UsageKind.SYNTHESIZER, "elevenlabs", "flash", "characters", len(_turn(index).text), turn=index
    )
    return [heard if index % 2 else spoken]
