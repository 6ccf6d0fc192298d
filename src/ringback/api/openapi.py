"""Completes the OpenAPI description that FastAPI makes of the routes: the bodies of requests (routes read JSON
themselves, to say where it is wrong, so FastAPI does not know their models), what any request may meet, examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from ringback.agents.definition import AgentPatch, AgentRequest
from ringback.api.call_events import CallEventRequest
from ringback.api.calls import CallRequest
from ringback.api.do_not_call import DoNotCallRequest
from ringback.api.schemas.account import SubAccountPatch, SubAccountRequest
from ringback.api.schemas.batch import BatchRequest, ScheduleRequest
from ringback.api.schemas.disposition import (
    DispositionBulkCreate,
    DispositionCreate,
    DispositionTestRequest,
    DispositionUpdate,
)
from ringback.api.schemas.examples import EXAMPLES, PARAMETERS, refusal
from ringback.api.schemas.extraction import ExtractionTemplateCreate, ExtractionTemplateUpdate
from ringback.api.schemas.inbound import CallersRequest, InboundSetup, InboundUnlink
from ringback.api.schemas.phone_number import BuyRequest
from ringback.api.schemas.trunk import TrunkNumberRequest, TrunkPatch, TrunkRequest
from ringback.api.schemas.webhook import EndpointPatch

_MODELS: Final = (
    AgentRequest,
    AgentPatch,
    CallRequest,
    DoNotCallRequest,
    CallEventRequest,
    BatchRequest,
    ScheduleRequest,
    SubAccountRequest,
    SubAccountPatch,
    EndpointPatch,
    DispositionCreate,
    DispositionBulkCreate,
    DispositionUpdate,
    DispositionTestRequest,
    ExtractionTemplateCreate,
    ExtractionTemplateUpdate,
    TrunkRequest,
    TrunkPatch,
    TrunkNumberRequest,
    BuyRequest,
    InboundSetup,
    InboundUnlink,
    CallersRequest,
)
_REF: Final = "#/components/schemas/"
_NOT_OURS: Final = {"$ref": f"{_REF}HTTPValidationError"}
# Pydantic leaves these as they are where a bound stands behind a validator of our own.
_KEYWORDS: Final = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum"}
_RETRY: Final = {"schema": {"type": "integer", "minimum": 0}, "required": True, "description": "Seconds."}
_CHALLENGE: Final = {"schema": {"type": "string"}, "required": True, "description": "`Bearer`."}
_TAG: Final = {"schema": {"type": "string"}, "required": True, "description": "Of this state."}

Json = dict[str, Any]


def install(app: FastAPI) -> None:
    """Complete what `app.openapi()` returns."""
    generate = app.openapi

    def complete() -> Json:
        if app.openapi_schema is None:
            description = generate()
            schemas = description["components"]["schemas"]
            schemas |= _requests(schemas)
            description["components"]["schemas"] = _standard(schemas)
            for operation in operations(description):
                _say_what_any_request_meets(operation)
                _show(operation)
            for unused in ("HTTPValidationError", "ValidationError", "Part"):
                description["components"]["schemas"].pop(unused, None)
        return generate()

    app.openapi = complete  # type: ignore[method-assign]


def operations(description: Json) -> Iterator[Json]:
    for methods in description["paths"].values():
        yield from methods.values()


def _requests(known: Json) -> Json:
    """The schemas of bodies. One whose name an answer has taken, with every default in it, is `...Input`."""
    _, generated = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template=f"{_REF}{{model}}"
    )
    found: Json = generated["$defs"]
    names = {name: f"{name}Input" for name in found if name in known}
    return {names.get(name, name): _renamed(schema, names) for name, schema in found.items()}


def _renamed(schema: Any, names: dict[str, str]) -> Any:
    if isinstance(schema, list):
        return [_renamed(item, names) for item in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: _renamed(value, names) for key, value in schema.items()}
    if isinstance(ref := schema.get("$ref"), str):
        name = ref.removeprefix(_REF)
        changed["$ref"] = _REF + names.get(name, name)
    return changed


def _standard(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_standard(item) for item in schema]
    if isinstance(schema, float) and schema.is_integer():
        return int(schema)  # FastAPI writes whole bounds as 1.0
    if not isinstance(schema, dict):
        return schema
    return {_KEYWORDS.get(key, key): _standard(value) for key, value in schema.items()}


def _say_what_any_request_meets(operation: Json) -> None:
    answers = operation["responses"]
    if answers.get("422", {}).get("content", {}).get("application/json", {}).get("schema") == _NOT_OURS:
        del answers["422"]  # FastAPI's own validation error; ours is 400 (contract 1)
    if "401" not in answers:
        return
    body = answers["401"]["content"]
    answers["401"]["headers"] = {"WWW-Authenticate": _CHALLENGE}
    answers["503"] = {"description": "The database is not available", "content": dict(body)}
    if "requestBody" in operation:
        answers["408"] = {"description": "The body did not arrive in time", "content": dict(body)}
    for status in {"429", "503"} & answers.keys():
        answers[status]["headers"] = {"Retry-After": _RETRY}
    if "304" in answers:
        answers["200"]["headers"] = {"ETag": _TAG}
    operation["responses"] = dict(sorted(answers.items()))


def _show(operation: Json) -> None:
    """Give parameters, body and answers their examples."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in PARAMETERS:
            parameter["example"] = PARAMETERS[parameter["name"]]
    for media in operation.get("requestBody", {"content": {}})["content"].values():
        media["example"] = _example(media["schema"])
    for status, answer in operation["responses"].items():
        for kind, media in answer.get("content", {}).items():
            if kind == "application/json":
                schema = media["schema"]
                error = schema.get("$ref") == f"{_REF}ErrorBody"
                answer["content"][kind] = media | {"example": refusal(status) if error else _example(schema)}


def _example(schema: Json) -> Any:
    """Raises KeyError for a shape without an example."""
    if options := schema.get("anyOf"):
        return _example(options[0])
    if schema.get("type") == "array":
        return [_example(schema["items"])]
    return EXAMPLES[schema["$ref"].removeprefix(_REF)]
