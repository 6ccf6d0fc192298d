"""SQLite as the database: one file in WAL mode; one writer and a few readers, each in a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any, Final, TypeVar

from ringback.store.database import Reader, Row, StoreError, Transaction
from ringback.store.statement import for_sqlite
from ringback.store.turnstile import Turnstile

_T = TypeVar("_T")

_READERS: Final = 3
_ROWS_AT_ONCE: Final = 125
"""In a statement that inserts. Between two statements, as between the rows of `executemany`, Python's lock is to be had
again, from whoever computes meanwhile: that takes longer than a row."""
_BUSY_TIMEOUT_S: Final = 5.0
"""How long another process may hold the file."""
_ACQUIRE_TIMEOUT_S: Final = 10.0
"""How long the tasks of this process may hold the connections."""


class SqliteDatabase:
    """Use `open`. The writer begins IMMEDIATE: transactions never interleave, not even of two processes.

    Before that it queues up with the other processes' writers: SQLite would let it sleep for longer and longer.
    """

    def __init__(self, url: str, writer: _Connection, readers: Sequence[_Connection]) -> None:
        self._url = url
        self._connections = [writer, *readers]
        self._writer = _Pool([writer])
        self._readers = _Pool(readers)

    @classmethod
    async def open(cls, url: str) -> SqliteDatabase:
        """Open or create the file of `sqlite:///path`. Raises StoreError."""
        path = sqlite_path(url)
        db = cls(url, _Writer(path), [_Connection(path) for _ in range(_READERS)])
        writer, *readers = db._connections
        try:
            await writer.open("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            for reader in readers:
                await reader.open("PRAGMA query_only = ON;")
        except StoreError:
            await db.close()
            raise
        return db

    @property
    def url(self) -> str:
        return self._url

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[Transaction]:
        # NORMAL writes the log of the WAL mode without a sync; the next FULL commit syncs it to its end.
        level = "PRAGMA synchronous = FULL" if durable else "PRAGMA synchronous = NORMAL"
        async with self._writer.borrowed() as connection, connection.block(level, "BEGIN IMMEDIATE"):
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reader]:
        async with self._readers.borrowed() as connection, connection.block("BEGIN"):
            yield connection

    async def fetch_one(self, sql: str, **params: object) -> Row | None:
        async with self._readers.borrowed() as connection:
            return await connection.fetch_one(sql, **params)

    async def fetch_all(self, sql: str, **params: object) -> list[Row]:
        async with self._readers.borrowed() as connection:
            return await connection.fetch_all(sql, **params)

    async def close(self) -> None:
        for connection in self._connections:
            await connection.close()


def sqlite_path(url: str) -> str:
    """The file of `sqlite:///path`. Raises StoreError without one: processes share no memory."""
    path = url.removeprefix("sqlite:///")
    if not path or path.startswith(":"):
        raise StoreError(f"database URL {url!r} names no file: use sqlite:///path/to/file")
    return path


class _Pool:
    """Lends connections in the order of asking. From a plain queue, whoever gives one back and asks again at once
    would have it before those that wait."""

    def __init__(self, connections: Sequence[_Connection]) -> None:
        self._free = list(connections)
        self._turn = asyncio.Semaphore(len(connections))

    @asynccontextmanager
    async def borrowed(self) -> AsyncIterator[_Connection]:
        try:
            async with asyncio.timeout(_ACQUIRE_TIMEOUT_S):
                await self._turn.acquire()
        except TimeoutError:
            raise StoreError(
                f"no database connection became free within {_ACQUIRE_TIMEOUT_S:.0f} s"
            ) from None
        connection = self._free.pop()
        try:
            yield connection
        finally:
            # Its thread may still be busy for a caller that was cancelled; the next statement queues up behind.
            self._free.append(connection)
            self._turn.release()


class _Connection:
    """One connection and the one thread that may touch it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._sqlite: sqlite3.Connection | None = None

    async def open(self, pragmas: str) -> None:
        self._sqlite = await self._in_thread(_connected, self._path, pragmas)

    async def close(self) -> None:
        """After what still runs."""
        sqlite, self._sqlite = self._sqlite, None
        if sqlite is not None:
            await self._in_thread(sqlite.close)
        self._thread.shutdown(wait=False)

    @asynccontextmanager
    async def block(self, *begin: str) -> AsyncIterator[None]:
        try:
            await self._run(lambda sqlite: self._begin(sqlite, begin))
            yield
        except BaseException:
            # Shielded: a cancelled task must still leave the connection without its half of the work.
            await asyncio.shield(self._run(self._roll_back))
            raise
        await asyncio.shield(self._run(self._commit))

    async def fetch_one(self, sql: str, **params: object) -> Row | None:
        rows = await self.fetch_all(sql, **params)
        return rows[0] if rows else None

    async def fetch_all(self, sql: str, **params: object) -> list[Row]:
        # To the end, always: a statement with RETURNING that is not exhausted holds up the commit.
        return await self._run(lambda sqlite: sqlite.execute(for_sqlite(sql), params).fetchall())

    async def execute(self, sql: str, **params: object) -> int:
        return await self._run(lambda sqlite: sqlite.execute(for_sqlite(sql), params).rowcount)

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]]) -> None:
        await self._run(lambda sqlite: sqlite.executemany(for_sqlite(sql), rows))

    async def insert_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        into, row = f"INSERT INTO {table} ({', '.join(columns)})", f"({', '.join('?' * len(columns))})"

        def insert(sqlite: sqlite3.Connection) -> None:
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                some = rows[start : start + _ROWS_AT_ONCE]
                values = ", ".join([row] * len(some))
                sqlite.execute(f"{into} VALUES {values}", list(chain.from_iterable(some)))

        await self._run(insert)

    async def _run(self, call: Callable[[sqlite3.Connection], _T]) -> _T:
        if self._sqlite is None:
            raise StoreError(f"database {self._path} was closed")
        return await self._in_thread(call, self._sqlite)

    async def _in_thread(self, call: Callable[..., _T], *args: object) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)
        except sqlite3.Error as error:
            raise StoreError(_sentence(self._path, error)) from error

    # These run in the thread.

    def _begin(self, sqlite: sqlite3.Connection, begin: Sequence[str]) -> None:
        for statement in begin:
            sqlite.execute(statement)

    def _commit(self, sqlite: sqlite3.Connection) -> None:
        try:
            sqlite.execute("COMMIT")
        except sqlite3.Error:
            self._roll_back(sqlite)
            raise

    def _roll_back(self, sqlite: sqlite3.Connection) -> None:
        if sqlite.in_transaction:
            sqlite.execute("ROLLBACK")


