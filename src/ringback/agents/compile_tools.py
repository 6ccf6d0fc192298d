"""The functions of a definition, compiled to what a call uses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from ringback.agents.api_tools import (
    END_CALL,
    PRESS_DIGITS,
    TRANSFER_CALL,
    ApiTools,
    Request,
    Tool,
    is_custom,
    kind_of,
)
from ringback.agents.chat import ToolSpec
from ringback.agents.prompts import in_language
from ringback.agents.templates import read, written
from ringback.agents.tools import EndCall, HttpTool, PressDigits, TransferCall
from ringback.agents.tools import Tool as CompiledTool

DEFAULT_TIMEOUT_S: Final = 10.0
_END_CALL_DESCRIPTION: Final = (
    "End the telephone call. Call this when the conversation is over, "
    "in the same answer in which you say goodbye."
)
_PRESS_DESCRIPTION: Final = (
    "Press keys on the telephone's keypad, for a machine at the other end that asks for them. "
    "Say nothing in the same answer; then wait for what the machine says."
)
_DIGITS: Final = {
    "type": "string",
    "description": "The keys in order: 0-9, * and #; w waits for half a second.",
}
_TRANSFER_DESCRIPTION: Final = (
    "Transfer the call to a person, who goes on with it instead of you. "
    "Call this when the user asks for a person, or for what only a person can do."
)
_SUMMARY: Final = {
    "type": "string",
    "description": "What the person who takes the call has to know, in one or two sentences that they will hear.",
}
TRANSFER_TIMEOUT_S: Final = 30.0
"""So long the other telephone may ring."""


def compile_tools(
    api_tools: ApiTools | None, language: str, webhook_url: str | None
) -> tuple[dict[str, CompiledTool], list[str]]:
    """The functions that the language model is offered by name, and a note on each that it is not offered.

    `webhook_url` is the agent's: it is told before a call whose function has a body for that and no URL.
    """
    tools: dict[str, CompiledTool] = {}
    notes: list[str] = []
    for tool in api_tools.functions() if api_tools else ():
        assert api_tools is not None
        name, request = tool.function.name, api_tools.request_of(tool)
        if is_custom(tool):
            assert request is not None  # the definition sees to it
            tools[name] = _http_tool(tool, request, language, webhook_url)
        elif kind_of(tool) == END_CALL:
            tools[name] = EndCall(_spec(tool, _END_CALL_DESCRIPTION), _nodes(request))
        elif kind_of(tool) == PRESS_DIGITS:
            tools[name] = _press(tool, request or Request())
        elif kind_of(tool) == TRANSFER_CALL:
            transfer = _transfer(tool, request or Request(), language, webhook_url)
            if transfer.to_number:
                tools[name] = transfer
            else:
                notes.append(f"the function {name} is not offered: its param has no call_transfer_number")
        else:
            notes.append(f"the function {name} is not offered: there is no {kind_of(tool)} yet")
    return tools, notes


def _press(tool: Tool, request: Request) -> PressDigits:
    spec, nodes = _spec(tool, _PRESS_DESCRIPTION), _nodes(request)
    digits = written((read(request.param) or {}).get("digits"))
    if digits:
        return PressDigits(spec, digits, nodes=nodes)
    asked = {"digits": _DIGITS} | dict(spec.parameters.get("properties") or {})
    required = sorted({*(spec.parameters.get("required") or ()), "digits"})
    return PressDigits(
        replace(spec, parameters={**spec.parameters, "properties": asked, "required": required}), nodes=nodes
    )


def _transfer(tool: Tool, request: Request, language: str, webhook_url: str | None) -> TransferCall:
    whisper = in_language(request.transfer_whisper, language)
    spec = _spec(tool, _TRANSFER_DESCRIPTION)
    if "%(summary)s" in whisper:
        # Whoever decides to transfer says why: nobody has to be asked a second time.
        told = dict(spec.parameters.get("properties") or {}) | {"summary": _SUMMARY}
        required = [*(spec.parameters.get("required") or ()), "summary"]
        spec = replace(spec, parameters={**spec.parameters, "properties": told, "required": required})
    return TransferCall(
        spec=spec,
        to_number=written((read(request.param) or {}).get("call_transfer_number")),
        blind=request.transfer_type == "blind",
        pre_call_message=_message(tool, request, language),
        whisper=whisper,
        ring_timeout_s=request.transfer_timeout_s or TRANSFER_TIMEOUT_S,
        webhook_url=_webhook(request, webhook_url),
        webhook_param=request.pre_call_webhook_param,
        nodes=_nodes(request),
    )


def _message(tool: Tool, request: Request, language: str) -> str:
    return in_language(request.pre_call_message, language) or in_language(tool.pre_call_message, language)


def _webhook(request: Request, webhook_url: str | None) -> str:
    if request.pre_call_webhook_url:
        return request.pre_call_webhook_url
    return webhook_url or "" if request.pre_call_webhook_param is not None else ""


def _http_tool(tool: Tool, request: Request, language: str, webhook_url: str | None) -> HttpTool:
    headers = request.headers if isinstance(request.headers, dict) else {}
    return HttpTool(
        spec=_spec(tool, tool.function.name),
        url=request.url or "",
        method="POST" if request.method.upper() == "POST" else "GET",
        param=request.param,
        headers={name: written(value) for name, value in headers.items() if value is not None},
        api_token=request.api_token or "",
        pre_call_message=_message(tool, request, language),
        webhook_url=_webhook(request, webhook_url),
        webhook_param=request.pre_call_webhook_param,
        timeout_s=request.timeout_ms / 1000 if request.timeout_ms else DEFAULT_TIMEOUT_S,
        nodes=_nodes(request),
    )


def _spec(tool: Tool, description: str) -> ToolSpec:
    function = tool.function
    schema: dict[str, Any] = {"type": "object", "properties": {}} | (function.parameters or {})
    return ToolSpec(function.name, function.description or description, schema)


def _nodes(request: Request | None) -> frozenset[str] | None:
    return frozenset(request.nodes or ()) if request is not None and request.scope == "node" else None
