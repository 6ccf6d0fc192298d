"""A PostgreSQL server of the benchmark's own, in its own folder and on a free port, with psql beside it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg

from benchmarks.ledger.data import ATTEMPT_COLUMNS, EXECUTION_COLUMNS, Chunk
from benchmarks.ledger.programs import free_port, postgresql_binaries, program
from benchmarks.ledger.stores import Store
from ringback.store.statement import for_postgresql

_PASSWORD: Final = "of-the-benchmark"
_SETTINGS: Final = {
    "shared_buffers": "512MB",
    "effective_cache_size": "4GB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "listen_addresses": "127.0.0.1",
}
"""Besides these the server's own defaults; fsync is on."""


class Postgresql(Store):
    name = "postgresql"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "postgresql"
        self._binaries = postgresql_binaries()
        self._shell = program("psql")
        self._port = 0

    def start(self) -> None:
        self._make()
        self.stop()  # a run that was killed may have left it
        self._port = free_port()
        options = "".join(f" -c {name}={value}" for name, value in _SETTINGS.items())
        options = f"-p {self._port} -c unix_socket_directories={self._folder}{options}"
        self._control("-l", str(self._folder / "log"), "-t", "120", "-o", options, "start")

    def stop(self) -> None:
        if (self._folder / "data" / "postmaster.pid").exists():
            self._control("-m", "fast", "-t", "120", "stop", check=False)

    @property
    def pid(self) -> int:
        """Of the server while it runs."""
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    def url(self, database: str) -> str:
        return f"postgresql://ringback:{_PASSWORD}@127.0.0.1:{self._port}/{database}"

    def orm_url(self, database: str) -> str:
        return self.url(database).replace("postgresql://", "postgresql+asyncpg://", 1)

    def databases(self) -> list[str]:
        return [name for (name,) in self.fetch("postgres", "SELECT datname FROM pg_database")]

    def create(self, database: str) -> None:
        self.execute("postgres", f"CREATE DATABASE {database}")

    def drop(self, database: str) -> None:
        self.execute("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def rename(self, database: str, to: str) -> None:
        self.execute("postgres", f"ALTER DATABASE {database} RENAME TO {to}")

    def load(self, database: str, chunks: Iterable[Chunk]) -> None:
        async def work(connection: _Connection) -> None:
            for chunk in chunks:
                for table, columns, rows in (
                    ("executions", EXECUTION_COLUMNS, chunk.executions),
                    ("attempts", ATTEMPT_COLUMNS, chunk.attempts),
                ):
                    await connection.copy_records_to_table(table, records=rows, columns=columns)

        asyncio.run(self._with(database, work))

    def execute(self, database: str, *statements: str) -> None:
        async def work(connection: _Connection) -> None:
            for statement in statements:
                await connection.execute(statement)

        asyncio.run(self._with(database, work))

    def fetch(
        self, database: str, sql: str, params: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        text, names = for_postgresql(sql)

        async def work(connection: _Connection) -> list[tuple[Any, ...]]:
            await connection.execute("SET jit = off")  # as the product does
            return [
                tuple(row) for row in await connection.fetch(text, *((params or {})[name] for name in names))
            ]

        return asyncio.run(self._with(database, work))

    def times_ms(self, database: str, sql: str, count: int) -> list[float]:
        async def work(connection: _Connection) -> list[float]:
            await connection.execute("SET jit = off")
            times = []
            for _ in range(count):
                start = time.perf_counter()
                await connection.fetch(sql)
                times.append((time.perf_counter() - start) * 1000)
            return times

        times: list[float] = asyncio.run(self._with(database, work))
        return times

    def tidy(self, database: str) -> None:
        self.execute(database, "VACUUM (ANALYZE)", "CHECKPOINT")

    def copy(self, database: str, sql: str, target: Path) -> None:
        subprocess.run(
            [self._shell, "-X", "-q", self.url(database), "-c", rf"\copy ({sql}) to '{target}'"], check=True
        )

    def plan(self, database: str, sql: str, params: Mapping[str, Any]) -> list[str]:
        return [line for (line,) in self.fetch(database, f"EXPLAIN (ANALYZE, COSTS OFF) {sql}", params)]

    def files(self, database: str) -> list[Path]:
        oid = self.fetch("postgres", "SELECT oid FROM pg_database WHERE datname = :name", {"name": database})[
            0
        ][0]
        return sorted((self._folder / "data" / "base" / str(oid)).iterdir())

    async def _with(self, database: str, work: Any) -> Any:
        connection = await asyncpg.connect(self.url(database), timeout=10)
        try:
            return await work(connection)
        finally:
            await connection.close()

    def _make(self) -> None:
        if (self._folder / "data" / "PG_VERSION").exists():
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        password = self._folder / "password"
        password.write_text(_PASSWORD)
        if os.geteuid() == 0:
            for path in (self._folder, password):
                shutil.chown(path, "postgres", "postgres")
        initdb = [str(self._binaries / "initdb"), "-D", str(self._folder / "data"), f"--pwfile={password}"]
        _run([*initdb, "-U", "ringback", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"])

    def _control(self, *arguments: str, check: bool = True) -> None:
        _run(
            [str(self._binaries / "pg_ctl"), "-D", str(self._folder / "data"), "-w", *arguments], check=check
        )


_Connection = Any  # asyncpg's is generic only in its stubs


def _run(command: list[str], *, check: bool = True) -> None:
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root; its package brings a user.
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
    subprocess.run(command, check=check, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
