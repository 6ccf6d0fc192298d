"""What is asked of a language model, made from the schema that a client wrote."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ringback.agents.answer_schema import MAX_NODES, BadSchema, asked
from ringback.llm.json_schema import problem


def object_of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_everything_may_be_null_and_nothing_may_be_left_out() -> None:
    schema = object_of(
        quality={"type": "string", "enum": ["hot", "cold"], "title": "Quality"},
        budget={"type": "number", "minimum": 0},
        notes={"description": "Anything else."},
        contact=object_of(mail={"type": "string", "format": "email"}) | {"required": ["mail"]},
        tags={"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        level={"anyOf": [{"type": "integer"}, {"const": "none"}]},
    )
    assert asked(schema) == {
        "type": "object",
        "properties": {
            "quality": {"type": ["string", "null"], "enum": ["hot", "cold", None]},
            "budget": {"type": ["number", "null"], "minimum": 0},
            "notes": {"description": "Anything else."},
            "contact": {
                "type": ["object", "null"],
                "properties": {"mail": {"type": ["string", "null"], "format": "email"}},
                "required": ["mail"],
                "additionalProperties": False,
            },
            "tags": {"type": ["array", "null"], "items": {"type": "string"}},
            "level": {"anyOf": [{"anyOf": [{"type": "integer"}, {"enum": ["none"]}]}, {"type": "null"}]},
        },
        "required": ["quality", "budget", "notes", "contact", "tags", "level"],
        "additionalProperties": False,
    }


def test_references_are_put_in_place() -> None:
    schema = object_of(
        home={"$ref": "#/$defs/place"}, work={"$ref": "#/$defs/place", "description": "Where?"}
    )
    schema["$defs"] = {"place": object_of(city={"type": "string"})}
    read = asked(schema)
    assert "$defs" not in read
    assert read["properties"]["home"]["properties"] == {"city": {"type": ["string", "null"]}}
    assert read["properties"]["work"]["description"] == "Where?"


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no object": ({"type": "array", "items": {}}, "must describe an object"),
    "itself": (object_of(a={"$ref": "#"}), "too large"),
    "elsewhere": (object_of(a={"$ref": "http://127.0.0.1/schema.json"}), "not in the same schema"),
    "nowhere": (object_of(a={"$ref": "#/$defs/b"}), "which is not there"),
    "many": (object_of(**{f"f{n}": {"type": "string"} for n in range(MAX_NODES)}), "too large"),
    "a bomb": (
        object_of(a={"$ref": "#/$defs/n20"})
        | {
            "$defs": {
                f"n{n}": object_of(x={"$ref": f"#/$defs/n{n - 1}"}, y={"$ref": f"#/$defs/n{n - 1}"})
                for n in range(1, 21)
            }
            | {"n0": {}}
        },
        "too large",
    ),
    "what is not known": (object_of(a={"not": {}}), 'has "not"'),
    "a type": (object_of(a={"type": "date"}), 'the type of "a" must be one of'),
    "a pattern": (object_of(a={"type": "string", "pattern": "(?=x)"}), 'the pattern of "a" cannot be used'),
    "a bound": (object_of(a={"type": "number", "minimum": "0"}), 'of "a" must be a number'),
    "an enum": (object_of(a={"enum": []}), "not empty"),
    "a text": (object_of(a="the name"), '"a" must be a schema'),
    "properties": ({"type": "object", "properties": []}, "must describe an object"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_asked_for_is_named(name: str) -> None:
    schema, words = BAD[name]
    with pytest.raises(BadSchema, match=words.replace("(", r"\(")):
        asked(schema)


LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer", "minimum": 1},
        {"type": ["number", "string"]},
        {"enum": ["a", 1]},
        {"const": 3},
        {},
        {"type": "boolean", "description": "Yes?"},
    ]
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: (
        st.dictionaries(st.text(min_size=1, max_size=4), inner, max_size=4).map(lambda p: object_of(**p))
        | inner.map(lambda one: {"type": "array", "items": one})
        | st.lists(inner, min_size=1, max_size=3).map(lambda some: {"anyOf": some})
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1, max_size=4), SCHEMAS, max_size=4))
@settings(deadline=None)
def test_what_is_asked_for_is_a_schema_that_nulls_answer(properties: dict[str, Any]) -> None:
    assume(len(repr(properties)) < 2_000)
    read = asked(object_of(**properties))
    Draft202012Validator.check_schema(read)
    assert problem(read, dict.fromkeys(properties)) is None
    assert properties == {} or problem(read, {}) is not None
    assert problem(read, dict.fromkeys([*properties, "more than four letters"])) is not None
    assert asked(read) == read


def test_an_answer_is_checked_by_expressions_that_do_not_backtrack() -> None:
    schema = asked(object_of(a={"type": "string", "pattern": r"^(a+)+$"}))
    began = time.perf_counter()
    assert problem(schema, {"a": "a" * 30_000 + "!"}) is not None
    assert time.perf_counter() - began < 1.0
    assert problem(schema, {"a": "aaa"}) is None


@pytest.mark.parametrize(
    ("format_", "good", "bad"),
    [
        ("date", "2026-11-30", "30 November"),
        ("date", "2024-02-29", "2026-02-29"),
        ("time", "15:30", "half past three"),
        ("date-time", "2026-11-30T15:30:00Z", "tomorrow at three"),
        ("email", "ada@example.com", "ada at example dot com"),
    ],
)
def test_formats(format_: str, good: str, bad: str) -> None:
    schema = asked(object_of(a={"type": "string", "format": format_}))
    assert problem(schema, {"a": good}) is None
    assert "$.a" in str(problem(schema, {"a": bad}))
