"""Events from outside: taken up when nobody speaks, one after the other, and never lost without a word."""

from __future__ import annotations

from ringback.conversation.actions import Action, Log, Speak
from ringback.conversation.core.outside import MAX_INJECTED
from ringback.conversation.events import (
    Held,
    Injected,
    LegEnded,
    Resumed,
    SpeechStarted,
    SpeechStopped,
    Timer,
    TimerFired,
    Transcribed,
    UtteranceFinished,
    UtteranceStarted,
)
from tests.unit.test_conversation_core import Talk


def said(actions: list[Action]) -> list[str]:
    return [action.text for action in actions if isinstance(action, Speak)]


def logged(actions: list[Action]) -> list[str]:
    return [action.entry.data for action in actions if isinstance(action, Log)]


def test_in_a_silence_at_once() -> None:
    assert said(Talk().welcomed()(2.0, Injected("paid"))) == ["It is paid."]


def test_after_what_the_agent_says_and_one_after_the_other() -> None:
    talk = Talk("One two three.")
    talk(0.0, TimerFired(Timer.WELCOME))
    assert talk(0.1, Injected("paid")) == talk(0.2, Injected("sent")) == []
    talk(0.3, UtteranceStarted(1))
    assert said(talk(1.0, UtteranceFinished(1))) == ["It is paid."]
    talk(1.1, UtteranceStarted(2))
    assert said(talk(2.0, UtteranceFinished(2))) == ["It is sent."]


def test_not_while_the_person_speaks() -> None:
    talk = Talk().welcomed()
    talk(2.1, SpeechStarted(2.0))
    assert talk(2.5, Injected("paid")) == []
    talk(3.2, SpeechStopped(3.0))
    assert said(talk(3.3, Transcribed(2, ""))) == ["It is paid."]


def test_not_into_a_hold() -> None:
    talk = Talk().welcomed()
    talk(2.0, Held())
    assert talk(2.5, Injected("paid")) == []
    assert said(talk(9.0, Resumed())) == ["It is paid."]


def test_one_that_comes_too_late_is_logged() -> None:
    talk = Talk("One two three.")
    talk(0.0, TimerFired(Timer.WELCOME))
    assert talk(0.5, Injected("paid")) == []
    assert logged(talk(0.6, LegEnded())) == ["event dropped: paid"]
    assert logged(talk(0.7, Injected("late"))) == ["event dropped: late"]


def test_no_more_than_so_many_wait() -> None:
    talk = Talk("One two three.")
    talk(0.0, TimerFired(Timer.WELCOME))
    for number in range(MAX_INJECTED):
        assert talk(0.5, Injected(str(number))) == []
    assert logged(talk(0.5, Injected("more"))) == ["event dropped: more"]
