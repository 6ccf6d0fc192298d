"""The chunks of a streamed chat completion put together: texts as they come, function calls when they are whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import ChoiceDelta, ChoiceDeltaToolCall

from ringback.agents.chat import ChatReasoning, ChatText, ToolCall
from ringback.agents.storable import storable, storable_text


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

    def read(self, chunk: ChatCompletionChunk) -> list[ChatText | ChatReasoning]:
        """What the chunk adds to the text and to the reasoning."""
        usage = chunk.usage
        if usage is not None and usage.prompt_tokens:
            self.tokens = (usage.prompt_tokens, usage.completion_tokens or 0)
        pieces: list[ChatText | ChatReasoning] = []
        for choice in chunk.choices or ():
            self.finish_reason = choice.finish_reason or self.finish_reason
            if choice.delta:
                pieces += self._read_delta(choice.delta)
        return pieces

    def calls(self) -> list[ToolCall]:
        """The functions to be called, in order; ids are unique. Raises BrokenCall."""
        calls: list[ToolCall] = []
        for call in self._calls:
            known = {done.id for done in calls}
            id_ = call.id if call.id and call.id not in known else f"call_{uuid4().hex[:24]}"
            calls.append(ToolCall(id_, call.name, _arguments(call)))
        return calls

    def _read_delta(self, delta: ChoiceDelta) -> list[ChatText | ChatReasoning]:
        for part in delta.tool_calls or ():
            self._read_call(part)
        thought = storable_text(_extra(delta, "reasoning_content") or _extra(delta, "reasoning"))
        said = storable_text(delta.content or delta.refusal or "")
        pieces: list[ChatText | ChatReasoning] = []
        if thought:
            pieces.append(ChatReasoning(thought))
        if said:
            self.spoke = True
            pieces.append(ChatText(said))
        return pieces

    def _read_call(self, part: ChoiceDeltaToolCall) -> None:
        call = self._call_of(part)
        if part.function is not None:
            call.name = call.name or part.function.name or ""
            call.arguments.append(part.function.arguments or "")

    def _call_of(self, part: ChoiceDeltaToolCall) -> _Call:
        """Some servers number every call 0, or none, and only another id tells that a new one begins."""
        for call in reversed(self._calls):
            if call.index == part.index:
                if part.id and call.id and part.id != call.id:
                    break
                call.id = call.id or part.id or ""
                return call
        self._calls.append(_Call(part.index, part.id or ""))
        return self._calls[-1]


def _extra(delta: ChoiceDelta, key: str) -> str:
    """A key that OpenAI does not have, and others (DeepSeek, vLLM, OpenRouter) do."""
    value = (delta.model_extra or {}).get(key)
    return value if isinstance(value, str) else ""


def _arguments(call: _Call) -> Mapping[str, Any]:
    text = "".join(call.arguments).strip()
    if not text:
        return {}
    try:
        value = storable(json.loads(text))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BrokenCall(f'sent arguments of the function "{call.name}" that are not a JSON object')
    return value
