"""The HTTP requests that a function makes, from its definition and what it is called with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode

from ringback.agents import templates
from ringback.agents.templates import Values, fill_text, written
from ringback.agents.tools import HttpTool, TransferCall

_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Request:
    method: Literal["GET", "POST"]
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None


def request_of(tool: HttpTool, arguments: Mapping[str, Any], variables: Values) -> Request:
    """Arguments win over variables of the same name. Without a `param` the arguments are sent as they are.

    Raises TemplateError for a `param` that is no JSON object.
    """
    values = {**variables, **arguments}
    template = templates.read(tool.param)
    sent = dict(arguments) if template is None else templates.fill_object(template, values)
    url = fill_text(tool.url, values, lambda text: quote(text, safe="", errors="replace"))
    headers = {name: fill_text(value, values) for name, value in tool.headers.items()}
    given = {name.lower() for name in headers}
    if tool.api_token and "authorization" not in given:
        headers["Authorization"] = fill_text(tool.api_token, values)
    if "accept" not in given:
        headers["Accept"] = "application/json, */*"
    if tool.method == "GET":
        return Request("GET", _with_query(url, sent), headers)
    if "content-type" not in given:
        headers["Content-Type"] = "application/json"
    return Request("POST", url, headers, _body(sent, headers))


def webhook_of(tool: HttpTool | TransferCall, arguments: Mapping[str, Any], variables: Values) -> Request:
    """What is told before the call: the call as far as the conversation knows it, and the function's own body.

    Raises TemplateError for a `webhook_param` that is no JSON object.
    """
    values = {**variables, **arguments}
    template = templates.read(tool.webhook_param) or {}
    known = {
        "id": variables.get("execution_id"),
        "execution_id": variables.get("execution_id"),
        "agent_id": variables.get("agent_id"),
        "status": "in-progress",
        "telephony_data": {
            "provider_call_id": variables.get("call_sid"),
            "from_number": variables.get("from_number"),
            "to_number": variables.get("to_number"),
        },
    }
    headers = {"Content-Type": "application/json"}
    return Request("POST", tool.webhook_url, headers, _json(known | templates.fill_object(template, values)))


def _with_query(url: str, sent: Mapping[str, Any]) -> str:
    if not sent:
        return url
    base, mark, fragment = url.partition("#")
    query = urlencode({name: written(value) for name, value in sent.items()}, errors="replace")
    return f"{base}{'&' if '?' in base else '?'}{query}{mark}{fragment}"


def _body(sent: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    kind = next(value for name, value in headers.items() if name.lower() == "content-type")
    if kind.lower().startswith(_FORM):
        return urlencode({name: written(value) for name, value in sent.items()}, errors="replace").encode()
    return _json(sent)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=str).encode(errors="replace")
