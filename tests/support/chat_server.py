"""A local HTTP server that speaks the chat completions protocol, as well or as badly as a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answer:
    """One HTTP response. `pieces` are written one after the other, a number is a pause in seconds."""

    pieces: Sequence[bytes | float] = ()
    status: int = 200
    content_type: str = "text/event-stream"
    breaks: bool = False
    """Cut the connection instead of ending the body properly."""


@dataclass
class ChatServer:
    url: str
    answers: list[Answer] = field(default_factory=list)
    """Given in turn; the last one again and again."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: int = 0
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    """The client went away before the end."""


def events(*texts: str, usage: tuple[int, int] | None = None, finish: bool = True) -> list[bytes]:
    """The event stream of a reply."""
    chunks: list[dict[str, Any]] = [_chunk({"delta": {"role": "assistant", "content": ""}})]
    chunks += [_chunk({"delta": {"content": text}}) for text in texts]
    if finish:
        chunks.append(_chunk({"delta": {}, "finish_reason": "stop"}))
    if usage is not None:
        counts = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
        chunks.append({**_chunk({}), "choices": [], "usage": counts})
    lines = [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode() for chunk in chunks]
    return [*lines, b"data: [DONE]\n\n"] if finish else lines


def refusal(status: int, message: str) -> Answer:
    body = json.dumps({"error": {"message": message, "type": "error", "code": None, "param": None}}).encode()
    return Answer([body], status, "application/json")


def _chunk(choice: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "test",
        "choices": [{"index": 0, "finish_reason": None, **choice}],
    }


@asynccontextmanager
async def chat_server(*answers: Answer) -> AsyncIterator[ChatServer]:
    """Serves on a free port of loopback; its `url` is a base URL."""
    state = ChatServer("", list(answers))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        try:
            while await _serve_one(state, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            state.disconnected.set()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    state.url = f"http://{host}:{port}/v1"
    try:
        yield state
    finally:
        server.close()


async def _serve_one(state: ChatServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    request_line, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    assert request_line.startswith("POST /v1/chat/completions ")
    state.requests.append(json.loads(body))
    state.headers.append(headers)
    answer = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
    writer.write(
        f"HTTP/1.1 {answer.status} Whatever\r\nContent-Type: {answer.content_type}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n".encode()
    )
    for piece in answer.pieces:
        if isinstance(piece, float):
            await _pause(state, reader, piece)
        else:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
    if answer.breaks:
        return False
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


async def _pause(state: ChatServer, reader: asyncio.StreamReader, seconds: float) -> None:
    """Wait, and notice when the client gives up meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            if await reader.read(1) == b"":
                raise ConnectionResetError
    except TimeoutError:
        pass
