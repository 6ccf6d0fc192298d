"""The shell on a leg in memory, in virtual time: whole calls in milliseconds."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from ringback.agents.plan import GraphPlan, Node, TalkSettings
from ringback.conversation.dialogue.dialogue import DialogueError
from ringback.conversation.result import ConversationResult
from ringback.conversation.transcript import Failure
from ringback.media.leg import Digit, EndedBy, HangupCause, Held, Resumed
from ringback.media.ticker import Ticker
from tests.support.fake_leg import FakeLeg, first_loud, milliseconds
from tests.support.fake_speech import FakeChat, FakeRunner, ToneSynthesizer, ToneTranscriber
from tests.support.stage import APOLOGY, CHAT, TOOLS, WORDS, Stage, answers, nothing, say
from tests.support.virtual_loop import VirtualClock, run_virtually


def lines(result: ConversationResult) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in result.turns]


def test_a_scripted_call() -> None:
    stage = Stage(welcome="Hello {name}.")
    result = stage.run(answers)
    assert lines(result) == [
        ("assistant", "Hello Ada. May I ask you something, Ada?"),
        ("user", "yes please"),
        ("assistant", "Which number?"),
        ("user", "four two"),
        ("assistant", "It is 4 2. Goodbye."),
    ]
    assert result.slots == {"code": "42"}
    assert (result.cause, result.failure, result.ended.by) == (HangupCause.AGENT, None, EndedBy.US)
    assert stage.leg.hangups == [HangupCause.AGENT]
    spoken = [line for line in result.usage if line.component == "synthesizer"]
    assert [(line.turn, line.purpose, line.quantity) for line in spoken] == [
        (0, "welcome_message", 39),
        (2, "conversation", 13),
        (4, "conversation", 18),
    ]
    assert sum(line.quantity for line in spoken) == sum(map(len, stage.synthesizer.texts))
    heard = [line for line in result.usage if line.component == "transcriber"]
    assert [(line.turn, line.unit) for line in heard] == [(1, "milliseconds"), (3, "milliseconds")]
    for line in result.usage:
        assert line.turn is not None
        assert line.at_ms <= result.turns[line.turn].end_ms
    assert [line.at_ms for line in result.usage] == sorted(line.at_ms for line in result.usage)
    assert sum("graph_routing" in entry.component for entry in stage.watcher.entries) == 2


def test_latency_is_that_of_the_wire() -> None:
    """What the core measures is what the leg's audio shows, within a window of the voice detector."""
    stage = Stage()
    result = stage.run(answers)
    agent = stage.leg.agent
    answered = [turn for turn in result.turns if turn.timing is not None]
    for said_at, turn in zip(stage.leg.said_at, answered, strict=True):
        ended = said_at + len(say("yes", "please")) - 400
        seen = milliseconds(first_loud(agent, ended) - ended)
        assert turn.timing is not None
        assert abs(seen - turn.timing.total_ms) <= 52, (seen, turn.timing)
        assert turn.timing.total_ms - turn.timing.endpointing_ms <= 80, "30 ms of the voice's, two ticks"


def test_barge_in_pauses_at_once_and_keeps_what_was_heard() -> None:
    async def interrupts(leg: FakeLeg) -> None:
        await leg.spoken_to()
        await asyncio.sleep(1.0)
        leg.say(say("stop", "please"))
        await asyncio.sleep(0.3)
        await leg.left_alone()
        leg.hang_up_by_person()

    stage = Stage(CHAT, welcome="One two three four five six seven eight nine ten.", chat=FakeChat("I stop."))
    result = stage.run(interrupts)
    agent, onset = stage.leg.agent, stage.leg.said_at[0]
    silent = onset + int(np.flatnonzero(agent[onset:] == 0)[0])
    assert milliseconds(silent - onset) <= 160, "64 ms to be sure, a window and two ticks to act"
    assert lines(result) == [
        ("assistant", "One two three four"),
        ("user", "stop please"),
        ("assistant", "I stop."),
    ]
    assert result.turns[0].interrupted
    assert not result.turns[2].interrupted
    assert stage.chat.asked[0][-2].content == "One two three four —"
    assert [line.quantity for line in result.usage if line.component == "llm"] == [100, 20]


