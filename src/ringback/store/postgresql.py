"""PostgreSQL as the database, through a pool of asyncpg connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg

from ringback.store.database import Reader, Row, StoreError, Transaction, redact
from ringback.store.statement import for_postgresql

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    _Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

_CONNECT_TIMEOUT_S: Final = 5.0
_ACQUIRE_TIMEOUT_S: Final = 10.0
_STATEMENT_TIMEOUT_S: Final = 30.0
_POOL_SIZE: Final = 10
_SETTINGS: Final = {
    "application_name": "ringback",
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    # Our statements are short; compiling one costs more than running it.
    "jit": "off",
}

_BEGIN: Final = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '3s'"
"""For transactions that write. Whoever is stopped (SIGSTOP, a machine that freezes) in the midst of one holds what it
locked, an account's gate perhaps: the server gives that to the others, and the writer learns of it by an error. Reads
lock nothing, and may wait for a slow client. One round trip, like a mere BEGIN; nothing of it outlives the
transaction."""


class PostgresqlDatabase:
    """Use `open`."""

    def __init__(self, secret_url: str, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._secret_url = secret_url
        self._url = redact(secret_url)
        self._pool = pool

    @classmethod
    async def open(cls, url: str) -> PostgresqlDatabase:
        """Connect to `postgresql://user:password@host:port/name`. Raises StoreError."""
        with translated_errors(url):
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=_POOL_SIZE,
                timeout=_CONNECT_TIMEOUT_S,
                command_timeout=_STATEMENT_TIMEOUT_S,
                server_settings=_SETTINGS,
                reset=_nothing_to_reset,
            )
        return cls(url, pool)

    @property
    def url(self) -> str:
        return self._url

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[Transaction]:
        async with self._borrowed() as connection:
            with translated_errors(self._url):
                await connection.execute(
                    _BEGIN if durable else f"{_BEGIN}; SET LOCAL synchronous_commit = off"
                )
            try:
                yield _Statements(connection, self._url)
            except BaseException:
                with translated_errors(self._url):
                    await connection.execute("ROLLBACK")
                raise
            with translated_errors(self._url):
                await connection.execute("COMMIT")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reader]:
        async with self._borrowed() as connection:
            block = connection.transaction(isolation="repeatable_read", readonly=True)
            with translated_errors(self._url):
                await block.start()
            try:
                yield _Statements(connection, self._url)
            finally:
                with translated_errors(self._url):
                    await block.rollback()

    async def fetch_one(self, sql: str, **params: object) -> Row | None:
        async with self._borrowed() as connection:
            return await _Statements(connection, self._url).fetch_one(sql, **params)

    async def fetch_all(self, sql: str, **params: object) -> list[Row]:
        async with self._borrowed() as connection:
            return await _Statements(connection, self._url).fetch_all(sql, **params)

    async def write_one(self, sql: str, **params: object) -> Row | None:
        """One statement as a transaction of its own, in one round trip; the first row that it returns."""
        return await self.fetch_one(sql, **params)

    async def close(self) -> None:
        with translated_errors(self._url):
            await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection outside the pool, for whoever keeps one. Raises StoreError when it can't be made."""
        with translated_errors(self._url):
            connection = await asyncpg.connect(
                self._secret_url,
                timeout=_CONNECT_TIMEOUT_S,
                command_timeout=_STATEMENT_TIMEOUT_S,
                server_settings=_SETTINGS,
            )
        try:
            yield connection
        finally:
            connection.terminate()

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[_Connection]:
        with translated_errors(self._url):
            connection = await self._pool.acquire(timeout=_ACQUIRE_TIMEOUT_S)
        try:
            yield connection
        except asyncio.CancelledError:
            # Cut off after a statement was parsed and before it was run, asyncpg has not ended the round trip: the
            # server takes what comes next for a part of it, and refuses a BEGIN with an isolation level.
            connection.terminate()
            raise
        finally:
            with translated_errors(self._url):
                await self._pool.release(connection)


async def _nothing_to_reset(_: object) -> None:
    """asyncpg's own reset is a round trip after every use of a connection. Statements here set nothing that outlives
    their transaction, and one that is left open asyncpg rolls back before it asks."""


class _Statements:
    """What one connection can do for a caller."""

    def __init__(self, connection: _Connection, url: str) -> None:
        self._connection = connection
        self._url = url

    async def fetch_one(self, sql: str, **params: object) -> Row | None:
        text, names = for_postgresql(sql)
        with translated_errors(self._url):
            record = await self._connection.fetchrow(text, *(params[name] for name in names))
        return None if record is None else dict(record)

    async def fetch_all(self, sql: str, **params: object) -> list[Row]:
        text, names = for_postgresql(sql)
        with translated_errors(self._url):
            records = await self._connection.fetch(text, *(params[name] for name in names))
        return [dict(record) for record in records]

    async def execute(self, sql: str, **params: object) -> int:
        text, names = for_postgresql(sql)
        with translated_errors(self._url):
            # The command tag: "UPDATE 3", "INSERT 0 1".
            tag = await self._connection.execute(text, *(params[name] for name in names))
        return int(tag.rsplit(" ", 1)[-1])

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]]) -> None:
        text, names = for_postgresql(sql)
        with translated_errors(self._url):
            await self._connection.executemany(text, [[row[name] for name in names] for row in rows])

    async def insert_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        with translated_errors(self._url):
            await self._connection.copy_records_to_table(table, columns=columns, records=rows)


@contextmanager
def translated_errors(url: str) -> Iterator[None]:
    """Turn what asyncpg and the network raise into a StoreError of one sentence."""
    try:
        yield
    except TimeoutError as error:
        raise StoreError(f"PostgreSQL at {redact(url)} did not answer in time") from error
    except (asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise StoreError(f"PostgreSQL at {redact(url)} refused us: {_sentence(error)}") from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # Not the DETAIL lines: they quote values.
        raise StoreError(f"PostgreSQL: {_sentence(error)}") from error
    except (ValueError, OverflowError) as error:
        raise StoreError(f"database URL {redact(url)!r} is not understood: {_sentence(error)}") from error
    except OSError as error:
        raise StoreError(
            f"PostgreSQL at {redact(url)} cannot be reached: {error.strerror or 'connection refused'}"
        ) from error


def _sentence(error: Exception) -> str:
    return str(error).partition("\n")[0]
