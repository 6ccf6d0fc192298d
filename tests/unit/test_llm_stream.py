"""Event streams and chunks, whatever a server makes of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.agents.chat import ChatText, ToolCall
from ringback.llm.answer import AnswerReader, BrokenCall, ServerError
from ringback.llm.event_stream import data_of


def data(*pieces: bytes) -> list[bytes]:
    async def source() -> AsyncGenerator[bytes]:
        for piece in pieces:
            yield piece

    async def read() -> list[bytes]:
        async with aclosing(source()) as pieces:
            return [event async for event in data_of(pieces)]

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"", []),
        (b"data: a\n\ndata: b\n\ndata: [DONE]\n\n", [b"a", b"b"]),
        (b"data:a\r\n\r\ndata:  b \r\n\r\n", [b"a", b"b"]),
        (b": comment\n\nevent: x\nid: 1\ndata: a\nretry: 5\n\n", [b"a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data: [DONE]\n\ndata: never\n\n", []),
        (b"data: a\n\ndata: b", [b"a", b"b"]),
        (b"data: a\n\ndata: [DONE]", [b"a"]),
        (b"data: a\n\ndat", [b"a"]),
        (b"\n\n\n", []),
        (b"{}", []),
    ],
)
def test_events(stream: bytes, events: list[bytes]) -> None:
    assert data(stream) == events
    for cut in range(0, len(stream), 3):
        assert data(stream[:cut], stream[cut:]) == events
    assert data(*(stream[n : n + 1] for n in range(len(stream)))) == events


@pytest.mark.parametrize("endless", [b"x" * 1000, b"data: " + b"x" * 1000, b"data: " + b"x" * 1000 + b"\n"])
def test_an_event_without_an_end(endless: bytes) -> None:
    with pytest.raises(ValueError, match="without an end"):
        data(*[endless] * 2000)


KEYS = st.sampled_from(
    (
        *("choices", "delta", "content", "tool_calls", "function", "name", "arguments", "id", "index"),
        *("usage", "prompt_tokens", "completion_tokens", "finish_reason", "reasoning_content", "refusal"),
        *("error", "message", "object"),
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(KEYS, JSON, max_size=5) | JSON, max_size=4))
def test_no_chunk_is_worse_than_a_clear_error(chunks: list[Any]) -> None:
    reader = AnswerReader()
    try:
        for chunk in chunks:
            reader.read(json.dumps(chunk).encode())
        reader.calls()
    except (ServerError, ValueError):
        pass


def chunk(**delta: Any) -> bytes:
    return json.dumps({"choices": [{"delta": delta}]}).encode()


def test_half_a_character_is_a_question_mark() -> None:
    reader = AnswerReader()
    assert reader.read(chunk(content="a\ud83d\0b")) == [ChatText("a?b")]
    reader.read(chunk(tool_calls=[{"id": "c", "function": {"name": "f", "arguments": '{"a": "\\ud83d"}'}}]))
    assert reader.calls() == [ToolCall("c", "f", {"a": "?"})]


def test_arguments_as_deep_as_they_like() -> None:
    reader = AnswerReader()
    deep = '{"a": ' * 50_000
    reader.read(chunk(tool_calls=[{"id": "c", "function": {"name": "f", "arguments": deep}}]))
    with pytest.raises(BrokenCall):
        reader.calls()


@pytest.mark.parametrize(
    ("chunk", "said"),
    [
        ({"error": {"message": "overloaded"}}, "overloaded"),
        ({"error": "overloaded"}, "overloaded"),
        ({"error": {"code": 5}}, "it does not say why"),
        ({"object": "error", "message": "overloaded"}, "overloaded"),
    ],
)
def test_the_servers_own_words(chunk: dict[str, Any], said: str) -> None:
    with pytest.raises(ServerError, match=said):
        AnswerReader().read(json.dumps(chunk).encode())
