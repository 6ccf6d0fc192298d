"""The shell with a cancellation at its n-th await, for every n; and its parts, each failing at its n-th await.

A cancelled conversation leaves nothing behind; whoever cancelled it hangs up. A part that fails, whatever it is,
ends in an apology or a hangup soon, never in silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ringback.agents.plan import TalkSettings
from ringback.media.leg import Digit, HangupCause, Held, Resumed
from tests.support.fake_leg import FakeLeg
from tests.support.fake_speech import FakeChat, FakeRunner
from tests.support.nth_await import Saboteur
from tests.support.stage import CHAT, TOOLS, Person, Stage, answers, say
from tests.support.virtual_loop import run_virtually

LATER_S = 25.0
"""A failure may make a call so much longer: a silence, the question whether somebody is there, a timeout."""


async def interrupts(leg: FakeLeg) -> None:
    await leg.spoken_to()
    await asyncio.sleep(1.0)
    leg.say(say("stop", "please"))
    await asyncio.sleep(0.3)
    await leg.left_alone()
    leg.hang_up_by_person()


def scripted() -> Stage:
    return Stage(welcome="Hello.")


def functions() -> Stage:
    chat = FakeChat(("look", "note"), "Monday.", ("end_call",))
    return Stage(CHAT, welcome="Hello.", chat=chat, tools=TOOLS, runner=FakeRunner())


def barge_in() -> Stage:
    return Stage(CHAT, welcome="One two three four five six seven.", chat=FakeChat("I stop."))


def failing() -> Stage:
    return Stage(CHAT, welcome="Hello.", chat=FakeChat(fails=True))


async def chats_on(leg: FakeLeg) -> None:
    await leg.left_alone()
    leg.say(say("yes", "please", "four", "two", "four", "two", "four", "two"))
    await leg.spoken_to()
    leg.give(Held())
    await asyncio.sleep(0.5)
    leg.give(Resumed())
    await leg.left_alone()
    leg.give(Digit("5", 100))


def everything() -> Stage:
    """Murmurs, fillers, a hold, a function, the question whether somebody is there, and the judge's hangup."""
    talk = TalkSettings(
        use_fillers=True,
        backchanneling=True,
        backchanneling_start_delay_s=0.5,
        backchanneling_message_gap_s=1.0,
        hangup_after_llm_call=True,
        trigger_user_online_message_after_s=1.5,
        hangup_after_silence_s=3.0,
        call_hangup_message="Bye.",
    )
    chat = FakeChat(("look",), "It is Monday.", "no", "yes", delay_s=1.0)
    return Stage(CHAT, welcome="Hello.", talk=talk, chat=chat, tools=TOOLS, runner=FakeRunner(1.5))


SCENARIOS: dict[str, tuple[Callable[[], Stage], Person]] = {
    "scripted": (scripted, answers),
    "functions": (functions, answers),
    "barge-in": (barge_in, interrupts),
    "failing": (failing, answers),
    "everything": (everything, chats_on),
}
PARTS = (
    "Conversation._follow_leg",
    "Conversation._hang_up",
    "Transcriptions._run",
    "Answers._run",
    "Functions._run",
    "Speaker._synthesize_all",
    "Speaker._say_quietly",
)
PROVIDERS: dict[str, Callable[[Stage], tuple[Any, str]]] = {
    "transcriber": lambda stage: (stage.transcriber, "transcribe"),
    "synthesizer": lambda stage: (stage.synthesizer, "synthesize"),
    "language model": lambda stage: (stage.chat, "stream"),
    "functions": lambda stage: (stage.runner, "run"),
}
AUDIO: dict[str, Callable[[Stage], tuple[Any, str]]] = {
    "leg in": lambda stage: (stage.leg, "read_frame"),
    "leg out": lambda stage: (stage.leg, "write_frame"),
    "recorder": lambda stage: (stage.recorder, "write"),
}


class Weak:
    """A method of an object that fails, in a way that nobody expects, when it is called for the n-th time."""

    def __init__(self, owner: Any, method: str, nth: int) -> None:
        self._method = getattr(owner, method, None)
        self._left = nth
        if self._method is not None:
            setattr(owner, method, self)

    @property
    def failed(self) -> bool:
        return self._left <= 0

    def __call__(self, *arguments: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            raise ZeroDivisionError("weak")
        assert self._method is not None
        return self._method(*arguments)


def undisturbed_s(scenario: str) -> float:
    make, person = SCENARIOS[scenario]
    stage = make()
    assert run_virtually(stage.play(person)) is not None
    return stage.lasted_s


def every_n(strike: Callable[[int], bool]) -> int:
    """Strike at every n until a run completes without having come so far; how often it was struck."""
    for nth in range(1, 1000):
        if not strike(nth):
            return nth - 1
    raise AssertionError("there is no end of awaits")


@pytest.mark.parametrize("times", [1, 2, 100], ids=["once", "twice", "again and again"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_conversation_that_is_cancelled_leaves_nothing_behind(scenario: str, times: int) -> None:
    make, person = SCENARIOS[scenario]

    def strike(nth: int) -> bool:
        stage, saboteur = make(), Saboteur("Conversation.run", nth, times=times)
        result = run_virtually(stage.play(person, saboteur=saboteur))
        assert (result is None) == saboteur.struck, f"await {nth}"
        return saboteur.struck

    assert every_n(strike) > 10


ERRORS = {"error": RuntimeError("struck"), "cancelled": asyncio.CancelledError()}


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_part_that_fails_ends_the_call_in_good_time(scenario: str, part: str, error: str) -> None:
    make, person = SCENARIOS[scenario]
    limit_s = undisturbed_s(scenario) + LATER_S

    def strike(nth: int) -> bool:
        stage, saboteur = make(), Saboteur(part, nth, ERRORS[error])
        assert run_virtually(stage.play(person, saboteur=saboteur)) is not None, f"await {nth}"
        assert stage.leg.ended, f"await {nth}: nobody hung up"
        assert stage.lasted_s < limit_s, f"await {nth}: lasted {stage.lasted_s} s"
        return saboteur.struck

    struck = every_n(strike)
    assert struck or scenario != "everything", "this scenario has every part"


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_provider_that_raises_ends_in_an_apology_or_a_hangup(scenario: str, provider: str) -> None:
    make, person = SCENARIOS[scenario]
    limit_s = undisturbed_s(scenario) + LATER_S

    def strike(nth: int) -> bool:
        stage = make()
        weak = Weak(*PROVIDERS[provider](stage), nth)
        result = run_virtually(stage.play(person))
        assert result is not None
        assert stage.leg.ended, f"call {nth}: nobody hung up"
        assert stage.lasted_s < limit_s, f"call {nth}: lasted {stage.lasted_s} s"
        return weak.failed

    failed = every_n(strike)
    assert failed or scenario != "everything", "this scenario has every provider"


@pytest.mark.parametrize("nth", [1, 2, 60, 150])
@pytest.mark.parametrize("part", AUDIO)
def test_a_part_of_the_audio_that_raises_ends_the_call(part: str, nth: int) -> None:
    stage = scripted()
    weak = Weak(*AUDIO[part](stage), nth)
    result = run_virtually(stage.play(answers))
    assert weak.failed
    assert result is not None
    assert (result.cause, stage.leg.ended) == (HangupCause.ERROR, True)
    assert stage.lasted_s < nth * 0.02 + 1.0
