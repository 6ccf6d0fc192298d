"""The providers of simulated calls: what they answer, and after how many seconds."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from ringback.agents.chat import Ask, ToolCall
from ringback.agents.tools import ToolResult
from ringback.conversation import events
from ringback.conversation.events import Event
from tests.support.simulated_agents import CALLABLE, TEXTS

Answers = Iterator[tuple[float, Event]]


class SimulatedProviders:
    """Each answer is a series of delays and events; every delay counts from the one before."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._troubled = chance.random() < 0.15
        self._calls = 0

    def transcription(self, request: int, words: Sequence[str]) -> Answers:
        chance = self._chance
        delay = chance.choice([0.05, 0.15, 0.25, 0.8]) if chance.random() < 0.98 else chance.uniform(1.0, 9.0)
        if self._fails(0.01):
            yield delay, events.TranscriptionFailed(request, "The transcriber failed.")
        else:
            marks = chance.choice(["", "", ".", "?", ",", " um", "..."]) if words else ""
            rises = not words and chance.random() < 0.3
            yield delay, events.Transcribed(request, " ".join(words) + marks, rises=rises)

    def overhearing(self, request: int, words: Sequence[str]) -> Answers:
        delay = self._chance.choice([0.05, 0.25, 0.8])
        yield delay, events.Overheard(request, "" if self._fails(0.05) else " ".join(words))

    def reply(self, reply: int, ask: Ask) -> Answers:
        chance = self._chance
        delay = chance.uniform(0.05, 1.0) if chance.random() < 0.9 else chance.uniform(1.0, 8.0)
        for token in self._text(ask).split():
            yield delay, events.ReplyText(reply, token + " ")
            delay = chance.choice([0.0, 0.01, 0.1])
            if self._fails(0.002):
                yield delay, events.ReplyFailed(reply, "The language model broke off.")
                return
        if self._fails(0.02):
            yield delay, events.ReplyFailed(reply, "The language model failed.")
        else:
            yield delay, events.ReplyDone(reply, self._function_calls(ask))

    def function(self, run: int, call: ToolCall) -> Answers:
        chance = self._chance
        delay = chance.choice([0.02, 0.3, 0.3, 2.0]) if chance.random() < 0.8 else chance.uniform(2.0, 20.0)
        failed = self._fails(0.1)
        yield delay, events.ToolDone(run, ToolResult("It failed." if failed else call.name, failed))

    def transfer(self, run: int, blind: bool) -> Answers:
        """Until the one who takes the call is there, or the network has moved it; or until it has failed."""
        chance = self._chance
        delay = chance.choice([0.02, 1.0, 6.0]) if chance.random() < 0.8 else chance.uniform(6.0, 30.0)
        if chance.random() < 0.4:
            yield delay, events.ToolDone(run, ToolResult("Nobody answered.", failed=True))
        else:
            yield delay, events.TransferOver(run) if blind else events.TransferAnswered(run)

    def bridge(self, run: int) -> Answers:
        chance = self._chance
        if chance.random() < 0.3:
            yield chance.uniform(0.0, 3.0), events.ToolDone(run, ToolResult("They hung up.", failed=True))
        else:
            yield chance.choice([3.0, 10.0, 200.0]), events.TransferOver(run)

    def _text(self, ask: Ask) -> str:
        if ask.messages[0].content.startswith(("You watch", "Is it over")):
            return self._chance.choice(["no", "No.", "no", '"yes"', "maybe", ""])
        return "" if self._chance.random() < 0.06 else self._chance.choice(TEXTS)

    def _function_calls(self, ask: Ask) -> tuple[ToolCall, ...]:
        chance = self._chance
        if not ask.tools or chance.random() < (0.1 if ask.must_call else 0.6):
            return ()
        if not ask.spoken and chance.random() < 0.9:
            self._calls += 1
            return (ToolCall(f"m{self._calls}", chance.choice(ask.tools).name, {}),)
        names = chance.choices(CALLABLE, k=chance.choice([1, 1, 2, 3]))
        if chance.random() < 0.15:
            names.append("end_call")
        self._calls += len(names)
        return tuple(ToolCall(f"m{place}", name, {}) for place, name in enumerate(names, self._calls))

    def _fails(self, share: float) -> bool:
        return self._chance.random() < (5 * share if self._troubled else share)


def check_question(ask: Ask) -> None:
    """Language models refuse a question in which a function that they called has no result."""
    called = [call.id for message in ask.messages for call in message.calls]
    told = [message.call_id for message in ask.messages if message.role == "tool"]
    assert called == told, f"called {called}, told of {told}"
