"""A local HTTP server that speaks the chat completions protocol, as well or as badly as a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.support.chat_rules import check_request
from tests.support.keep_alive import keep_alive_server, read_request


@dataclass
class Answer:
    """One HTTP response. `pieces` are written one after the other, a number is a pause in seconds."""

    pieces: Sequence[bytes | float] = ()
    status: int = 200
    content_type: str = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks: bool = False
    """Cut the connection instead of ending the body properly."""
    closes: bool = False
    """Close the connection after the answer, without a word of it."""
    silent: bool = False
    """Cut the connection without a byte."""


Brain = Callable[[dict[str, Any]], Answer]
"""What to answer to a request, for conversations whose questions cannot be counted beforehand."""


@dataclass
class ChatServer:
    url: str
    answers: list[Answer] = field(default_factory=list)
    """Given in turn; the last one again and again."""
    brain: Brain | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: int = 0
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    """The client went away before the end."""
    wrong: list[str] = field(default_factory=list)
    """What a strict server would have refused."""


def events(*texts: str, usage: tuple[int, int] | None = None, finish: bool = True) -> list[bytes]:
    """The event stream of a reply."""
    deltas: list[dict[str, Any]] = [{"content": text} for text in texts]
    return stream(*deltas, finish="stop" if finish else None, usage=usage)


def stream(
    *deltas: Mapping[str, Any], finish: str | None = "stop", usage: tuple[int, int] | None = None
) -> list[bytes]:
    """The event stream of any deltas."""
    chunks: list[dict[str, Any]] = [_chunk({"delta": {"role": "assistant", "content": ""}})]
    chunks += [_chunk({"delta": dict(delta)}) for delta in deltas]
    if finish is not None:
        chunks.append(_chunk({"delta": {}, "finish_reason": finish}))
    if usage is not None:
        counts = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
        chunks.append({**_chunk({}), "choices": [], "usage": counts})
    lines = [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode() for chunk in chunks]
    return [*lines, b"data: [DONE]\n\n"] if finish is not None else lines


def call(index: int | None, id_: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    """A delta with a piece of a function call; None leaves the key out."""
    part: dict[str, Any] = {"type": "function", "function": {"arguments": arguments}}
    part |= {key: value for key, value in (("index", index), ("id", id_)) if value is not None}
    if name is not None:
        part["function"]["name"] = name
    return {"tool_calls": [part]}


def refusal(status: int, message: str, **headers: str) -> Answer:
    body = json.dumps({"error": {"message": message, "type": "error", "code": None, "param": None}}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer([body], status, "application/json", named)


def _chunk(choice: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "test",
        "choices": [{"index": 0, "finish_reason": None, **choice}],
    }


@asynccontextmanager
async def chat_server(*answers: Answer, brain: Brain | None = None) -> AsyncIterator[ChatServer]:
    """Serves on a free port of loopback; its `url` is a base URL. Fails at the end where a request was wrong."""
    state = ChatServer("", list(answers), brain)

    def connected() -> None:
        state.connections += 1

    serve_one = partial(_serve_one, state)
    async with keep_alive_server(serve_one, connected=connected, gone=state.disconnected.set) as port:
        state.url = f"http://127.0.0.1:{port}/v1"
        yield state
    assert not state.wrong, state.wrong


async def _serve_one(state: ChatServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    request_line, headers, body = await read_request(reader)
    assert request_line.startswith("POST /v1/chat/completions ")
    request = json.loads(body)
    state.requests.append(request)
    state.headers.append(headers)
    state.wrong += check_request(request)
    if state.brain is not None:
        answer = state.brain(request)
    else:
        answer = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
    if answer.silent:
        return False
    more = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    writer.write(
        f"HTTP/1.1 {answer.status} Whatever\r\nContent-Type: {answer.content_type}\r\n{more}"
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
    return not answer.closes


async def _pause(state: ChatServer, reader: asyncio.StreamReader, seconds: float) -> None:
    """Wait, and notice when the client gives up meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            if await reader.read(1) == b"":
                raise ConnectionResetError
    except TimeoutError:
        pass
