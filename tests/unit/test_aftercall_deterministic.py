"""Values found without a language model, against labelled talks; a third was held out from tuning."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ringback.aftercall.deterministic import Found, Kind, Wanted, find
from ringback.aftercall.spoken import Said, Spoken
from ringback.conversation.understanding.emails import find_email

TABLE = json.loads((Path(__file__).parents[1] / "data" / "deterministic.json").read_text())
DAY = date.fromisoformat(TABLE["call_day"])


def talk(*lines: tuple[str, str], language: str = "en") -> Spoken:
    said = tuple(Said("assistant" if role == "assistant" else "user", text) for role, text in lines)
    return Spoken(said, DAY, language)


def found(row: dict[str, Any]) -> Any:
    wanted = Wanted(Kind(row["kind"]), row["about"], row.get("pattern", ""))
    spoken = talk(*map(tuple, row["turns"]), language=row.get("language", "en"))
    result = find(wanted, spoken)
    return None if result is None else result.value


def wrong(held_out: bool) -> tuple[list[str], list[str]]:
    """What was invented, and what was missed."""
    invented, missed = [], []
    rows = [row for row in TABLE["talks"] if row["held_out"] is held_out]
    assert len(rows) > 25
    for row in rows:
        got, expected = found(row), row["expected"]
        if repr(got) != repr(expected):
            line = f"{row['kind']} {row['about']!r} in {row['turns']}: {got!r}, not {expected!r}"
            (missed if got is None else invented).append(line)
    return invented, missed


def test_talks_that_it_was_made_for() -> None:
    assert wrong(held_out=False) == ([], [])


def test_talks_that_it_had_not_seen() -> None:
    """Of 45: two values that were said about something else, two that were not found."""
    invented, missed = wrong(held_out=True)
    assert len(invented) <= 2, invented
    assert len(missed) <= 2, missed


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("My address is ada@example.com.", "ada@example.com"),
        ("It is J.Smith@mail.example.com?", "j.smith@mail.example.com"),
        ("Yes, ada dot l at example dot co dot uk.", "ada.l@example.co.uk"),
        ("it's a, d, a, at gmail dot com", "ada@gmail.com"),
        ("my email is john underscore smith at yahoo dot com", "john_smith@yahoo.com"),
        ("smith four two at yahoo dot com", "smith42@yahoo.com"),
        ("c'est marie point curie arobase exemple point fr", "marie.curie@exemple.fr"),
        ("john smith at gmail dot com", None),
        ("I'm at home, dot com", None),
        ("ada@home", None),
        ("I am at work dot", None),
        ("", None),
    ],
)
def test_addresses(text: str, address: str | None) -> None:
    assert find_email(text) == address


def test_the_only_address_needs_no_question_and_the_only_number_does() -> None:
    spoken = talk(("user", "Hello, I am ada@example.com and seven."), ("assistant", "Fine."))
    assert find(Wanted(Kind.EMAIL, "reply"), spoken) == Found(
        "ada@example.com", "Hello, I am ada@example.com and seven.", asked=False
    )
    assert find(Wanted(Kind.NUMBER, "age"), spoken) is None


def test_the_agents_own_words_are_nobodys_answer() -> None:
    spoken = talk(("assistant", "Is your e-mail ada@example.com, and are you 42?"), ("user", "Who is this?"))
    assert [find(Wanted(kind, "email age"), spoken) for kind in (Kind.EMAIL, Kind.NUMBER)] == [None, None]


def test_a_pattern_takes_no_longer_the_longer_the_talk() -> None:
    """Expressions that backtrack would take for ever here."""
    spoken = talk(("user", "a" * 5_000 + "!"))
    assert find(Wanted(Kind.REGEX, "x", r"^(a+)+$"), spoken) is not None
    assert find(Wanted(Kind.REGEX, "x", r"^(a+)+b$"), spoken) is None
