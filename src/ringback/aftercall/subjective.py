"""The subjective part of a disposition: an answer in free words or of a type (contract 13 and 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ringback.aftercall.deterministic import Found, Kind, Value, Wanted, find
from ringback.aftercall.spoken import Spoken
from ringback.agents import patterns, value_types
from ringback.agents.disposition import Disposition

_FORMS: Final[Mapping[str, str]] = {
    "text": "a short answer in plain words",
    "numeric": "the number in digits alone, without units or separators of thousands, such as 42 or 3.5",
    "timestamp": "the day as YYYY-MM-DD, with a time as YYYY-MM-DDTHH:MM:SS, reckoned from the day of the call",
    "boolean": "the word true or the word false",
    "email": "the e-mail address alone, in lower case",
}
_VALID: Final[Mapping[str, Callable[[str], bool]]] = {
    "numeric": value_types.is_number,
    "timestamp": value_types.is_timestamp,
    "boolean": value_types.is_boolean,
    "email": value_types.is_email,
}
_FOUND: Final[Mapping[str, Kind]] = {
    "numeric": Kind.NUMBER,
    "timestamp": Kind.TIMESTAMP,
    "boolean": Kind.BOOLEAN,
    "email": Kind.EMAIL,
    "regex": Kind.REGEX,
}


def type_of(disposition: Disposition) -> str:
    return disposition.subjective_type or "text"


def task(disposition: Disposition) -> str:
    """What the answer is to be, in words."""
    form = _FORMS.get(type_of(disposition)) or _of_pattern(disposition)
    return f"`subjective` is the answer: {form}. Where the transcript does not give it, it is an empty text."


def is_valid(disposition: Disposition, text: str) -> bool:
    """Whether an answer that is there is of the type."""
    if type_of(disposition) == "regex":
        return patterns.find(_pattern(disposition), text) is not None
    return _VALID[type_of(disposition)](text) if type_of(disposition) in _VALID else True


def problem(disposition: Disposition, text: str) -> str | None:
    """What is wrong with an answer, for whoever is to correct it."""
    if not text or is_valid(disposition, text):
        return None
    return f"`subjective` must be {_FORMS.get(type_of(disposition)) or _of_pattern(disposition)}"


def validation(disposition: Disposition, text: str) -> dict[str, Any] | None:
    """Of the record; None where there is no type, or nothing that could be of one."""
    if type_of(disposition) == "text" or not text:
        return None
    return {"is_valid": is_valid(disposition, text), "expected_type": type_of(disposition)}


def said(disposition: Disposition, spoken: Spoken) -> Found | None:
    """The answer without a language model; only the types other than text can be found."""
    kind = _FOUND.get(type_of(disposition))
    if kind is None:
        return None
    about = f"{disposition.name} {disposition.question}"
    pattern = _pattern(disposition) if kind is Kind.REGEX else ""
    return find(Wanted(kind, about, pattern), spoken)


def written(value: Value) -> str:
    """A value as the text that the contract wants."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _pattern(disposition: Disposition) -> str:
    return str(disposition.subjective_type_config.get("pattern") or "")


def _of_pattern(disposition: Disposition) -> str:
    described = disposition.subjective_type_config.get("description")
    words = f" ({described})" if described else ""
    return f"a text that matches the regular expression {_pattern(disposition)}{words}"
