"""The shell on a leg that a machine has answered, in virtual time: what it hears, overhears and leaves."""

from __future__ import annotations

import asyncio

import numpy as np

from ringback.agents.plan import TalkSettings, VoicemailSettings
from ringback.conversation.screening.verdict import Kind
from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.leg import HangupCause
from tests.support.fake_leg import FakeLeg, first_loud, milliseconds
from tests.support.fake_speech import FakeChat, ToneTranscriber, tones
from tests.support.stage import CHAT, Stage

GREETING = ("please", "leave", "your", "name", "and", "a", "message", "after", "the", "tone")
HUMAN = ("hello", "who", "is", "this")
VOCABULARY = (*GREETING, *HUMAN)


def said(*words: str) -> Samples:
    return tones(*words, vocabulary=VOCABULARY)


def beep(ms: int = 400) -> Samples:
    """So soft that the fake detector takes it for silence."""
    at = np.arange(SAMPLE_RATE * ms // 1000) / SAMPLE_RATE
    audio: Samples = np.rint(98 * np.sin(2 * np.pi * 1000 * at)).astype(np.int16)
    return audio


def stage(message: str = "") -> Stage:
    return Stage(
        CHAT,
        welcome="One two three four five six seven eight nine ten.",
        chat=FakeChat("I see.", "I see.", "I see."),
        talk=TalkSettings(voicemail=VoicemailSettings(message)),
        transcriber=ToneTranscriber(VOCABULARY),
    )


async def machine(leg: FakeLeg) -> None:
    await asyncio.sleep(0.5)
    leg.say(np.concatenate([said(*GREETING), np.zeros(SAMPLE_RATE, dtype=np.int16), beep()]))


def test_a_machine_is_hung_up_on_while_it_speaks() -> None:
    scene = stage()
    result = scene.run(machine)
    assert result.answered_by is not None
    assert result.answered_by.kind is Kind.MACHINE
    assert (result.cause, scene.leg.hangups) == (HangupCause.VOICEMAIL, [HangupCause.VOICEMAIL])
    assert scene.lasted_s < 0.5 + 2.5 + 0.6, "before its greeting was over"
    overheard = [line for line in result.usage if line.purpose == "voicemail"]
    assert {line.component for line in overheard} == {"transcriber"}


def test_the_message_begins_when_the_beep_is_over() -> None:
    scene = stage("Call us back.")
    result = scene.run(machine)
    leg = scene.leg
    over = leg.said_at[0] + len(said(*GREETING)) + SAMPLE_RATE + len(beep())
    after = milliseconds(first_loud(leg.agent, over - SAMPLE_RATE) - over)
    assert 0 <= after <= 200
    assert result.cause is HangupCause.VOICEMAIL
    assert [turn.text for turn in result.turns if turn.role == "assistant"][-1] == "Call us back."
    assert " ".join(turn.text for turn in result.turns if turn.role == "user") == " ".join(GREETING)


def test_a_person_is_talked_to_as_always() -> None:
    async def person(leg: FakeLeg) -> None:
        await asyncio.sleep(0.5)
        leg.say(said(*HUMAN))
        await leg.left_alone()
        leg.say(beep())
        await asyncio.sleep(3.0)
        leg.hang_up_by_person()

    scene, plain = stage("Call us back."), stage()
    plain.plan = Stage(CHAT, welcome="One two three four five six seven eight nine ten.").plan
    results = [one.run(person) for one in (scene, plain)]
    assert results[0].turns == results[1].turns, "it changes nothing for people"
    assert results[0].answered_by is not None
    assert (results[0].answered_by.kind, results[0].cause) == (Kind.HUMAN, None)
