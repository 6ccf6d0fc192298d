"""What the language model is told of a server's answer."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.agents.tools import ToolResult
from ringback.net.client import Answer
from ringback.tools.result import MAX_BYTES, MAX_TOLD, MAX_VALUES, result_of

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "headers", "content", "values"),
    [
        (b'{"a": {"b": [1]}, "c": null}', JSON, '{"a": {"b": [1]}, "c": null}', {"a": {"b": [1]}, "c": None}),
        (b'{"a": 1}', {"content-type": "text/html"}, '{"a": 1}', {"a": 1}),
        (b'{"a": 1}', {}, '{"a": 1}', {"a": 1}),
        (b"[1]", JSON, "[1]", {}),
        (b"{broken", JSON, "{broken", {}),
        (b"[" * 100_000, JSON, None, {}),
        ("Grüße".encode(), {"content-type": "text/plain; charset=utf-8"}, "Grüße", {}),
        ("Grüße".encode("latin-1"), {"content-type": "text/plain; charset=iso-8859-1"}, "Grüße", {}),
        (b"abc", {"content-type": "text/plain; charset=nonsense"}, "abc", {}),
        (b"\x89PNG\x00\xff", {"content-type": "image/png"}, "The answer is not text (image/png).", {}),
        (b"plain", {"content-type": "application/octet-stream"}, "plain", {}),
        (b"a\x00b", {"content-type": "text/plain"}, "ab", {}),
        (b'{"a": "x\\u0000\\ud800", "n": NaN}', JSON, None, {"a": "x?", "n": None}),
        (b"", JSON, "Done (HTTP 200, an empty answer).", {}),
        (b" \n", JSON, "Done (HTTP 200, an empty answer).", {}),
    ],
)
def test_good_answers(
    body: bytes, headers: dict[str, str], content: str | None, values: dict[str, Any]
) -> None:
    result = result_of(Answer(200, headers, body))
    assert not result.failed
    assert (result.status, result.values) == (200, values)
    assert content is None or result.content == content


@pytest.mark.parametrize(
    ("status", "body", "content"),
    [
        (404, b'{"detail":\n "no such day"}', 'The server answered HTTP 404: {"detail": "no such day"}'),
        (500, b"", "The server answered HTTP 500."),
        (502, b"\x00\xff", "The server answered HTTP 502."),
        (400, b"x" * 600, f"The server answered HTTP 400: {'x' * 500} (cut)"),
        (302, b"over there", "The server answered with a redirect (HTTP 302), which is not followed."),
    ],
)
def test_bad_answers(status: int, body: bytes, content: str) -> None:
    headers = {"content-type": "application/octet-stream"}
    assert result_of(Answer(status, headers, body)) == ToolResult(content, failed=True, status=status)


def test_a_long_answer_is_cut_and_says_so() -> None:
    result = result_of(Answer(200, JSON, b'{"a": "' + b"x" * 5000 + b'"}'))
    assert result.content[:MAX_TOLD] == '{"a": "' + "x" * (MAX_TOLD - 7)
    assert result.content[MAX_TOLD:] == "\n(The answer was cut here; it has 5009 characters.)"
    # What was not cut for the network is all there for a graph.
    assert result.values == {"a": "x" * 5000}


def test_an_answer_that_was_not_read_to_its_end() -> None:
    result = result_of(Answer(200, JSON, b'{"a": "' + b"x" * (MAX_BYTES - 7), truncated=True))
    assert result.content.endswith("x\n(The answer was cut here; it has over 256 kB.)")
    assert result.values == {}


@pytest.mark.parametrize(("more", "known"), [(0, True), (1, False)])
def test_a_very_long_answer_gives_no_variables(more: int, known: bool) -> None:
    body = b'{"a": 1}' + b" " * (MAX_VALUES - 8 + more)
    assert result_of(Answer(200, JSON, body)).values == ({"a": 1} if known else {})