def test_a_backchannel_resumes_the_voice() -> None:
    async def agrees(leg: FakeLeg) -> None:
        await leg.spoken_to()
        await asyncio.sleep(0.5)
        leg.say(say("mhm"))
        await asyncio.sleep(4.0)
        leg.hang_up_by_person()

    text = "One two three four five six seven eight nine ten."
    result = Stage(CHAT, welcome=text, chat=FakeChat()).run(agrees)
    assert lines(result) == [("assistant", text)]
    assert not result.turns[0].interrupted


def test_an_answer_to_the_last_words_is_not_lost() -> None:
    async def hurries(leg: FakeLeg) -> None:
        await leg.spoken_to()
        await asyncio.sleep(1.2)
        leg.say(say("yes"))
        await asyncio.sleep(0.3)
        await leg.left_alone()
        leg.hang_up_by_person()

    result = Stage().run(hurries)
    assert [turn.text for turn in result.turns if turn.role == "user"] == ["yes"]
    assert result.turns[-1].text == "Which number?"


def test_a_person_who_goes_on_is_heard_whole() -> None:
    async def hesitates(leg: FakeLeg) -> None:
        await leg.left_alone()
        leg.say(np.concatenate([say("two"), np.zeros(2400, dtype=np.int16), say("please")]))
        await leg.spoken_to()
        await leg.left_alone()
        leg.hang_up_by_person()

    stage = Stage()
    result = stage.run(hesitates)
    assert ("user", "two please") in lines(result)
    assert stage.transcriber.requests == 2, "one speculative, one of the whole"


def test_silence_ends_in_a_goodbye() -> None:
    talk = TalkSettings(hangup_after_silence_s=3, call_hangup_message="Bye {name}.")
    result = Stage(talk=talk).run(nothing)
    assert (
        lines(result)[-1] == ("assistant", "May I ask you something, Ada?")
        or lines(result)[-1][1] == "Bye Ada."
    )
    assert result.turns[-1].text == "Bye Ada."
    assert result.cause is HangupCause.SILENCE


def test_the_longest_call() -> None:
    stage = Stage(talk=TalkSettings(call_terminate_s=2.0, hangup_after_silence_s=1000))
    result = stage.run(nothing)
    assert result.cause is HangupCause.MAX_DURATION
    assert abs(milliseconds(stage.leg.position) - 2000) <= 40


def test_the_last_words_before_the_person_hangs_up() -> None:
    async def leaves(leg: FakeLeg) -> None:
        await leg.left_alone()
        leg.say(say("no", "stop"))
        await asyncio.sleep(0.5)
        leg.hang_up_by_person()

    result = Stage().run(leaves)
    assert lines(result)[-1] == ("user", "no stop")
    assert (result.cause, result.ended.by) == (None, EndedBy.PEER)


def test_keys_and_holds_are_logged() -> None:
    async def presses(leg: FakeLeg) -> None:
        leg.give(Digit("7", 100))
        leg.give(Held())
        await leg.left_alone()
        leg.hang_up_by_person()

    stage = Stage()
    stage.run(presses)
    data = [entry.data for entry in stage.watcher.entries]
    assert "keypad: 7" in data
    assert "call held" in data


def test_functions_side_by_side_and_a_goodbye_by_the_model() -> None:
    chat, runner = FakeChat(("look", "note"), "Monday it is.", ("end_call",)), FakeRunner(0.3)
    stage = Stage(CHAT, welcome="Hello.", chat=chat, tools=TOOLS, runner=runner)
    result = stage.run(answers)
    assert lines(result) == [
        ("assistant", "Hello."),
        ("user", "yes please"),
        ("assistant", "I look. Monday it is."),
        ("user", "four two"),
    ]
    assert runner.ran == ["look", "note"]
    told = [message.content for message in chat.asked[1] if message.role == "tool"]
    assert told == ["It is Monday.", "It is Monday."]
    assert result.cause is HangupCause.AGENT
    answer = result.turns[2]
    assert answer.timing is not None
    assert answer.timing.tools_ms == 300
    tools = [(entry.type, entry.tool_name) for entry in stage.watcher.entries if entry.component == "tool"]
    assert sorted(tools) == sorted([(kind, name) for kind in ("request", "response") for name in runner.ran])


