"""A local HTTP server that answers as a test wants, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Page:
    """One answer."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    wait_s: float = 0.0
    """Before the first byte."""
    drip: bool = False
    """After the body, bytes without end."""
    breaks: bool = False
    """Cut the connection in the middle of the body."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class HttpServer:
    port: int = 0
    pages: list[Page] = field(default_factory=list)
    """Given in turn; the last one again and again."""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    names: list[str | None] = field(default_factory=list)
    """What TLS clients asked for (SNI)."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """A client went away before its answer was complete."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def http_server(*pages: Page, tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpServer]:
    """Serves on a free port of loopback."""
    state = HttpServer(pages=list(pages))
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        state.connections += 1
        try:
            while await _serve_one(state, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            state.gone.set()
        except asyncio.CancelledError:  # raised again, it would be logged as an error
            pass
        finally:
            serving.discard(task)
            writer.close()

    if tls is not None:
        tls.sni_callback = lambda _, name, __: state.names.append(name)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _serve_one(state: HttpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *lines = head.strip().split("\r\n")
    method, path, _ = line.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    state.requests.append(Request(method, path, headers, body))
    state.asked.set()
    page = state.pages.pop(0) if len(state.pages) > 1 else state.pages[0]
    await asyncio.sleep(page.wait_s)
    length = len(page.body) + (1 << 40 if page.drip or page.breaks else 0)
    fields = {"Content-Type": page.content_type, "Content-Length": str(length), **page.headers}
    writer.write(f"HTTP/1.1 {page.status} Whatever\r\n".encode())
    writer.write("".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n")
    writer.write(page.body)
    await writer.drain()
    while page.drip:
        writer.write(b"x" * 1000)
        await writer.drain()
        await asyncio.sleep(0)
    return not page.breaks
