"""Checking JSON that clients send: every problem at once, each with the path of the bad field."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError


@dataclass(frozen=True, slots=True)
class Problem:
    """One bad field: `path` as a client would write it (`agent_config.tasks[0].task_type`)."""

    path: str
    message: str
    """A whole sentence that names the path; the documented texts of the contract come verbatim."""


class InvalidInput(Exception):
    """What a client sent cannot be used; `problems` holds every bad field, in the order of the fields."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems[0].message)
        self.problems = problems


@dataclass(frozen=True, slots=True)
class DescribedAs:
    """In `Annotated`, for a type that only a validator of ours knows: what JSON schemas say of it."""

    type: Any

    def __get_pydantic_json_schema__(self, _: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(TypeAdapter(self.type).core_schema)


class Part(BaseModel):
    """A JSON object that keeps the keys it does not know. Null means the default of a key that has one."""

    model_config = ConfigDict(
        extra="allow",
        strict=True,
        allow_inf_nan=False,
        json_schema_serialization_defaults_required=True,  # answers always hold them
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or cls._takes_null(key)}

    @classmethod
    def _takes_null(cls, key: str) -> bool:
        field = cls.model_fields.get(key)
        return field is None or (not field.is_required() and field.get_default() is None)


# Numbers may come as strings ("90"), as clients built on forms send them; they are stored as numbers.


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "must be a whole number")
    return value


def _real(value: Any) -> int | float:
    number = value
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = None
    if isinstance(number, bool) or not isinstance(number, int | float) or not _is_sensible(number):
        raise PydanticCustomError("real", "must be a number")
    return int(number) if isinstance(value, str) and number == int(number) else number


def _is_sensible(number: int | float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond what a float can hold
        return False


Whole = Annotated[int, Field(strict=False), BeforeValidator(_no_bool)]
Real = Annotated[int | float, PlainValidator(_real), DescribedAs(float)]
Text = Annotated[str, Field(max_length=100_000)]
Name = Annotated[str, Field(min_length=1, max_length=500)]


def _localised(value: Any) -> Any:
    texts = value.values() if isinstance(value, dict) else [value]
    if not all(isinstance(text, str) and len(text) <= 100_000 for text in texts):
        raise PydanticCustomError("localised", "must be a string, or an object of strings by language code")
    return value


Localised = Annotated[str | dict[str, str], PlainValidator(_localised), DescribedAs(str | dict[str, str])]
"""A text, or one by language code (`{"en": ..., "hi": ...}`)."""


def _url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise PydanticCustomError("url", "must begin with http:// or https://")
    if len(value.encode("utf-8", "replace")) > _MAX_URL:
        raise PydanticCustomError("url", "must be at most {most} bytes", {"most": _MAX_URL})
    return value


_MAX_URL: Final = 2000
"""A URL may be the key of an index (`webhook_endpoints`)."""
Url = Annotated[str, Field(max_length=_MAX_URL), AfterValidator(_url)]


def shaped(shape: Callable[[Any], type[Part]]) -> PlainValidator:
    """For a field whose model depends on the value: `shape` names the model for it."""
    return PlainValidator(lambda value: shape(value).model_validate(value))


def refuse(problems: Iterable[tuple[tuple[str | int, ...], str]]) -> None:
    """From inside a validator: raise all (path below the model, message) pairs as its errors, if any."""
    errors = [
        InitErrorDetails(
            type=PydanticCustomError("semantic", "{text}", {"text": message}), loc=path, input=None
        )
        for path, message in problems
    ]
    if errors:
        raise ValidationError.from_exception_data("semantic", errors)


P = TypeVar("P", bound=BaseModel)


def check(model: type[P], value: Any, *, documented: Callable[[ErrorDetails], str | None] | None = None) -> P:
    """Validate JSON against a model. Raises InvalidInput; `documented` gives an error its contract text."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        raise InvalidInput(problems_in(errors, documented)) from None


def problems_in(
    errors: Iterable[ErrorDetails], documented: Callable[[ErrorDetails], str | None] | None = None
) -> list[Problem]:
    """Pydantic's errors as problems of ours."""
    problems = []
    for details in errors:
        path = written(details["loc"])
        text = documented(details) if documented else None
        problems.append(Problem(path, text or f"{path or 'the body'} {_text(details)}"))
    return problems


def written(location: Iterable[str | int]) -> str:
    """`("tasks", 0, "toolchain")` as `tasks[0].toolchain`."""
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += f".{step}" if path else step
    return path


_TEXTS: Mapping[str, str] = {
    "missing": "is required",
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
    "string_too_long": "must be at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of sensible size",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be an array",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "bool_parsing": "must be true or false",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must hold at least {min_length} item(s)",
    "too_long": "must hold at most {max_length} items",
}


def _text(details: ErrorDetails) -> str:
    template = _TEXTS.get(details["type"])
    return template.format(**details.get("ctx", {})) if template else details["msg"]
