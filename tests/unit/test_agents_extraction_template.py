"""What an extraction template may say, and what is said about one that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.agents.extraction_template import MAX_SCHEMA, NAMES, TemplateFields, changed
from ringback.agents.validation import InvalidInput, check

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"lead": {"type": "string", "enum": ["hot", "cold"]}},
}
SENT: dict[str, Any] = {"name": "Leads", "json_schema": SCHEMA}


def plain(sent: Any) -> dict[str, Any]:
    return check(TemplateFields, sent).plain()


def test_the_defaults() -> None:
    assert plain(SENT | {"unknown": 1, "model": None}) == {
        "name": "Leads",
        "json_schema": SCHEMA,
        "instructions": None,
        "model": "gpt-4.1-mini",
        "inputs": None,
        "keys": None,
        "display": True,
        "supports_custom_questions": False,
    }


def test_a_schema_stays_as_it_was_sent() -> None:
    schema = {
        "title": "Ünits",
        "properties": {"a": {"$ref": "#/$defs/b"}},
        "$defs": {"b": {"type": ["string", "null"]}},
    }
    assert plain(SENT | {"json_schema": schema})["json_schema"] == schema
    assert plain(SENT | {"json_schema": {}})["json_schema"] == {}


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({}, "name is required"),
        ({"name": "Leads"}, "json_schema is required"),
        (SENT | {"name": ""}, "name must not be empty"),
        (SENT | {"json_schema": [SCHEMA]}, "json_schema must be an object"),
        (
            SENT | {"json_schema": {"type": "array"}},
            "json_schema cannot be asked for: must describe an object",
        ),
        (
            SENT | {"json_schema": {"properties": {"a": {"$ref": "https://example.com/a"}}}},
            "json_schema cannot be asked for: \"a\" refers to 'https://example.com/a', which is not in the same schema",
        ),
        (
            SENT | {"json_schema": {"properties": {"a": {"type": "float"}}}},
            'json_schema cannot be asked for: the type of "a" must be one of object, array, string, number, integer, '
            "boolean, null",
        ),
        (
            SENT | {"json_schema": {"description": "x" * MAX_SCHEMA}},
            f"json_schema must be at most {MAX_SCHEMA} characters of JSON",
        ),
        (SENT | {"instructions": "x" * 20_001}, "instructions must be at most 20000 characters"),
        (SENT | {"inputs": [1]}, "inputs must be an object"),
        (SENT | {"keys": {"a": "x" * MAX_SCHEMA}}, f"keys must be at most {MAX_SCHEMA} characters of JSON"),
        (SENT | {"display": "yes"}, "display must be true or false"),
    ],
)
def test_what_is_wrong_is_said(sent: Any, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(TemplateFields, sent)
    assert message in [problem.message for problem in refused.value.problems]


def test_a_schema_within_itself_is_refused() -> None:
    with pytest.raises(InvalidInput, match="none within itself"):
        plain(SENT | {"json_schema": {"properties": {"a": {"$ref": "#/properties/a"}}}})


def test_a_change_leaves_the_rest() -> None:
    before = plain(SENT | {"instructions": "Be strict.", "keys": {"a": 1}})
    assert tuple(before) == NAMES
    assert changed(before, {"keys": None, "id": "x"}).plain() == before | {"keys": None}
    assert changed(before, {"display": None}).plain() == before
    with pytest.raises(InvalidInput, match="json_schema is required"):
        changed(before, {"json_schema": None})
