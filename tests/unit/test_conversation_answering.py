"""How the agent comes by its words: questions, functions side by side, fillers, excuses, empty replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ringback.agents.chat import Ask, ChatMessage, ChatSettings, ToolCall, ToolSpec
from ringback.agents.plan import ChatPlan, Plan, SpeechPart, TalkSettings
from ringback.agents.tools import EndCall, HttpTool, Tool, ToolResult
from ringback.conversation.actions import (
    Action,
    CancelReply,
    CancelTimer,
    CancelTool,
    Log,
    RunTool,
    SetTimer,
    Speak,
    StartReply,
)
from ringback.conversation.core.absence import Absence
from ringback.conversation.core.agent_turn import AgentTurn
from ringback.conversation.core.answering import MAX_STEPS, Answering, Progress
from ringback.conversation.core.patience import Patience
from ringback.conversation.core.phrases import phrases_for
from ringback.conversation.core.scene import Scene
from ringback.conversation.core.transferring import Transferring
from ringback.conversation.dialogue.dialogue import Dialogue, ModelAnswer, Reply
from ringback.conversation.events import Timer
from ringback.media.leg import HangupCause

ASK = Ask((ChatMessage("user", "hi"),), ChatSettings("m"))
ROUTE = Ask((ChatMessage("user", "hi"),), ChatSettings("m"), spoken=False)
PHRASES = phrases_for("en")


def http(name: str, message: str = "") -> HttpTool:
    return HttpTool(ToolSpec(name, "", {}), "http://example.com", "GET", pre_call_message=message)


TOOLS: Mapping[str, Tool] = {
    "look": http("look"),
    "book": http("book", "I book it, {name}."),
    "bye": EndCall(ToolSpec("bye", "", {})),
}


def call(name: str) -> ToolCall:
    return ToolCall(f"id_{name}", name, {})


class Script:
    """The replies that follow, in order, whatever happens; and what happened."""

    def __init__(self, *replies: Reply | None) -> None:
        self._replies = list(replies)
        self.answers: list[ModelAnswer] = []
        self.told: list[tuple[str, str]] = []

    def answered(self, answer: ModelAnswer) -> Reply:
        self.answers.append(answer)
        return self._replies.pop(0) or Reply()

    def unanswered(self, message: str) -> Reply | None:
        return self._replies.pop(0)

    def results(self, results: Sequence[tuple[ToolCall, ToolResult]]) -> Reply:
        self.told += [(call.name, result.content) for call, result in results]
        return self._replies.pop(0) or Reply()


class Answer:
    def __init__(self, *replies: Reply | None, language: str = "en", **talk: Any) -> None:
        part = SpeechPart("x", language=language)
        plan = Plan("a", "b", "", part, part, ChatPlan("m", ChatSettings("m")), TalkSettings(**talk), TOOLS)
        self.script = Script(*replies)
        scene = Scene()
        self._out = scene.out
        dialogue = cast(Dialogue, self.script)
        absence = Absence(scene, Patience(plan.talk, scene.timers), lambda speaks: None)
        transferring = Transferring(scene, absence)
        self.it = Answering(plan, dialogue, {"name": "Ada"}, scene.out, scene.timers, transferring)
        self.turn = AgentTurn(self._out)

    def begin(self, reply: Reply) -> Progress:
        return self.it.begin(self.turn, reply, 0.0)

    def done(self) -> list[Action]:
        return self._out.take()

    def said(self) -> list[str]:
        return [action.text for action in self.done() if isinstance(action, Speak)]

    def runs(self) -> dict[str, int]:
        return {action.call.name: action.run for action in self.done() if isinstance(action, RunTool)}


def test_a_text_is_said_and_that_is_all() -> None:
    answer = Answer()
    assert answer.begin(Reply("One. Two.", ends=True)) is Progress.SAID
    assert answer.said() == ["One.", "Two."]
    assert answer.turn.ends is HangupCause.AGENT


def test_words_of_the_model_go_on_to_the_voice_and_to_the_dialogue() -> None:
    answer = Answer(Reply())
    assert answer.begin(Reply("Well.", ask=ASK)) is Progress.GOES_ON
    say, start = answer.done()
    assert isinstance(say, Speak)
    assert start == StartReply(cast(int, answer.it.reply), ASK)
    answer.it.reply_text("Because. And ", 1.0)
    assert answer.said() == ["Because."]
    answer.it.reply_text("so", 1.0)
    assert answer.it.reply_done((), 2.0) is Progress.SAID
    assert answer.said() == ["And so"]
    assert answer.script.answers == [ModelAnswer("Because. And so")]


def test_words_that_are_not_to_be_spoken() -> None:
    answer = Answer(Reply("Here."))
    answer.begin(Reply(ask=ROUTE))
    answer.it.reply_text("to_booking. Yes. ", 1.0)
    assert answer.said() == []
    assert answer.it.reply_done((call("go"),), 1.0) is Progress.SAID
    assert answer.said() == ["Here."]
    assert answer.script.answers == [ModelAnswer("to_booking. Yes.", (call("go"),))]


def test_functions_run_side_by_side_and_are_told_in_their_order() -> None:
    answer = Answer(Reply("Done."))
    assert answer.begin(Reply(calls=(call("look"), call("book")))) is Progress.GOES_ON
    actions = answer.done()
    assert [action.text for action in actions if isinstance(action, Speak)] == ["I book it, Ada."]
    look, book = (action.run for action in actions if isinstance(action, RunTool))
    assert answer.it.runs_functions
    assert answer.it.tool_done(book, ToolResult("booked"), 1.0) is Progress.GOES_ON
    assert answer.it.tool_done(book, ToolResult("booked twice"), 1.0) is Progress.GOES_ON
    assert answer.it.runs_functions
    assert answer.it.tool_done(look, ToolResult("seen"), 1.0) is Progress.SAID
    assert answer.script.told == [("look", "seen"), ("book", "booked")]
    assert not answer.it.runs_functions
    assert answer.said() == ["Done."]
    assert answer.it.tool_done(look, ToolResult("late"), 2.0) is Progress.GOES_ON


def test_what_cannot_be_called_is_answered_for() -> None:
    answer = Answer(Reply("Then not."))
    assert answer.begin(Reply(calls=(call("nonsense"), call("bye")))) is Progress.SAID
    assert [name for name, _ in answer.script.told] == ["nonsense", "bye"]
    assert "nonsense" in answer.script.told[0][1]
    assert answer.said() == ["Then not."]


def test_an_unknown_function_waits_for_the_known_one_beside_it() -> None:
    answer = Answer(Reply())
    answer.begin(Reply(calls=(call("nonsense"), call("look"))))
    assert answer.script.told == []
    answer.it.tool_done(answer.runs()["look"], ToolResult("seen"), 1.0)
    assert [name for name, _ in answer.script.told] == ["nonsense", "look"]


def test_a_slow_function_is_excused_twice() -> None:
    answer = Answer(Reply())
    answer.begin(Reply(calls=(call("look"),)))
    assert SetTimer(Timer.FILLER, 1.0) in answer.done()
    answer.it.filler_due(1.0)
    assert [*answer.done()][1:] == [SetTimer(Timer.FILLER, 8.0)]
    answer.it.filler_due(8.0)
    assert answer.said() == [PHRASES.waiting[1]]
    answer.it.filler_due(20.0)
    assert answer.done() == []


def test_a_message_before_the_call_is_the_first_excuse() -> None:
    answer = Answer(Reply())
    answer.begin(Reply(calls=(call("book"),)))
    assert answer.done()[-1] == SetTimer(Timer.FILLER, 7.0)
    answer.it.filler_due(7.0)
    assert answer.said() == [PHRASES.waiting[1]]


def test_excuses_end_with_the_function() -> None:
    answer = Answer(Reply())
    answer.begin(Reply(calls=(call("look"),)))
    answer.it.tool_done(answer.runs()["look"], ToolResult("seen"), 0.5)
    assert answer.done() == [CancelTimer(Timer.FILLER)]


def test_a_slow_model_is_covered_by_one_filler() -> None:
    answer = Answer(Reply(), use_fillers=True, language="de")
    answer.begin(Reply(ask=ASK))
    assert answer.done()[-1] == SetTimer(Timer.FILLER, 0.7)
    answer.it.filler_due(0.7)
    assert answer.said() == [phrases_for("de").fillers[0]]
    answer.it.filler_due(1.4)
    assert answer.done() == []


def test_a_model_that_speaks_in_time_needs_no_filler() -> None:
    answer = Answer(Reply(), use_fillers=True)
    answer.begin(Reply(ask=ASK))
    answer.done()
    answer.it.reply_text("Because ", 0.3)
    assert answer.done() == [], "no sentence yet"
    answer.it.reply_text("so. ", 0.4)
    assert [type(action) for action in answer.done()] == [Speak, CancelTimer]


def test_fillers_only_where_the_plan_says_so_and_nothing_was_said() -> None:
    silent = Answer(Reply())
    silent.begin(Reply(ask=ASK))
    spoken = Answer(Reply(), use_fillers=True)
    spoken.begin(Reply("Let me think.", ask=ASK))
    for answer in (silent, spoken):
        assert not any(isinstance(action, SetTimer) for action in answer.done())


def test_an_empty_reply_is_asked_for_again_once() -> None:
    answer = Answer()
    answer.begin(Reply(ask=ASK))
    answer.done()
    assert answer.it.reply_done((), 1.0) is Progress.GOES_ON
    logged, again = answer.done()
    assert isinstance(logged, Log)
    assert again == StartReply(cast(int, answer.it.reply), ASK)
    assert answer.it.reply_done((), 2.0) is Progress.FAILED
    assert "empty" in answer.it.failure
    assert answer.script.answers == []


def test_a_reply_that_only_calls_is_not_empty() -> None:
    answer = Answer(Reply("Yes."))
    answer.begin(Reply(ask=ASK))
    assert answer.it.reply_done((call("look"),), 1.0) is Progress.SAID
    assert answer.script.answers == [ModelAnswer("", (call("look"),))]


def test_a_model_that_breaks_off_is_not_spoken_further() -> None:
    answer = Answer(Reply("Never mind."))
    answer.begin(Reply(ask=ASK))
    answer.it.reply_text("One. Two", 1.0)
    assert answer.said() == ["One."]
    assert answer.it.reply_failed("It broke.", 1.0) is Progress.SAID
    assert answer.said() == ["Never mind."]


def test_a_dialogue_that_needs_its_model_fails_with_it() -> None:
    answer = Answer(None)
    answer.begin(Reply(ask=ASK))
    assert answer.it.reply_failed("It broke.", 1.0) is Progress.FAILED
    assert answer.it.failure == "It broke."


def test_a_dialogue_that_runs_in_a_circle_is_stopped() -> None:
    answer = Answer(*[Reply(ask=ASK)] * (MAX_STEPS + 1))
    progress = answer.begin(Reply(ask=ASK))
    steps = 1
    while progress is Progress.GOES_ON:
        progress = answer.it.reply_done((call("x"),), 1.0)
        steps += 1
    assert progress is Progress.FAILED
    assert steps == MAX_STEPS + 1


def test_cancelling_gives_up_all_that_is_under_way() -> None:
    answer = Answer(Reply(), use_fillers=True)
    answer.begin(Reply(ask=ASK))
    reply = answer.it.reply
    answer.done()
    answer.it.cancel()
    assert answer.done() == [CancelTimer(Timer.FILLER), CancelReply(cast(int, reply))]
    answer.begin(Reply(calls=(call("look"), call("book"))))
    runs = answer.runs()
    answer.it.tool_done(runs["look"], ToolResult("seen"), 1.0)
    answer.it.cancel()
    assert answer.done() == [CancelTimer(Timer.FILLER), CancelTool(runs["book"])]
    assert not answer.it.runs_functions
    assert answer.it.tool_done(runs["book"], ToolResult("late"), 2.0) is Progress.GOES_ON
    assert answer.script.told == []
