"""The agents of each account."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ringback.agents.definition import Definition
from ringback.agents.definition import patch as patched
from ringback.agents.storable import json_text
from ringback.clock import Clock
from ringback.net.signing import new_secret
from ringback.store.database import Database, Row, Transaction
from ringback.store.queries import agents as queries
from ringback.store.queries import webhook_endpoints

_PAGE = 100


class UnknownAgent(LookupError):
    """The account has no such agent."""


@dataclass(frozen=True, slots=True)
class Agent:
    """A stored agent. Times are microseconds since the epoch, UTC."""

    account_id: str
    id: str
    definition: Definition
    status: str
    created_at: int
    updated_at: int


class Agents:
    """Keeps definitions; every method sees one account only."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def create(self, account_id: str, definition: Definition) -> Agent:
        now = self._clock.now_us()
        agent = Agent(account_id, str(uuid.uuid4()), definition, "processed", now, now)
        async with self._db.transaction() as tx:
            webhook_url = await _webhook_url(tx, account_id, definition, now)
            await queries.insert(
                tx,
                account_id=account_id,
                agent_id=agent.id,
                definition=json_text(definition.config),
                prompts=json_text(definition.prompts),
                status=agent.status,
                now_us=now,
                webhook_url=webhook_url,
            )
        return agent

    async def get(self, account_id: str, agent_id: str) -> Agent:
        """Raises UnknownAgent."""
        return _agent(await queries.get(self._db, account_id, agent_id), agent_id)

    async def require(self, account_id: str, agent_id: str) -> None:
        """Raises UnknownAgent unless the account has it; its definition is not read."""
        if not await queries.exists(self._db, account_id, agent_id):
            raise UnknownAgent(agent_id)

    async def all(self, account_id: str) -> AsyncIterator[Agent]:
        """Every agent of the account, newest first, read in pages."""
        last: Row = {"created_at": 2**62, "id": ""}
        while True:
            rows = await queries.newest(
                self._db, account_id, created_at=last["created_at"], agent_id=last["id"], limit=_PAGE
            )
            for row in rows:
                yield _agent(row, row["id"])
            if len(rows) < _PAGE:
                return
            last = rows[-1]

    async def replace(self, account_id: str, agent_id: str, definition: Definition) -> Agent:
        """Raises UnknownAgent."""
        async with self._db.transaction() as tx:
            agent = await self._lock(tx, account_id, agent_id)
            return await self._write(tx, agent, definition)

    async def patch(self, account_id: str, agent_id: str, body: Mapping[str, Any]) -> Agent:
        """Change what PATCH may change. Raises UnknownAgent, InvalidInput."""
        async with self._db.transaction() as tx:
            agent = await self._lock(tx, account_id, agent_id)
            return await self._write(tx, agent, patched(agent.definition, body))

    async def _lock(self, tx: Transaction, account_id: str, agent_id: str) -> Agent:
        return _agent(await queries.lock(tx, account_id, agent_id), agent_id)

    async def _write(self, tx: Transaction, agent: Agent, definition: Definition) -> Agent:
        if definition == agent.definition:
            return agent
        now = self._clock.now_us()
        await queries.update(
            tx,
            account_id=agent.account_id,
            agent_id=agent.id,
            definition=json_text(definition.config),
            prompts=json_text(definition.prompts),
            webhook_url=await _webhook_url(tx, agent.account_id, definition, now),
            now_us=now,
        )
        return replace(agent, definition=definition, updated_at=now)


async def _webhook_url(tx: Transaction, account_id: str, definition: Definition, now_us: int) -> str | None:
    """Where its calls are told to; the account has the endpoint then."""
    url: str | None = definition.config.get("webhook_url") or None
    if url is not None:
        await webhook_endpoints.ensure(tx, account_id, url, secret=new_secret(), now_us=now_us)
    return url


def _agent(row: Row | None, agent_id: str) -> Agent:
    if row is None:
        raise UnknownAgent(agent_id)
    return Agent(
        account_id=row["account_id"],
        id=row["id"],
        definition=Definition(json.loads(row["definition"]), json.loads(row["prompts"])),
        status=row["status"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
