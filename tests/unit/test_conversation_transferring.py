"""A call that is handed over, under hand-made times: when the agent is silent, and whose the person is."""

from __future__ import annotations

import pytest

from ringback.agents.chat import ChatSettings, ToolCall, ToolSpec
from ringback.agents.plan import ChatPlan, Plan, SpeechPart, TalkSettings
from ringback.agents.tools import HttpTool, Tool, ToolResult, TransferCall
from ringback.conversation.actions import (
    Action,
    AddTurn,
    Bridge,
    CancelTransfer,
    FlushVoice,
    HangUp,
    Log,
    PauseVoice,
    ResumeVoice,
    RunTool,
    SetTimer,
    Speak,
    StartReply,
    Transcribe,
    Transfer,
)
from ringback.conversation.core.core import ConversationCore
from ringback.conversation.core.timing import AWAY_S
from ringback.conversation.dialogue.chat import ChatDialogue
from ringback.conversation.events import (
    Answered,
    AudioFailed,
    Event,
    Held,
    Injected,
    LegEnded,
    ReplyDone,
    ReplyText,
    Resumed,
    SpeechStarted,
    SpeechStopped,
    Timer,
    TimerFired,
    ToolDone,
    Transcribed,
    TranscriptionFailed,
    TransferAnswered,
    TransferOver,
    UtteranceFinished,
    UtteranceStarted,
    VoiceFlushed,
)
from ringback.media.leg import HangupCause

SPEC = ToolSpec("transfer_call", "", {})
FAILED = ToolResult("The line is busy.", failed=True)


class Talk:
    """The person has said "a person please" until 2.0; the model wants a transfer at 3.0."""

    def __init__(self, blind: bool = False, message: str = "I connect you.", calls: int = 1) -> None:
        transfer = TransferCall(SPEC, "+1", blind=blind, pre_call_message=message)
        look = HttpTool(ToolSpec("look", "", {}), "http://example.com", "GET")
        part, chat = SpeechPart("x"), ChatPlan("m", ChatSettings("m"))
        tools: dict[str, Tool] = {"transfer_call": transfer, "look": look}
        talk = TalkSettings(endpointing_ms=100, incremental_delay_ms=100, call_terminate_s=60)
        plan = Plan("a", "b", "", part, part, chat, talk, tools)
        self.core = ConversationCore(plan, ChatDialogue(chat, tools, {}), {})
        self(0.0, Answered())
        self(0.0, TimerFired(Timer.WELCOME))
        reply = self.says("a person please", 1.0, 2.0)[-1]
        assert isinstance(reply, StartReply)
        wanted = tuple(ToolCall(str(number), "transfer_call", {}) for number in range(calls))
        self.begun = self(3.0, ReplyDone(reply.reply, wanted))
        self.message = next((a.utterance for a in self.begun if isinstance(a, Speak)), None)
        started = [action.run for action in self.begun if isinstance(action, Transfer)]
        self.run = started[0] if started else -1

    def __call__(self, now: float, event: Event) -> list[Action]:
        actions = self.core.handle(event, now)
        return [answer for action in actions for answer in self._answered(action, now)]

    def _answered(self, action: Action, now: float) -> list[Action]:
        flushed = isinstance(action, FlushVoice)
        return [action, *(self.core.handle(VoiceFlushed(), now) if flushed else [])]

    def says(self, text: str, start: float, end: float) -> list[Action]:
        self(start + 0.1, SpeechStarted(start))
        (request,) = [a.request for a in self(end + 0.2, SpeechStopped(end)) if isinstance(a, Transcribe)]
        actions = self(end + 0.4, Transcribed(request, text))
        return actions + self(end + 3.0, TimerFired(Timer.ENDPOINT))

    def finish_message(self, now: float) -> list[Action]:
        assert self.message is not None
        return self(now, UtteranceStarted(self.message)) + self(now + 1.0, UtteranceFinished(self.message))

    def handed_over(self) -> list[Action]:
        """At 8.0."""
        self.finish_message(3.5)
        return self(8.0, TransferAnswered(self.run))


def of(kind: type[Action], actions: list[Action]) -> list[Action]:
    return [action for action in actions if isinstance(action, kind)]


def talks(actions: list[Action]) -> bool:
    return bool(of(Speak, actions) or of(StartReply, actions))


