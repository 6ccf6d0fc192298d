"""What a language model is paid for, also where its answer does not come to an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from ringback.agents.chat import (
    Ask,
    ChatError,
    ChatFallback,
    ChatMessage,
    ChatPiece,
    ChatReasoning,
    ChatSettings,
    ChatText,
    ChatUsage,
)
from ringback.agents.tokens import estimated_usage
from ringback.conversation.meter import Meter
from ringback.conversation.requests import Answers
from ringback.conversation.result import Usage
from ringback.conversation.tasks import Tasks
from tests.support.virtual_loop import VirtualClock, run_virtually

ASK = Ask((ChatMessage("user", "x" * 80),), ChatSettings("big"))
FALLBACK = ChatFallback("one failed, two answers", "two", "small")


class Model:
    """Says its pieces, a second apart; an error ends it."""

    provider = "one"

    def __init__(self, pieces: Sequence[ChatPiece | ChatError]) -> None:
        self._pieces = pieces

    async def stream(self, ask: Ask) -> AsyncIterator[ChatPiece]:
        for piece in self._pieces:
            await asyncio.sleep(1)
            if isinstance(piece, ChatError):
                raise piece
            yield piece


def paid(pieces: Sequence[ChatPiece | ChatError], cancelled_after: float | None = None) -> list[Usage]:
    async def call() -> list[Usage]:
        tasks, meter = Tasks("call"), Meter(VirtualClock())
        answers = Answers(Model(pieces), tasks, lambda event: None, lambda entry: None, meter)
        answers.start(1, ASK)
        await asyncio.sleep(100 if cancelled_after is None else cancelled_after)
        answers.cancel(1)
        await asyncio.sleep(0)
        return meter.lines((), 0.0)

    return run_virtually(call())


def lines(provider: str, model: str, given: int, taken: int, detail: str) -> list[Usage]:
    found = [
        Usage("llm", provider, model, "input_tokens", given, detail),
        Usage("llm", provider, model, "output_tokens", taken, detail),
    ]
    return [line for line in found if line.quantity]


@pytest.mark.parametrize(
    ("pieces", "cancelled_after", "expected"),
    [
        ([ChatText("Hi."), ChatUsage(7, 2)], None, lines("one", "big", 7, 2, "")),
        ([ChatText("Hi."), ChatUsage(7, 2, "x", "y")], None, lines("x", "y", 7, 2, "")),
        ([FALLBACK, ChatText("Hi."), ChatUsage(7, 2, "two", "small")], None, lines("two", "small", 7, 2, "")),
        ([ChatText("y" * 40), ChatText("no")], 1.5, lines("one", "big", 24, 10, "estimated")),
        ([ChatReasoning("y" * 40), ChatText("no")], 1.5, lines("one", "big", 24, 10, "estimated")),
        ([ChatText("y")], 0.5, lines("one", "big", 24, 0, "estimated")),
        ([FALLBACK, ChatText("y" * 40), ChatText("no")], 2.5, lines("two", "small", 24, 10, "estimated")),
        ([ChatText("y" * 40), ChatError("broke off.")], None, lines("one", "big", 24, 10, "estimated")),
        ([ChatError("refused.")], None, []),
    ],
)
def test_paid(
    pieces: list[ChatPiece | ChatError], cancelled_after: float | None, expected: list[Usage]
) -> None:
    assert estimated_usage(ASK, "y" * 40).output_tokens == 10
    assert paid(pieces, cancelled_after) == expected


def test_counted_and_estimated_tokens_are_lines_of_their_own() -> None:
    counted = ChatUsage(7, 2)
    guessed = ChatUsage(5, 1, estimated=True)
    assert paid([counted, guessed, counted]) == [
        *lines("one", "big", 14, 4, ""),
        *lines("one", "big", 5, 1, "estimated"),
    ]
