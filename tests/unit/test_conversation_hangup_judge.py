"""The language model's verdict on whether the conversation is over."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.agents.chat import ChatSettings
from ringback.agents.plan import ChatPlan, GraphPlan, Node, Plan, SpeechPart, TalkSettings
from ringback.conversation.actions import Action, CancelReply, Log, StartReply
from ringback.conversation.core.hangup_judge import HangupJudge
from ringback.conversation.core.outbox import Outbox
from ringback.conversation.transcript import Turn

CHAT = ChatPlan("m", ChatSettings("big", temperature=0.9, max_tokens=5))
TALK = [Turn("assistant", "Anything else?", 0, 1000), Turn("user", "No, bye.", 2000, 3000)]


class Court:
    def __init__(self, dialogue: ChatPlan | GraphPlan = CHAT, **talk: Any) -> None:
        part = SpeechPart("x")
        settings = TalkSettings(**({"hangup_after_llm_call": True} | talk))
        self._out = Outbox()
        self.judge = HangupJudge(Plan("a", "b", "", part, part, dialogue, settings), self._out)

    def asked(self, turns: list[Turn] = TALK) -> list[Action]:
        self.judge.ask(turns)
        return self._out.take()

    def done(self) -> list[Action]:
        return self._out.take()


def test_the_question() -> None:
    (start,) = Court(call_cancellation_prompt=" Over? ").asked()
    assert isinstance(start, StartReply)
    system, talk = start.ask.messages
    assert (system.role, system.content) == ("system", "Over?")
    assert (talk.role, talk.content) == ("user", "assistant: Anything else?\nuser: No, bye.")
    assert (start.ask.settings.model, start.ask.settings.temperature) == ("big", 0.0)
    assert start.ask.settings.max_tokens == 20
    assert not start.ask.spoken


def test_only_the_end_of_a_long_conversation_is_shown() -> None:
    (start,) = Court().asked(TALK * 30)
    assert isinstance(start, StartReply)
    assert len(start.ask.messages[-1].content.splitlines()) == 20


@pytest.mark.parametrize(
    ("said", "over"),
    [
        ("yes", True),
        ("Yes.", True),
        ('"yes"', True),
        (" *Yes*", True),
        ("true", True),
        ("no", False),
        ("No, yes would be wrong.", False),
        ("I think yes", False),
        ("", False),
    ],
)
def test_the_verdict(said: str, over: bool) -> None:
    court = Court()
    court.asked()
    for piece in said:
        court.judge.hear(piece)
    assert court.judge.verdict() is over
    assert court.judge.reply is None
    (logged,) = court.done()
    assert isinstance(logged, Log)
    assert logged.entry.component == "llm_hangup"


def test_the_next_verdict_does_not_remember_the_last() -> None:
    court = Court()
    court.asked()
    court.judge.hear("yes")
    court.judge.verdict()
    court.asked()
    court.judge.hear("no")
    assert not court.judge.verdict()


def test_one_question_at_a_time() -> None:
    court = Court()
    (first,) = court.asked()
    assert isinstance(first, StartReply)
    cancelled, second = court.asked()
    assert cancelled == CancelReply(first.reply)
    assert isinstance(second, StartReply)
    assert second.reply != first.reply


def test_without_a_verdict_the_call_goes_on() -> None:
    court = Court()
    court.asked()
    court.done()
    court.judge.failed("It is down.")
    (logged,) = court.done()
    assert isinstance(logged, Log)
    assert (logged.entry.type, logged.entry.data) == ("error", "It is down.")
    assert court.judge.reply is None


@pytest.mark.parametrize(
    "court",
    [
        Court(hangup_after_llm_call=False),
        Court(GraphPlan("scripted", "x", {"x": Node("x", "static")})),
        Court(GraphPlan("scripted", "x", {"x": Node("x", "static")}, chat=ChatSettings("m"))),
    ],
    ids=["not wanted", "no model", "scripted"],
)
def test_nobody_to_ask(court: Court) -> None:
    assert court.asked() == []


def test_a_person_who_has_said_nothing_is_not_judged() -> None:
    assert Court().asked(TALK[:1]) == []
