"""SQLite as the product runs it, its shell beside it."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.ledger.data import ATTEMPT_COLUMNS, EXECUTION_COLUMNS, Chunk
from benchmarks.ledger.programs import program
from benchmarks.ledger.stores import Store, seconds
from ringback.store.statement import for_sqlite


class Sqlite(Store):
    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "sqlite"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._shell = program("sqlite3")

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def url(self, database: str) -> str:
        return f"sqlite:///{self._path(database)}"

    def orm_url(self, database: str) -> str:
        return self.url(database)

    def databases(self) -> list[str]:
        return [path.stem for path in self._folder.glob("*.db")]

    def create(self, database: str) -> None:
        sqlite3.connect(self._path(database)).close()

    def drop(self, database: str) -> None:
        for path in self.files(database):
            path.unlink()

    def rename(self, database: str, to: str) -> None:
        self._path(database).rename(self._path(to))

    def load(self, database: str, chunks: Iterable[Chunk]) -> None:
        connection = sqlite3.connect(self._path(database))
        connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000;"
        )
        for chunk in chunks:
            with connection:
                connection.executemany(_insert("executions", EXECUTION_COLUMNS), chunk.executions)
                connection.executemany(_insert("attempts", ATTEMPT_COLUMNS), chunk.attempts)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()

    def execute(self, database: str, *statements: str) -> None:
        connection = sqlite3.connect(self._path(database), isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    def fetch(
        self, database: str, sql: str, params: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self._path(database))
        rows = connection.execute(for_sqlite(sql), params or {}).fetchall()
        connection.close()
        return rows

    def times_ms(self, database: str, sql: str, count: int) -> list[float]:
        connection = sqlite3.connect(self._path(database))
        times = [seconds(lambda: connection.execute(sql).fetchall()) * 1000 for _ in range(count)]
        connection.close()
        return times

    def tidy(self, database: str) -> None:
        self.execute(database, "ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)")

    def copy(self, database: str, sql: str, target: Path) -> None:
        with target.open("wb") as file:
            subprocess.run(
                [self._shell, "-readonly", "-batch", str(self._path(database)), sql], stdout=file, check=True
            )

    def plan(self, database: str, sql: str, params: Mapping[str, Any]) -> list[str]:
        rows = self.fetch(database, f"EXPLAIN QUERY PLAN {sql}", params)
        depth = {0: 0}
        lines = []
        for node, parent, _, detail in rows:
            depth[node] = depth.get(parent, 0) + 1
            lines.append("  " * (depth[node] - 1) + detail)
        return lines

    def files(self, database: str) -> list[Path]:
        return sorted(self._folder.glob(f"{database}.db*"))

    def _path(self, database: str) -> Path:
        return self._folder / f"{database}.db"


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
