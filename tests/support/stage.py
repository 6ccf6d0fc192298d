"""A conversation on a leg in memory with everything around it, in virtual time: whole calls in milliseconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, cast

import numpy as np

from ringback.agents.chat import ChatSettings, ToolSpec
from ringback.agents.plan import (
    Affirmative,
    ChatPlan,
    Edge,
    GraphPlan,
    Node,
    Number,
    Plan,
    SpeechPart,
    TalkSettings,
)
from ringback.agents.tools import EndCall, HttpTool
from ringback.conversation.conversation import Conversation
from ringback.conversation.core.phrases import phrases_for
from ringback.conversation.result import ConversationResult
from ringback.conversation.transcript import LogEntry, Turn
from ringback.media.recorder import Recorder
from ringback.media.ticker import Ticker
from tests.support.fake_leg import FakeLeg
from tests.support.fake_speech import LoudnessDetector, ToneSynthesizer, ToneTranscriber, tones
from tests.support.nth_await import Saboteur
from tests.support.virtual_loop import VirtualClock, run_virtually

WORDS = ("yes", "no", "four", "two", "stop", "please", "mhm")
GRAPH = GraphPlan(
    "scripted",
    "ask",
    {
        "ask": Node(
            "ask", "static", "May I ask you something, {name}?", edges=(Edge("code", Affirmative()),)
        ),
        "code": Node(
            "code", "static", "Which number?", edges=(Edge("end", Number(digits=2), slots={"code": None}),)
        ),
        "end": Node("end", "static", "It is {code}. Goodbye."),
    },
)
CHAT = ChatPlan("fake", ChatSettings("m"), None, "You talk to {name}.")

_OBJECT = {"type": "object"}
TOOLS = {
    "look": HttpTool(ToolSpec("look", "", _OBJECT), "http://example.com", "GET", pre_call_message="I look."),
    "note": HttpTool(ToolSpec("note", "", _OBJECT), "http://example.com", "POST"),
    "end_call": EndCall(ToolSpec("end_call", "", _OBJECT)),
}

Person = Callable[[FakeLeg], Awaitable[None]]
APOLOGY = phrases_for("en").apology


class Watcher:
    def __init__(self) -> None:
        self.entries: list[LogEntry] = []
        self.turns: list[Turn] = []

    def log(self, entry: LogEntry) -> None:
        self.entries.append(entry)

    def turn(self, turn: Turn) -> None:
        self.turns.append(turn)


class CountingRecorder:
    frames = 0

    def write(self, heard: Any, spoken: Any) -> None:
        self.frames += 1


class Stage:
    """A conversation with everything around it."""

    def __init__(self, dialogue: GraphPlan | ChatPlan = GRAPH, **parts: Any) -> None:
        part = SpeechPart("fake")
        talk = parts.pop("talk", TalkSettings())
        tools = parts.pop("tools", {})
        self.plan = Plan("a", "b", parts.pop("welcome", ""), part, part, dialogue, talk, tools)
        self.transcriber = parts.pop("transcriber", ToneTranscriber(WORDS))
        self.synthesizer = parts.pop("synthesizer", ToneSynthesizer())
        self.chat = parts.pop("chat", None)
        self.runner = parts.pop("runner", None)
        self.switchboard = parts.pop("switchboard", None)
        self.leg = FakeLeg()
        self.recorder = CountingRecorder()
        self.variables: dict[str, Any] = {}
        self.lasted_s = 0.0
        self.live: Conversation | None = None
        """The conversation while it runs."""
        self.watcher = Watcher()
        self.detector = LoudnessDetector()
        assert not parts

    def conversation(self, ticker: Ticker, clock: VirtualClock) -> Conversation:
        return Conversation(
            self.leg,
            self.plan,
            {"name": "Ada", **self.variables},
            ticker=ticker,
            detector=self.detector,
            recorder=cast(Recorder, self.recorder),
            transcriber=self.transcriber,
            synthesizer=self.synthesizer,
            chat=self.chat,
            clock=clock,
            observer=self.watcher,
            today=date(2026, 11, 24),
            tools=self.runner,
            switchboard=self.switchboard,
        )

    async def play(
        self, person: Person, cancel_after: float | None = None, saboteur: Saboteur | None = None
    ) -> ConversationResult | None:
        """The result, None for a conversation that was cancelled; afterwards nothing of it may be left."""
        clock = VirtualClock()
        ticker = Ticker(clock)
        if saboteur is not None:
            saboteur.install()
        conversation = self.live = self.conversation(ticker, clock)
        ticking = asyncio.create_task(ticker.run())
        running = asyncio.create_task(conversation.run())
        acting = asyncio.create_task(_quietly(person(self.leg)))
        try:
            if cancel_after is not None:
                await asyncio.sleep(cancel_after)
                running.cancel()
            await asyncio.wait([running])
            self.lasted_s = clock.monotonic()
            return None if running.cancelled() else running.result()
        finally:
            assert self.detector.streams[0].closed, "the ear's stream is open"
            assert not conversation._alarms._handles, "alarms are left"
            ticks, frames = self.leg.position, self.recorder.frames
            await asyncio.sleep(0.2)
            assert (self.leg.position, self.recorder.frames) == (ticks, frames), "still ticks after the end"
            for task in (ticking, acting):
                task.cancel()
            await asyncio.wait([ticking, acting])

    def run(self, person: Person) -> ConversationResult:
        result = run_virtually(self.play(person))
        assert result is not None
        assert list(result.turns) == sorted(self.watcher.turns, key=lambda turn: turn.start_ms)
        return result


async def _quietly(work: Awaitable[None]) -> None:
    """The person's script ends where the call does."""
    try:
        await work
    except TimeoutError:
        pass


def say(*words: str) -> np.ndarray[Any, np.dtype[np.int16]]:
    return tones(*words, vocabulary=WORDS)


async def answers(leg: FakeLeg) -> None:
    await leg.left_alone()
    leg.say(say("yes", "please"))
    await leg.spoken_to()
    await leg.left_alone()
    leg.say(say("four", "two"))


async def nothing(leg: FakeLeg) -> None: ...
