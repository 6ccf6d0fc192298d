"""A bare HTTP/1.1 server on loopback that keeps connections: what it answers is its user's."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

ServeOne = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]
"""Read one request and answer it; False ends the connection."""


@asynccontextmanager
async def keep_alive_server(
    serve_one: ServeOne,
    *,
    connected: Callable[[], None],
    gone: Callable[[], None],
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Serves on a free port, which it gives. `gone`: a client hung up before it was answered."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        connected()
        try:
            while await serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            gone()
        except asyncio.CancelledError:  # raised again, it would be logged as an error
            pass
        finally:
            serving.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def read_request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    """The request line, the headers with names in lower case, and the body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return line, headers, await reader.readexactly(int(headers.get("content-length", "0")))
