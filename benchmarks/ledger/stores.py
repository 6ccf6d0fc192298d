"""What the benchmark needs of a store: filled fast, copied by its own shell, explained, and stopped."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.ledger.data import Chunk


class Store(ABC):
    """Databases by name. The server, if there is one, runs between `start` and `stop`."""

    name: str

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    @abstractmethod
    def url(self, database: str) -> str:
        """As the product takes it."""

    @abstractmethod
    def orm_url(self, database: str) -> str:
        """As SQLAlchemy takes it."""

    @abstractmethod
    def databases(self) -> list[str]: ...

    @abstractmethod
    def create(self, database: str) -> None:
        """An empty one, without tables."""

    @abstractmethod
    def drop(self, database: str) -> None: ...

    @abstractmethod
    def rename(self, database: str, to: str) -> None: ...

    @abstractmethod
    def load(self, database: str, chunks: Iterable[Chunk]) -> None: ...

    @abstractmethod
    def execute(self, database: str, *statements: str) -> None:
        """Each for itself, without a timeout."""

    @abstractmethod
    def fetch(
        self, database: str, sql: str, params: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """`:name` parameters, as the product writes its statements."""

    @abstractmethod
    def times_ms(self, database: str, sql: str, count: int) -> list[float]:
        """Of a statement run so often on one open connection, its rows fetched."""

    @abstractmethod
    def tidy(self, database: str) -> None:
        """Statistics and what else a store does by itself in time."""

    @abstractmethod
    def copy(self, database: str, sql: str, target: Path) -> None:
        """The rows of a statement into a file, by the store's own shell."""

    @abstractmethod
    def plan(self, database: str, sql: str, params: Mapping[str, Any]) -> list[str]: ...

    @abstractmethod
    def files(self, database: str) -> list[Path]: ...


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
