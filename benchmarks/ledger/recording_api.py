"""The api process, which also writes down what it asks its database: a line of JSON a statement.

LEDGER_STATEMENTS=file python -m benchmarks.ledger.recording_api
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from ringback.app import api, core
from ringback.app.settings import load
from ringback.store.database import Database, open_database

_FILE = os.environ["LEDGER_STATEMENTS"]


class _Recorded:
    """A reader or a transaction."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def called(sql: str, *rows: Any, **params: Any) -> Any:
            _note(sql, params)
            return method(sql, *rows, **params)

        return called


async def _open(url: str) -> Database:
    db: Any = await open_database(url)
    kind = type(db)

    class Recording(kind):  # type: ignore[misc, valid-type]
        """Still what it was for whoever asks for its type."""

        async def fetch_one(self, sql: str, **params: object) -> Any:
            _note(sql, params)
            return await kind.fetch_one(self, sql, **params)

        async def fetch_all(self, sql: str, **params: object) -> Any:
            _note(sql, params)
            return await kind.fetch_all(self, sql, **params)

        @asynccontextmanager
        async def read(self) -> AsyncIterator[Any]:
            async with kind.read(self) as reader:
                yield _Recorded(reader)

    db.__class__ = Recording
    recording: Database = db
    return recording


def _note(sql: str, params: dict[str, Any]) -> None:
    with open(_FILE, "a") as file:
        file.write(json.dumps([sql, params]) + "\n")


if __name__ == "__main__":
    core.open_database = _open  # type: ignore[attr-defined]
    # Only what requests ask is of interest.
    api.upkeep = lambda *_: nullcontext()  # type: ignore[attr-defined, assignment]
    asyncio.run(api.run(load()))
