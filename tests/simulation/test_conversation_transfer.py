"""Transfers on legs in memory, in virtual time: who hears whom, what the agent is told, what is left in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ringback.agents.chat import ToolCall, ToolSpec
from ringback.agents.plan import TalkSettings
from ringback.agents.tools import TransferCall
from ringback.conversation.result import ConversationResult
from ringback.conversation.transfer import TransferResult
from ringback.media.frame import SAMPLE_RATE
from ringback.media.leg import (
    Digit,
    Ended,
    EndedBy,
    HangupCause,
    Held,
    LegEvent,
    Outcome,
    Referred,
    Resumed,
    Ringing,
)
from tests.support.fake_leg import FakeLeg, first_loud
from tests.support.fake_speech import FakeChat, FakeRunner, ToneSynthesizer
from tests.support.fake_switchboard import FakeSwitchboard, Taker, answers_after
from tests.support.nth_await import Saboteur
from tests.support.stage import CHAT, Person, Stage, say
from tests.support.virtual_loop import run_virtually

SPEC = ToolSpec("transfer_call", "", {"type": "object"})
VOICE = 8000
"""Level of the agent's voice."""


def transfer(**settings: Any) -> dict[str, TransferCall]:
    values: dict[str, Any] = {"to_number": "+1 555 0199", "pre_call_message": "I connect you."}
    return {"transfer_call": TransferCall(SPEC, **(values | settings))}


def stage(*takers: Taker, tools: Any = None, **parts: Any) -> Stage:
    chat = FakeChat(("transfer_call",), "I am sorry, nobody is there.", ("transfer_call",), "Still nobody.")
    parts = {"welcome": "Hello.", "chat": chat, "switchboard": FakeSwitchboard(*takers)} | parts
    return Stage(CHAT, tools=transfer() if tools is None else tools, **parts)


def play(stage: Stage, person: Person, full: bool = False, **how: Any) -> ConversationResult | None:
    """`full`: is the disk."""
    stage.switchboard.full = full

    async def whole() -> ConversationResult | None:
        try:
            return await stage.play(person, **how)
        finally:
            await stage.switchboard.close()

    result = run_virtually(whole())
    for leg in stage.switchboard.legs:
        assert leg.result is not None, "a transfer is left open"
        assert leg._leg is None or leg.leg.ended, "somebody is left on the second leg"
        assert leg.reel is None or leg.reel.closed, "its recording is left open"
        assert leg.reel is None or leg.reel.frames - len(leg.leg.written) <= 1, "it ticks on"
    return result


async def asks(leg: FakeLeg) -> None:
    await leg.left_alone()
    leg.say(say("yes", "please"))


async def asks_and_talks(leg: FakeLeg) -> None:
    await asks(leg)
    await asyncio.sleep(8.0)
    leg.say(say("four", "two"))
    await asyncio.sleep(60.0)


async def takes_it(leg: FakeLeg) -> None:
    await answers_after(leg)
    await asyncio.sleep(3.0)
    leg.say(say("no"))
    await asyncio.sleep(10.0)
    leg.hang_up_by_person()


def unanswered(ended: Ended) -> Taker:
    async def taker(leg: FakeLeg) -> None:
        leg.give(Ringing())
        await asyncio.sleep(1.0)
        leg.ended = True
        leg.give(ended)

    return taker


def levels(audio: Any) -> set[int]:
    return set(np.unique(np.abs(audio.astype(np.int32)))) - {0}


def test_the_two_hear_each_other_and_the_agent_is_silent() -> None:
    it = stage(takes_it)
    result = play(it, asks_and_talks)
    assert result is not None
    [second] = it.switchboard.legs
    assert it.switchboard.dialled == [("attended", "+15550199")]
    assert second.told == ["rings", "answered", "joined"]
    assert (second.result, second.by_caller) == (TransferResult.COMPLETED, False)
    assert (result.cause, it.leg.hangups) == (HangupCause.TRANSFERRED, [HangupCause.TRANSFERRED])
    assert [turn.text for turn in result.turns] == ["Hello.", "yes please", "I connect you."]
    assert not any(turn.interrupted for turn in result.turns)
    # What the second person said is in the first one's ear, and the other way round.
    theirs, ours = say("no"), say("four", "two")
    assert int(theirs.max()) in levels(it.leg.agent)
    assert {int(ours.max()), int(np.unique(ours)[1])} <= levels(second.leg.agent)
    assert VOICE not in levels(second.leg.agent), "the agent speaks to the wrong one"
    joined = first_loud(second.leg.agent)
    assert joined > 0
    tail = it.leg.agent[it.leg.said_at[1] :]
    assert VOICE not in levels(tail), "the agent speaks over the two"
    assert second.reel is not None
    assert abs(second.reel.frames - len(second.leg.written)) <= 1
    assert 13.0 <= second.reel.frames / 50 <= 13.3, "from the answer to the end, one frame a tick"