def test_attended_the_other_is_called_at_once_and_joined_after_the_agents_last_word() -> None:
    talk = Talk()
    assert of(Transfer, talk.begun) == [Transfer(talk.run, ToolCall("0", "transfer_call", {}))]
    assert of(Bridge, talk(3.4, TransferAnswered(talk.run))) == [], "the agent has not spoken out"
    done = talk.finish_message(3.5)
    assert of(Bridge, done) == [Bridge(talk.run)]
    assert PauseVoice() in done
    assert SetTimer(Timer.MAX_DURATION, 4.5 + AWAY_S) in done


def test_without_a_message_they_are_joined_at_once() -> None:
    talk = Talk(message="")
    assert of(Bridge, talk(8.0, TransferAnswered(talk.run))) == [Bridge(talk.run)]


def test_blind_the_network_is_asked_after_the_agents_last_word() -> None:
    talk = Talk(blind=True)
    assert of(Transfer, talk.begun) == []
    done = talk.finish_message(3.5)
    (transfer,) = of(Transfer, done)
    assert isinstance(transfer, Transfer)
    assert of(Bridge, talk(5.0, TransferAnswered(transfer.run))) == [], "there is nobody to be joined"
    (end,) = of(HangUp, talk(6.0, TransferOver(transfer.run)))
    assert isinstance(end, HangUp)
    assert end.cause is HangupCause.TRANSFERRED


def test_blind_without_a_message_it_is_asked_at_once() -> None:
    assert len(of(Transfer, Talk(blind=True, message="").begun)) == 1


def test_the_agent_is_silent_and_deaf_while_somebody_else_has_the_person() -> None:
    talk = Talk()
    talk.handed_over()
    for now, event in (
        (9.0, TimerFired(Timer.FILLER)),
        (9.1, TimerFired(Timer.SILENCE)),
        (9.2, TimerFired(Timer.ONLINE)),
        (9.3, Injected("paid", {})),
        (9.4, SpeechStarted(9.3)),
        (9.5, SpeechStopped(9.4)),
        (9.6, Held()),
        (9.7, Resumed()),
        (9.8, TransferAnswered(talk.run)),
    ):
        done = talk(now, event)
        assert of(Log, done) == done, f"{event}: {done}"


def test_what_was_said_before_is_in_the_transcript_and_answered_by_nobody() -> None:
    talk = Talk()
    talk.finish_message(3.5)
    talk(5.0, SpeechStarted(4.9))
    (asked,) = of(Transcribe, talk(6.2, SpeechStopped(6.0)))
    assert isinstance(asked, Transcribe)
    talk(6.3, TransferAnswered(talk.run))
    done = talk(6.4, Transcribed(asked.request, "thank you"))
    done += talk(9.0, TimerFired(Timer.ENDPOINT))
    assert [action.turn.text for action in done if isinstance(action, AddTurn)] == ["thank you"]
    assert not talks(done)


def test_a_transcriber_that_fails_meanwhile_ends_nothing() -> None:
    talk = Talk()
    talk.finish_message(3.5)
    talk(5.0, SpeechStarted(4.9))
    (asked,) = of(Transcribe, talk(6.2, SpeechStopped(6.0)))
    assert isinstance(asked, Transcribe)
    talk(6.3, TransferAnswered(talk.run))
    assert of(HangUp, talk(6.4, TranscriptionFailed(asked.request, "No."))) == []


def test_it_took_place() -> None:
    talk = Talk()
    talk.handed_over()
    done = talk(100.0, TransferOver(talk.run))
    assert [end.cause for end in done if isinstance(end, HangUp)] == [HangupCause.TRANSFERRED]
    (turn,) = [action.turn for action in done if isinstance(action, AddTurn)]
    assert (turn.text, turn.end_ms, turn.interrupted) == ("I connect you.", 8000, False)
    assert of(CancelTransfer, done) == [], "it is over already"
    assert talk(101.0, LegEnded()) == []


