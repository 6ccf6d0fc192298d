"""An Ask as the body of a chat completion request (OpenAI API reference, "Create chat completion")."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from ringback.agents.chat import Ask, ChatMessage, ChatSettings, ToolCall, ToolSpec

_REASONING_MODELS: Final = re.compile(r"(?:^|/)(?:o\d|gpt-5)")
"""OpenAI's models that think first, also behind a router ("openai/gpt-5-mini"). They refuse `max_tokens` and any
sampling but their own."""


Form = Literal["json_schema", "json_object", "text"]
"""How much a server is told of the schema that the answer has to follow."""


def body_of(ask: Ask, form: Form = "json_schema") -> dict[str, Any]:
    """Everything but `stream` and what asks for usage."""
    body: dict[str, Any] = {
        "model": ask.settings.model,
        "messages": [_message(message) for message in ask.messages],
        **_sampling(ask.settings),
    }
    if ask.tools:
        body["tools"] = [_tool(tool) for tool in ask.tools]
        if ask.must_call:
            body["tool_choice"] = "required"
    if ask.schema is not None and form != "text":
        body["response_format"] = _response_format(ask.schema, form)
    return body


def _sampling(settings: ChatSettings) -> dict[str, Any]:
    if _REASONING_MODELS.search(settings.model):
        return {"max_completion_tokens": settings.max_tokens, **settings.extra}
    return {
        "max_tokens": settings.max_tokens,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        **settings.extra,
    }


def _response_format(schema: Mapping[str, Any], form: Form) -> dict[str, Any]:
    if form == "json_object":
        return {"type": "json_object"}
    named = {"name": "answer", "schema": dict(schema), "strict": True}
    return {"type": "json_schema", "json_schema": named}


def _message(message: ChatMessage) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.content}
    if message.calls:
        calls = [_call(call) for call in message.calls]
        return {"role": message.role, "content": message.content or None, "tool_calls": calls}
    return {"role": message.role, "content": message.content}


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}
