"""The dispositions of each account, and which agents' calls they are asked about (contract 13)."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ringback.agents.disposition import Disposition, options_of
from ringback.agents.disposition_fields import NAMES, DispositionFields, changed
from ringback.agents.storable import json_text
from ringback.clock import Clock
from ringback.store.database import Database, Reader, Row, Transaction
from ringback.store.queries import agents
from ringback.store.queries import dispositions as queries

MOST_OF_AGENT: Final = 100
"""Each is a question to a language model after every call."""
_PAGE: Final = 60
_JSON: Final = ("subjective_type_config", "objective_options")


class UnknownDisposition(LookupError):
    """The account has no such disposition, or the agent that it was asked for is not linked to it."""


class ForeignAgent(LookupError):
    """A disposition was to be linked to an agent, or read for one, that the account does not have."""


class TooMany(ValueError):
    """An agent would have more than `MOST_OF_AGENT`; the text is the agent's id."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A disposition as it is kept. Times are microseconds since the epoch, UTC."""

    account_id: str
    id: str
    fields: Mapping[str, Any]
    """Plain JSON with every key of `DispositionFields`."""
    agent_ids: tuple[str, ...]
    created_at: int
    updated_at: int


class Dispositions:
    """Keeps them; every method sees one account only.

    Locks are taken in this order: agents, disposition, links.
    """

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def create(
        self, account_id: str, new: Sequence[DispositionFields], agent_ids: Sequence[str]
    ) -> list[Stored]:
        """All or none, in their order, each linked to all of the agents. Raises ForeignAgent, TooMany."""
        now, linked = self._clock.now_us(), tuple(sorted(set(agent_ids)))
        made = [
            Stored(account_id, str(uuid.uuid4()), fields.plain(), linked, now + place, now + place)
            for place, fields in enumerate(new)
        ]
        async with self._db.transaction() as tx:
            await self._hold(tx, account_id, linked)
            await self._insert(tx, made)
            await self._link(tx, account_id, linked, [stored.id for stored in made])
        return made

    async def of_agent(self, account_id: str, agent_id: str) -> list[Disposition]:
        """What is to be found out after a call of the agent, in the order of creation; an unknown one has none."""
        return [disposition(_fields(row)) for row in await queries.of_agent(self._db, account_id, agent_id)]

    async def all(self, account_id: str) -> AsyncIterator[Stored]:
        """Every one of the account in the order of creation, read in pages."""
        created_at, last = -1, ""
        while True:
            async with self._db.read() as db:
                rows = await queries.after(
                    db, account_id, created_at=created_at, disposition_id=last, limit=_PAGE
                )
                page = await _with_links(db, account_id, rows)
            for stored in page:
                yield stored
            if len(rows) < _PAGE:
                return
            created_at, last = rows[-1]["created_at"], rows[-1]["id"]

    async def linked(self, account_id: str, agent_id: str) -> list[Stored]:
        """Those of an agent, in the order of creation. Raises ForeignAgent."""
        async with self._db.read() as db:
            if not await agents.exists(db, account_id, agent_id):
                raise ForeignAgent(agent_id)
            return await _with_links(db, account_id, await queries.of_agent(db, account_id, agent_id))

    async def get(self, account_id: str, disposition_id: str, *, agent_id: str | None = None) -> Stored:
        """Of this agent, where one is named. Raises UnknownDisposition, ForeignAgent."""
        async with self._db.read() as db:
            if agent_id is not None and not await agents.exists(db, account_id, agent_id):
                raise ForeignAgent(agent_id)
            row = await queries.get(db, account_id, disposition_id)
            return await _found(db, row, disposition_id, agent_id)

    async def change(
        self,
        account_id: str,
        disposition_id: str,
        changes: Mapping[str, Any],
        *,
        agent_ids: Sequence[str] | None = None,
    ) -> Stored:
        """For every agent that has it; these are its agents from now on, where they are given.

        Raises UnknownDisposition, ForeignAgent, TooMany, InvalidInput.
        """
        wanted = None if agent_ids is None else tuple(sorted(set(agent_ids)))
        async with self._db.transaction() as tx:
            await self._hold(tx, account_id, wanted or ())
            stored = await self._lock(tx, account_id, disposition_id)
            if wanted is None:
                wanted = stored.agent_ids
            for agent_id in set(stored.agent_ids) - set(wanted):
                await queries.unlink(tx, account_id, agent_id, disposition_id)
            added = [agent_id for agent_id in wanted if agent_id not in stored.agent_ids]
            await self._link(tx, account_id, added, [disposition_id])
            return await self._write(tx, stored, changes, wanted)

    async def change_for(
        self, account_id: str, disposition_id: str, agent_id: str, changes: Mapping[str, Any]
    ) -> Stored:
        """For one of its agents alone: where others have it too, that one gets a copy in its place, with an id of its
        own.

        Raises UnknownDisposition, also where the agent does not have it, ForeignAgent, InvalidInput.
        """
        async with self._db.transaction() as tx:
            await self._hold(tx, account_id, [agent_id])
            stored = await self._lock(tx, account_id, disposition_id, agent_id)
            if stored.agent_ids == (agent_id,):
                return await self._write(tx, stored, changes, stored.agent_ids)
            now = self._clock.now_us()
            fields = changed(stored.fields, changes).plain()
            copy = Stored(account_id, str(uuid.uuid4()), fields, (agent_id,), now, now)
            await self._insert(tx, [copy])
            await queries.unlink(tx, account_id, agent_id, disposition_id)
            await queries.link(tx, account_id, [agent_id], [copy.id])
            return copy

    async def delete(self, account_id: str, disposition_id: str) -> None:
        """For all of its agents; what calls have found with it stays. Raises UnknownDisposition."""
        async with self._db.transaction() as tx:
            if not await queries.delete(tx, account_id, disposition_id):
                raise UnknownDisposition(disposition_id)

    async def _hold(self, tx: Transaction, account_id: str, agent_ids: Sequence[str]) -> None:
        """Nobody deletes these agents or links anything to them until the transaction ends."""
        held = await queries.hold_agents(tx, account_id, agent_ids)
        for agent_id in agent_ids:
            if agent_id not in held:
                raise ForeignAgent(agent_id)

    async def _link(
        self, tx: Transaction, account_id: str, agent_ids: Sequence[str], disposition_ids: Sequence[str]
    ) -> None:
        for agent_id in agent_ids:
            there = await queries.count_of_agent(tx, account_id, agent_id)
            if there + len(disposition_ids) > MOST_OF_AGENT:
                raise TooMany(agent_id)
        await queries.link(tx, account_id, agent_ids, disposition_ids)

    async def _lock(
        self, tx: Transaction, account_id: str, disposition_id: str, agent_id: str | None = None
    ) -> Stored:
        row = await queries.lock(tx, account_id, disposition_id)
        return await _found(tx, row, disposition_id, agent_id)

    async def _insert(self, tx: Transaction, made: Sequence[Stored]) -> None:
        await queries.insert(
            tx,
            [
                {
                    "account_id": stored.account_id,
                    "id": stored.id,
                    "created_at": stored.created_at,
                    "updated_at": stored.updated_at,
                    **_columns(stored.fields),
                }
                for stored in made
            ],
        )

    async def _write(
        self, tx: Transaction, stored: Stored, changes: Mapping[str, Any], agent_ids: tuple[str, ...]
    ) -> Stored:
        fields = changed(stored.fields, changes).plain()
        if fields == stored.fields and agent_ids == stored.agent_ids:
            return stored
        now = self._clock.now_us()
        await queries.update(tx, stored.account_id, stored.id, _columns(fields), now_us=now)
        return Stored(stored.account_id, stored.id, fields, agent_ids, stored.created_at, now)


