"""The menus on a leg in memory, in virtual time; and that the leg is whole when the agent takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from ringback.agents.ivr_config import IvrConfig
from ringback.agents.validation import check
from ringback.conversation.ivr_call import IvrCall, IvrResult
from ringback.media.leg import Digit, EndedBy, Held, Resumed
from ringback.media.recorder import Recorder
from ringback.media.speech import Voice
from ringback.media.ticker import Ticker
from tests.support.fake_leg import FakeLeg
from tests.support.fake_speech import ToneSynthesizer
from tests.support.stage import CountingRecorder, Watcher
from tests.support.virtual_loop import VirtualClock, run_virtually

CONFIG = {
    "welcome_message": "Hi {name}.",
    "timeout": 2,
    "max_retries": 1,
    "no_input_message": "Hm?",
    "default_agent_id": "anybody",
    "steps": [
        {
            "step_id": "which",
            "type": "menu",
            "prompt": "1 or 2?",
            "options": [{"digit": "1", "label": "One", "agent_id": "first"}, {"digit": "2", "label": "Two"}],
            "conditional_next": {"2": "code"},
        },
        {"step_id": "code", "type": "collect", "prompt": "Code?", "num_digits": 3},
    ],
}
Person = Callable[[FakeLeg], Awaitable[None]]


class Scene:
    def __init__(self, synthesizer: ToneSynthesizer | None = None) -> None:
        self.leg, self.watcher, self.recorder = FakeLeg(), Watcher(), CountingRecorder()
        self.synthesizer = synthesizer or ToneSynthesizer()
        self.lasted_s = 0.0

    def run(self, person: Person, after: Callable[[FakeLeg], Awaitable[Any]] | None = None) -> IvrResult:
        return run_virtually(self._play(person, after))

    def given_up(self, after_s: float) -> bool:
        return run_virtually(self._give_up(after_s))

    async def _give_up(self, after_s: float) -> bool:
        clock = VirtualClock()
        ticker = Ticker(clock)
        call = self._call(ticker, clock)
        ticking, running = asyncio.create_task(ticker.run()), asyncio.create_task(call.run())
        await asyncio.sleep(after_s)
        running.cancel()
        await asyncio.wait([running])
        frames = self.recorder.frames
        await asyncio.sleep(0.2)
        ticking.cancel()
        await asyncio.wait([ticking])
        assert self.recorder.frames == frames, "still ticks"
        return running.cancelled()

    def _call(self, ticker: Ticker, clock: VirtualClock) -> IvrCall:
        return IvrCall(
            self.leg,
            check(IvrConfig, CONFIG),
            {"name": "Ada"},
            ticker=ticker,
            recorder=cast(Recorder, self.recorder),
            synthesizer=self.synthesizer,
            voice=Voice(),
            clock=clock,
            observer=self.watcher,
        )

    async def _play(self, person: Person, after: Callable[[FakeLeg], Awaitable[Any]] | None) -> IvrResult:
        clock = VirtualClock()
        ticker = Ticker(clock)
        call = self._call(ticker, clock)
        beside = [asyncio.create_task(ticker.run()), asyncio.create_task(cast(Any, person(self.leg)))]
        try:
            result = await call.run()
            self.lasted_s = clock.monotonic()
            frames = self.recorder.frames
            await asyncio.sleep(0.2)
            goes_on = self.recorder.frames > frames
            assert goes_on is (result.ended is None), "the line is kept until the agent comes, and no longer"
            if after is not None:
                await after(self.leg)
            call.leave()
            frames = self.recorder.frames
            await asyncio.sleep(0.2)
            assert self.recorder.frames == frames, "still ticks after it was left"
            return result
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)


async def presses(leg: FakeLeg, *keys: str) -> None:
    for key in keys:
        await leg.left_alone()
        leg.give(Digit(key, 100))


def test_a_key_leads_to_an_agent() -> None:
    scene = Scene()
    result = scene.run(lambda leg: presses(leg, "1"))
    assert (result.agent_id, result.data) == ("first", {"which": "1", "which_context": "One"})
    assert (result.completed, result.ended) == (True, None)
    assert scene.synthesizer.texts == ["Hi Ada.", "1 or 2?"]
    assert [(turn.role, turn.text) for turn in scene.watcher.turns] == [
        ("assistant", "Hi Ada. 1 or 2?"),
        ("user", "dtmf_number: 1"),
    ]
    [spoken] = result.usage
    assert (spoken.component, spoken.unit, spoken.quantity) == (
        "synthesizer",
        "characters",
        len("Hi Ada.1 or 2?"),
    )


def test_digits_are_collected_through_a_hold() -> None:
    async def person(leg: FakeLeg) -> None:
        await presses(leg, "2")
        await leg.left_alone()
        leg.give(Digit("4", 100))
        leg.give(Held())
        await asyncio.sleep(30)
        leg.give(Resumed())
        await asyncio.sleep(0.5)
        leg.give(Digit("7", 100))
        leg.give(Digit("1", 100))

    result = Scene().run(person)
    assert result.data["code"] == "471"


async def nothing(leg: FakeLeg) -> None: ...


def test_silence_leads_to_the_default_agent() -> None:
    scene = Scene()
    result = scene.run(nothing)
    assert (result.agent_id, result.data, result.completed) == ("anybody", {}, False)
    assert scene.synthesizer.texts == ["Hi Ada.", "1 or 2?", "Hm?", "1 or 2?"]
    assert 5.0 < scene.lasted_s < 7.5


def test_the_person_hangs_up_in_the_menu() -> None:
    async def person(leg: FakeLeg) -> None:
        await leg.spoken_to()
        leg.hang_up_by_person()

    result = Scene().run(person)
    assert result.ended is not None
    assert result.ended.by is EndedBy.PEER


@pytest.mark.parametrize("synthesizer", [ToneSynthesizer(fails_at=0), ToneSynthesizer(stalls=True)])
def test_a_menu_that_cannot_speak_is_left(synthesizer: ToneSynthesizer) -> None:
    scene = Scene(synthesizer)
    result = scene.run(nothing)
    assert (result.agent_id, result.completed, result.ended) == ("anybody", False, None)
    assert any(entry.type == "error" for entry in scene.watcher.entries)


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.05, 0.3, 0.8, 2.5])
def test_a_call_that_is_given_up_leaves_nothing_behind(after_s: float) -> None:
    """Neither a task nor a ticking line, wherever the menus were."""
    scene = Scene()
    assert scene.given_up(after_s)


def test_no_key_is_lost_between_the_menus_and_the_agent() -> None:
    async def person(leg: FakeLeg) -> None:
        await presses(leg, "1")
        for key in "234":
            leg.give(Digit(key, 100))

    kept: list[str] = []

    async def after(leg: FakeLeg) -> None:
        leg.hang_up_by_person()
        while isinstance(event := await leg.next_event(), Digit):
            kept.append(event.key)

    Scene().run(person, after)
    assert "".join(kept) == "234"
