"""How much silence ends a turn, by what was said before it."""

from __future__ import annotations

import pytest

from ringback.agents.plan import TalkSettings
from ringback.conversation.dialogue import Expectation
from ringback.conversation.endpointing import AT_ONCE, SCRAP, SHORT, UNFINISHED, is_unfinished, wait_s

TALK = TalkSettings(endpointing_ms=250, incremental_delay_ms=400)


ANSWERED, COMPLETE = Expectation.ANSWERED, Expectation.COMPLETE
OPEN, PARTIAL = Expectation.OPEN, Expectation.PARTIAL


@pytest.mark.parametrize(
    ("text", "expectation", "share"),
    [
        ("", OPEN, 0.0),
        ("4271", COMPLETE, AT_ONCE),
        ("Yes, that is right.", COMPLETE, AT_ONCE),
        ("Yes.", COMPLETE, SHORT),
        ("No thanks, bye.", OPEN, SHORT),
        ("That's all, thank you very much.", OPEN, AT_ONCE),
        ("No, I'm busy.", ANSWERED, SHORT),
        ("No, I have another appointment on that day.", ANSWERED, AT_ONCE),
        ("I would like to change my appointment.", OPEN, AT_ONCE),
        ("I'd like to book a room.", OPEN, 1.0),
        ("I would like to change my appointment to Monday", OPEN, 1.0),
        ("My address.", OPEN, SCRAP),
        ("The red one with the", OPEN, UNFINISHED),
        ("tomatoes, onions, some garlic", OPEN, SCRAP),
        ("42 71", PARTIAL, UNFINISHED),
        ("42 71.", PARTIAL, UNFINISHED),
        ("I would like to", OPEN, UNFINISHED),
    ],
)
def test_the_share_of_the_configured_silence(text: str, expectation: Expectation, share: float) -> None:
    assert wait_s(text, expectation, TALK) == pytest.approx(0.65 * share)


def test_both_settings_add_up() -> None:
    talk = TalkSettings(endpointing_ms=100, incremental_delay_ms=300)
    assert wait_s("Yes.", COMPLETE, talk) == pytest.approx(0.4 * SHORT)


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
