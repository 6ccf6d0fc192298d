"""What the strictest servers of the chat completions protocol demand of a request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_request(request: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with a request."""
    wrong = check_messages(request["messages"])
    for tool in request.get("tools", ()):
        function = tool["function"]
        if tool["type"] != "function" or not _NAME.fullmatch(function["name"]):
            wrong.append(f"a bad tool: {tool}")
        if function["parameters"].get("type") != "object":
            wrong.append(f"parameters of {function['name']} are no object schema")
    if "tools" in request and not request["tools"]:
        wrong.append("an empty list of tools")
    if "tool_choice" in request and "tools" not in request:
        wrong.append("tool_choice without tools")
    return wrong


def check_messages(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every call is answered, once, before anybody else speaks; no side speaks twice in a row."""
    wrong: list[str] = []
    open_calls: list[str] = []
    seen: set[str] = set()
    last = ""
    for n, message in enumerate(messages):
        role, calls = message["role"], message.get("tool_calls", ())
        if role == "tool":
            wrong += _check_result(n, message, open_calls)
        elif open_calls:
            wrong.append(f"{n}: {role} speaks while {open_calls} are not answered")
        if role == last and role in ("user", "assistant"):
            wrong.append(f"{n}: {role} twice in a row")
        for made in calls:
            wrong += _check_call(n, role, made, seen)
            open_calls.append(made["id"])
        if not message.get("content") and not calls and role != "tool":
            wrong.append(f"{n}: an empty message of {role}")
        last = role
    if open_calls:
        wrong.append(f"never answered: {open_calls}")
    if last == "assistant":
        wrong.append("the assistant has the last word already")
    return wrong


def _check_result(n: int, message: Mapping[str, Any], open_calls: list[str]) -> Iterator[str]:
    if message["tool_call_id"] in open_calls:
        open_calls.remove(message["tool_call_id"])
    else:
        yield f"{n}: answers no open call: {message['tool_call_id']}"


def _check_call(n: int, role: str, call: Mapping[str, Any], seen: set[str]) -> Iterator[str]:
    if role != "assistant":
        yield f"{n}: a call by {role}"
    if call["id"] in seen:
        yield f"{n}: the id {call['id']} again"
    seen.add(call["id"])
    if not isinstance(json.loads(call["function"]["arguments"]), dict):
        yield f"{n}: arguments are no object"
