"""A Wyoming server that misbehaves as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from wyoming.event import Event, Eventable, async_read_event, async_write_event


@dataclass
class Peer:
    """One accepted connection, as the test's script sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: list[Event] = field(default_factory=list)

    async def hear(self, kind: str) -> Event:
        """Read up to the next event of a kind."""
        while event := await async_read_event(self.reader):
            self.heard.append(event)
            if event.type == kind:
                return event
        raise ConnectionError

    async def say(self, *messages: Eventable) -> None:
        for message in messages:
            await async_write_event(message.event(), self.writer)

    async def gone(self) -> None:
        """Returns when the client has hung up."""
        while await self.reader.read(1 << 16):
            pass


@asynccontextmanager
async def wyoming_peer(folder: Path, script: Callable[[Peer], Awaitable[None]]) -> AsyncIterator[str]:
    """Serves `script` on each connection; yields the URI."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(Peer(reader, writer))
        except ConnectionError:
            pass  # the client gave up, as many tests want
        finally:
            writer.close()

    server = await asyncio.start_unix_server(connected, folder / "peer.sock")
    try:
        yield f"unix://{folder}/peer.sock"
    finally:
        server.close()
