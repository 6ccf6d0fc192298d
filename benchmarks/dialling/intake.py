"""From a batch's file to its executions, against COPY or executemany of the very same rows into an empty database.

The rows are those that the intake wrote; they go into the same tables with the same indexes, read from there in chunks
whose reading is not timed. PostgreSQL takes them in one transaction; SQLite commits each chunk, which for 300,000 lines
takes as long as one transaction, and for a million keeps the log from growing to gigabytes. A million lines need 15 GB
of disk.
"""

from __future__ import annotations

import asyncio
import csv
import json
import random
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import asyncpg

from benchmarks.crash.clients import AGENT
from benchmarks.crash.worker import FROM
from benchmarks.dialling.station import Station, station
from benchmarks.ledger.stores import Store
from ringback.dialing.intake import Intake
from ringback.dialing.jobs import Job
from ringback.executions.bulk import Bulk

_TABLES: Final = (("executions", "id"), ("attempts", "execution_id"))
_PARENTS: Final = ("accounts", "agents", "batches")
_CHUNK: Final = 10_000


@dataclass(frozen=True, slots=True)
class Speed:
    intake_s: float
    raw_s: float
    """Medians of the rounds, which take turns."""

    @property
    def over_raw(self) -> float:
        return self.raw_s / self.intake_s


async def measure(store: Store, folder: Path, lines: int, rounds: int) -> Speed:
    file = folder / f"people-{lines}.csv"
    if not file.exists():
        await asyncio.to_thread(_write, file, lines)
    ours, raw = [], []
    for _ in range(rounds):
        async with station(store, "intake", folder) as place:
            ours.append(await _intake(place, file, lines))
            async with station(store, "raw", folder, account=False) as empty:
                raw.append(await _raw(place, empty, lines))
    return Speed(median(ours), median(raw))


async def _intake(place: Station, file: Path, lines: int) -> float:
    batch_id = uuid.uuid4().hex
    job = Job(place.account_id, uuid.uuid4().hex, "intake", batch_id, None, 0)
    batch = {
        "account_id": place.account_id,
        "id": batch_id,
        "agent_id": AGENT,
        "state": "created",
        "file_name": file.name,
        "from_numbers": json.dumps([FROM]),
        "bypass_guardrails": False,
        "dial_once": True,
        "created_at": 1,
        "updated_at": 1,
    }
    async with place.db.transaction() as tx:
        await tx.insert_rows("batches", list(batch), [list(batch.values())])
    started = time.perf_counter()
    await Intake(place.db, Bulk(place.ledger), place.clock).run(job, file)
    took = time.perf_counter() - started
    for table, _ in _TABLES:
        row = await place.db.fetch_one(f"SELECT COUNT(*) AS n FROM {table}")
        assert row is not None
        if row["n"] != lines:
            raise RuntimeError(f"{row['n']} rows of {table} came of {lines} lines")
    return took


async def _raw(source: Station, target: Station, lines: int) -> float:
    for table in _PARENTS:
        rows = [dict(row) for row in await source.db.fetch_all(f"SELECT * FROM {table}")]
        async with target.db.transaction() as tx:
            await tx.insert_rows(table, list(rows[0]), [list(row.values()) for row in rows])
    if target.post.url.startswith("sqlite"):
        return await asyncio.to_thread(_raw_sqlite, source.post.url, target.post.url)
    return await _raw_postgresql(source.post.url, target.post.url)


def _raw_sqlite(source: str, target: str) -> float:
    took = 0.0
    reader = sqlite3.connect(source.removeprefix("sqlite:///"))
    writer = sqlite3.connect(target.removeprefix("sqlite:///"), isolation_level=None)
    writer.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
    for table, key in _TABLES:
        cursor = reader.execute(f"SELECT * FROM {table} ORDER BY seq, {key}")
        insert = f"INSERT INTO {table} VALUES ({', '.join('?' * len(cursor.description))})"
        while rows := cursor.fetchmany(_CHUNK):
            started = time.perf_counter()
            writer.execute("BEGIN")
            writer.executemany(insert, rows)
            writer.execute("COMMIT")
            took += time.perf_counter() - started
    writer.close()
    reader.close()
    return took


async def _raw_postgresql(source: str, target: str) -> float:
    reader, writer = await asyncpg.connect(source), await asyncpg.connect(target)
    took = 0.0
    try:
        async with writer.transaction():
            for table, key in _TABLES:
                async for columns, rows in _chunks(reader, f"SELECT * FROM {table} ORDER BY seq, {key}"):
                    started = time.perf_counter()
                    await writer.copy_records_to_table(table, records=rows, columns=columns)
                    took += time.perf_counter() - started
            started = time.perf_counter()
        return took + time.perf_counter() - started
    finally:
        await reader.close()
        await writer.close()


async def _chunks(
    reader: asyncpg.Connection[Any], sql: str
) -> AsyncIterator[tuple[Sequence[str], list[tuple[Any, ...]]]]:
    async with reader.transaction():
        cursor = await reader.cursor(sql)
        while rows := await cursor.fetch(_CHUNK):
            yield list(rows[0].keys()), [tuple(row) for row in rows]


def _write(file: Path, lines: int) -> None:
    """People with a name, an appointment and a city."""
    chance = random.Random(lines)
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["contact_number", "customer_name", "appointment", "city"])
        writer.writerows(_people(chance, lines))


def _people(chance: random.Random, lines: int) -> Iterator[tuple[str, ...]]:
    for number in range(lines):
        name = f"{chance.choice(_NAMES)} {chance.choice(_NAMES)}"
        day = f"2026-12-{chance.randint(1, 28):02d} {chance.randint(8, 17)}:30"
        yield f"+1415{2_000_000 + number}", name, day, chance.choice(_CITIES)


_NAMES: Final = (
    "Ada",
    "Grace",
    "Lovelace",
    "Hopper",
    "Zoë",
    "Nakamura",
    "O'Neill",
    "van Dijk",
    "Müller, Jr.",
)
_CITIES: Final = ("Lisboa", "San Francisco", "Bengaluru", "Köln")
