"""Fields of an extraction from lines, and what of them can be found without a language model."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.aftercall.deterministic import Kind
from ringback.aftercall.fields import MAX_FIELDS, from_lines, wanted
from ringback.agents.answer_schema import asked
from ringback.llm.json_schema import problem

SCALAR = ["string", "number", "boolean", "null"]


def properties(details: str) -> Any:
    schema = from_lines(details)
    return None if schema is None else schema["properties"]


def test_lines() -> None:
    details = """
    user_name : Yield the name of the user.
    - payment_mode: how the user pays.
      If by card: yield card.
      e.g. cash
    2. `Call Outcome` : the outcome
    """
    assert properties(details) == {
        "user_name": {"type": SCALAR, "description": "Yield the name of the user."},
        "payment_mode": {
            "type": SCALAR,
            "description": "how the user pays. If by card: yield card. e.g. cash",
        },
        "Call Outcome": {"type": SCALAR, "description": "the outcome"},
    }


@pytest.mark.parametrize(
    ("line", "schema"),
    [
        ("age (number): in years", {"type": "number", "description": "in years"}),
        ("age : number, in years", {"type": "number", "description": "number, in years"}),
        ("age : (integer) years", {"type": "integer", "description": "(integer) years"}),
        ("ok : boolean", {"type": "boolean", "description": "boolean"}),
        ("ok (yes/no) : agreed?", {"type": "boolean", "description": "agreed?"}),
        ("day (date):", {"type": "string", "format": "date", "description": ""}),
        ("at : timestamp of it", {"type": "string", "format": "date-time", "description": "timestamp of it"}),
        ("mail (E-Mail) : of the user", {"type": "string", "format": "email", "description": "of the user"}),
        ("mood (one word) : happy", {"type": SCALAR, "description": "one word: happy"}),
        ("mood : numbered list", {"type": SCALAR, "description": "numbered list"}),
    ],
)
def test_types(line: str, schema: dict[str, Any]) -> None:
    [found] = properties(line).values()
    assert found == schema


@pytest.mark.parametrize("details", ["", "Find out what the user wants.", "Please: be brief", "Return: JSON"])
def test_free_text_has_no_fields(details: str) -> None:
    assert from_lines(details) is None


def test_not_more_than_can_be_asked_for() -> None:
    details = "\n".join(f"field_{n} : x" for n in range(2 * MAX_FIELDS))
    assert len(properties(details)) == MAX_FIELDS


def test_fields_are_asked_for_flat() -> None:
    schema = asked(from_lines("name : x\nage (number) : y") or {})
    assert problem(schema, {"name": "Ada", "age": None}) is None
    assert problem(schema, {"name": {"first": "Ada"}, "age": 42}) is not None
    assert problem(schema, {"name": "Ada", "age": "42"}) is not None


def test_what_can_be_found_without_a_language_model() -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": SCALAR},
            "age": {"type": ["integer", "null"], "description": "in years"},
            "agreed": {"type": "boolean"},
            "mail": {"type": "string", "format": "email"},
            "day": {"type": ["string", "null"], "format": "date"},
            "at": {"type": "string", "format": "date-time"},
            "hour": {"type": "string", "format": "time"},
            "code": {"type": "string", "pattern": "^x$"},
            "level": {"type": "number", "enum": [1, 2]},
            "text": {"type": "string"},
            "list": {"type": "array"},
            "open": True,
        },
    }
    kinds = {name: one and one.kind for name, one in wanted(schema).items()}
    assert kinds == {
        "name": None,
        "age": Kind.NUMBER,
        "agreed": Kind.BOOLEAN,
        "mail": Kind.EMAIL,
        "day": Kind.DATE,
        "at": Kind.TIMESTAMP,
        "hour": Kind.TIME,
        "code": Kind.REGEX,
        "level": None,
        "text": None,
        "list": None,
        "open": None,
    }
