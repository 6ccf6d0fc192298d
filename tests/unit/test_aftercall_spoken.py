"""Transcripts as the questions about them see them."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.aftercall.spoken import MAX_CHARACTERS, Exchange, Said, Spoken, of_text

DAY = date(2026, 11, 30)
NOON_US = 1_796_040_000_000_000


def spoken(*lines: tuple[str, str]) -> Spoken:
    return Spoken(tuple(Said("user" if role == "u" else "assistant", text) for role, text in lines), DAY)


def transcript(data: str) -> list[dict[str, str]]:
    head, _, rest = data.partition("\n")
    assert head == "The call took place on Monday, 2026-11-30. Its transcript:"
    read: list[dict[str, str]] = json.loads(rest)
    return read


@given(st.lists(st.tuples(st.sampled_from("ua"), st.text(min_size=1, max_size=40)), max_size=6))
def test_no_text_ends_the_data(lines: list[tuple[str, str]]) -> None:
    data = spoken(*lines).as_data()
    assert data.count("\n") == 1
    assert [(role[0], text) for line in transcript(data) for role, text in line.items()] == lines


def test_the_middle_of_a_long_one_is_cut_out() -> None:
    lines = [("au"[n % 2], f"{n:05d} " + "x" * 194) for n in range(1000)]
    said = [text for line in transcript(spoken(*lines).as_data()) for text in line.values()]
    assert (said[0], said[-1]) == (lines[0][1], lines[-1][1])
    assert "150000 characters" in said
    assert sum(map(len, said)) == MAX_CHARACTERS + len("150000 characters")
    head, mark, tail = transcript(spoken(("u", "b" + "x" * 200_000 + "e")).as_data())
    assert (head["user"][0], tail["user"][-1]) == ("b", "e")
    assert mark == {"left out": "150002 characters"}
    assert len(head["user"] + tail["user"]) == MAX_CHARACTERS
    whole = spoken(("u", "x" * MAX_CHARACTERS))
    assert transcript(whole.as_data()) == [{"user": "x" * MAX_CHARACTERS}]


def test_exchanges() -> None:
    said = spoken(
        ("u", "Hello?"), ("a", "Hi."), ("a", "Your age?"), ("u", "Forty"), ("u", "two."), ("a", "Bye.")
    )
    assert list(said.exchanges()) == [Exchange("", "Hello?"), Exchange("Hi. Your age?", "Forty two.")]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Agent: Hi.\nCustomer: Hello,\nI am Ada.", [("a", "Hi."), ("u", "Hello, I am Ada.")]),
        ("assistant: Hi.\n\nuser: Yes: no.\n", [("a", "Hi."), ("u", "Yes: no.")]),
        ("I am Ada.\nAnd 42.", [("u", "I am Ada. And 42.")]),
        ("", []),
    ],
)
def test_written_transcripts(text: str, lines: list[tuple[str, str]]) -> None:
    read = of_text(text, NOON_US)
    assert [(said.role[0], said.text) for said in read.lines] == lines
    assert read.day == DAY