def test_it_failed_and_the_agent_goes_on() -> None:
    talk = Talk()
    talk.handed_over()
    done = talk(10.0, ToolDone(talk.run, FAILED))
    assert ResumeVoice() in done
    (ask,) = [action.ask for action in done if isinstance(action, StartReply)]
    assert ask.messages[-1].content == FAILED.content
    assert SetTimer(Timer.MAX_DURATION, 10.0 + 52.0) in done, "the time of the call stood still"
    (end,) = of(HangUp, talk(62.0, TimerFired(Timer.MAX_DURATION)))
    assert isinstance(end, HangUp)
    assert end.cause is HangupCause.MAX_DURATION


def test_what_it_says_after_a_failure_is_one_turn_however_it_comes() -> None:
    talk = Talk()
    talk.handed_over()
    (reply,) = [a.reply for a in talk(10.0, ToolDone(talk.run, FAILED)) if isinstance(a, StartReply)]
    (said,) = of(Speak, talk(10.5, ReplyText(reply, "They are busy. And ")))
    assert isinstance(said, Speak)
    done = talk(11.0, UtteranceStarted(said.utterance)) + talk(12.0, UtteranceFinished(said.utterance))
    assert of(AddTurn, done) == [], "there is more to come"
    (more,) = of(Speak, talk(12.5, ReplyText(reply, "so?")) + talk(12.6, ReplyDone(reply)))
    assert isinstance(more, Speak)
    done = talk(13.0, UtteranceStarted(more.utterance)) + talk(14.0, UtteranceFinished(more.utterance))
    turns = [action.turn.text for action in done if isinstance(action, AddTurn)]
    assert turns == ["I connect you. They are busy. And so?"]


def test_what_was_said_while_it_rang_stands_when_they_are_joined() -> None:
    talk = Talk()
    talk.finish_message(3.5)
    assert of(AddTurn, talk.says("thank you", 5.0, 6.0)) == []
    done = talk(12.0, TransferAnswered(talk.run))
    assert [action.turn.text for action in done if isinstance(action, AddTurn)] == ["thank you"]


def test_whoever_speaks_when_it_fails_is_heard() -> None:
    talk = Talk()
    talk.handed_over()
    talk(9.0, SpeechStarted(8.9))
    talk(9.5, ToolDone(talk.run, FAILED))
    assert len(of(Transcribe, talk(10.2, SpeechStopped(10.0)))) == 1


def test_on_hold_when_it_fails_the_agent_waits_for_the_end_of_that() -> None:
    talk = Talk()
    talk.handed_over()
    talk(9.0, Held())
    assert ResumeVoice() not in talk(9.5, ToolDone(talk.run, FAILED))
    assert ResumeVoice() in talk(11.0, Resumed())


def test_one_at_a_time() -> None:
    talk = Talk(calls=2)
    assert len(of(Transfer, talk.begun)) == 1
    done = talk(4.0, ToolDone(talk.run, FAILED))
    (ask,) = [action.ask for action in done if isinstance(action, StartReply)]
    told = [message.content for message in ask.messages if message.role == "tool"]
    assert told == [FAILED.content, "The call is being transferred already: one at a time."]


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        (LegEnded(), None),
        (TimerFired(Timer.MAX_DURATION), HangupCause.MAX_DURATION),
        (AudioFailed("No."), HangupCause.ERROR),
    ],
)
@pytest.mark.parametrize("joined", [False, True])
def test_the_end_of_the_call_gives_it_up(end: Event, cause: HangupCause | None, joined: bool) -> None:
    talk = Talk()
    if joined:
        talk.handed_over()
    done = talk(8.0 + AWAY_S + 100, end)
    assert CancelTransfer(talk.run) in done
    assert [action.cause for action in done if isinstance(action, HangUp)] == ([cause] if cause else [])
    turns = [action.turn for action in done if isinstance(action, AddTurn)]
    assert [turn.interrupted for turn in turns] == ([False] if joined else [])
    for event in (TransferAnswered(talk.run), TransferOver(talk.run), ToolDone(talk.run, FAILED)):
        assert talk(9e4, event) == []


def test_a_blind_one_that_has_not_begun_is_not_given_up() -> None:
    talk = Talk(blind=True)
    assert of(CancelTransfer, talk(4.0, LegEnded())) == []


def test_news_of_another_is_ignored() -> None:
    talk = Talk()
    talk.finish_message(3.5)
    assert talk(5.0, TransferAnswered(talk.run + 50)) == []
    assert talk(5.0, TransferOver(talk.run + 50)) == []
    assert of(RunTool, talk.begun) == []
