"""The JSON schema of what is asked of a language model, made from the one that a client wrote.

Nothing has to be invented in it: whatever may be asked for may also be null. It has the form that strict servers
demand (every property required, no others), no references, and a bound on its size: an answer is checked against it
beside live calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ringback.agents import patterns

MAX_NODES: Final = 500
MAX_DEPTH: Final = 10
_MAX_TEXT: Final = 100_000
_NOTES: Final = (
    "$schema $id $anchor $comment $defs definitions title default example examples readOnly writeOnly deprecated "
    "nullable required uniqueItems"
)
"""Keys that are left out: notes, and what nulls or the bound on time make void."""
_RULES: Final = (
    "type description enum format pattern minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength "
    "maxLength minItems maxItems"
)
_SAID_ONLY: Final = frozenset(_NOTES.split())
_KEPT: Final = frozenset(_RULES.split())
_TYPES: Final = ("object", "array", "string", "number", "integer", "boolean", "null")


class BadSchema(ValueError):
    """The schema cannot be asked for; the message is a clause that says where and why."""


def asked(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked for. Raises BadSchema."""
    return _Reader(schema).root()


class _Reader:
    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._nodes = 0

    def root(self) -> dict[str, Any]:
        if self._schema.get("type", "object") != "object" or not isinstance(
            self._schema.get("properties", {}), dict
        ):
            raise BadSchema("must describe an object")
        read = self._read({"type": "object", **self._schema}, "the schema", 0)
        return {"type": "object", **{key: value for key, value in read.items() if key != "type"}}

    def _read(self, schema: Any, where: str, depth: int) -> dict[str, Any]:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise BadSchema(
                f"is too large: at most {MAX_NODES} schemas, {MAX_DEPTH} deep, and none within itself"
            )
        if schema is True:
            return {}
        if not isinstance(schema, Mapping):
            raise BadSchema(f"{where} must be a schema")
        if "$ref" in schema:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return self._read({**self._referred(schema["$ref"], where), **rest}, where, depth + 1)
        read: dict[str, Any] = {}
        for key, value in schema.items():
            if key in _KEPT:
                read[key] = _checked(key, value, where)
            elif key == "const":
                read["enum"] = [value]
            elif key in ("anyOf", "oneOf"):
                read["anyOf"] = [self._read(one, where, depth + 1) for one in _array(value, key, where)]
            elif key == "items":
                read[key] = self._read(value, f"{where}[]", depth + 1)
            elif key not in ("properties", "additionalProperties", *_SAID_ONLY):
                raise BadSchema(f'{where} has "{key}", which cannot be asked for')
        return read | self._members(schema, where, depth)

    def _members(self, schema: Mapping[str, Any], where: str, depth: int) -> dict[str, Any]:
        properties, others = schema.get("properties"), schema.get("additionalProperties")
        read: dict[str, Any] = {}
        if properties is not None:
            if not isinstance(properties, Mapping):
                raise BadSchema(f'"properties" of {where} must be an object')
            read["properties"] = {
                name: _or_null(self._read(one, f'"{name}"', depth + 1)) for name, one in properties.items()
            }
            read["required"] = list(properties)
            read["additionalProperties"] = False
        if isinstance(others, Mapping):
            read["additionalProperties"] = _or_null(self._read(others, f"{where}{{}}", depth + 1))
        return read

    def _referred(self, reference: Any, where: str) -> Mapping[str, Any]:
        """Within the same schema only: nothing is fetched."""
        found: Any = self._schema
        if reference == "#":
            return self._schema
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise BadSchema(f"{where} refers to {reference!r}, which is not in the same schema")
        for step in reference[2:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            raise BadSchema(f"{where} refers to {reference!r}, which is not there")
        return found


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, or null where the transcript does not say."""
    if not schema.keys() - {"description"}:
        return schema
    kind = schema.get("type")
    if {"type": "null"} in schema.get("anyOf", ()):
        return schema
    if kind is None:
        if list(schema) == ["enum"] or set(schema) == {"enum", "description"}:
            return {**schema, "enum": _with_null(schema["enum"])}
        described = {"description": schema["description"]} if "description" in schema else {}
        bare = {key: value for key, value in schema.items() if key != "description"}
        return {**described, "anyOf": [bare, {"type": "null"}]}
    kinds = kind if isinstance(kind, list) else [kind]
    read = {**schema, "type": kinds if "null" in kinds else [*kinds, "null"]}
    if "enum" in schema:
        read["enum"] = _with_null(schema["enum"])
    return read


def _with_null(values: list[Any]) -> list[Any]:
    return values if None in values else [*values, None]


def _array(value: Any, key: str, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise BadSchema(f'"{key}" of {where} must be an array that is not empty')
    return value


def _checked(key: str, value: Any, where: str) -> Any:
    match key:
        case "type":
            kinds = value if isinstance(value, list) and value else [value]
            if not all(isinstance(kind, str) and kind in _TYPES for kind in kinds):
                raise BadSchema(f"the type of {where} must be one of {', '.join(_TYPES)}")
        case "enum":
            _array(value, key, where)
        case "pattern":
            problem = patterns.problem(value) if isinstance(value, str) else "it is no text"
            if problem is not None:
                raise BadSchema(f"the pattern of {where} cannot be used: {problem}")
        case "description" | "format":
            if not isinstance(value, str) or len(value) > _MAX_TEXT:
                raise BadSchema(f'"{key}" of {where} must be a text')
        case _:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise BadSchema(f'"{key}" of {where} must be a number')
    return value
