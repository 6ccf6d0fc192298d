"""Arguments of language models against the schema of a function."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.tools.arguments import WrongArguments, checked

SCHEMA = {
    "type": "object",
    "properties": {
        "s": {"type": "string"},
        "i": {"type": "integer"},
        "n": {"type": "number"},
        "b": {"type": "boolean"},
        "l": {"type": "array", "items": {"type": "string"}},
        "o": {"type": "object"},
        "e": {"type": "string", "enum": ["red", "green"]},
        "m": {"type": ["integer", "null"]},
        "any": {},
        "strange": {"type": "date"},
    },
}


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({}, {}),
        ({"s": "a", "i": 1, "n": 1.5, "b": True, "l": ["x"], "o": {"k": 1}, "e": "red"}, None),
        ({"any": [1, {}], "strange": 5}, None),
        ({"s": 5, "i": "5", "n": "1.5", "b": "TRUE"}, {"s": "5", "i": 5, "n": 1.5, "b": True}),
        ({"i": 5.0, "n": 5}, {"i": 5, "n": 5}),
        ({"i": "5.0", "n": "5"}, {"i": 5, "n": 5}),
        ({"m": "7"}, {"m": 7}),
        ({"m": None, "s": None}, {}),
        ({"to_number": "+1", "s": "a"}, {"s": "a"}),
    ],
)
def test_taken(given: dict[str, Any], taken: dict[str, Any] | None) -> None:
    assert checked(SCHEMA, given) == (given if taken is None else taken)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"i": "five"}, '"i" must be of type integer'),
        ({"i": 1.5}, '"i" must be of type integer'),
        ({"i": True}, '"i" must be of type integer'),
        ({"i": "inf"}, '"i" must be of type integer'),
        ({"n": "nan"}, '"n" must be of type number'),
        ({"b": 1}, '"b" must be of type boolean'),
        ({"s": ["a"]}, '"s" must be of type string'),
        ({"s": True}, '"s" must be of type string'),
        ({"l": "x"}, '"l" must be of type array'),
        ({"o": []}, '"o" must be of type object'),
        ({"e": "blue"}, '"e" must be one of red, green'),
        ({"m": "x"}, '"m" must be of type integer'),
    ],
)
def test_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(WrongArguments) as raised:
        checked(SCHEMA, given)
    assert str(raised.value) == f"The function was not called: {why}. Correct that and call it again."


def test_every_problem_at_once() -> None:
    schema = SCHEMA | {"required": ["s", "i", "gone"]}
    with pytest.raises(WrongArguments) as raised:
        checked(schema, {"i": "x", "s": None})
    assert '"s" is missing; "gone" is missing; "i" must be of type integer' in str(raised.value)


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"properties": {}}, {"properties": None}])
def test_without_a_declaration_nothing_is_taken(schema: dict[str, Any]) -> None:
    assert checked(schema, {"a": 1}) == {}
