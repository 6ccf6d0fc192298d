"""The agent's "mhm" while the person talks for long."""

from __future__ import annotations

from ringback.agents.chat import ChatSettings
from ringback.agents.plan import ChatPlan, Plan, SpeechPart, TalkSettings
from ringback.conversation.actions import Action, Murmur
from ringback.conversation.core.core import ConversationCore
from ringback.conversation.dialogue.chat import ChatDialogue
from ringback.conversation.events import (
    Answered,
    Event,
    Held,
    SpeechStarted,
    SpeechStopped,
    Timer,
    TimerFired,
)


class Listener:
    """An agent without a welcome message, which murmurs 2 s into a person's speech and every 3 s."""

    def __init__(self, language: str = "en", on: bool = True) -> None:
        talk = TalkSettings(
            backchanneling=on, backchanneling_start_delay_s=2.0, backchanneling_message_gap_s=3.0
        )
        chat = ChatPlan("m", ChatSettings("m"))
        plan = Plan("a", "b", "", SpeechPart("x"), SpeechPart("x", language=language), chat, talk)
        self._core = ConversationCore(plan, ChatDialogue(chat, {}, {}), {})
        self(0.0, Answered())
        self(0.0, TimerFired(Timer.WELCOME))

    def __call__(self, now: float, event: Event) -> list[Action]:
        return self._core.handle(event, now)

    def murmurs(self, *times: float) -> list[str]:
        """What is murmured when the timer fires at these times."""
        fired = [action for now in times for action in self(now, TimerFired(Timer.MURMUR))]
        return [action.text for action in fired if isinstance(action, Murmur)]


def test_it_begins_after_a_delay_and_changes_its_words() -> None:
    listener = Listener()
    listener(1.1, SpeechStarted(1.0))
    assert listener.murmurs(2.9) == []
    assert listener.murmurs(3.0, 6.0, 9.0, 12.0) == ["Mhm.", "Okay.", "I see.", "Mhm."]


def test_in_the_agents_language() -> None:
    listener = Listener("de-CH")
    listener(1.1, SpeechStarted(1.0))
    assert listener.murmurs(3.0, 6.0) == ["Mhm.", "Okay."]
    assert listener.murmurs(9.0) == ["Verstehe."]


def test_only_where_the_plan_says_so() -> None:
    listener = Listener(on=False)
    listener(1.1, SpeechStarted(1.0))
    assert listener.murmurs(3.0, 6.0) == []


def test_not_in_a_pause_of_the_person() -> None:
    listener = Listener()
    listener(1.1, SpeechStarted(1.0))
    listener(2.9, SpeechStopped(2.7))
    assert listener.murmurs(3.0) == []
    listener(3.2, SpeechStarted(3.1))
    assert listener.murmurs(6.0) == ["Mhm."]


def test_not_into_a_hold() -> None:
    """The random calls' seed 65."""
    listener = Listener()
    listener(1.1, SpeechStarted(1.0))
    listener(2.0, Held())
    assert listener.murmurs(3.0) == []


def test_not_after_the_agent_hung_up() -> None:
    """The random calls' seed 21."""
    listener = Listener()
    listener(90.0, TimerFired(Timer.MAX_DURATION))
    listener(90.1, SpeechStarted(90.0))
    assert listener.murmurs(92.0) == []
