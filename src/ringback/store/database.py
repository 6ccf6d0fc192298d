"""The one interface over SQLite and PostgreSQL: statements with `:name` parameters, rows as mappings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

Row = Mapping[str, Any]
"""One row by column name. SQLite gives booleans as 0 and 1."""


class StoreError(Exception):
    """The database refused or cannot be reached; the message is one clear sentence without a password."""


class Reader(Protocol):
    """Statements that change nothing. Each raises StoreError on failure or timeout."""

    async def fetch_one(self, sql: str, **params: object) -> Row | None:
        """The first row, None without one."""
        ...

    async def fetch_all(self, sql: str, **params: object) -> list[Row]:
        """All rows; bound them in the statement."""
        ...


class Transaction(Reader, Protocol):
    """Statements that happen together or not at all."""

    async def execute(self, sql: str, **params: object) -> int:
        """Run a statement; the number of rows it changed."""
        ...

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Run a statement once for each row of parameters."""
        ...

    async def insert_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Insert many rows, each in the order of `columns`: COPY on PostgreSQL, many a statement on SQLite.

        The names are the code's own, never a client's.
        """
        ...


class Database(Reader, Protocol):
    """An open database. Called on it directly, `fetch_one` and `fetch_all` are reads of their own.

    Statements are the same text for both databases. Parameters are `:name`. `FOR UPDATE [SKIP LOCKED]`,
    `FOR NO KEY UPDATE` and `FOR [KEY] SHARE` are dropped for SQLite, whose one writer holds the whole database already,
    and `strpos` is called `instr` there.
    """

    @property
    def url(self) -> str:
        """Where it is, without the password."""
        ...

    def transaction(self, *, durable: bool = True) -> AbstractAsyncContextManager[Transaction]:
        """Write: commits at the end of the block, rolls back when it raises (also when it is cancelled).

        Without `durable` nobody waits for the disk: a crash of the machine may take it back, as if it had never been,
        unless a durable one was committed after it.
        """
        ...

    def read(self) -> AbstractAsyncContextManager[Reader]:
        """Several reads that see one and the same moment."""
        ...

    async def close(self) -> None: ...


async def open_database(url: str) -> Database:
    """Open `sqlite:///path/to/file` or `postgresql://user:password@host/name`; `migrate` makes its tables.

    Raises StoreError where the URL is neither or the database cannot be reached.
    """
    # Imported here: both import this module.
    if url.startswith("sqlite:///"):
        from ringback.store.sqlite import SqliteDatabase

        return await SqliteDatabase.open(url)
    if url.startswith(("postgresql://", "postgres://")):
        from ringback.store.postgresql import PostgresqlDatabase

        return await PostgresqlDatabase.open(url)
    raise StoreError(
        f"database URL {redact(url)!r} is not understood: "
        "use sqlite:///path/to/file or postgresql://user:password@host/name"
    )


def redact(url: str) -> str:
    """The URL with its password left out."""
    return re.sub(r"(?<=://)([^:/@]*):.*@", r"\1:***@", url)