def disposition(row: Mapping[str, Any]) -> Disposition:
    """What is asked after a call, of an id and valid fields."""
    return Disposition(
        id=row["id"],
        name=row["name"],
        question=row["question"],
        category=row["category"],
        system_prompt=row["system_prompt"],
        model=row["model"],
        is_subjective=row["is_subjective"],
        is_objective=row["is_objective"],
        subjective_type=row["subjective_type"],
        subjective_type_config=row["subjective_type_config"] or {},
        objective_options=options_of(row["objective_options"]),
    )


def _columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _text(fields[name]) if name in _JSON else fields[name] for name in NAMES}


def _text(value: Any) -> str | None:
    return None if value is None else json_text(value)


def _fields(row: Row) -> dict[str, Any]:
    """With its id; SQLite gives booleans as numbers."""
    return {
        **row,
        "is_subjective": bool(row["is_subjective"]),
        "is_objective": bool(row["is_objective"]),
        **{name: None if row[name] is None else json.loads(row[name]) for name in _JSON},
    }


async def _found(db: Reader, row: Row | None, disposition_id: str, agent_id: str | None) -> Stored:
    if row is not None:
        [stored] = await _with_links(db, row["account_id"], [row])
        if agent_id is None or agent_id in stored.agent_ids:
            return stored
    raise UnknownDisposition(disposition_id)


async def _with_links(db: Reader, account_id: str, rows: Sequence[Row]) -> list[Stored]:
    of: dict[str, list[str]] = {row["id"]: [] for row in rows}
    for link in await queries.links(db, account_id, list(of)) if of else ():
        of[link["disposition_id"]].append(link["agent_id"])
    return [_stored(row, tuple(of[row["id"]])) for row in rows]


def _stored(row: Row, agent_ids: tuple[str, ...]) -> Stored:
    fields = _fields(row)
    return Stored(
        account_id=row["account_id"],
        id=row["id"],
        fields={name: fields[name] for name in NAMES},
        agent_ids=agent_ids,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
