"""A local HTTP server that answers as a test wants, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.support.keep_alive import keep_alive_server, read_request


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
    if tls is not None:
        tls.sni_callback = lambda _, name, __: state.names.append(name)

    def connected() -> None:
        state.connections += 1

    serve_one = partial(_serve_one, state)
    async with keep_alive_server(serve_one, connected=connected, gone=state.gone.set, tls=tls) as port:
        state.port = port
        yield state


async def _serve_one(state: HttpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    line, headers, body = await read_request(reader)
    method, path, _ = line.split(" ", 2)
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
