"""Keys and the shell: what the person types on a leg reaches the agent, and what is masked is shown nowhere."""

from __future__ import annotations

import asyncio

import pytest

from ringback.agents.chat import ToolSpec
from ringback.agents.plan import Anything, Edge, GraphPlan, Node, Number, TalkSettings
from ringback.agents.tools import PressDigits
from ringback.media.leg import Digit, HangupCause
from tests.support.fake_leg import FakeLeg
from tests.support.fake_speech import FakeChat
from tests.support.stage import CHAT, Stage, say

PIN = "4711"
GRAPH = GraphPlan(
    "scripted",
    "pin",
    {
        "pin": Node(
            "pin", "static", "Your code?", edges=(Edge("end", Number(digits=4), slots={"pin": None}),)
        ),
        "end": Node("end", "static", "It is {pin}. Goodbye."),
    },
)


async def types(leg: FakeLeg, keys: str) -> None:
    for key in keys:
        leg.give(Digit(key, 100))
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("masked", [False, True])
def test_a_code_is_typed_and_shown_as_the_agent_is_told_to(masked: bool) -> None:
    async def person(leg: FakeLeg) -> None:
        await leg.left_alone()
        await types(leg, PIN)

    stage = Stage(GRAPH, talk=TalkSettings(dtmf_enabled=True, dtmf_masked=masked))
    result = stage.run(person)
    code = "****" if masked else PIN
    assert result.cause is HangupCause.AGENT
    assert result.slots == {"pin": code}
    assert [turn.text for turn in result.turns if turn.role == "user"] == [f"dtmf_number: {code}"]
    assert "It is 4 7 1 1." in stage.synthesizer.texts, "the agent knows it"
    told = [entry.data for entry in stage.watcher.entries] + [turn.text for turn in result.turns]
    shown = {"4 7 1 1" in text for text in told} | {PIN in text for text in told}
    assert shown == ({False} if masked else {False, True})


def test_a_key_silences_the_agent_within_two_ticks() -> None:
    pressed: list[int] = []

    async def person(leg: FakeLeg) -> None:
        await leg.spoken_to()
        await asyncio.sleep(0.2)
        pressed.append(leg.position)
        leg.give(Digit("1", 100))
        await asyncio.sleep(0.1)
        pressed.append(leg.position)
        await types(leg, "#")
        leg.hang_up_by_person()

    stage = Stage(GRAPH, talk=TalkSettings(dtmf_enabled=True))
    stage.run(person)
    at, until = pressed
    quiet = stage.leg.agent[at + 480 : until]
    assert abs(quiet).max() == 0


def test_the_agent_presses_keys_for_a_machine() -> None:
    async def machine(leg: FakeLeg) -> None:
        await asyncio.sleep(0.5)
        leg.say(say("two", "please"))
        await asyncio.sleep(4)
        leg.hang_up_by_person()

    keys = PressDigits(ToolSpec("keys", "", {"type": "object"}), "2w#")
    stage = Stage(CHAT, chat=FakeChat(("keys",)), tools={"keys": keys})
    stage.run(machine)
    assert stage.leg.pressed == "2w#"
    assert not stage.synthesizer.texts


def test_keys_are_nothing_without_the_setting() -> None:
    async def person(leg: FakeLeg) -> None:
        await leg.left_alone()
        await types(leg, PIN)
        await asyncio.sleep(1)
        leg.hang_up_by_person()

    ask = GraphPlan("scripted", "a", {"a": Node("a", "static", "Yes?", edges=(Edge("a", Anything()),))})
    stage = Stage(ask)
    result = stage.run(person)
    assert [turn.role for turn in result.turns] == ["assistant"]
    assert [entry.data for entry in stage.watcher.entries if "keypad" in entry.data] == [
        f"keypad: {k}" for k in PIN
    ]
