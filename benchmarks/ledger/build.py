"""Databases of so many executions, built once and kept: loaded in bulk, then counted and sealed by the product."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Final

from sqlalchemy.schema import CreateIndex, CreateTable

from benchmarks.ledger.data import ACCOUNT, AGENT, CHUNK, OTHER_AGENTS, Chunk, chunk
from benchmarks.ledger.stores import Store
from ringback.accounts.keys import Keys
from ringback.clock import SystemClock
from ringback.executions import counts, frames, rendering, segments
from ringback.store.database import Database, open_database
from ringback.store.migrate import upgrade
from ringback.store.queries import accounts, agents
from ringback.store.queries import counts as count_rows
from ringback.store.queries import segments as segment_rows
from ringback.store.schema import metadata

KEY: Final = "bn-the-key-of-the-benchmark"

_PREPARED_BY: Final = (counts, frames, rendering, segments, count_rows, segment_rows)
_WAITING: Final = 4
"""Chunks that may be rendered ahead of the load."""
_CHANGES: Final = f"""
    INSERT INTO count_changes (
      account_id, agent_id, id, status, call_type, provider, batch_id, answered_by_voice_mail, hour, delta
    )
    SELECT account_id, agent_id, MIN(id), status, call_type, provider, batch_id, answered_by_voice_mail,
      seq / {count_rows.HOUR_US} AS hour, COUNT(*)
    FROM executions
    GROUP BY account_id, agent_id, status, call_type, provider, batch_id, answered_by_voice_mail,
      seq / {count_rows.HOUR_US}
    """


def ready(store: Store, rows: int, folder: Path) -> str:
    """The name of the store's database with `rows` executions of the measured agent; built if it is not there."""
    name = f"ledger_{rows}_{_shape()}"
    if name not in store.databases():
        for old in store.databases():
            if old.startswith(f"ledger_{rows}_"):
                store.drop(old)
        _build(store, rows, name)
    marker, made_by = folder / f"{store.name}-{name}.prepared", _prepared_by()
    if not marker.exists() or marker.read_text() != made_by:
        start = time.monotonic()
        asyncio.run(_prepare(store, name))
        store.tidy(name)
        marker.write_text(made_by)
        print(f"{store.name} {rows}: counters and segments in {time.monotonic() - start:.0f} s", flush=True)
    return name


def _build(store: Store, rows: int, name: str) -> None:
    start, part = time.monotonic(), f"{name}_part"
    if part in store.databases():
        store.drop(part)
    store.create(part)
    asyncio.run(_begin(store.url(part)))
    store.load(part, _chunks(rows))
    store.tidy(part)
    store.rename(part, name)
    print(f"{store.name} {rows}: built in {time.monotonic() - start:.0f} s", flush=True)


def _chunks(rows: int) -> Iterator[Chunk]:
    """All in order, rendered in processes of their own, a few ahead."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        coming: deque[Future[Chunk]] = deque()
        for number in range(rows // CHUNK):
            coming.append(pool.submit(chunk, rows, number))
            if len(coming) >= _WAITING:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


async def _begin(url: str) -> None:
    """The tables, the account, its key and its agents."""
    await upgrade(url)
    clock = SystemClock()
    db = await open_database(url)
    try:
        async with db.transaction() as tx:
            await accounts.insert(tx, account_id=ACCOUNT, name="benchmark", now_us=clock.now_us())
            for agent in (AGENT, *OTHER_AGENTS):
                await agents.insert(
                    tx,
                    account_id=ACCOUNT,
                    agent_id=agent,
                    definition="{}",
                    prompts="{}",
                    status="processed",
                    now_us=clock.now_us(),
                )
        await Keys(db, clock).create(ACCOUNT, "benchmark", KEY)
    finally:
        await db.close()


async def _prepare(store: Store, name: str) -> None:
    """Give the product its changes as if it had written them, and let it fold and seal."""
    emptied = [f"DELETE FROM {table}" for table in ("execution_counts", "count_changes", "segments")]
    await asyncio.to_thread(store.execute, name, *emptied, _CHANGES)
    db = await open_database(store.url(name))
    try:
        await counts.fold(db)
        await segments.cut(db, await segments.every_agent(db))
        await _seal(db)
    finally:
        await db.close()


async def _seal(db: Database) -> None:
    while await segments.seal(db):
        pass


def _shape() -> str:
    """Changes with the tables and with what is rendered into them."""
    made = hashlib.sha256(repr(chunk(CHUNK, 0).executions[:200]).encode())
    for table in metadata.sorted_tables:
        indexes = sorted(str(CreateIndex(index)) for index in table.indexes)
        made.update("".join([str(CreateTable(table)), *indexes]).encode())
    return made.hexdigest()[:8]


def _prepared_by() -> str:
    sources = [Path(str(module.__file__)).read_bytes() for module in _PREPARED_BY]
    return hashlib.sha256(b"".join(sources)).hexdigest()
