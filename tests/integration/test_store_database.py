"""The database interface, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ringback.store.database import Database, StoreError, open_database
from ringback.store.migrate import upgrade
from tests.support.databases import PostgresqlServer

INSERT = (
    "INSERT INTO accounts (account_id, name, last_seq, created_at) VALUES (:account_id, :name, :seq, :seq)"
)
NAMES = "SELECT name FROM accounts ORDER BY name"


async def _insert(db: Database, *names: str) -> None:
    async with db.transaction() as tx:
        for name in names:
            assert await tx.execute(INSERT, account_id=name, name=name, seq=1) == 1


async def _names(db: Database) -> list[str]:
    return [row["name"] for row in await db.fetch_all(NAMES)]


async def test_transaction_commits_and_counts_rows(database: Database) -> None:
    await _insert(database, "a", "b")
    async with database.transaction() as tx:
        assert await tx.execute("UPDATE accounts SET last_seq = :seq", seq=2**62) == 2
        row = await tx.fetch_one("SELECT last_seq FROM accounts WHERE name = :n FOR UPDATE", n="a")
    assert row == {"last_seq": 2**62}
    assert await _names(database) == ["a", "b"]
    assert await database.fetch_one("SELECT name FROM accounts WHERE name = :n", n="nobody") is None


async def test_only_what_may_be_lost_does_not_wait_for_the_disk(
    database: Database, database_url: str
) -> None:
    postgresql = database_url.startswith("postgresql")
    asked = "SELECT current_setting('synchronous_commit') AS level" if postgresql else "PRAGMA synchronous"

    async def level(durable: bool) -> object:
        async with database.transaction(durable=durable) as tx:
            [(_, value)] = (await tx.fetch_all(asked))[0].items()
        return value

    waits, never = ("on", "off") if postgresql else (2, 1)
    assert [await level(durable) for durable in (True, False, True)] == [waits, never, waits]


async def test_execute_many(database: Database) -> None:
    rows = [{"account_id": f"{n}", "name": f"{n}", "seq": n} for n in range(100)]
    async with database.transaction() as tx:
        await tx.execute_many(INSERT, rows)
    assert len(await _names(database)) == 100


async def test_insert_rows(database: Database) -> None:
    columns = ("account_id", "name", "last_seq", "created_at", "keep_records_days")
    rows = [(f"{n}", 'tab\t, "quote", \\N', n, 2**62, None if n % 2 else n) for n in range(300)]
    async with database.transaction() as tx:
        await tx.insert_rows("accounts", columns, rows)
    found = await database.fetch_all(f"SELECT {', '.join(columns)} FROM accounts ORDER BY last_seq")
    assert [tuple(row.values()) for row in found] == rows


async def test_insert_rows_all_or_none(database: Database) -> None:
    columns = ("account_id", "name", "last_seq", "created_at")
    with pytest.raises(StoreError):
        async with database.transaction() as tx:
            await tx.insert_rows("accounts", columns, [("a", "a", 1, 1), ("a", "twice", 1, 1)])
    assert await _names(database) == []


@pytest.mark.parametrize("failing", range(4))
async def test_nothing_is_half_written_whichever_statement_fails(database: Database, failing: int) -> None:
    await _insert(database, "before")
    names = [f"row {number}" for number in range(4)]
    names[failing] = "before"
    with pytest.raises(StoreError):
        await _insert(database, *names)
    assert await _names(database) == ["before"]
    await _insert(database, "after")


async def test_exception_of_the_block_rolls_back_and_passes_through(database: Database) -> None:
    async def write_and_fail() -> None:
        async with database.transaction() as tx:
            await tx.execute(INSERT, account_id="a", name="a", seq=1)
            raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await write_and_fail()
    assert await _names(database) == []


async def test_cancelled_transaction_leaves_nothing_and_frees_its_connection(database: Database) -> None:
    entered = asyncio.Event()

    async def hang() -> None:
        async with database.transaction() as tx:
            await tx.execute(INSERT, account_id="a", name="a", seq=1)
            entered.set()
            await asyncio.Event().wait()

    # More often than any pool is large.
    for _ in range(20):
        entered.clear()
        task = asyncio.create_task(hang())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await _names(database) == []
    await _insert(database, "a")


async def test_cancelled_at_any_await_the_next_transaction_works(database: Database) -> None:
    """Cancel after ever more turns of the loop: between BEGIN, statement and COMMIT, and while each runs."""
    for turns in range(40):
        task = asyncio.create_task(_insert(database, f"{turns:02}-a", f"{turns:02}-b"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await _insert(database, "end")
    names = await _names(database)
    assert "end" in names
    for turns in range(40):
        assert (f"{turns:02}-a" in names) == (f"{turns:02}-b" in names)


async def test_who_writes_without_a_pause_does_not_keep_others_waiting(database: Database) -> None:
    """Each of those who ask has its turn before somebody has a second one."""
    waited = asyncio.Event()

    async def hot() -> int:
        turns = 0
        while not waited.is_set():
            async with database.transaction() as tx:
                await tx.execute("UPDATE accounts SET last_seq = last_seq + 1")
            turns += 1
        return turns

    async def late() -> None:
        await _insert(database, "late")
        waited.set()

    # Both connections are made before: that alone takes PostgreSQL many turns.
    await asyncio.gather(_names(database), _names(database))
    async with asyncio.timeout(30):
        turns, _ = await asyncio.gather(hot(), late())
    assert turns <= 20
    assert await _names(database) == ["late"]


async def test_reads_of_one_block_see_one_moment(database: Database) -> None:
    await _insert(database, "a")
    async with database.read() as reader:
        first = await reader.fetch_all(NAMES)
        await _insert(database, "b")
        assert await reader.fetch_all(NAMES) == first
    assert await _names(database) == ["a", "b"]


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StoreError, match=r"read-?only"):
        async with database.read() as reader:
            await reader.fetch_all("DELETE FROM accounts RETURNING name")


async def test_concurrent_transactions_that_read_before_they_write(
    database: Database, database_url: str
) -> None:
    """Of two openers, as of two processes: none fails, and none overwrites what it did not see."""
    await _insert(database, "a")
    other = await open_database(database_url)

    async def increment(db: Database) -> None:
        async with db.transaction() as tx:
            row = await tx.fetch_one("SELECT last_seq FROM accounts WHERE name = :n FOR UPDATE", n="a")
            assert row is not None
            await tx.execute(
                "UPDATE accounts SET last_seq = :s WHERE name = :n", s=row["last_seq"] + 1, n="a"
            )

    try:
        await asyncio.gather(*(increment(db) for db in (database, other) * 12))
    finally:
        await other.close()
    row = await database.fetch_one("SELECT last_seq FROM accounts WHERE name = :n", n="a")
    assert row == {"last_seq": 25}


async def test_two_openers_of_the_same_database(database: Database, database_url: str) -> None:
    other = await open_database(database_url)
    try:
        await asyncio.gather(
            *(_insert(db, f"{name}{n}") for n in range(20) for name, db in (("a", database), ("b", other)))
        )
        assert len(await _names(other)) == 40
    finally:
        await other.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://root:geheim@localhost/x", "use sqlite:///path/to/file or postgresql://"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:////nowhere/at/all/x.db", "the folder must exist"),
        ("postgresql://me:geheim@127.0.0.1:1/x", "cannot be reached"),
        ("postgresql://me:ge:h@eim@127.0.0.1:1/x", "PostgreSQL"),
        ("postgresql://me:geheim@127.0.0.1:port/x", "is not understood"),
        ("postgresql://me:geheim@127.0.0.1:99999/x", "is not understood"),
        ("postgresql://me:geheim@[::1/x", "is not understood"),
        ("postgresql://me:geheim@127.0.0.1/x?sslmode=perhaps", "sslmode"),
    ],
)
@pytest.mark.parametrize("opener", [open_database, upgrade])
async def test_wrong_urls_are_one_sentence_without_the_password(
    url: str, words: str, opener: Callable[[str], Awaitable[object]]
) -> None:
    with pytest.raises(StoreError) as raised:
        await opener(url)
    assert opener is upgrade or re.search(words, str(raised.value))
    assert "geheim" not in str(raised.value)
    assert "h@eim" not in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("something else" * 100)
    with pytest.raises(StoreError, match=r"x\.db: file is not a database"):
        await open_database(f"sqlite:///{tmp_path}/x.db")


async def test_a_file_that_another_process_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.store.sqlite._BUSY_TIMEOUT_S", 0.05)
    db = await open_database(f"sqlite:///{tmp_path}/x.db")
    holder = sqlite3.connect(tmp_path / "x.db")
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="is locked: another process has been writing"):
        await _insert(db, "a")
    holder.close()
    with pytest.raises(StoreError, match="no such table: accounts"):
        await _insert(db, "a")
    await db.close()


async def test_a_closed_database(database_url: str) -> None:
    db = await open_database(database_url)
    await db.close()
    for call in (_insert(db, "a"), _names(db)):
        with pytest.raises(StoreError, match="clos"):
            await call


async def test_an_option_in_the_url(postgresql_server: PostgresqlServer) -> None:
    url = postgresql_server.url() + "?sslmode=prefer&application_name=x"
    await upgrade(url)
    await (await open_database(url)).close()


async def test_wrong_password_and_missing_database(postgresql_server: PostgresqlServer) -> None:
    with pytest.raises(StoreError, match="refused us: password authentication failed") as raised:
        await open_database(postgresql_server.url(password="geheim"))
    assert "geheim" not in str(raised.value)
    with pytest.raises(StoreError, match='refused us: database "nowhere" does not exist'):
        await open_database(postgresql_server.url("nowhere"))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_statement_is_one_round_trip(database: Database, database_url: str) -> None:
    """Nothing else is sent when its connection goes back to the pool."""
    other = await open_database(database_url)
    await other.fetch_all(NAMES)
    last = await database.fetch_all(
        "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
    )
    await other.close()
    assert [row["query"] for row in last] == [NAMES]


async def test_a_statement_that_was_cut_off_leaves_nothing_to_the_next(database: Database) -> None:
    for number in range(150):
        # Each is new to the server, which parses it first: cut off between that and its run.
        statement = asyncio.create_task(database.fetch_one(f"SELECT {number} AS n"))
        for _ in range(number % 5):
            await asyncio.sleep(0)
        statement.cancel()
        await asyncio.wait({statement})
        async with database.read() as reader:
            assert await reader.fetch_one("SELECT 1 AS n") == {"n": 1}
