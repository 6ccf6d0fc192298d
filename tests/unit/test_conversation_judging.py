"""Whether a text that may go on is a whole answer, against a labelled table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from ringback.agents.plan import (
    Affirmative,
    Anything,
    Condition,
    Date,
    Keywords,
    Llm,
    Negative,
    Number,
    Pattern,
    Time,
)
from ringback.conversation.dialogue.dialogue import Expectation
from ringback.conversation.dialogue.judging import judge

TABLE = json.loads((Path(__file__).parents[1] / "data" / "judgements.json").read_text())
TODAY = date.fromisoformat(TABLE["today"])
ASKED: Final[Mapping[str, Sequence[Condition]]] = {
    "yes_no": (Affirmative(), Negative()),
    "digits4": (Number(digits=4),),
    "number": (Number(0, 120),),
    "date": (Date(),),
    "time": (Time(),),
    "keywords": (Keywords(("reschedule", "another day", "cancel")),),
    "anything": (Anything(),),
}


def judged(conditions: Sequence[Condition], text: str, language: str = "en") -> str:
    """OPEN for all that is neither whole nor half: whether an answer is in it or not, it may go on."""
    judgement = judge(conditions, text, TODAY, language)
    return judgement.name if judgement in (Expectation.COMPLETE, Expectation.PARTIAL) else "OPEN"


def test_the_table() -> None:
    assert len(TABLE["texts"]) >= 100
    wrong = [
        f"{row['language']} {row['asked']} {row['text']!r}: {got}, not {row['expected']}"
        for row in TABLE["texts"]
        if (got := judged(ASKED[row["asked"]], row["text"], row["language"])) != row["expected"]
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("conditions", "text", "expected"),
    [
        ((Number(1, 5), Number(digits=4)), "four", Expectation.PARTIAL),
        ((Affirmative(), Number(digits=4)), "yes", Expectation.COMPLETE),
        ((Number(),), "seven", Expectation.OPEN),
        ((Number(1, 30),), "thirty", Expectation.COMPLETE),
        ((Pattern("agent|human"),), "an agent", Expectation.COMPLETE),
        ((Pattern(r"order \d+"),), "order 12", Expectation.OPEN),
        ((Llm("they agree", "agree"),), "yes", Expectation.OPEN),
        ((), "yes", Expectation.OPEN),
    ],
)
def test_of_several_conditions_the_most_careful_wins(
    conditions: Sequence[Condition], text: str, expected: Expectation
) -> None:
    assert judged(conditions, text) == expected.name


def test_no_beginning_of_a_denial_is_a_whole_yes() -> None:
    """The opposite of what is meant must never be taken for an answer."""
    sentences = [
        "that is not right",
        "I am not sure",
        "no it isn't",
        "that works if it is before ten",
        "that's not it",
    ]
    for sentence in sentences:
        said = sentence.split()
        for end in range(1, len(said)):
            part = " ".join(said[:end])
            assert judged((Affirmative(),), part) != "COMPLETE" or part == "that works", part
