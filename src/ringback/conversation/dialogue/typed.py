"""Values of a graph's variables in the types that the definition asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TRUE = ("true", "yes", "y", "1", "on")
_FALSE = ("false", "no", "n", "0", "off")


def in_types(values: Mapping[str, Any], types: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The values in their types, by name or as `recipient_data.name`. One that does not convert stays as it is, with a
    complaint."""
    typed, complaints = dict(values), []
    for name, value in values.items():
        kind = types.get(name) or types.get(f"recipient_data.{name}")
        try:
            typed[name] = converted(value, kind) if kind else value
        except ValueError as error:
            complaints.append(f"variable {name!r}: {value!r} {error}")
    return typed, complaints


def converted(value: Any, kind: str) -> Any:
    """`value` as a string, number, integer or boolean; unchanged for another kind. Raises ValueError."""
    if value is None:
        return None
    match kind:
        case "string":
            return value if isinstance(value, str) else _text(value)
        case "number" | "integer":
            return _number(value)
        case "boolean":
            return _truth(value)
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    raise ValueError("is not a text")


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("is not a number")
    if isinstance(value, int):
        return value
    try:
        number = float(value.replace(",", "") if isinstance(value, str) else value)
        return int(number) if number == int(number) else number
    except (ValueError, OverflowError):
        raise ValueError("is not a number") from None


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in _TRUE + _FALSE:
        raise ValueError("is neither true nor false")
    return word in _TRUE
