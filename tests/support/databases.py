"""A fresh database for each test, on SQLite and on a real PostgreSQL server of the session's own."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from ringback.store.database import Database, open_database
from ringback.store.migrate import upgrade

PASSWORD = "between tests"


@dataclass(frozen=True)
class PostgresqlServer:
    port: int

    def url(self, name: str = "postgres", password: str = PASSWORD) -> str:
        return f"postgresql://ringback:{password.replace(' ', '%20')}@127.0.0.1:{self.port}/{name}"

    def create(self) -> str:
        """A new database; its URL."""
        name = f"test_{uuid4().hex}"
        asyncio.run(_execute(self.url(), f"CREATE DATABASE {name}"))
        return self.url(name)

    def drop(self, url: str) -> None:
        asyncio.run(_execute(self.url(), f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)"))

    def empty(self, url: str) -> None:
        """Delete all rows, and break what a test left connected."""
        left = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{url.rpartition('/')[2]}'"
        asyncio.run(_execute(self.url(), left))
        asyncio.run(_execute(url, "TRUNCATE accounts, trunk_gates, workers, prices CASCADE"))


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _binaries() -> Path | None:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3])
    found = str(versions[-1]) if versions else shutil.which("initdb")
    return Path(found).parent if found else None


def _as_other_than_root(command: list[str]) -> list[str]:
    # PostgreSQL refuses to run as root; its package brings a user.
    return (
        ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
        if _root()
        else command
    )


def _root() -> bool:
    return os.geteuid() == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed (initdb not found)")
    folder = Path(tempfile.mkdtemp(prefix="ringback-postgresql-"))
    password_file = folder / "password"
    password_file.write_text(PASSWORD)
    if _root():
        for path in (folder, password_file):
            shutil.chown(path, "postgres", "postgres")
    data, port = folder / "data", _free_port()
    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} "
        "-c fsync=off -c full_page_writes=off -c max_connections=60"
    )
    initdb = [binaries / "initdb", "-D", data, "-U", "ringback", "-A", "scram-sha-256", "-E", "UTF8"]
    start = [binaries / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-t", "30", "-o", options, "start"]
    stop = [binaries / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"]
    try:
        for command in ([*initdb, "--locale=C.UTF-8", f"--pwfile={password_file}"], start):
            subprocess.run(
                _as_other_than_root([str(part) for part in command]),
                check=True,
                timeout=60,
                cwd="/",
                stdout=subprocess.DEVNULL,
            )
        yield PostgresqlServer(port)
    finally:
        subprocess.run(
            _as_other_than_root([str(part) for part in stop]),
            check=False,
            timeout=60,
            cwd="/",
            stdout=subprocess.DEVNULL,
        )
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _postgresql_with_schema(postgresql_server: PostgresqlServer) -> str:
    # One for all tests, emptied after each: creating a database takes half a second.
    url = postgresql_server.create()
    asyncio.run(upgrade(url))
    return url


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "ringback.db"
    asyncio.run(upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.db"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    url = server.create()
    yield url
    server.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with the newest schema and no rows."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("_sqlite_template"), tmp_path / "ringback.db")
        yield f"sqlite:///{tmp_path}/ringback.db"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    url: str = request.getfixturevalue("_postgresql_with_schema")
    yield url
    server.empty(url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database with the newest schema and no rows."""
    db = await open_database(database_url)
    yield db
    await db.close()
