"""`api_tools` of a definition (contract 7): the functions that an agent may call while it talks.

`tools` says what the language model is told, as an array or as the JSON text of one; an entry is
`{name, description, parameters, key, ...}` or `{type: function, function: {...}}`. `tools_params` says by name what
is requested when it calls; a `custom_task` may hold the same inline as `value`. Our addition: `timeout_ms`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, SerializeAsAny, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from ringback.agents import templates
from ringback.agents.validation import (
    DescribedAs,
    Localised,
    Name,
    Part,
    Text,
    Whole,
    refuse,
    shaped,
)

END_CALL = "end_call"
TRANSFER_CALL = "transfer_call"
PRESS_DIGITS = "press_digits"
"""Our addition; its `param` may hold fixed `digits`, with `%(name)s`."""
NOT_THERE_YET = (
    "book_appointment",
    "check_availability_of_slots",
    "calendar_book",
    "calendar_slot_availability",
)
"""Keys of functions that are kept and not offered to the language model."""
MAX_TIMEOUT_MS = 120_000
MAX_URL = 2000


def _param(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise PydanticCustomError("param", "must be an object, or the JSON text of one")
    try:
        templates.read(value)
    except templates.TemplateError as error:
        raise PydanticCustomError("param", "{why}", {"why": str(error)}) from None
    return value


def _url(value: Any) -> Any:
    if not isinstance(value, str) or (value and not value.startswith(("http://", "https://"))):
        raise PydanticCustomError("url", "must begin with http:// or https://")
    if len(value) > MAX_URL:
        raise PydanticCustomError("url", "must be at most {limit} characters", {"limit": MAX_URL})
    return value


def _headers(value: Any) -> Any:
    """Clients built on forms send an empty text for none."""
    values = value.values() if isinstance(value, dict) else [{}]
    if value != "" and not all(v is None or isinstance(v, str | int | float) for v in values):
        raise PydanticCustomError("headers", "must be an object of texts, numbers and booleans")
    return value


def _method(value: Any) -> Any:
    if not isinstance(value, str) or value.upper() not in ("GET", "POST"):
        raise PydanticCustomError("method", "must be GET or POST")
    return value


Param = Annotated[dict[str, Any] | str, PlainValidator(_param), DescribedAs(dict[str, Any] | str)]
Address = Annotated[str, PlainValidator(_url), DescribedAs(str)]
"""A URL, or an empty text for none."""
Headers = Annotated[dict[str, Any] | str, PlainValidator(_headers), DescribedAs(dict[str, str] | str)]


class Request(Part):
    """What is requested when the function is called. Strings may hold `%(name)s`."""

    method: Annotated[str, PlainValidator(_method), DescribedAs(Literal["GET", "POST"])] = "GET"
    url: Address | None = None
    param: Param | None = None
    api_token: Text | None = None
    headers: Headers | None = None
    timeout_ms: Annotated[Whole, Field(ge=1, le=MAX_TIMEOUT_MS)] | None = None
    pre_call_message: Localised | None = None
    pre_call_webhook_url: Address | None = None
    pre_call_webhook_param: Param | None = None
    transfer_type: Literal["attended", "blind"] | None = None
    transfer_whisper: Localised | None = None
    transfer_timeout_s: Annotated[Whole, Field(ge=5, le=120)] | None = None
    scope: Literal["global", "node"] = "global"
    nodes: list[Name] | None = None


FunctionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""What the protocols of language models allow."""


class Function(Part):
    """What the language model is told."""

    name: FunctionName
    description: Text | None = None
    parameters: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _object(self) -> Self:
        refuse(self._problems(self.parameters or {}))
        return self

    def _problems(self, schema: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
        if schema.get("type", "object") != "object":
            yield ("parameters", "type"), "must be object"
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(properties, dict) or not all(isinstance(p, dict) for p in properties.values()):
            yield ("parameters", "properties"), "must be an object of JSON schemas"
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            yield ("parameters", "required"), "must be an array of strings"


class PlainTool(Function):
    """A function with how it is called beside it."""

    key: Name | None = None
    value: Request | None = None
    pre_call_message: Localised | None = None

    @property
    def function(self) -> Function:
        return self


class WrappedTool(Part):
    """The same in the spelling of OpenAI."""

    type: Literal["function"]
    function: Function
    key: Name | None = None
    value: Request | None = None
    pre_call_message: Localised | None = None


Tool = PlainTool | WrappedTool


def _tool_shape(value: Any) -> type[Part]:
    return WrappedTool if isinstance(value, dict) and "function" in value else PlainTool


_Tool = Annotated[SerializeAsAny[Part], shaped(_tool_shape), DescribedAs(PlainTool | WrappedTool)]
_TOOLS: TypeAdapter[list[Any]] = TypeAdapter(Annotated[list[_Tool], Field(max_length=128)])


def _tools(value: Any) -> Any:
    """A JSON text is kept as such."""
    if isinstance(value, str):
        try:
            parsed = json.loads(value) if value.strip() else []
        except (ValueError, RecursionError) as error:
            why = f"must be an array, or the JSON text of one: {error}"
            raise PydanticCustomError("tools", "{why}", {"why": why}) from None
        _TOOLS.validate_python(parsed)
        return value
    return _TOOLS.validate_python(value)


class ApiTools(Part):
    tools: Annotated[list[Any] | str, PlainValidator(_tools), DescribedAs(list[_Tool] | str)] | None = None
    tools_params: dict[str, Request] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        refuse(self._problems())
        return self

    def functions(self) -> list[Tool]:
        """In order, also those of a JSON text."""
        if isinstance(self.tools, str):
            found: list[Tool] = _TOOLS.validate_python(json.loads(self.tools) if self.tools.strip() else [])
            return found
        return self.tools or []

    def request_of(self, tool: Tool) -> Request | None:
        """What is requested when it is called."""
        return (self.tools_params or {}).get(tool.function.name) or tool.value

    def _problems(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        seen: set[str] = set()
        for n, tool in enumerate(self.functions()):
            name = tool.function.name
            if name in seen:
                yield ("tools", n, "name"), f'is used twice: "{name}"'
            seen.add(name)
            request = self.request_of(tool)
            if is_custom(tool) and (request is None or not request.url):
                inline = tool.value is not None and name not in (self.tools_params or {})
                where = ("tools", n, "value", "url") if inline else ("tools_params", name, "url")
                yield where, "is required: what the function requests when it is called"


def is_custom(tool: Tool) -> bool:
    """Whether it is a request to the user's own server."""
    return kind_of(tool) == "custom_task"


def kind_of(tool: Tool) -> str:
    """Its key, where that says what it is; otherwise what the name says."""
    known = (END_CALL, TRANSFER_CALL, PRESS_DIGITS, *NOT_THERE_YET)
    name = tool.function.name
    if tool.key in known:
        return str(tool.key)
    if tool.key is None and name.startswith(TRANSFER_CALL):
        return TRANSFER_CALL
    return name if name in known else "custom_task"