def test_a_whisper_is_for_the_one_who_takes_the_call() -> None:
    tools = transfer(whisper="%(name)s is calling: %(summary)s")
    it = stage(takes_it, tools=tools)
    result = play(it, asks_and_talks)
    assert result is not None
    [second] = it.switchboard.legs
    assert "Ada is calling:" in it.synthesizer.texts
    assert VOICE in levels(second.leg.agent)
    assert second.told == ["rings", "answered", "joined"]
    whispered = len("Ada is calling:") * SAMPLE_RATE // 20
    assert levels(second.leg.agent[:whispered]) >= {VOICE}
    spoken = [line.quantity for line in result.usage if line.component == "synthesizer"]
    assert sum(spoken) == len("Hello.") + len("I connect you.") + len("Ada is calling:")


class NoWhisper(ToneSynthesizer):
    async def synthesize(self, text: str, voice: Any) -> Any:
        if text.startswith("Ada"):
            raise RuntimeError("no")
        async for piece in super().synthesize(text, voice):
            yield piece


def test_without_a_voice_for_the_whisper_they_are_joined_all_the_same() -> None:
    it = stage(takes_it, tools=transfer(whisper="%(name)s is calling."), synthesizer=NoWhisper())
    assert play(it, asks_and_talks) is not None
    assert it.switchboard.legs[0].result is TransferResult.COMPLETED


@pytest.mark.parametrize(
    ("ended", "result", "told"),
    [
        (Ended(Outcome.BUSY, EndedBy.CARRIER, "Call recipient was busy", 3010, 486), "busy", "is busy"),
        (Ended(Outcome.NO_ANSWER, EndedBy.CARRIER, "Call unanswered", 3000), "no_answer", "nobody answered"),
        (Ended(Outcome.FAILED, EndedBy.PEER, "Call recipient rejected", 3020, 603), "rejected", "rejected"),
        (
            Ended(Outcome.FAILED, EndedBy.CARRIER, "Call recipient number invalid", 2000, 404),
            "invalid_number",
            "not valid",
        ),
        (Ended(Outcome.FAILED, EndedBy.CARRIER, "Carrier Internal Error", 3050, 500), "failed", "refused it"),
        (Ended(Outcome.ERROR, EndedBy.ERROR, "Telephony Internal Error", 7011), "error", "technical"),
    ],
)
def test_the_agent_is_told_why_it_failed_and_goes_on(ended: Ended, result: str, told: str) -> None:
    it = stage(unanswered(ended))

    async def person(leg: FakeLeg) -> None:
        await asks(leg)
        await asyncio.sleep(8.0)
        leg.hang_up_by_person()

    whole = play(it, person)
    assert whole is not None
    [second] = it.switchboard.legs
    assert (second.result, second.over) == (TransferResult(result), ended)
    tools = [message.content for message in it.chat.asked[1] if message.role == "tool"]
    assert told in tools[0]
    assert "still with you" in tools[0]
    assert whole.turns[-1].text == "I connect you. I am sorry, nobody is there."


async def hangs_up_at_once(leg: FakeLeg) -> None:
    await answers_after(leg)
    await asyncio.sleep(1.5)
    leg.hang_up_by_person()


def test_who_hangs_up_at_once_gives_the_person_back() -> None:
    it = stage(hangs_up_at_once, takes_it)

    async def person(leg: FakeLeg) -> None:
        await asks(leg)
        await asyncio.sleep(7.0)
        await leg.left_alone()
        leg.say(say("yes", "please"))
        await asyncio.sleep(60.0)

    whole = play(it, person)
    assert whole is not None
    first, second = it.switchboard.legs
    assert (first.result, second.result) == (TransferResult.HUNG_UP_AT_ONCE, TransferResult.COMPLETED)
    assert "I connect you. I am sorry, nobody is there." in [turn.text for turn in whole.turns]
    assert whole.cause is HangupCause.TRANSFERRED


async def talks_long(leg: FakeLeg) -> None:
    await answers_after(leg)
    await asyncio.sleep(45.0)
    leg.say(say("no"))
    await asyncio.sleep(5.0)
    leg.hang_up_by_person()


def test_they_talk_as_long_as_they_like() -> None:
    it = stage(talks_long, talk=TalkSettings(call_terminate_s=20))
    whole = play(it, asks_and_talks)
    assert whole is not None
    [second] = it.switchboard.legs
    assert (second.result, whole.cause) == (TransferResult.COMPLETED, HangupCause.TRANSFERRED)
    assert int(say("no").max()) in levels(it.leg.agent)