def test_an_event_from_outside_is_taken_up_when_nobody_speaks() -> None:
    async def waits(leg: FakeLeg) -> None:
        await leg.spoken_to()
        assert stage.live is not None
        stage.live.inject("paid", {"amount": 5})
        await leg.left_alone()
        leg.hang_up_by_person()

    stage = Stage(CHAT, welcome="One two three four five six.", chat=FakeChat("Thank you for paying."))
    result = stage.run(waits)
    assert lines(result) == [
        ("assistant", "One two three four five six."),
        ("assistant", "Thank you for paying."),
    ]
    assert "paid" in stage.chat.asked[0][-1].content


def test_a_hold_is_not_spoken_into() -> None:
    async def holds(leg: FakeLeg) -> None:
        await leg.spoken_to()
        leg.give(Held())
        await asyncio.sleep(5.0)
        held.append(leg.position)
        leg.give(Resumed())
        await leg.left_alone()
        leg.hang_up_by_person()

    held: list[int] = []
    text = "One two three four five six."
    stage = Stage(CHAT, welcome=text, chat=FakeChat())
    result = stage.run(holds)
    assert lines(result) == [("assistant", text)]
    quiet = stage.leg.agent[held[0] - 4 * 8000 : held[0]]
    assert not np.any(quiet), "silent for the last four of five seconds"
    assert result.turns[0].end_ms - result.turns[0].start_ms > 6000


def test_a_dead_language_model_apologises() -> None:
    result = Stage(CHAT, welcome="Hello.", chat=FakeChat(fails=True)).run(answers)
    assert lines(result) == [("assistant", "Hello."), ("user", "yes please"), ("assistant", APOLOGY)]
    assert result.failure == Failure("llm", "The language model fake (m) is out of order.")
    assert result.cause is HangupCause.ERROR


def test_a_dead_transcriber_apologises() -> None:
    result = Stage(transcriber=ToneTranscriber(WORDS, fails=True)).run(answers)
    assert lines(result)[-1] == ("assistant", APOLOGY)
    assert result.failure == Failure("transcriber", "The transcriber fake is out of order.")


@pytest.mark.parametrize(
    ("synthesizer", "message"),
    [
        (ToneSynthesizer(fails_at=0), "The synthesizer fake is out of order."),
        (ToneSynthesizer(stalls=True), "The synthesizer fake gave no audio for 10 s."),
    ],
)
def test_a_dead_synthesizer_hangs_up(synthesizer: ToneSynthesizer, message: str) -> None:
    result = Stage(synthesizer=synthesizer).run(nothing)
    assert result.failure == Failure("synthesizer", message)
    assert result.cause is HangupCause.ERROR
    assert result.turns == ()


def test_broken_audio_ends_the_call() -> None:
    class BrokenLeg(FakeLeg):
        def read_frame(self) -> Any:
            if self.position > 8000:
                raise RuntimeError("no socket")
            return super().read_frame()

    stage = Stage()
    stage.leg = BrokenLeg()
    result = stage.run(nothing)
    assert result.failure == Failure("system", "The call's audio failed: RuntimeError.")


@pytest.mark.parametrize("tenths", range(0, 60, 2))
def test_cancelled_at_any_time_leaves_nothing_behind(tenths: int) -> None:
    assert run_virtually(Stage(welcome="Hello.").play(answers, cancel_after=tenths / 10)) is None


def test_a_plan_that_cannot_be_talked_by() -> None:
    async def create() -> None:
        with pytest.raises(DialogueError, match="needs the language model 'fake'"):
            Stage(CHAT).conversation(Ticker(VirtualClock()), VirtualClock())
        graph = GraphPlan("scripted", "x", {"x": Node("x", "llm", prompt="Be nice.")})
        with pytest.raises(DialogueError, match="node 'x' needs a language model"):
            Stage(graph).conversation(Ticker(VirtualClock()), VirtualClock())

    run_virtually(create())
