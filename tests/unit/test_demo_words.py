"""The measure of the demo's transcripts."""

from __future__ import annotations

import pytest

from ringback.demo.script import Step, load
from ringback.demo.words import errors, words


@pytest.mark.parametrize(
    "text", ["four two seven one", "4271", "4-2-7-1.", "4 2 7 1", "Four, two, seven, one!"]
)
def test_a_code_counts_the_same_however_it_is_written(text: str) -> None:
    assert words(text) == ["4", "2", "7", "1"]


@pytest.mark.parametrize(
    ("said", "heard", "wrong"),
    [
        ("yes this is Daniel", "Yes, this is Daniel.", 0),
        ("yes this is Daniel", "this is Daniel", 1),
        ("yes this is Daniel", "yes this is a Daniel", 1),
        ("yes this is Daniel", "yes this was Daniel", 1),
        ("yes this is Daniel", "", 4),
        ("", "hello", 1),
        ("the fourth of December", "the 4th of December", 0),
    ],
)
def test_word_errors(said: str, heard: str, wrong: int) -> None:
    assert errors(said, heard)[0] == wrong


def test_a_step_understands_whole_phrases() -> None:
    step = Step(("which day",), "Friday")
    assert step.understands("No problem. Which day would suit you?")
    assert not step.understands("Which days do you mean?")


def test_the_script_that_comes_along_interrupts_once_and_ends_silent() -> None:
    steps = load()
    assert sum(step.interrupts_after_ms is not None for step in steps) == 1
    assert steps[-1].says == ""