async def never_answers(leg: FakeLeg) -> None:
    leg.give(Ringing())
    await asyncio.sleep(3600)


@pytest.mark.parametrize(
    ("taker", "after_s", "result"),
    [
        (never_answers, 3.0, TransferResult.CALLER_LEFT),
        (takes_it, 5.0, TransferResult.COMPLETED),
        (takes_it, 8.0, TransferResult.COMPLETED),
    ],
)
def test_the_person_hangs_up(taker: Taker, after_s: float, result: TransferResult) -> None:
    it = stage(taker)

    async def person(leg: FakeLeg) -> None:
        await asks(leg)
        await asyncio.sleep(after_s)
        leg.hang_up_by_person()

    whole = play(it, person)
    assert whole is not None
    [second] = it.switchboard.legs
    assert (second.result, second.by_caller) == (result, True)
    rang = result is TransferResult.CALLER_LEFT
    assert second.leg.hangups[0] is (HangupCause.CANCELED if rang else HangupCause.NORMAL)
    assert whole.ended.by is EndedBy.PEER
    assert [turn.text for turn in whole.turns][-1] == "I connect you."
    assert whole.turns[-1].interrupted == (result is TransferResult.CALLER_LEFT), "more was to be said"


def test_keys_are_passed_on_while_they_are_joined() -> None:
    async def menu(leg: FakeLeg) -> None:
        await answers_after(leg)
        await asyncio.sleep(4.0)
        leg.give(Digit("7", 100))
        await asyncio.sleep(10.0)
        leg.hang_up_by_person()

    async def person(leg: FakeLeg) -> None:
        await asks(leg)
        await asyncio.sleep(8.0)
        leg.give(Digit("5", 100))
        await asyncio.sleep(60.0)

    it = stage(menu)
    assert play(it, person) is not None
    assert (it.switchboard.legs[0].leg.pressed, it.leg.pressed) == ("5", "7")


@pytest.mark.parametrize(
    ("progress", "result", "took_place"),
    [
        ([Referred(202, False), Referred(180, False), Referred(200, True)], "completed", True),
        ([Referred(202, True)], "unconfirmed", True),
        (
            [Referred(202, False), Ended(Outcome.HUNG_UP, EndedBy.PEER, "Normal Hangup", 4000)],
            "unconfirmed",
            True,
        ),
        ([Ended(Outcome.HUNG_UP, EndedBy.PEER, "Normal Hangup", 4000)], "caller_hung_up", True),
        ([Referred(501, True)], "not_supported", False),
        ([Referred(202, False), Referred(486, True)], "busy", False),
        ([Referred(202, False), Referred(408, True)], "no_answer", False),
        ([Referred(202, False), Referred(503, True)], "failed", False),
    ],
)
def test_blind(progress: Sequence[LegEvent], result: str, took_place: bool) -> None:
    it = stage(tools=transfer(blind=True))
    it.leg.progress = list(progress)
    gone = any(isinstance(event, Ended) for event in progress)

    async def person(leg: FakeLeg) -> None:
        await asks(leg)
        await asyncio.sleep(8.0)
        leg.hang_up_by_person()

    if gone:
        it.leg.ended = False
    whole = play(it, person)
    assert whole is not None
    [second] = it.switchboard.legs
    assert it.switchboard.dialled == [("blind", "+15550199")]
    assert it.leg.referred == ["+15550199"]
    assert second.result == TransferResult(result)
    phrase = [turn for turn in whole.turns if turn.text.startswith("I connect you.")]
    assert len(phrase) == 1
    if gone:
        assert whole.cause is None
    elif took_place:
        assert whole.cause is HangupCause.TRANSFERRED
        assert not phrase[0].interrupted
    else:
        assert phrase[0].text == "I connect you. I am sorry, nobody is there."


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"tools": transfer(to_number="")}, "not valid"),
        ({"tools": transfer(to_number="%(unknown)s")}, "not valid"),
        ({"switchboard": FakeSwitchboard(refuses=True)}, "technical problem"),
    ],
)
def test_what_cannot_even_be_tried(parts: dict[str, Any], why: str) -> None:
    it = stage(**parts)

    async def person(leg: FakeLeg) -> None:
        await asks(leg)
        await asyncio.sleep(8.0)
        leg.hang_up_by_person()

    whole = play(it, person)
    assert whole is not None
    assert it.switchboard.legs == []
    assert why in next(message.content for message in it.chat.asked[1] if message.role == "tool")


class Insists(FakeChat):
    """A model that was talked into another number."""

    async def stream(self, ask: Any) -> Any:
        async for piece in super().stream(ask):
            wanted = {"desk": "+19005550100", "why": "a complaint"}
            yield replace(piece, arguments=wanted) if isinstance(piece, ToolCall) else piece


