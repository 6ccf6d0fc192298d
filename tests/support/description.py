"""Our OpenAPI description, and whether one schema takes only what another takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import jsonschema
from fastapi import FastAPI

from ringback.api.app import create_app
from ringback.api.services import Services

Json = dict[str, Any]
Pairs = frozenset[tuple[Any, Any]]

_UUID = "4c06b4d1-4096-4561-919a-4f94539c8d4a"
_KNOWN_FORMATS = ("uuid", "date", "date-time", "uri")
_LOWEST, _GREATEST = ("minimum", "minLength", "minItems"), ("maximum", "maxLength", "maxItems")


def application() -> FastAPI:
    """The application without anything behind it."""

    class Nothing:
        max_body_bytes = 0
        max_batch_bytes = 0
        rate_limits = None
        request_times = None

    return create_app(cast(Services, Nothing()))


def described() -> Json:
    """What /openapi.json serves."""
    return application().openapi()


def closed(description: Json) -> Json:
    """The same, but that no object may have a key that is not described. Those of clients stay open."""
    return cast(Json, _closed(deepcopy(description)))


def _closed(value: Any) -> Any:
    if isinstance(value, list):
        return [_closed(item) for item in value]
    if not isinstance(value, dict):
        return value
    shut = {key: _closed(item) for key, item in value.items()}
    if shut.get("type") == "object" and "properties" in shut:
        shut.setdefault("additionalProperties", False)
    return shut


def referring(description: Json, schema: Json) -> Json:
    """A JSON schema that stands alone: its references lead into the description."""
    return {**schema, "components": description["components"]}


def described_as(name: str, value: Any) -> None:
    """Raises for a value that is not what a schema of ours says, or has one key more."""
    schema = referring(_ours_closed(), {"$ref": f"#/components/schemas/{name}"})
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(value)


@cache
def _ours_closed() -> Json:
    return closed(described())


@dataclass(frozen=True)
class Taken:
    """A schema within its description."""

    root: Json
    schema: Json

    def below(self, schema: Json) -> Taken:
        return Taken(self.root, schema)

    def alternatives(self) -> list[Taken]:
        """Without references, unions and lists of types."""
        schema = dict(self.schema)
        if (ref := schema.pop("$ref", None)) is not None:
            return self.below(self.root["components"]["schemas"][ref.rpartition("/")[2]]).alternatives()
        if parts := schema.pop("allOf", None):
            whole: Json = schema
            for part in (self.below(part).alternatives()[0].schema for part in parts if "if" not in part):
                merged = {**whole.get("properties", {}), **part.get("properties", {})}
                whole = {**whole, **part, "properties": merged}
            return self.below(whole).alternatives()
        if options := schema.get("anyOf") or schema.get("oneOf"):
            return [found for option in options for found in self.below(option).alternatives()]
        if isinstance(types := schema.get("type"), list):
            return [self.below({**schema, "type": name}) for name in types]
        if "properties" in schema:
            schema.setdefault("type", "object")
        if all(isinstance(value, str) for value in schema.get("enum", (0,))):
            schema.setdefault("type", "string")
        return [self.below(schema)]


def excess(narrow: Taken, wide: Taken, where: str, *, answer: bool, within: Pairs = frozenset()) -> list[str]:
    """What `narrow` may take and `wide` does not, as far as their types, names, values and formats say.

    In an answer, everything that `wide` names must be named, and bounds count. Shapes within themselves are compared
    once.
    """
    pair = (narrow.schema.get("$ref"), wide.schema.get("$ref"))
    if all(pair):
        if pair in within:
            return []
        within |= {pair}
    found: list[str] = []
    accepted = wide.alternatives()
    for option in narrow.alternatives():
        kind = option.schema.get("type")
        alike = [other for other in accepted if _takes(other.schema.get("type"), kind)]
        if alike:
            found += min(
                (list(_simple(option, other, where, answer=answer, within=within)) for other in alike),
                key=len,
            )
        else:
            instead = " or ".join(other.schema["type"] for other in accepted)
            found.append(f"{where} is {kind or 'anything'} instead of {instead}")
    return found


def _takes(kind: str | None, given: str | None) -> bool:
    return kind in (None, given) or (kind, given) == ("number", "integer")


def _simple(narrow: Taken, wide: Taken, where: str, *, answer: bool, within: Pairs) -> Iterator[str]:
    one, other = narrow.schema, wide.schema
    if one.get("type") == "null":
        return
    yield from _values(one, other, where)
    if answer:
        yield from _bounds(one, other, where)
    for name in other.get("required", ()):
        if name not in one.get("required", ()):
            yield f"{where}.{name} is not always there"
    for name, schema in other.get("properties", {}).items():
        inner = one.get("properties", {}).get(name, one.get("additionalProperties"))
        inner = inner if isinstance(inner, dict) else None
        if inner is not None:
            below = narrow.below(inner), wide.below(schema)
            yield from excess(*below, f"{where}.{name}", answer=answer, within=within)
        elif answer:
            yield f"{where}.{name} is not described"
    for key in ("items", "additionalProperties"):
        if isinstance(schema := other.get(key), dict) and schema:
            inner = one.get(key)
            if not isinstance(inner, dict):
                if answer:
                    yield f"{where}[] is not described"
                continue
            below = narrow.below(inner), wide.below(schema)
            yield from excess(*below, f"{where}[]", answer=answer, within=within)


def _values(one: Json, other: Json, where: str) -> Iterator[str]:
    allowed = _listed(other)
    if allowed is not None:
        given = _listed(one)
        if given is None:
            yield f"{where} is not one of {allowed}"
        else:
            yield from (f"{where} may be {value!r}" for value in given if value not in allowed)
    form, pattern = other.get("format"), other.get("pattern")
    if form in _KNOWN_FORMATS and one.get("format") != form:
        yield f"{where} has not the format {form}"
    uuid = one.get("format") == "uuid" and re.search(pattern or "", _UUID)
    if pattern is not None and one.get("pattern") != pattern and not uuid:
        yield f"{where} has not the pattern {pattern}"


def _listed(schema: Json) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values: list[Any] | None = schema.get("enum")
    return values


def _bounds(one: Json, other: Json, where: str) -> Iterator[str]:
    for names, sign in ((_LOWEST, 1), (_GREATEST, -1)):
        for name in names:
            if name in other and (name not in one or sign * one[name] < sign * other[name]):
                yield f"{where} has not the {name} {other[name]}"
