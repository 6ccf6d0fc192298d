"""Sealing: the settled part of an agent's history is kept once more in segments of a thousand executions, each one
compressed copy of what the v1 list shows.

Scattered rows are slow to read from a cold disk; a segment lies together. The rows stay the truth: whatever changes
one throws the copy away (`store.queries.segments.reopen`), and an open segment is read from its rows until it is
sealed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from ringback.executions.counts import Agent
from ringback.executions.frames import compress
from ringback.executions.lifecycle import TERMINAL, Status
from ringback.executions.listing import stored
from ringback.store.database import Database
from ringback.store.queries import agents, execution_lists, segments

ROWS: Final = 1_000
"""Executions in a segment, when it is cut."""

_AT_ONCE: Final = 100
_RUNNING: Final = sorted(set(Status) - TERMINAL)


async def cut(db: Database, of: Iterable[Agent]) -> int:
    """Mark the next whole segments in the history of these agents, still open; how many."""
    made = 0
    for account_id, agent_id in of:
        while await _cut_one(db, account_id, agent_id):
            made += 1
    return made


async def every_agent(db: Database) -> list[Agent]:
    return [(row["account_id"], row["id"]) for row in await agents.every(db)]


async def seal(db: Database) -> int:
    """Fill the open segments in which everything is settled; how many."""
    sealed = 0
    after = ("", "", 0)
    while found := await segments.settled_after(db, after, _AT_ONCE, running=_RUNNING):
        for row in found:
            sealed += await _seal_one(db, **row)
        after = (found[-1]["account_id"], found[-1]["agent_id"], found[-1]["last_seq"])
    return sealed


async def _cut_one(db: Database, account_id: str, agent_id: str) -> bool:
    async with db.transaction() as tx:
        found = await segments.end_of_next(tx, account_id, agent_id, ROWS)
        if found is None:
            return False
        await segments.insert(tx, account_id=account_id, agent_id=agent_id, **found)
    return True


async def _seal_one(db: Database, account_id: str, agent_id: str, first_seq: int, last_seq: int) -> bool:
    """Read the rows in one moment, compress outside of any transaction, and store the copy if nothing has changed
    since that moment."""
    within = {"created_from": first_seq, "created_to": last_seq}
    async with db.read() as reader:
        revision = await segments.revision(reader, account_id, agent_id, last_seq)
        running = await execution_lists.count(
            reader, account_id, agent_id, within | {"statuses": _RUNNING}, bound=1
        )
        if revision is None or running:
            return False
        rows = await execution_lists.newest(reader, account_id, agent_id, within, 2 * ROWS + 1)
    if len(rows) > 2 * ROWS:
        return False  # so many came to it from other agents (`Ledger.reassign`): it stays open
    if not rows:
        async with db.transaction() as tx:
            await segments.delete_empty(tx, account_id, agent_id, last_seq, first_seq)
        return False
    frame = await asyncio.to_thread(lambda: compress(b",".join(stored(row).v1() for row in rows)))
    async with db.transaction() as tx:
        return await segments.fill(tx, account_id, agent_id, last_seq, revision=revision, frame=frame)
