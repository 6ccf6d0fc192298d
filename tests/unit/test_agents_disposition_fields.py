"""What a disposition may say, and what is said about one that is wrong."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.agents import patterns
from ringback.agents.disposition import SUBJECTIVE_TYPES, Option, options_of
from ringback.agents.disposition_fields import (
    MAX_DEPTH,
    MAX_OPTIONS,
    NAMES,
    DispositionFields,
    changed,
)
from ringback.agents.validation import InvalidInput, check

SUBJECTIVE: dict[str, Any] = {"name": "Outcome", "question": "How did it end?", "is_subjective": True}
YES: dict[str, Any] = {"value": "yes", "condition": "They agreed"}
OBJECTIVE: dict[str, Any] = {
    "name": "Outcome",
    "question": "How did it end?",
    "is_objective": True,
    "objective_options": [YES],
}


def plain(sent: Any) -> dict[str, Any]:
    return check(DispositionFields, sent).plain()


def problems(sent: Any) -> list[str]:
    with pytest.raises(InvalidInput) as refused:
        check(DispositionFields, sent)
    return [problem.message for problem in refused.value.problems]


def nested(levels: int, width: int = 1) -> list[dict[str, Any]]:
    inner = nested(levels - 1, width) if levels > 1 else []
    return [{"value": f"v{place}", "condition": "", "sub_options": deepcopy(inner)} for place in range(width)]


def test_the_defaults() -> None:
    assert plain(SUBJECTIVE) == {
        "name": "Outcome",
        "question": "How did it end?",
        "category": "General",
        "system_prompt": None,
        "model": "gpt-4.1-mini",
        "is_subjective": True,
        "is_objective": False,
        "subjective_type": "text",
        "subjective_type_config": None,
        "objective_options": None,
    }


def test_null_is_the_default() -> None:
    nulls = dict.fromkeys(("category", "system_prompt", "model", "is_objective", "subjective_type"))
    assert plain(SUBJECTIVE | nulls | {"objective_options": None}) == plain(SUBJECTIVE)


def test_what_is_unknown_is_left_out() -> None:
    option = YES | {"unknown": 1, "sub_options": [YES | {"colour": "red"}]}
    shown = plain(OBJECTIVE | {"unknown": {"a": 1}, "objective_options": [option]})
    assert tuple(shown) == NAMES
    assert shown["objective_options"] == [YES | {"sub_options": [YES | {"sub_options": []}]}]


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({}, "name is required"),
        ({"name": "", "question": "x", "is_subjective": True}, "name must not be empty"),
        (SUBJECTIVE | {"question": None}, "question is required"),
        (SUBJECTIVE | {"question": "x" * 10_001}, "question must be at most 10000 characters"),
        (SUBJECTIVE | {"category": ""}, "category must not be empty"),
        (SUBJECTIVE | {"system_prompt": 5}, "system_prompt must be a string"),
        (SUBJECTIVE | {"is_subjective": "true"}, "is_subjective must be true or false"),
        (SUBJECTIVE | {"is_subjective": False}, "is_subjective or is_objective must be true"),
        ({"name": "Outcome", "question": "?"}, "is_subjective or is_objective must be true"),
        (
            SUBJECTIVE | {"subjective_type": "phone"},
            "subjective_type must be one of 'text', 'timestamp', 'numeric', 'boolean', 'email' or 'regex'",
        ),
        (
            SUBJECTIVE | {"subjective_type": "regex"},
            "subjective_type_config is required for the subjective_type regex",
        ),
        (
            SUBJECTIVE | {"subjective_type": "regex", "subjective_type_config": {"description": "a code"}},
            "subjective_type_config.pattern is required",
        ),
        (
            SUBJECTIVE | {"subjective_type": "regex", "subjective_type_config": {"pattern": "(a"}},
            "subjective_type_config.pattern is not a regular expression (RE2): missing ): (a",
        ),
        (
            SUBJECTIVE | {"subjective_type_config": {"pattern": r"(?=a)b"}},
            "subjective_type_config.pattern is not a regular expression (RE2): invalid perl operator: (?=",
        ),
        (
            SUBJECTIVE | {"subjective_type": "regex", "subjective_type_config": {"pattern": "a" * 1001}},
            "subjective_type_config.pattern must be at most 1000 characters",
        ),
        (
            OBJECTIVE | {"subjective_type": "email"},
            "subjective_type is only for dispositions whose is_subjective is true",
        ),
        (
            OBJECTIVE | {"objective_options": []},
            "objective_options must hold at least 1 item where is_objective is true",
        ),
        (
            SUBJECTIVE | {"is_objective": True},
            "objective_options must hold at least 1 item where is_objective is true",
        ),
        (OBJECTIVE | {"objective_options": ["yes"]}, "objective_options[0] must be an object"),
        (OBJECTIVE | {"objective_options": [{"value": "yes"}]}, "objective_options[0].condition is required"),
        (
            OBJECTIVE | {"objective_options": [YES, YES]},
            "objective_options[1].value is in objective_options twice",
        ),
        (
            OBJECTIVE | {"objective_options": [YES | {"sub_options": [YES, YES]}]},
            "objective_options[0].sub_options[1].value is in objective_options[0].sub_options twice",
        ),
        (
            OBJECTIVE | {"objective_options": nested(MAX_DEPTH + 1)},
            "objective_options may have at most 5 levels of options",
        ),
        (
            OBJECTIVE | {"objective_options": nested(2, 15)},
            "objective_options must hold at most 200 options, with all sub_options",
        ),
    ],
)
def test_what_is_wrong_is_said(sent: Any, message: str) -> None:
    assert message in problems(sent)


def test_everything_wrong_is_said_at_once() -> None:
    assert problems({"name": 1, "question": "", "objective_options": [{}, 5]}) == [
        "name must be a string",
        "question must not be empty",
        "objective_options[0].value is required",
        "objective_options[0].condition is required",
        "objective_options[1] must be an object",
    ]
    assert problems({"name": "a", "question": "b", "subjective_type": "regex"}) == [
        "is_subjective or is_objective must be true",
        "subjective_type is only for dispositions whose is_subjective is true",
        "subjective_type_config is required for the subjective_type regex",
    ]


def test_the_bounds_themselves_are_allowed() -> None:
    for options in (nested(MAX_DEPTH), nested(1, MAX_OPTIONS), nested(2, 13)):
        assert plain(OBJECTIVE | {"objective_options": options})["objective_options"] == options


def test_very_deep_options_are_refused_in_time() -> None:
    deep: dict[str, Any] = dict(YES)
    for _ in range(30):
        deep = YES | {"sub_options": [deep]}
    assert problems(OBJECTIVE | {"objective_options": [deep]}) == [
        "objective_options may have at most 5 levels of options"
    ]


def test_a_change_leaves_the_rest() -> None:
    before = plain(OBJECTIVE | {"system_prompt": "Be strict."})
    assert changed(before, {"name": "End"}).plain() == before | {"name": "End"}
    assert changed(before, {"system_prompt": None, "id": "x"}).plain() == before | {"system_prompt": None}


def test_a_change_that_makes_a_whole_wrong_is_refused() -> None:
    with pytest.raises(InvalidInput, match="objective_options must hold at least 1 item"):
        changed(plain(OBJECTIVE), {"objective_options": None})
    with pytest.raises(InvalidInput, match="name is required"):
        changed(plain(OBJECTIVE), {"name": None})
    with pytest.raises(InvalidInput, match="subjective_type is only for"):
        changed(plain(OBJECTIVE), {"subjective_type": "email"})


def test_the_type_goes_with_the_subjective_part() -> None:
    both = plain(OBJECTIVE | {"is_subjective": True, "subjective_type": "email"})
    assert changed(both, {"is_subjective": False}).plain() == both | {
        "is_subjective": False,
        "subjective_type": "text",
    }
    with pytest.raises(InvalidInput, match="is_subjective or is_objective must be true"):
        changed(both, {"is_subjective": False, "is_objective": False})


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
options = st.recursive(
    st.just([]),
    lambda inner: st.lists(
        st.fixed_dictionaries(
            {"value": texts, "condition": st.text(max_size=5)}, optional={"sub_options": inner}
        ),
        max_size=3,
        unique_by=lambda option: option["value"],
    ),
    max_leaves=6,
)
sent_fields = st.fixed_dictionaries(
    {},
    optional={
        "name": texts | st.none() | st.integers(),
        "question": texts | st.none(),
        "category": texts | st.none(),
        "system_prompt": texts | st.none(),
        "model": texts,
        "is_subjective": st.booleans() | st.none(),
        "is_objective": st.booleans() | st.none(),
        "subjective_type": st.sampled_from([*SUBJECTIVE_TYPES, None, "other"]),
        "subjective_type_config": st.none()
        | st.fixed_dictionaries({"pattern": st.sampled_from(["a+", "(", "^x$"]) | texts}),
        "objective_options": st.none() | options,
    },
)


def is_sound(fields: dict[str, Any]) -> bool:
    """The rules again, the way the contract puts them."""
    config = fields["subjective_type_config"]
    return (
        (fields["is_subjective"] or fields["is_objective"])
        and (not fields["is_objective"] or bool(fields["objective_options"]))
        and (fields["subjective_type"] != "regex" or config is not None)
        and (config is None or patterns.problem(config["pattern"]) is None)
        and (fields["is_subjective"] or fields["subjective_type"] == "text")
    )


@settings(deadline=None, derandomize=True, max_examples=400)
@given(sent_fields, sent_fields)
def test_what_is_accepted_is_sound_and_stays_itself(sent: dict[str, Any], change: dict[str, Any]) -> None:
    try:
        fields = plain(SUBJECTIVE | sent)
    except InvalidInput:
        return
    assert is_sound(fields)
    assert plain(fields) == fields
    assert changed(fields, {}).plain() == fields
    assert changed(fields, fields).plain() == fields
    try:
        after = changed(fields, change).plain()
    except InvalidInput:
        return
    assert is_sound(after)
    kept = {name: value for name, value in fields.items() if name not in change}
    if after["is_subjective"]:
        assert {name: after[name] for name in kept} == kept
    assert changed(after, change).plain() == after


def in_all(sent: Any) -> int:
    return sum(1 + in_all(option.get("sub_options", [])) for option in sent)


def count(found: tuple[Option, ...]) -> int:
    return sum(1 + count(option.sub_options) for option in found)


@settings(deadline=None, derandomize=True)
@given(options.filter(bool))
def test_no_option_is_lost(sent: list[dict[str, Any]]) -> None:
    stored = plain(OBJECTIVE | {"objective_options": sent})["objective_options"]
    assert in_all(stored) == in_all(sent) == count(options_of(stored))
