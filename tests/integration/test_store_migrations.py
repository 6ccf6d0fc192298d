"""The migrations build what the metadata says, on both databases."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from ringback.store.database import Database, StoreError, open_database
from ringback.store.migrate import upgrade
from ringback.store.schema import metadata


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def _difference_of(url: str) -> list[Any]:
    if url.startswith("sqlite"):
        with create_engine(url, poolclass=NullPool).connect() as connection:
            return _differences(connection)
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), poolclass=NullPool)
    async with engine.connect() as async_connection:
        return await async_connection.run_sync(_differences)


async def test_migrations_build_the_metadata(empty_database_url: str) -> None:
    assert await _difference_of(empty_database_url) != []
    await upgrade(empty_database_url)
    assert await _difference_of(empty_database_url) == []
    await upgrade(empty_database_url)


async def test_processes_that_upgrade_at_once(empty_database_url: str) -> None:
    command = "import asyncio, os; from ringback.store.migrate import upgrade; "
    command += "asyncio.run(upgrade(os.environ['DATABASE']))"
    environment = {**os.environ, "DATABASE": empty_database_url}
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", command, env=environment) for _ in range(3)
    ]
    async with asyncio.timeout(30):
        assert [await process.wait() for process in processes] == [0, 0, 0]
    assert await _difference_of(empty_database_url) == []


async def test_the_sqlite_file_keeps_its_promises(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/ringback.db"
    await upgrade(url)
    db = await open_database(url)
    async with db.transaction() as tx:
        assert await tx.fetch_one("PRAGMA journal_mode") == {"journal_mode": "wal"}
        assert await tx.fetch_one("PRAGMA synchronous") == {"synchronous": 2}
        assert await tx.fetch_one("PRAGMA foreign_keys") == {"foreign_keys": 1}
    await db.close()


async def test_every_primary_key_begins_with_the_account() -> None:
    for table in metadata.sorted_tables:
        assert next(iter(table.primary_key.columns)).name == "account_id", table.name


VALID = {"status": "queued", "call_type": "outbound", "state": "waiting", "role": "user", "kind": "llm"}
VALID_IN: dict[str, dict[str, str]] = {
    "gates": {"kind": "agent", "closed": "paused"},
    "batches": {"state": "created"},
    "jobs": {"kind": "sweep"},
    "webhook_deliveries": {"kind": "batch"},
    "workers": {"state": "serving"},
}


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("executions", "status"),
        ("executions", "call_type"),
        ("attempts", "state"),
        ("attempts", "status"),
        ("turns", "role"),
        ("usage_lines", "kind"),
        ("gates", "kind"),
        ("gates", "closed"),
        ("batches", "state"),
        ("jobs", "kind"),
        ("webhook_deliveries", "kind"),
        ("workers", "state"),
    ],
)
async def test_check_constraints_are_in_the_database(database: Database, table: str, column: str) -> None:
    """Alembic's comparison does not see them."""
    columns = metadata.tables[table].columns
    row = {c.name: {int: 0, bool: False, str: "x"}[c.type.python_type] for c in columns}
    valid = VALID | VALID_IN.get(table, {})
    row |= {name: value for name, value in valid.items() if name in row and name != column}
    sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})"
    with pytest.raises(StoreError, match=f"ck_{table}_{column}"):
        async with database.transaction() as tx:
            await tx.execute(sql, **row)
