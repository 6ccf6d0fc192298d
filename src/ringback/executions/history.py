"""The v1 list: an agent's whole history as one JSON array, of bytes that the store holds already (contract 3.1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

from ringback.executions.filters import Filters
from ringback.executions.frames import Frame
from ringback.executions.listing import Listing, StoredExecution
from ringback.store.database import Database
from ringback.store.queries import segments

_EVERYTHING: Final = Filters()
_AFTER_ALL: Final = 2**63 - 1


class History:
    """Reads whole histories. It sees one account at a time."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._listing = Listing(db)

    def v1_array(
        self, account_id: str, agent_id: str, filters: Filters = _EVERYTHING
    ) -> AsyncGenerator[bytes | Frame]:
        """The agent's executions as the chunks of one JSON array, newest first; those that are Frames are
        compressed.

        Between two chunks it holds no connection, so a slow reader keeps nothing busy. An execution that is created
        meanwhile is not in it; of one that changes meanwhile it has the state of the moment it was read.
        """
        if filters == _EVERYTHING:
            return json_array(self._whole(account_id, agent_id))
        return json_array(_v1(self._listing.batches(account_id, agent_id, filters)))

    async def _whole(self, account_id: str, agent_id: str) -> AsyncGenerator[bytes | Frame]:
        """Segments as they are stored, and rows where there are none."""
        before = _AFTER_ALL
        while (segment := await segments.newest_before(self._db, account_id, agent_id, before)) is not None:
            first, last, frame = segment["first_seq"], segment["last_seq"], segment["frame"]
            after = last if frame is not None else first - 1
            if segment["newer"] or frame is None:
                rows = self._listing.batches(
                    account_id, agent_id, Filters(created_from=after + 1), before=before
                )
                async for part in _v1(rows):
                    yield part
            if frame is not None:
                yield Frame(frame)
            before = first
        async for part in _v1(self._listing.batches(account_id, agent_id, before=before)):
            yield part


async def json_array(parts: AsyncGenerator[bytes | Frame]) -> AsyncGenerator[bytes | Frame]:
    """Each part is some elements with commas between them. The next part is read while one is under way."""
    separator = b"["
    async with aclosing(_read_ahead(parts)) as coming:
        async for part in coming:
            if isinstance(part, Frame):
                yield separator
                yield part
            else:
                yield separator + part
            separator = b","
    yield b"]" if separator == b"," else b"[]"


async def _v1(batches: AsyncIterator[list[StoredExecution]]) -> AsyncGenerator[bytes | Frame]:
    async for batch in batches:
        yield b",".join(item.v1() for item in batch)


async def _read_ahead(parts: AsyncGenerator[bytes | Frame]) -> AsyncGenerator[bytes | Frame]:
    """The same parts, the next one always in the making."""
    async with aclosing(parts):
        coming = asyncio.ensure_future(anext(parts, None))
        try:
            while (part := await coming) is not None:
                coming = asyncio.ensure_future(anext(parts, None))
                yield part
        finally:
            coming.cancel()
            await asyncio.wait([coming])
