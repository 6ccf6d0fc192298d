"""A call whose agent runs functions, under hand-made times."""

from __future__ import annotations

import pytest

from ringback.agents.chat import ChatSettings, ToolCall, ToolSpec
from ringback.agents.plan import ChatPlan, Plan, SpeechPart, TalkSettings
from ringback.agents.tools import HttpTool, ToolResult
from ringback.conversation.actions import (
    Action,
    AddTurn,
    CancelTool,
    FlushVoice,
    HangUp,
    PauseVoice,
    ResumeVoice,
    RunTool,
    Speak,
    StartReply,
    Transcribe,
)
from ringback.conversation.core.core import ConversationCore
from ringback.conversation.dialogue.chat import ChatDialogue
from ringback.conversation.events import (
    Answered,
    Event,
    LegEnded,
    ReplyDone,
    SpeechStarted,
    SpeechStopped,
    Timer,
    TimerFired,
    ToolDone,
    Transcribed,
    UtteranceStarted,
    VoiceFlushed,
)

LOOK = HttpTool(
    ToolSpec("look", "", {}), "http://example.com", "GET", pre_call_message="I look it up for you."
)
CALLS = (ToolCall("1", "look", {}),)


class Talk:
    """The person has said "when" from 1.0 to 2.0, and the model wants a function called at 3.0."""

    def __init__(self) -> None:
        part, chat, tools = SpeechPart("x"), ChatPlan("m", ChatSettings("m")), {"look": LOOK}
        talk = TalkSettings(check_if_user_online=False, endpointing_ms=100, incremental_delay_ms=100)
        plan = Plan("a", "b", "", part, part, chat, talk, tools)
        self.core = ConversationCore(plan, ChatDialogue(chat, tools, {}), {})
        self(0.0, Answered())
        self(0.0, TimerFired(Timer.WELCOME))
        reply = self.says("when", 1.0, 2.0)[-1]
        assert isinstance(reply, StartReply)
        self.begun = self(3.0, ReplyDone(reply.reply, CALLS))
        (self.run,) = [action.run for action in self.begun if isinstance(action, RunTool)]
        (self.message,) = [action.utterance for action in self.begun if isinstance(action, Speak)]

    def __call__(self, now: float, event: Event) -> list[Action]:
        actions = self.core.handle(event, now)
        return [answer for action in actions for answer in self._answered(action, now)]

    def _answered(self, action: Action, now: float) -> list[Action]:
        flushed = isinstance(action, FlushVoice)
        return [action, *(self.core.handle(VoiceFlushed(), now) if flushed else [])]

    def says(self, text: str, start: float, end: float) -> list[Action]:
        """What was done about it, since the transcription."""
        self(start + 0.1, SpeechStarted(start))
        (request,) = [a.request for a in self(end + 0.2, SpeechStopped(end)) if isinstance(a, Transcribe)]
        actions = self(end + 0.4, Transcribed(request, text))
        return actions + self(end + 3.0, TimerFired(Timer.ENDPOINT))


def test_the_words_that_led_to_a_function_stand_at_once() -> None:
    (turn,) = [action.turn.text for action in Talk().begun if isinstance(action, AddTurn)]
    assert turn == "when"


def test_who_speaks_while_it_runs_is_answered_after_it() -> None:
    talk = Talk()
    talk(3.1, UtteranceStarted(talk.message))
    done = talk.says("no, not that one", 3.5, 4.5)
    assert not any(isinstance(action, CancelTool | FlushVoice) for action in done)
    assert ResumeVoice() in done, "the voice goes on meanwhile"
    after = talk(9.0, ToolDone(talk.run, ToolResult("Monday.")))
    asked = [action.ask.messages for action in after if isinstance(action, StartReply)]
    assert [message.content for message in asked[-1] if message.role == "user"] == [
        "when",
        "no, not that one",
    ]
    assert asked[-1][-1].role == "user"
    assert any(message.content == "Monday." for message in asked[-1] if message.role == "tool")


def test_who_goes_on_while_it_runs_takes_nothing_back() -> None:
    talk = Talk()
    assert PauseVoice() in talk(3.2, SpeechStarted(3.1))
    talk(3.3, ToolDone(talk.run, ToolResult("Monday.")))
    talk(4.2, SpeechStopped(4.0))
    asked = [a.ask.messages for a in talk.says("please", 4.3, 5.0) if isinstance(a, StartReply)]
    assert [message.content for message in asked[-1] if message.role == "user"] == ["when", "please"]
    assert [message.content for message in asked[-1] if message.role == "tool"] == ["Monday."]


@pytest.mark.parametrize(
    "end", [LegEnded(), TimerFired(Timer.MAX_DURATION)], ids=["the person hangs up", "the longest call"]
)
def test_the_end_of_the_call_gives_it_up(end: Event) -> None:
    talk = Talk()
    done = talk(95.0, end)
    assert CancelTool(talk.run) in done
    assert talk(96.0, ToolDone(talk.run, ToolResult("Monday."))) == []
    assert any(isinstance(action, HangUp) for action in done) == isinstance(end, TimerFired)
