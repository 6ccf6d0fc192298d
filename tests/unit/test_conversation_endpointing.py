"""How much silence ends a turn, by what was said before it."""

from __future__ import annotations

import pytest

from ringback.agents.plan import TalkSettings
from ringback.conversation.core.endpointing import (
    AT_ONCE,
    BREATH,
    DOUBTFUL,
    UNFINISHED,
    is_unfinished,
    wait_s,
)
from ringback.conversation.dialogue.dialogue import Expectation

TALK = TalkSettings(endpointing_ms=250, incremental_delay_ms=400)


ANSWERED, COMPLETE = Expectation.ANSWERED, Expectation.COMPLETE
OPEN, PARTIAL = Expectation.OPEN, Expectation.PARTIAL


@pytest.mark.parametrize(
    ("text", "expectation", "spoken_s", "finality", "share"),
    [
        ("", OPEN, 0.2, None, 0.0),
        ("4271", COMPLETE, 1.2, -2.0, BREATH),
        ("Yes, that is right.", COMPLETE, 1.1, -1.0, AT_ONCE),
        ("Yes.", COMPLETE, 0.4, -0.6, BREATH),
        ("No thanks, bye.", OPEN, 0.8, -1.0, BREATH),
        ("That's all, thank you very much.", OPEN, 1.5, -1.0, AT_ONCE),
        ("My number is 415-622-0119.", COMPLETE, 6.6, -1.1, AT_ONCE),
        ("Next Tuesday.", COMPLETE, 0.8, -0.7, BREATH),
        ("No, I have another appointment on that day.", ANSWERED, 2.4, -1.2, AT_ONCE),
        ("No, I'm busy.", ANSWERED, 0.9, -1.0, DOUBTFUL),
        ("I would like to change my appointment.", OPEN, 2.0, -1.1, AT_ONCE),
        ("The second one.", OPEN, 1.1, -0.8, DOUBTFUL),
        ("My address.", OPEN, 0.6, -1.5, UNFINISHED),
        ("The red one with the", OPEN, 1.2, -8.0, UNFINISHED),
        ("42 71", PARTIAL, 1.0, -2.0, UNFINISHED),
        ("I would like to", OPEN, 1.0, -8.0, UNFINISHED),
    ],
)
def test_the_share_of_the_configured_silence(
    text: str, expectation: Expectation, spoken_s: float, finality: float | None, share: float
) -> None:
    assert wait_s(text, expectation, TALK, spoken_s, finality) == pytest.approx(0.65 * share)


def test_words_that_end_no_sentence_are_waited_for() -> None:
    text = "We heard of it after the last update."
    assert wait_s(text, OPEN, TALK, 2.0, -1.0) == pytest.approx(0.65 * AT_ONCE)
    assert wait_s(text, OPEN, TALK, 2.0, -4.0) == pytest.approx(0.65 * DOUBTFUL)


def test_the_finality_may_be_unknown_or_beyond_measure() -> None:
    text = "We heard of it after the last update."
    assert wait_s(text, OPEN, TALK, 2.0) == pytest.approx(0.65 * AT_ONCE)
    assert wait_s(text, OPEN, TALK, 2.0, -20.0) == pytest.approx(0.65 * DOUBTFUL)


def test_guessed_words_are_never_surely_whole() -> None:
    text = "We heard of it after the last update."
    assert wait_s(text, OPEN, TALK, 2.0, -1.0, -0.79) == pytest.approx(0.65 * AT_ONCE)
    assert wait_s(text, OPEN, TALK, 2.0, -1.0, -0.81) == pytest.approx(0.65 * DOUBTFUL)
    assert wait_s("Yes.", COMPLETE, TALK, 0.4, -1.2, -0.81) == pytest.approx(0.65 * BREATH)


def test_who_tells_something_long_takes_breath_between_sentences() -> None:
    text = "We heard of it after the last update."
    assert wait_s(text, OPEN, TALK, 2.0, -1.0, tells=True) == pytest.approx(0.65 * BREATH)
    assert wait_s("I would like to", OPEN, TALK, 2.0, -8.0, tells=True) == pytest.approx(0.65 * UNFINISHED)


def test_both_settings_add_up() -> None:
    talk = TalkSettings(endpointing_ms=100, incremental_delay_ms=300)
    assert wait_s("Yes.", COMPLETE, talk, 0.4) == pytest.approx(0.4 * BREATH)


@pytest.mark.parametrize(
    "text",
    [
        "I, um",
        "Well,",
        "and then...",
        "I want to",
        "It is the",
        "Tuesday or",
        "my name is",
        "So it's",
        "Let me see.",
        "J O H",
    ],
)
def test_unfinished(text: str) -> None:
    assert is_unfinished(text)


@pytest.mark.parametrize(
    "text", ["", "...", "Yes, it is.", "I think so.", "on Monday", "That's it.", "Not really."]
)
def test_not_visibly_unfinished(text: str) -> None:
    assert not is_unfinished(text)
