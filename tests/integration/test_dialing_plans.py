"""What the workers ask again and again reads an index, at 200,000 waiting calls that no statistics know."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest

from ringback.dialing.claims import Claims
from ringback.dialing.limits import Defaults
from ringback.dialing.reaper import Reaper
from ringback.dialing.taking import Taking
from ringback.executions.ledger import Ledger
from ringback.store.database import Database, Reader, Row, Transaction
from ringback.store.queries import gates, queue, trunk_gates
from tests.support.ledgers import PUBLIC_URL, Books, open_books

WAITING, OVER = 200_000, 20_000
_PART = 20_000
_MANY = ("attempts", "executions")


class Seen(dict[str, Mapping[str, object]]):
    """Parameters by statement; counts the statements."""

    count = 0

    def __setitem__(self, sql: str, params: Mapping[str, object]) -> None:
        self.count += 1
        super().__setitem__(sql, params)


class Recorder:
    """A database that remembers each statement and its parameters."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.url = db.url
        self.seen = Seen()

    async def fetch_one(self, sql: str, **params: object) -> Row | None:
        self.seen[sql] = params
        return await self._db.fetch_one(sql, **params)

    async def fetch_all(self, sql: str, **params: object) -> list[Row]:
        self.seen[sql] = params
        return await self._db.fetch_all(sql, **params)

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[Transaction]:
        async with self._db.transaction(durable=durable) as tx:
            yield RecordingTransaction(tx, self.seen)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reader]:
        async with self._db.read() as reader:
            yield reader

    async def close(self) -> None:
        pass


class RecordingTransaction:
    def __init__(self, tx: Transaction, seen: Seen) -> None:
        self._tx = tx
        self._seen = seen

    async def fetch_one(self, sql: str, **params: object) -> Row | None:
        self._seen[sql] = params
        return await self._tx.fetch_one(sql, **params)

    async def fetch_all(self, sql: str, **params: object) -> list[Row]:
        self._seen[sql] = params
        return await self._tx.fetch_all(sql, **params)

    async def execute(self, sql: str, **params: object) -> int:
        self._seen[sql] = params
        return await self._tx.execute(sql, **params)

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]]) -> None:
        if rows:
            self._seen[sql] = rows[0]
        await self._tx.execute_many(sql, rows)

    async def insert_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        await self._tx.insert_rows(table, columns, rows)


async def _multiply(books: Books, *, analysed: bool = False) -> None:
    """200,000 calls that wait in a batch, and some that are over: in parts, because every statement has its time.

    `analysed`: the planner has had a look when there was one call.
    """
    first = await books.create(batch_id="batch")
    if analysed:
        async with books.db.transaction() as tx:
            await tx.fetch_all("ANALYZE")
    for start in range(0, WAITING + OVER, _PART):
        async with books.db.transaction() as tx:
            await _copy(tx, "executions", "id", first.id, start)
            await _copy(tx, "attempts", "execution_id", first.id, start)
    books.clock.us += WAITING + OVER


async def _copy(tx: Transaction, table: str, key: str, first: str, start: int) -> None:
    """The row of the first call again, as the calls start + 1 to start + _PART."""
    row = await tx.fetch_one(f"SELECT * FROM {table} WHERE {key} = :id", id=first)
    assert row is not None
    changed = {key: "'n-' || i", "seq": "seq + i", "due_at": "0", "body": "'{}'"}
    if table == "attempts":
        changed["state"] = f"CASE WHEN i <= {WAITING} THEN state ELSE 'done' END"
    values = ", ".join(changed.get(name, name) for name in row)
    await tx.execute(
        f"""
        INSERT INTO {table} ({", ".join(row)})
        WITH RECURSIVE numbers(i) AS (
            SELECT {start + 1} UNION ALL SELECT i + 1 FROM numbers WHERE i < {start + _PART}
        )
        SELECT {values} FROM {table} CROSS JOIN numbers WHERE {key} = :id
        """,
        id=first,
    )


async def _work(books: Books, recorder: Recorder) -> None:
    """Everything that a worker does without being asked for, with something to find."""
    clock, ledger, defaults = books.clock, Ledger(recorder, books.clock, PUBLIC_URL), Defaults(100, 1000)
    claims = Claims(recorder, ledger, clock, "one", defaults=defaults)
    taken = (await Taking(recorder, ledger, clock, "one", defaults=defaults).take(20)).claims
    assert len(taken) == 20
    await claims.intend(taken[0], "call-1")
    await claims.renew(taken)
    await claims.release(taken[1])
    clock.us += 31_000_000
    await Reaper(recorder, ledger, clock, "two", unknown_s=3600).reap()
    await Reaper(recorder, ledger, clock, "two", unknown_s=1).reap()
    await claims.reconcile(taken[0], None)
    now = clock.now_us()
    assert (await queue.depth(recorder, now_us=now, limit=10_000))["due"] == 10_000
    await gates.next_look(recorder, now_us=now, horizon_us=1_000_000)
    async with recorder.transaction() as tx:
        await trunk_gates.slots(tx, "sip-trunk")


def _slow(plan: str) -> bool:
    """Whether a plan reads a great table, or much of an index, from end to end."""
    names = "|".join(_MANY)
    return bool(re.search(rf"Seq Scan on ({names})|SCAN ({names}|a)\b", plan))


@pytest.mark.parametrize(
    ("database_url", "analysed"),
    [("sqlite", False), ("postgresql", False), ("postgresql", True)],
    indirect=["database_url"],
)
async def test_what_is_asked_again_and_again_reads_an_index(database: Database, analysed: bool) -> None:
    books = await open_books(database)
    await _multiply(books, analysed=analysed)
    recorder = Recorder(database)
    await _work(books, recorder)
    statements = {
        sql: params for sql, params in recorder.seen.items() if any(f" {table}" in sql for table in _MANY)
    }
    assert len(statements) > 15
    explain = "EXPLAIN" if database.url.startswith("postgresql") else "EXPLAIN QUERY PLAN"
    for sql, params in statements.items():
        rows = await database.fetch_all(f"{explain} {sql}", **params)
        plan = "\n".join(str(row.get("QUERY PLAN") or row.get("detail")) for row in rows)
        assert not _slow(plan), f"{sql}\n{plan}"


async def test_a_call_is_claimed_and_dialled_with_few_statements(database: Database) -> None:
    """Each is a round trip between the claim and the INVITE. Two commits come on top: see `benchmarks.dialling`."""
    books, recorder = await open_books(database), Recorder(database)
    ledger = Ledger(recorder, books.clock, PUBLIC_URL)
    taking = Taking(recorder, ledger, books.clock, "one")
    for _ in range(2):
        before = recorder.seen.count
        await books.create()
        [claim] = (await taking.take(5)).claims
    claimed = recorder.seen.count
    await Claims(recorder, ledger, books.clock, "one").intend(claim, "call-1")
    assert (claimed - before, recorder.seen.count - claimed) == (11, 10)
