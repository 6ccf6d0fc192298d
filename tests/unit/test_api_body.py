"""Bodies: bounded, strictly JSON, and refused with the place of what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from ringback.api.body import MAX_DEPTH, BodyLimit, parse
from ringback.api.errors import ApiError


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "The body is empty: send a JSON object"),
        (b" \n", "The body is empty: send a JSON object"),
        (b"agent_id=1", "The body is not JSON: Expecting value at line 1, column 1"),
        (b'{"a": 1,\n}', "The body is not JSON: "),
        (b'{"a": NaN}', "The body is not JSON: NaN is not a JSON number"),
        (b'{"a": -Infinity}', "The body is not JSON: -Infinity is not a JSON number"),
        (b'{"a": 1e999}', "The body is not JSON: the number 1e999 is too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "The body is not JSON: "),
        (b'\xff{"a": 1}', "The body is not JSON: it is not UTF-8 at byte 0"),
        (b'{"a": {"b": ["x", "\\u0000"]}}', "a.b[1] holds a character that cannot be stored"),
        (b'{"a": "\\ud800"}', "a holds a character that cannot be stored"),
        (b'{"\\u0000": 1}', "the body holds a character that cannot be stored"),
        (b"[" * 100_000, f"The body is nested more than {MAX_DEPTH} deep"),
        (b"[" * 65 + b"]" * 65, f"the body is nested more than {MAX_DEPTH} deep"),
    ],
)
def test_what_is_not_json_or_cannot_be_stored(raw: bytes, message: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse(raw)
    assert refused.value.status == 400
    assert refused.value.message.startswith(message)


def test_a_syntax_error_says_where() -> None:
    with pytest.raises(ApiError) as refused:
        parse(b'{"a": 1,\n "b": x}')
    assert refused.value.message == "The body is not JSON: Expecting value at line 2, column 7"
    assert refused.value.details == {"line": 2, "column": 7}


def test_the_deepest_that_is_taken() -> None:
    assert parse(b"[" * 64 + b"]" * 64)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet="äöab✓"), inner),
        max_leaves=10,
    )
)
def test_json_comes_through(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value


@given(st.binary(max_size=40))
def test_anything_is_either_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(ApiError):
        parse(raw)


class Echo:
    """An application that reads its body and answers with its length."""

    def __init__(self) -> None:
        self.called = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.called = True
        length, more = 0, True
        try:
            while more:
                message = await receive()
                length += len(message["body"])
                more = message["more_body"]
        except ApiError as error:
            await error.response()(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(length).encode()})


async def request(chunks: Iterable[bytes], length: int | None) -> tuple[Echo, list[Message], int]:
    """Send chunks to a limit of 1,000 bytes: the application, what was answered, the chunks taken in."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages[-1]["more_body"] = False
    taken = 0
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal taken
        taken += 1
        return messages[taken - 1] if taken <= len(messages) else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    echo = Echo()
    headers = [] if length is None else [(b"content-length", str(length).encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    async with asyncio.timeout(5):
        await BodyLimit(echo, max_bytes=1000)(scope, receive, send)
    return echo, sent, taken


async def test_a_body_within_the_limit() -> None:
    _, sent, _ = await request([b"x" * 400, b"x" * 600], 1000)
    assert sent[0]["status"] == 200
    assert sent[1]["body"] == b"1000"


async def test_an_announced_excess_is_answered_before_anything_is_read() -> None:
    echo, sent, taken = await request([b"x" * 1001], 1001)
    assert not echo.called
    assert [message.get("status") for message in sent] == [413, None, None]
    assert json.loads(sent[1]["body"])["message"] == "The body is too large: send at most 1000 bytes"
    assert sent[-1] == {"type": "http.response.body", "body": b""}
    assert taken == 1


async def test_an_excess_that_was_not_announced_is_noticed_when_it_comes() -> None:
    echo, sent, taken = await request([b"x" * 600] * 5, None)
    assert echo.called
    assert sent[0]["status"] == 413
    assert sent[1]["more_body"]
    assert taken == 5  # the rest was dropped after the answer


async def test_a_client_that_never_ends_is_cut_off() -> None:
    chunk = b"x" * (1024 * 1024)
    _, sent, taken = await request([chunk] * 100, 100 * len(chunk))
    assert sent[0]["status"] == 413
    assert taken == 32
