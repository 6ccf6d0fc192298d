"""SQLite in memory, called in the event loop and not in threads: the product's SQL for ten microseconds a statement.

Each process of a simulated installation has a `LoopDatabase` of its own on one `LoopStore`. Transactions run from their
BEGIN to their COMMIT without a pause, so nobody sees half of one, as on any SQLite; between them anything may happen.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from ringback.store.database import Reader, Row, StoreError, Transaction
from ringback.store.statement import for_sqlite


class Process(Protocol):
    """Whose statements they are. All may raise: then it dies here."""

    async def pause(self) -> None:
        """Called around each transaction, and each read outside of one."""
        ...

    def before(self, sql: str) -> None: ...

    def after(self, sql: str) -> None: ...


class LoopStore:
    """The one connection."""

    def __init__(self, template: Path, schema: str = "") -> None:
        """A copy of a migrated file, with what `schema` adds."""
        self.connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=1024)
        with sqlite3.connect(template) as file:
            file.backup(self.connection)
        self.connection.row_factory = _as_dict
        self.connection.executescript(schema)
        self.busy = False
        """Somebody is inside of a transaction."""
        self._unsure = False
        """What was committed last is not on the disk, if there were one."""
        self.refused: list[str] = []
        """What the database refused: constraints and such, each a bug."""
        rows = self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        kept = ("sqlite_", "alembic_")
        self._tables = [row["name"] for row in rows if not row["name"].startswith(kept)]

    def empty(self) -> None:
        """Delete all rows."""
        self.lose()
        self.connection.execute("PRAGMA foreign_keys = OFF")
        for table in self._tables:
            self.connection.execute(f"DELETE FROM {table}")
        self.connection.execute("PRAGMA foreign_keys = ON")
        self.refused.clear()

    def begin(self) -> None:
        # One that is not durable leaves the outer transaction open, for a durable one to commit, or to be lost.
        self.connection.execute("SAVEPOINT one" if self._unsure else "BEGIN IMMEDIATE")
        if not self._unsure:
            self.connection.execute("SAVEPOINT one")
        self.busy = self._unsure = True

    def commit(self, *, durable: bool) -> None:
        self.connection.execute("RELEASE one")
        self.busy = False
        if durable:
            self.connection.execute("COMMIT")
            self._unsure = False

    def roll_back(self) -> None:
        if self.busy:
            self.connection.execute("ROLLBACK TO one")
            self.connection.execute("RELEASE one")
            self.busy = False

    def lose(self) -> None:
        """The power fails: gone is all that is not on the disk."""
        if self._unsure:
            self.connection.execute("ROLLBACK")
        self.busy = self._unsure = False

    def rows(self, sql: str, **params: object) -> list[dict[str, Any]]:
        """What an onlooker sees who belongs to no process."""
        return self.connection.execute(sql, params).fetchall()

    async def fetch_all(self, sql: str, **params: object) -> list[Row]:
        return [*self.rows(sql, **params)]


class LoopDatabase:
    """Implements `Database` for one process."""

    url = "sqlite:///:memory:"

    def __init__(self, store: LoopStore, process: Process) -> None:
        self._store = store
        self._process = process

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[Transaction]:
        async with self._block(durable) as statements:
            yield statements

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reader]:
        async with self._block(False) as statements:
            yield statements

    async def fetch_one(self, sql: str, **params: object) -> Row | None:
        rows = await self.fetch_all(sql, **params)
        return rows[0] if rows else None

    async def fetch_all(self, sql: str, **params: object) -> list[Row]:
        await self._process.pause()
        if self._store.busy:
            raise RuntimeError("a read of its own inside of a transaction, which would not see it")
        rows = await _Statements(self._store, self._process).fetch_all(sql, **params)
        await self._process.pause()
        return rows

    async def close(self) -> None:
        pass

    @asynccontextmanager
    async def _block(self, durable: bool) -> AsyncIterator[_Statements]:
        process, store = self._process, self._store
        await process.pause()
        if store.busy:
            raise RuntimeError("a transaction inside of another, or one that waits for something else")
        try:
            process.before("BEGIN")
            store.begin()
            process.after("BEGIN")
            yield _Statements(store, process)
            process.before("COMMIT")
            store.commit(durable=durable)
            process.after("COMMIT")
        except BaseException:
            store.roll_back()
            raise
        await process.pause()


class _Statements:
    def __init__(self, store: LoopStore, process: Process) -> None:
        self._store = store
        self._sqlite = store.connection
        self._process = process

    async def fetch_one(self, sql: str, **params: object) -> Row | None:
        rows, _ = self.run(sql, params)
        return rows[0] if rows else None

    async def fetch_all(self, sql: str, **params: object) -> list[Row]:
        rows, _ = self.run(sql, params)
        return rows

    async def execute(self, sql: str, **params: object) -> int:
        _, changed = self.run(sql, params)
        return changed

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]]) -> None:
        self.run(sql, rows, many=True)

    async def insert_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        self.run(sql, rows, many=True)

    def run(self, sql: str, params: Any = (), *, many: bool = False) -> tuple[list[Row], int]:
        """All rows, and how many were changed."""
        self._process.before(sql)
        run = self._sqlite.executemany if many else self._sqlite.execute
        try:
            cursor = run(for_sqlite(sql), params)
            # Before anybody dies: a statement with RETURNING that is not exhausted holds up the next COMMIT.
            rows: list[Row] = cursor.fetchall()
        except sqlite3.Error as error:
            self._store.refused.append(f"{error}: {' '.join(sql.split())[:120]}")
            raise StoreError(str(error)) from error
        self._process.after(sql)
        return rows, cursor.rowcount


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}