class _Writer(_Connection):
    """Passes the turnstile before each transaction. Who does not (another program) is waited for by SQLite itself."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._turnstile = Turnstile(f"{path}.writer")

    async def close(self) -> None:
        await super().close()
        self._turnstile.close()

    def _begin(self, sqlite: sqlite3.Connection, begin: Sequence[str]) -> None:
        if not self._turnstile.enter(_BUSY_TIMEOUT_S):
            raise sqlite3.OperationalError("locked")
        super()._begin(sqlite, begin)

    def _commit(self, sqlite: sqlite3.Connection) -> None:
        try:
            super()._commit(sqlite)
        finally:
            self._turnstile.leave()

    def _roll_back(self, sqlite: sqlite3.Connection) -> None:
        try:
            super()._roll_back(sqlite)
        finally:
            self._turnstile.leave()


def _connected(path: str, pragmas: str) -> sqlite3.Connection:
    sqlite = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    sqlite.row_factory = _as_dict
    sqlite.executescript(f"PRAGMA foreign_keys = ON; {pragmas}")
    return sqlite


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


def _sentence(path: str, error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text:
        return (
            f"database {path} is locked: another process has been writing to it "
            f"for more than {_BUSY_TIMEOUT_S:.0f} s"
        )
    if "unable to open" in text:
        return f"cannot open database {path}: the folder must exist and be writable for this user"
    return f"database {path}: {text}"