@pytest.mark.parametrize(("declared", "number"), [("why", "+15550111"), ("desk", "+19005550100")])
def test_the_model_chooses_no_number_that_is_not_for_it_to_choose(declared: str, number: str) -> None:
    spec = replace(SPEC, parameters={"type": "object", "properties": {declared: {"type": "string"}}})
    tool = TransferCall(spec, "%(desk)s", whisper="It is %(why)s.")
    it = stage(takes_it, tools={"transfer_call": tool}, chat=Insists(("transfer_call",)))
    it.variables = {"desk": "+15550111"}
    assert play(it, asks_and_talks) is not None
    assert it.switchboard.dialled == [("attended", number)]
    whispers = [text for text in it.synthesizer.texts if text.startswith("It is")]
    assert whispers == ["It is a complaint." if declared == "why" else "It is ."]


async def stays_a_while(leg: FakeLeg) -> None:
    await asks(leg)
    await asyncio.sleep(60.0)
    leg.hang_up_by_person()


def test_who_took_the_call_does_not_wait_for_ever() -> None:
    """The person holds the line, and the agent's message with it."""

    async def holds(leg: FakeLeg) -> None:
        await asks(leg)
        await leg.spoken_to()
        leg.give(Held())
        await asyncio.sleep(40.0)
        leg.give(Resumed())
        await asyncio.sleep(8.0)
        leg.hang_up_by_person()

    it = stage(takes_it_patiently, talk=TalkSettings(hangup_after_silence_s=60))
    whole = play(it, holds)
    assert whole is not None
    [second] = it.switchboard.legs
    assert second.told == ["rings", "answered"]
    assert (second.result, second.leg.hangups[0]) == (TransferResult.ERROR, HangupCause.NORMAL)
    assert whole.turns[-1].text == "I connect you. I am sorry, nobody is there."


async def takes_it_patiently(leg: FakeLeg) -> None:
    await answers_after(leg, 1.0)
    await asyncio.sleep(3600)


async def cannot_be_heard(leg: FakeLeg) -> None:
    def broken() -> Any:
        raise ZeroDivisionError("weak")

    leg.read_frame = broken  # type: ignore[method-assign]
    await answers_after(leg, 0.5)


def test_a_second_leg_without_audio_gives_the_person_back() -> None:
    """It ends with a message that is long enough for the leg to fail before they are joined."""
    message = "I connect you, and that takes me a while to say as you may hear."
    it = stage(cannot_be_heard, tools=transfer(pre_call_message=message))
    whole = play(it, stays_a_while)
    assert whole is not None
    [second] = it.switchboard.legs
    assert second.result is TransferResult.ERROR
    assert any("I am sorry, nobody is there." in turn.text for turn in whole.turns)


async def never_confirms(leg: FakeLeg) -> None:
    async def hangup(cause: HangupCause) -> None:
        leg.hangups.append(cause)

    leg.hangup = hangup  # type: ignore[method-assign]
    await answers_after(leg, 1.0)


def test_a_second_leg_that_confirms_no_end_holds_nobody_up() -> None:
    it = stage(never_confirms)

    async def person(leg: FakeLeg) -> None:
        await asks(leg)
        await asyncio.sleep(8.0)
        leg.hang_up_by_person()

    async def whole() -> ConversationResult | None:
        try:
            return await it.play(person)
        finally:
            await it.switchboard.close()

    assert run_virtually(whole()) is not None
    [second] = it.switchboard.legs
    assert (second.result, second.over) == (TransferResult.COMPLETED, None)
    assert it.lasted_s < 22.0
    assert second.reel is not None
    assert second.reel.frames / 50 < 9.0, "their parting does not wait for it"


def test_a_recording_that_fails_is_in_the_log() -> None:
    it = stage(takes_it)
    result = play(it, asks_and_talks, full=True)
    assert result is not None
    assert any("disk is full" in entry.data for entry in it.watcher.entries)


def test_the_webhook_is_told_before() -> None:
    runner = FakeRunner()
    it = stage(takes_it, runner=runner)
    assert play(it, asks_and_talks) is not None
    assert runner.announced == ["transfer_call"]


@pytest.mark.parametrize("part", ["Conversation.run", "_Transfer._pump", "_Transfer._whispered"])
def test_cancelled_at_any_await_nobody_is_left_on_a_line(part: str) -> None:
    nth = 1
    while nth < 400:
        it = stage(takes_it, takes_it, tools=transfer(whisper="Hear."))
        saboteur = Saboteur(part, nth)
        play(it, asks_and_talks, saboteur=saboteur)
        if not saboteur.struck:
            break
        nth += 1
    assert nth > 1
