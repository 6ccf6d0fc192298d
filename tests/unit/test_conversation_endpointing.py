"""How much silence ends a turn, by what was said before it."""

from __future__ import annotations

import pytest

from ringback.agents.plan import TalkSettings
from ringback.conversation.dialogue import Expectation
from ringback.conversation.endpointing import COMPLETE_S, is_unfinished, wait_s

TALK = TalkSettings(endpointing_ms=250, incremental_delay_ms=400)


@pytest.mark.parametrize(
    ("text", "expectation", "seconds"),
    [
        ("", Expectation.OPEN, 0.0),
        ("on Monday", Expectation.OPEN, 0.4),
        ("It is on Monday.", Expectation.OPEN, COMPLETE_S),
        ("Is it Monday?", Expectation.OPEN, COMPLETE_S),
        ("सोमवार को।", Expectation.OPEN, COMPLETE_S),
        ("four two", Expectation.COMPLETE, COMPLETE_S),
        ("four two", Expectation.PARTIAL, 1.2),
        ("Four two.", Expectation.PARTIAL, 1.2),
        ("I would like to", Expectation.OPEN, 1.2),
        ("I would like to", Expectation.COMPLETE, 1.2),
    ],
)
def test_the_wait(text: str, expectation: Expectation, seconds: float) -> None:
    assert wait_s(text, expectation, TALK) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("endpointing_ms", "delay_ms", "seconds"), [(900, 100, 0.9), (100, 900, 0.9), (100, 50, 0.1)]
)
def test_the_longer_of_both_settings_counts(endpointing_ms: int, delay_ms: int, seconds: float) -> None:
    talk = TalkSettings(endpointing_ms=endpointing_ms, incremental_delay_ms=delay_ms)
    assert wait_s("on Monday", Expectation.OPEN, talk) == pytest.approx(seconds)
    assert wait_s("On Monday.", Expectation.OPEN, talk) == pytest.approx(min(seconds, COMPLETE_S))


@pytest.mark.parametrize(
    "text", ["I, um", "Well,", "and then...", "I want to", "It is the", "Tuesday or", "my name is", "So it's"]
)
def test_unfinished(text: str) -> None:
    assert is_unfinished(text)


@pytest.mark.parametrize(
    "text", ["", "...", "Yes, it is.", "I think so.", "on Monday", "That's it.", "Not really."]
)
def test_not_visibly_unfinished(text: str) -> None:
    assert not is_unfinished(text)
