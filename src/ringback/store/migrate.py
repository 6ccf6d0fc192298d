"""Bring a database to the newest schema: Alembic, run in this process, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from ringback.store.database import StoreError, redact
from ringback.store.postgresql import translated_errors
from ringback.store.sqlite import sqlite_path

_LOCK = 7_263_041_955
"""Any number that nobody else takes as an advisory lock in our database."""


async def upgrade(url: str) -> None:
    """Create or upgrade the tables; all or nothing, and one process at a time. Raises StoreError."""
    try:
        if url.startswith("sqlite:///"):
            sqlite_path(url)
            await asyncio.to_thread(_upgrade_sqlite, url)
        else:
            with translated_errors(url):
                await _upgrade_postgresql(url)
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise StoreError(f"cannot create the tables in {redact(url)}: {cause}") from error


def run(connection: Connection) -> None:
    """Apply the missing steps on an open connection, inside its transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _upgrade_sqlite(url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)

    # pysqlite commits before DDL on its own account; the documented cure is to begin by hand.
    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.begin() as connection:
        run(connection)


async def _upgrade_postgresql(url: str) -> None:
    # Connected by asyncpg itself: SQLAlchemy does not know every option that a URL may have (sslmode ...).
    engine = create_async_engine(
        "postgresql+asyncpg://", poolclass=NullPool, async_creator=lambda: asyncpg.connect(url, timeout=5.0)
    )
    async with engine.begin() as connection:
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        await connection.run_sync(run)
