"""The rules of strict servers, on requests that break them one by one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.chat_rules import check_messages, check_request

SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "Hi."}
SAID = {"role": "assistant", "content": "Hello."}


def calls(*ids: str, content: str | None = None, arguments: str = "{}") -> dict[str, Any]:
    made = [{"id": id_, "type": "function", "function": {"name": "f", "arguments": arguments}} for id_ in ids]
    return {"role": "assistant", "content": content, "tool_calls": made}


def result(id_: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": ""}


def test_a_good_history() -> None:
    both = [calls("a", "b"), result("b"), result("a")]
    assert check_messages([SYSTEM, SAID, USER, *both, SAID, USER, calls("c"), result("c")]) == []


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([USER, calls("a"), USER], "not answered"),
        ([USER, calls("a"), SAID, result("a")], "not answered"),
        ([USER, calls("a", "b"), result("a"), USER], "not answered"),
        ([USER, calls("a")], "never answered"),
        ([USER, result("a")], "no open call"),
        ([USER, calls("a"), result("a"), result("a")], "no open call"),
        ([USER, calls("a"), result("a"), calls("a"), result("a")], "again"),
        ([USER, calls("a", arguments="[]"), result("a")], "no object"),
        ([USER, USER], "twice"),
        ([SAID, SAID, USER], "twice"),
        ([USER, SAID], "last word"),
        ([USER, {"role": "assistant", "content": ""}, USER], "empty"),
        ([{"role": "user", "content": None}], "empty"),
        ([{**calls("a"), "role": "user"}, result("a")], "by user"),
    ],
)
def test_a_bad_one(messages: list[dict[str, Any]], why: str) -> None:
    assert why in " ".join(check_messages(messages))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"tools": []}, "empty list"),
        ({"tool_choice": "required"}, "without tools"),
        (
            {"tools": [{"type": "function", "function": {"name": "a b", "parameters": {"type": "object"}}}]},
            "bad tool",
        ),
        ({"tools": [{"type": "function", "function": {"name": "a", "parameters": {}}}]}, "no object schema"),
    ],
)
def test_bad_tools(more: dict[str, Any], why: str) -> None:
    assert why in " ".join(check_request({"messages": [USER], **more}))
