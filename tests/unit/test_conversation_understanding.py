"""Understanding against labelled phrases, a third of which was held out from tuning."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ringback.agents.plan import (
    Affirmative,
    Anything,
    Condition,
    Date,
    Keywords,
    Negative,
    Number,
    Pattern,
    Time,
)
from ringback.conversation.understanding.understanding import Found, understand
from ringback.conversation.understanding.words import words

TABLE = json.loads((Path(__file__).parents[1] / "data" / "understanding.json").read_text())
TODAY = date.fromisoformat(TABLE["today"])


def condition(row: dict[str, Any]) -> Condition:
    match row["kind"]:
        case "number":
            return Number(row.get("minimum"), row.get("maximum"))
        case "digits":
            return Number(digits=row["digits"])
        case "date":
            return Date()
        case _:
            return Time()


def understood(row: dict[str, Any]) -> Any:
    if row["kind"] == "yes_no":
        yes = understand(Affirmative(), row["text"], TODAY)
        no = understand(Negative(), row["text"], TODAY)
        assert yes is None or no is None
        return yes.value if yes else no.value if no else None
    found = understand(condition(row), row["text"], TODAY)
    return found.value if found else None


def wrong(held_out: bool) -> list[str]:
    rows = [row for row in TABLE["phrases"] if row["held_out"] is held_out]
    assert len(rows) > 100
    return [
        f"{row['kind']} {row['text']!r}: {got!r}, not {row['expected']!r}"
        for row in rows
        if (got := understood(row)) != row["expected"]
    ]


def test_phrases_that_understanding_was_tuned_on() -> None:
    assert wrong(held_out=False) == []


def test_phrases_that_were_held_out() -> None:
    """At most 5 % wrong; those that are stay in the table as they are."""
    rows = [row for row in TABLE["phrases"] if row["held_out"]]
    failed = wrong(held_out=True)
    assert len(failed) <= 0.05 * len(rows), failed


@pytest.mark.parametrize(
    ("keywords", "text", "value"),
    [
        (("reschedule", "another day"), "Could we do another day?", "another day"),
        (("reschedule",), "I'd like to RESCHEDULE.", "reschedule"),
        (("schedule",), "I'd like to reschedule.", None),
        (("o'clock",), "Three o’clock", "o'clock"),
        ((), "anything", None),
    ],
)
def test_keywords_are_whole_words(keywords: tuple[str, ...], text: str, value: str | None) -> None:
    found = understand(Keywords(keywords), text, TODAY)
    assert (found.value if found else None) == value


@pytest.mark.parametrize(
    ("regex", "text", "value"),
    [
        (r"order (\w+)", "My Order A55 is late", "A55"),
        (r"late", "It is LATE", "LATE"),
        (r"(early)|late", "it is late", "late"),
        (r"never", "it is late", None),
    ],
)
def test_a_pattern_gives_its_group_or_its_match(regex: str, text: str, value: str | None) -> None:
    found = understand(Pattern(regex), text, TODAY)
    assert (found.value if found else None) == value


def test_words_of_scripts_whose_vowels_are_marks() -> None:
    assert words("हाँ जी, ठीक है। ४२ लोग") == ["हाँ", "जी", "ठीक", "है", "४२", "लोग"]
    assert words("வணக்கம், ஆமாம்!") == ["வணக்கம்", "ஆமாம்"]
    assert words("cafe\u0301") == ["cafe\u0301"]


def test_anything_is_the_text() -> None:
    assert understand(Anything(), " hello there ", TODAY) == Found("hello there")
    assert understand(Anything(), "  ", TODAY) is None
