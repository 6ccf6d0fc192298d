"""What a language model calls a function with, held against the function's JSON schema.

Only the top level, by hand: what is deeper is for the server to judge, whose answer the model is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final


class WrongArguments(ValueError):
    """The function is not called; the message tells the model what to do about it."""


def checked(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that the schema declares, in its types where they can be had: models send "5" for 5.

    Others are dropped, so that no argument can pass for one of the conversation's variables. Null is no value.
    Raises WrongArguments with every problem.
    """
    properties: Mapping[str, Any] = schema.get("properties") or {}
    given = {name: arguments[name] for name in properties if arguments.get(name) is not None}
    problems = [f'"{name}" is missing' for name in schema.get("required") or () if name not in given]
    good: dict[str, Any] = {}
    for name, value in given.items():
        good[name] = _in_type(value, properties[name])
        problems += _problems(name, good[name], properties[name])
    if problems:
        raise WrongArguments(
            f"The function was not called: {'; '.join(problems)}. Correct that and call it again."
        )
    return good


def _problems(name: str, value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    kinds = _kinds(schema)
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f'"{name}" must be of type {" or ".join(kinds)}'
    options = schema.get("enum")
    if isinstance(options, list) and value not in options:
        yield f'"{name}" must be one of {", ".join(map(str, options))}'


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type")
    named = kind if isinstance(kind, list) else [kind]
    return [name for name in named if isinstance(name, str) and name in _TYPES]


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _in_type(value: Any, schema: Mapping[str, Any]) -> Any:
    kinds = _kinds(schema)
    if not kinds or any(_is(value, kind) for kind in kinds):
        return value
    for kind in kinds:
        found = _converted(value, kind)
        if found is not None:
            return found
    return value


def _converted(value: Any, kind: str) -> Any:
    match kind, value:
        case (("integer" | "number"), str() | float()):
            return _number(value, whole=kind == "integer")
        case "string", int() | float() if not isinstance(value, bool):
            return str(value)
        case "boolean", str() if value.lower() in ("true", "false"):
            return value.lower() == "true"
    return None


def _number(value: str | float, whole: bool) -> int | float | None:
    try:
        number = float(value)
        whole_number = int(number)
    except (ValueError, OverflowError):  # no number, or none that is finite
        return None
    if whole_number == number:
        return whole_number
    return None if whole else number
