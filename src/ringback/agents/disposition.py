"""A disposition: one question about a finished call, and what its answer may be (contract 13 and 4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

DEFAULT_CATEGORY: Final = "General"
DEFAULT_MODEL: Final = "gpt-4.1-mini"

SubjectiveType = Literal["text", "timestamp", "numeric", "boolean", "email", "regex"]
SUBJECTIVE_TYPES: Final[tuple[SubjectiveType, ...]] = (
    "text",
    "timestamp",
    "numeric",
    "boolean",
    "email",
    "regex",
)


@dataclass(frozen=True, slots=True)
class Option:
    """A value that the objective answer may take, and when it does; its sub-options refine it."""

    value: str
    condition: str = ""
    """In the words of the author: "the customer agreed to a visit"."""
    sub_options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Disposition:
    """At least one of `is_subjective` (an answer in own words or of a type) and `is_objective` (one of the
    options) is true."""

    id: str
    name: str
    question: str
    category: str = DEFAULT_CATEGORY
    system_prompt: str | None = None
    model: str = DEFAULT_MODEL
    is_subjective: bool = False
    is_objective: bool = False
    subjective_type: SubjectiveType | None = None
    """None is text."""
    subjective_type_config: Mapping[str, Any] = field(default_factory=dict)
    """Of a regex: `pattern` (RE2) and `description`."""
    objective_options: tuple[Option, ...] = ()


def options_of(value: Any) -> tuple[Option, ...]:
    """The options of a stored or sent `objective_options` that was found valid."""
    return tuple(
        Option(str(item["value"]), str(item.get("condition") or ""), options_of(item.get("sub_options")))
        for item in value or ()
    )
