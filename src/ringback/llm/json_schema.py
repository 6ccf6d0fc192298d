"""An answer held against the schema that was asked for (`agents/answer_schema.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker, SchemaError, ValidationError, validators
from jsonschema.exceptions import best_match
from referencing import Registry

from ringback.agents import patterns, value_types

_MAX_MESSAGE: Final = 300


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    """By RE2, whose time is bounded."""
    if isinstance(value, str) and not patterns.matches(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


_Validator: Final[Any] = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _pattern}
)
_FORMATS: Final = FormatChecker(formats=())
for _name, _is in (
    ("date", value_types.is_date),
    ("time", value_types.is_time),
    ("date-time", value_types.is_timestamp),
    ("email", value_types.is_email),
):
    _FORMATS.checks(_name)(lambda value, _is=_is: not isinstance(value, str) or _is(value))


def problem(schema: Mapping[str, Any], value: Any) -> str | None:
    """What is wrong with a value, for whoever is to correct it; None for a good one."""
    try:
        # A registry of its own: the default one would fetch references from the net.
        validator = _Validator(schema, registry=Registry(), format_checker=_FORMATS)
        error = best_match(validator.iter_errors(value))
    except (SchemaError, RecursionError) as broken:
        return f"the schema cannot be used: {type(broken).__name__}"
    if error is None:
        return None
    message = error.message if len(error.message) <= _MAX_MESSAGE else error.message[:_MAX_MESSAGE] + "..."
    return f"{error.json_path}: {message}"
