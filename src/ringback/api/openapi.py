"""The bodies in the OpenAPI description. Routes read JSON themselves, to say where it is wrong, so FastAPI does
not know their models."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from ringback.agents.definition import AgentPatch, AgentRequest
from ringback.api.calls import CallRequest

_MODELS: Final = (AgentRequest, AgentPatch, CallRequest)
_REF: Final = "#/components/schemas/{model}"
# Pydantic leaves these as they are where a bound stands behind a validator of our own.
_KEYWORDS: Final = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum"}


def install(app: FastAPI) -> None:
    """Complete what `app.openapi()` returns."""
    generate = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            _, definitions = models_json_schema(
                [(model, "validation") for model in _MODELS], ref_template=_REF
            )
            description = generate()
            schemas = description.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(_standard(definitions["$defs"]))
            _drop_422(description)
        return generate()

    app.openapi = complete  # type: ignore[method-assign]


def _drop_422(description: dict[str, Any]) -> None:
    """FastAPI announces its own validation error on every route; ours is 400 (contract 1)."""
    for operations in description["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    for schema in ("HTTPValidationError", "ValidationError"):
        description["components"]["schemas"].pop(schema, None)


def _standard(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_standard(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {_KEYWORDS.get(key, key): _standard(value) for key, value in schema.items()}
