"""The chunks of a streamed chat completion put together: texts as they come, function calls when they are whole.

They are read as plain JSON: the SDK's models of them cost 0.1 ms a chunk, twenty times as much.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from ringback.agents.chat import ChatReasoning, ChatText, ToolCall
from ringback.agents.storable import read_json, storable_text

Json = Mapping[str, Any]


class ServerError(Exception):
    """The stream says that the server failed; the message is the server's."""


class BrokenCall(ValueError):
    """The arguments of a call are not a JSON object; the message says of which one."""


@dataclass
class _Call:
    index: int | None
    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class AnswerReader:
    """Reads one answer, its chunks in order."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        """Why the answer ended; None while it has not, or where the stream broke off."""
        self.tokens: tuple[int, int] | None = None
        """Input and output, where the server counts them."""
        self.spoke = False
        """There was text, not only reasoning."""
        self._calls: list[_Call] = []

    @property
    def begun(self) -> bool:
        """A call is under way, which shows nothing yet."""
        return bool(self._calls)

    def read(self, event: bytes) -> list[ChatText | ChatReasoning]:
        """What the chunk in an event adds to the text and to the reasoning.

        Raises ServerError, and ValueError for what is no chunk.
        """
        chunk = json.loads(event)
        if not isinstance(chunk, dict):
            raise ValueError("a chunk that is no object")
        if (error := chunk.get("error")) or chunk.get("object") == "error":
            said = error if isinstance(error, str) else _object(error or chunk).get("message")
            raise ServerError(str(said or "it does not say why"))
        usage = _object(chunk.get("usage"))
        if given := _count(usage, "prompt_tokens"):
            self.tokens = (given, _count(usage, "completion_tokens"))
        pieces: list[ChatText | ChatReasoning] = []
        for choice in _objects(chunk.get("choices")):
            self.finish_reason = _text(choice, "finish_reason") or self.finish_reason
            pieces += self._read_delta(_object(choice.get("delta")))
        return pieces

    def calls(self) -> list[ToolCall]:
        """The functions to be called, in order; ids are unique. Raises BrokenCall."""
        calls: list[ToolCall] = []
        for call in self._calls:
            known = {done.id for done in calls}
            id_ = call.id if call.id and call.id not in known else f"call_{uuid4().hex[:24]}"
            calls.append(ToolCall(id_, call.name, _arguments(call)))
        return calls

    def _read_delta(self, delta: Json) -> list[ChatText | ChatReasoning]:
        for part in _objects(delta.get("tool_calls")):
            self._read_call(part)
        # OpenAI keeps its reasoning; DeepSeek, vLLM and OpenRouter tell it under one of two names.
        thought = _text(delta, "reasoning_content") or _text(delta, "reasoning")
        said = _text(delta, "content") or _text(delta, "refusal")
        pieces: list[ChatText | ChatReasoning] = []
        if thought:
            pieces.append(ChatReasoning(thought))
        if said:
            self.spoke = True
            pieces.append(ChatText(said))
        return pieces

    def _read_call(self, part: Json) -> None:
        call, function = self._call_of(part), _object(part.get("function"))
        call.name = call.name or _text(function, "name")
        call.arguments.append(_text(function, "arguments"))

    def _call_of(self, part: Json) -> _Call:
        """Some servers number every call 0, or none, and only another id tells that a new one begins."""
        index, id_ = part.get("index"), _text(part, "id")
        for call in reversed(self._calls):
            if call.index == index:
                if id_ and call.id and id_ != call.id:
                    break
                call.id = call.id or id_
                return call
        self._calls.append(_Call(index, id_))
        return self._calls[-1]


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _count(value: Json, key: str) -> int:
    count = value.get(key)
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0


def _text(value: Json, key: str) -> str:
    text = value.get(key)
    return storable_text(text) if isinstance(text, str) else ""


def _arguments(call: _Call) -> Mapping[str, Any]:
    text = "".join(call.arguments).strip()
    if not text:
        return {}
    try:
        value = read_json(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BrokenCall(f'sent arguments of the function "{call.name}" that are not a JSON object')
    return value
