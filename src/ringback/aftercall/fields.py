"""The fields of an extraction: a JSON schema, or lines such as "budget (number) : what the customer can spend"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ringback.aftercall.deterministic import Kind, Wanted

MAX_FIELDS: Final = 100
_LINE: Final = re.compile(
    r"^[\s>*•–-]*(?:\d{1,3}[.)]\s+)?[\"'`*]*(?P<name>[^\W\d][\w.-]{0,63}(?: [\w.-]{1,30}){0,2})[\"'`*]*"
    r"\s*(?:\((?P<kind>[^()\n]{1,40})\)\s*)?:\s*(?P<text>.*)$"
)
_PROSE: Final = re.compile(
    r"^(?:if|when|while|yield|return|extract|for|e\.?g|example|examples|note|please|otherwise|else|options?|possible"
    r"|values?|the|this|from|answer|output|format)\b",
    re.IGNORECASE,
)
_LEADING_KIND: Final = re.compile(r"^\(?(?P<kind>[\w-]{1,20}(?:/[\w-]{1,10})?)\)?(?=[,.;)\s]|$)")
_SCALAR: Final = ["string", "number", "boolean", "null"]
_KINDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "number": {"type": "number"},
    "numeric": {"type": "number"},
    "float": {"type": "number"},
    "integer": {"type": "integer"},
    "int": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "bool": {"type": "boolean"},
    "yes/no": {"type": "boolean"},
    "true/false": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time"},
    "timestamp": {"type": "string", "format": "date-time"},
    "datetime": {"type": "string", "format": "date-time"},
    "email": {"type": "string", "format": "email"},
    "e-mail": {"type": "string", "format": "email"},
    "string": {"type": "string"},
    "text": {"type": "string"},
}
_FORMATS: Final = {
    "email": Kind.EMAIL,
    "date": Kind.DATE,
    "date-time": Kind.TIMESTAMP,
    "time": Kind.TIME,
}


def from_lines(details: str) -> dict[str, Any] | None:
    """A flat schema from `name : description` a line; lines without a name go on with the one before.

    The type may stand in brackets after the name, or first in the description. None where no line has a name: then it
    is free text.
    """
    fields: dict[str, tuple[str, str]] = {}
    last = ""
    for line in details.splitlines():
        match = _LINE.match(line)
        if match and not _PROSE.match(match["name"]) and len(fields) < MAX_FIELDS:
            last = match["name"].strip()
            fields[last] = (match["kind"] or "", match["text"].strip())
        elif last and line.strip():
            kind, text = fields[last]
            fields[last] = (kind, f"{text} {line.strip()}".strip())
    if not fields:
        return None
    properties = {name: _property(kind, text) for name, (kind, text) in fields.items()}
    return {"type": "object", "properties": properties}


def wanted(schema: Mapping[str, Any]) -> dict[str, Wanted | None]:
    """Of each property what can be found without a language model; None where its type is not a plain one."""
    return {name: _wanted(name, one) for name, one in (schema.get("properties") or {}).items()}


def _property(kind: str, text: str) -> dict[str, Any]:
    named = _KINDS.get(kind.strip().lower())
    if named is None and (match := _LEADING_KIND.match(text)):
        named = _KINDS.get(match["kind"].lower())
    return {**(named or {"type": _SCALAR}), "description": f"{kind}: {text}" if kind and not named else text}


def _wanted(name: str, schema: Any) -> Wanted | None:
    if not isinstance(schema, Mapping) or "enum" in schema:
        return None
    about = f"{name} {schema.get('description') or ''}"
    kinds = schema.get("type")
    named = {kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind != "null"}
    if named and named <= {"number", "integer"}:
        return Wanted(Kind.NUMBER, about)
    if named == {"boolean"}:
        return Wanted(Kind.BOOLEAN, about)
    if named != {"string"}:
        return None
    if isinstance(pattern := schema.get("pattern"), str):
        return Wanted(Kind.REGEX, about, pattern)
    kind = _FORMATS.get(str(schema.get("format")))
    return None if kind is None else Wanted(kind, about)
