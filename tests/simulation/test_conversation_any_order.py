"""Events in any order, also in such as no call ever sees: the core does not raise, and the call can still end."""

from __future__ import annotations

import os
import random

import pytest

from ringback.agents.chat import ToolCall
from ringback.agents.tools import ToolResult
from ringback.conversation import actions, events
from ringback.conversation.actions import Action
from ringback.conversation.core.core import ConversationCore
from ringback.conversation.events import Event, Timer
from ringback.media.tones import Tone, ToneKind
from tests.support.simulated_agents import AnyDialogue, make_plan

CALLS = int(os.environ.get("RINGBACK_CALLS", "100000")) // 20
TEXTS = ("", "stop", "mhm", "I would like to", "It is on Monday.", "four two", "Leave a message.", "hello?")


class Chaos:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.core = ConversationCore(make_plan(self.chance), AnyDialogue(self.chance), {"name": "Ada"})
        self.now = 0.0
        self._numbers = [1]
        """Of requests, replies, runs and utterances: any may be mistaken for another."""

    def give(self, event: Event) -> list[Action]:
        wanted = self.core.handle(event, self.now)
        for action in wanted:
            for name in ("request", "reply", "run", "utterance"):
                self._numbers += [getattr(action, name)] if hasattr(action, name) else []
        return wanted

    def anything(self) -> Event:
        chance = self.chance
        number = chance.choice(self._numbers[-6:])
        at = self.now - chance.choice([0.0, 0.1, 0.3])
        ends: list[Event] = [events.AudioFailed("No."), events.LegEnded()]
        choices: list[Event] = [
            events.Answered(),
            events.SpeechStarted(at),
            events.SpeechStarted(at),
            events.SpeechStopped(at),
            events.SpeechStopped(at),
            events.SoundHeard(),
            events.Transcribed(number, chance.choice(TEXTS)),
            events.Transcribed(number, chance.choice(TEXTS)),
            events.TranscriptionFailed(number, "No."),
            events.Overheard(number, chance.choice(TEXTS)),
            events.ToneHeard(Tone(chance.choice(list(ToneKind)), 1000, 300)),
            events.ReplyText(number, chance.choice(["", "Yes. ", "and ", "so. "])),
            events.ReplyDone(number, (ToolCall("c", "look", {}),) if chance.random() < 0.3 else ()),
            events.ReplyFailed(number, "No."),
            events.ToolDone(number, ToolResult("x")),
            events.TransferAnswered(number),
            events.TransferAnswered(number),
            events.TransferOver(number),
            events.Injected("paid", {}),
            events.AudioReady(number),
            events.UtteranceStarted(number),
            events.UtteranceStarted(number),
            events.UtteranceFinished(number),
            events.UtteranceFinished(number),
            events.UtteranceFailed(number, "No."),
            events.VoicePaused(chance.choice([None, 0, 500, 5000])),
            events.VoiceFlushed(chance.choice([None, number]), chance.choice([0, 300]), 900),
            events.Digit(chance.choice("5#")),
            events.Digit("7"),
            events.Held(),
            events.Resumed(),
            *(events.TimerFired(timer) for timer in Timer),
            *(ends if chance.random() < 0.1 else ()),
        ]
        return chance.choice(choices)

    def run(self) -> None:
        if self.chance.random() < 0.9:
            self.give(events.Answered())
        for _ in range(self.chance.choice([5, 20, 60])):
            self.now += self.chance.choice([0.0, 0.0, 0.1, 0.5, 3.0])
            self.give(self.anything())
        self.end()

    def end(self) -> None:
        wanted = self.give(events.LegEnded())
        wanted += self.give(events.VoiceFlushed())
        for action in wanted:
            if isinstance(action, actions.Transcribe):
                self.give(events.Transcribed(action.request, "bye"))
        for number in set(self._numbers):
            self.give(events.Transcribed(number, "bye"))
        assert self.core.over, "the call does not end"
        assert not self.core._timers._due, "timers are left"


def test_events_in_any_order() -> None:
    for seed in range(CALLS):
        try:
            Chaos(seed).run()
        except Exception as error:
            pytest.fail(f"seed {seed}: {type(error).__name__}: {error}")
