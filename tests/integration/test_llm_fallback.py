"""A language model that stands in for another: two real HTTP servers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

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
    ChatUnavailable,
    ChatUsage,
    ToolCall,
    ToolSpec,
)
from ringback.llm.fallback import FallbackChat
from ringback.llm.openai_compatible import OpenAICompatible
from tests.support.chat_server import Answer, ChatServer, call, chat_server, events, refusal, stream
from tests.support.virtual_loop import run_virtually

ASK = Ask(
    (ChatMessage("user", "Hello?"),),
    ChatSettings("big", extra={"reasoning_effort": "low", "stop": ["#"]}),
    tools=(ToolSpec("bye", "End.", {"type": "object"}),),
)
GOOD = Answer(events("Hi.", usage=(3, 1)))
FROM_SECOND = [ChatText("Hi."), ChatUsage(3, 1, "two", "small")]


def both(first: ChatServer, second: ChatServer) -> FallbackChat:
    return FallbackChat(
        OpenAICompatible("one", first.url, None, first_token_timeout_s=0.5),
        OpenAICompatible("two", second.url, None),
        "small",
    )


BEFORE_TEXT = {
    "refused": refusal(401, "no"),
    "busy": refusal(503, "starting"),
    "silent": Answer([30.0]),
    "gone": Answer(silent=True),
    "broken off": Answer(events(finish=False)),
    "broken in a call": Answer(stream(call(0, "c", "bye", "{"), finish=None), breaks=True),
    "broken arguments": Answer(stream(call(0, "c", "bye", "{"), finish="tool_calls")),
    "broken in its thoughts": Answer(stream({"reasoning": "Hm."}, finish=None), breaks=True),
}


@pytest.mark.parametrize("failure", BEFORE_TEXT)
async def test_the_second_answers_where_the_first_failed_before_any_text(failure: str) -> None:
    async with chat_server(BEFORE_TEXT[failure]) as first, chat_server(GOOD) as second:
        pieces = [piece async for piece in both(first, second).stream(ASK)]
        assert not [piece for piece in pieces if isinstance(piece, ToolCall)]
        notice = next(piece for piece in pieces if isinstance(piece, ChatFallback))
        assert notice.message.startswith("The language model one (big) ")
        assert notice.message.endswith(" two (small) answers instead.")
        assert (notice.provider, notice.model) == ("two", "small")
        assert [p for p in pieces if not isinstance(p, ChatFallback | ChatReasoning)] == FROM_SECOND
        assert len(second.requests) == 1
        assert second.requests[0]["model"] == "small"
        assert second.requests[0]["stop"] == ["#"]
        assert "reasoning_effort" not in second.requests[0]


async def test_nobody_takes_over_in_the_middle_of_a_text() -> None:
    half = Answer(events("One ", finish=False), breaks=True)
    async with chat_server(half) as first, chat_server(GOOD) as second:
        pieces = both(first, second).stream(ASK)
        assert await anext(pieces) == ChatText("One ")
        with pytest.raises(ChatError, match=r"one \(big\)"):
            await anext(pieces)
        assert second.requests == []


async def test_the_second_is_left_alone_where_the_first_answers() -> None:
    async with chat_server(GOOD) as first, chat_server(GOOD) as second:
        pieces = [piece async for piece in both(first, second).stream(ASK)]
        assert pieces == [ChatText("Hi."), ChatUsage(3, 1, "one", "big")]
        assert second.requests == []


async def test_both_fail() -> None:
    async with chat_server(refusal(401, "no")) as first, chat_server(refusal(404, "who?")) as second:
        with pytest.raises(ChatError) as raised:
            await _text(both(first, second))
    assert "one (big) refused the API key" in str(raised.value)
    assert "two (small) answered HTTP 404" in str(raised.value)


class Fake:
    """A model that fails while it has `failures` left."""

    def __init__(self, provider: str, failures: list[ChatError]) -> None:
        self.provider = provider
        self.asked = 0
        self._failures = failures

    async def stream(self, ask: Ask) -> AsyncIterator[ChatPiece]:
        self.asked += 1
        if self._failures:
            raise self._failures.pop(0)
        yield ChatText(f"{self.provider} as {ask.settings.model}")


async def _text(chat: FallbackChat) -> str:
    return "".join([p.text async for p in chat.stream(ASK) if isinstance(p, ChatText)])


def test_a_model_that_was_not_there_is_not_asked_first_for_a_while() -> None:
    async def calls() -> None:
        first, second = Fake("one", [ChatUnavailable("gone.")]), Fake("two", [])
        chat = FallbackChat(first, second, "small")
        assert await _text(chat) == "two as small"
        await asyncio.sleep(29)
        assert await _text(chat) == "two as small"
        assert first.asked == 1
        await asyncio.sleep(2)
        assert await _text(chat) == "one as big"

    run_virtually(calls())


def test_while_it_rests_it_still_stands_in_for_the_other() -> None:
    async def calls() -> None:
        first, second = Fake("one", [ChatUnavailable("gone.")]), Fake("two", [])
        chat = FallbackChat(first, second, "small")
        await _text(chat)
        second._failures.append(ChatUnavailable("gone too."))
        assert await _text(chat) == "one as big"

    run_virtually(calls())


def test_a_refusal_gives_no_rest() -> None:
    async def calls() -> None:
        first, second = Fake("one", [ChatError("no.")]), Fake("two", [])
        chat = FallbackChat(first, second, "small")
        assert await _text(chat) == "two as small"
        assert await _text(chat) == "one as big"

    run_virtually(calls())


def test_other_settings_stay() -> None:
    async def calls() -> None:
        seen: list[Ask] = []

        class Seeing(Fake):
            async def stream(self, ask: Ask) -> AsyncIterator[ChatPiece]:
                seen.append(ask)
                yield ChatText("Hi.")

        chat = FallbackChat(Fake("one", [ChatError("no.")]), Seeing("two", []), "small")
        await _text(chat)
        assert seen == [replace(ASK, settings=ChatSettings("small", extra={"stop": ["#"]}))]

    run_virtually(calls())
