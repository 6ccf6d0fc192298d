"""The `%(name)s` of requests that agents' functions make (contract 7, `param`).

A text is filled as Python's formatting would: `%(x)s` any value, `%(x)i` a whole number, `%(x)f` a number, `%%` a
percent sign (not in URLs and headers). In a JSON text a place may stand outside of quotes, where it becomes a value
of its own type; the vendor's newer form of the same is `{"$var": "x"}`. Filling never fails: a value that consists
of nothing but a missing name is left out, inside of a text a missing name is empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_PLACE: Final = re.compile(r"%\(([^()]{1,200})\)([sdif])")
_STRING_OR_PLACE: Final = re.compile(rf'"(?:[^"\\]|\\.)*"?|{_PLACE.pattern}', re.DOTALL)
"""A string that does not end is one too: looked for from every quote in it, it would take for ever."""
_NAME, _KIND = "$var", "as"
_MISSING: Final = object()

Values = Mapping[str, Any]


class TemplateError(ValueError):
    """A JSON text cannot be read; the message is a clause that says why."""


def read(param: Mapping[str, Any] | str | None) -> Mapping[str, Any] | None:
    """A `param` as an object; None for none. Raises TemplateError."""
    if param is None or isinstance(param, Mapping):
        return param
    if not param.strip():
        return None
    marked = _STRING_OR_PLACE.sub(lambda m: _marker(m) if m[1] else m[0], param)
    try:
        value = json.loads(marked)
    except (ValueError, RecursionError) as error:
        raise TemplateError(f"must be an object, or the JSON text of one: {error}") from None
    if not isinstance(value, dict) or _NAME in value:
        raise TemplateError("must be an object, or the JSON text of one")
    return value


def fill_object(template: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """The object with every place filled."""
    filled = {key: _filled(value, values) for key, value in template.items()}
    return {key: value for key, value in filled.items() if value is not _MISSING}


def fill_text(text: str, values: Values, encode: Callable[[str], str] = str) -> str:
    """The text with every place filled; `encode` is applied to what is put in."""
    return _PLACE.sub(lambda m: encode(written(_typed(values.get(m[1]), m[2]))), text)


def written(value: Any) -> str:
    """A value as text: strings as they are, everything else as JSON, None empty."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _marker(match: re.Match[str]) -> str:
    return json.dumps({_NAME: match[1], _KIND: match[2]})


def _filled(template: Any, values: Values) -> Any:
    match template:
        case str():
            alone = _PLACE.fullmatch(template)
            if alone and alone[1] not in values:
                return _MISSING
            return "%".join(fill_text(part, values) for part in template.split("%%"))
        case {"$var": str(name), **rest} if set(rest) <= {_KIND}:
            return _typed(values[name], rest.get(_KIND, "s")) if name in values else _MISSING
        case Mapping():
            return fill_object(template, values)
        case list():
            items = (_filled(item, values) for item in template)
            return [item for item in items if item is not _MISSING]
    return template


def _typed(value: Any, kind: Any) -> Any:
    """As the place wants it, where that can be done."""
    if kind == "s" or not isinstance(value, str | int | float):
        return value
    try:
        return float(value) if kind == "f" else int(float(value))
    except (ValueError, OverflowError):
        return value
