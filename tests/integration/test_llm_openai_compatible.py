"""The OpenAI-compatible language model against a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import replace

import pytest

from ringback.agents.chat import (
    Ask,
    ChatError,
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
from ringback.llm.openai_compatible import OpenAICompatible
from tests.support.chat_server import Answer, call, chat_server, events, refusal, stream

KEY = "sk-very-secret-key"
SCHEMA = {"type": "object", "properties": {"day": {"type": "string"}}}
ASK = Ask(
    (ChatMessage("system", "Be brief."), ChatMessage("user", "Grüezi!")),
    ChatSettings("tiny", max_tokens=50, temperature=0.2, top_p=0.8, extra={"seed": 7}),
)
WITH_TOOLS = replace(ASK, tools=(ToolSpec("slots", "Free times.", SCHEMA), ToolSpec("bye", "End.", SCHEMA)))


def model(url: str, first: float = 5.0, total: float = 10.0) -> OpenAICompatible:
    return OpenAICompatible("local", url, KEY, first_token_timeout_s=first, total_timeout_s=total)


async def answer(
    chat: OpenAICompatible, ask: Ask = ASK, into: list[ChatPiece] | None = None
) -> list[ChatPiece]:
    pieces: list[ChatPiece] = [] if into is None else into
    try:
        async for piece in chat.stream(ask):
            pieces.append(piece)
    finally:
        await chat.close()
    return pieces


async def said(chat: OpenAICompatible, ask: Ask = ASK) -> str:
    return "".join(piece.text for piece in await answer(chat, ask) if isinstance(piece, ChatText))


def usage(input_tokens: int, output_tokens: int) -> ChatUsage:
    return ChatUsage(input_tokens, output_tokens, "local", "tiny")


async def test_streams_text_then_usage() -> None:
    async with chat_server(Answer(events("Hel", "lo, ", "Ada.", usage=(12, 3)))) as server:
        assert await answer(model(server.url)) == [
            ChatText("Hel"),
            ChatText("lo, "),
            ChatText("Ada."),
            usage(12, 3),
        ]
        assert server.requests[0] == {
            "model": "tiny",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Grüezi!"},
            ],
            "max_tokens": 50,
            "temperature": 0.2,
            "top_p": 0.8,
            "seed": 7,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        assert server.headers[0]["authorization"] == f"Bearer {KEY}"


async def test_text_arrives_while_the_reply_goes_on() -> None:
    chunks = events("First.", "Second.")
    async with chat_server(Answer([*chunks[:2], 30.0, *chunks[2:]])) as server:
        pieces = model(server.url).stream(ASK)
        async with asyncio.timeout(5):
            assert await anext(pieces) == ChatText("First.")
            await pieces.aclose()  # type: ignore[attr-defined]
            await server.disconnected.wait()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
async def test_chunk_boundaries_anywhere(size: int) -> None:
    whole = b"".join(events("Grü", "ße, 日本", "!", usage=(1, 2)))
    cut = [whole[start : start + size] for start in range(0, len(whole), size)]
    async with chat_server(Answer(cut)) as server:
        pieces = await answer(model(server.url))
        assert pieces == [ChatText("Grü"), ChatText("ße, 日本"), ChatText("!"), usage(1, 2)]


async def test_many_events_in_one_chunk() -> None:
    async with chat_server(Answer([b"".join(events("a", "b", "c"))])) as server:
        assert await said(model(server.url)) == "abc"


async def test_usage_is_estimated_where_the_server_does_not_count() -> None:
    async with chat_server(Answer(events("Hello, Ada, how are you?"))) as server:
        # 9 and 8 bytes asked in two messages, 24 bytes answered.
        assert (await answer(model(server.url)))[-1] == ChatUsage(
            13, 6, provider="local", model="tiny", estimated=True
        )


async def test_a_server_that_does_not_know_stream_options() -> None:
    no = refusal(400, "Unknown parameter: stream_options")
    async with chat_server(no, Answer(events("Hi."))) as server:
        assert await said(model(server.url)) == "Hi."
        assert ["stream_options" in request for request in server.requests] == [True, False]


async def test_connections_are_reused() -> None:
    async with chat_server(Answer(events("Hi.", usage=(1, 1)))) as server:
        chat = model(server.url)
        for _ in range(20):
            assert [piece async for piece in chat.stream(ASK)] == [ChatText("Hi."), usage(1, 1)]
        assert (len(server.requests), server.connections) == (20, 1)
        await chat.close()


async def test_a_connection_that_the_server_has_closed_is_no_failure() -> None:
    async with chat_server(Answer(events("Hi.", usage=(1, 1)), closes=True)) as server:
        chat = model(server.url)
        for _ in range(5):
            assert [piece async for piece in chat.stream(ASK)] == [ChatText("Hi."), usage(1, 1)]
        assert (len(server.requests), server.connections) == (5, 5)
        await chat.close()


async def test_reasoning_is_apart_from_the_text() -> None:
    deltas = ({"reasoning_content": "Hm. "}, {"reasoning": "Well."}, {"content": "Yes."})
    async with chat_server(Answer(stream(*deltas, usage=(1, 9)))) as server:
        assert await answer(model(server.url)) == [
            ChatReasoning("Hm. "),
            ChatReasoning("Well."),
            ChatText("Yes."),
            usage(1, 9),
        ]


async def test_models_that_think_first_get_their_own_parameters() -> None:
    settings = ChatSettings("openai/gpt-5-mini", temperature=1.0, extra={"reasoning_effort": "low"})
    async with chat_server(Answer(events("Hi."))) as server:
        await answer(model(server.url), replace(ASK, settings=settings))
        sent = server.requests[0]
    assert (sent["max_completion_tokens"], sent["reasoning_effort"]) == (100, "low")
    assert not {"max_tokens", "temperature", "top_p"} & set(sent)


# Functions

CALLS = {
    "in pieces": [
        call(0, "c1", "slots", ""),
        call(0, None, None, '{"day": "Mo'),
        call(0, None, None, 'nday"}'),
        call(1, "c2", "bye", ""),
    ],
    "interleaved": [
        call(0, "c1", "slots", '{"day": '),
        call(1, "c2", "bye", "{"),
        call(0, None, None, '"Monday"}'),
        call(1, None, None, "}"),
    ],
    "whole, every index 0": [call(0, "c1", "slots", '{"day": "Monday"}'), call(0, "c2", "bye", "{}")],
    "id and name repeated": [
        call(0, "c1", "slots", '{"day": '),
        call(0, "c1", "slots", '"Monday"}'),
        call(1, "c2", "bye", "{}"),
    ],
}


@pytest.mark.parametrize("way", CALLS)
async def test_calls_are_put_together(way: str) -> None:
    deltas = [{"content": "One moment."}, *CALLS[way]]
    async with chat_server(Answer(stream(*deltas, finish="tool_calls", usage=(5, 5)))) as server:
        assert await answer(model(server.url), WITH_TOOLS) == [
            ChatText("One moment."),
            ToolCall("c1", "slots", {"day": "Monday"}),
            ToolCall("c2", "bye", {}),
            usage(5, 5),
        ]
        assert server.requests[0]["tools"][0] == {
            "type": "function",
            "function": {"name": "slots", "description": "Free times.", "parameters": SCHEMA},
        }
        assert "tool_choice" not in server.requests[0]


async def test_calls_without_ids_get_some() -> None:
    deltas = [call(0, None, "slots", "{}"), call(1, None, "bye", "{}"), call(2, "x", "bye", "{}")]
    deltas.append(call(3, "x", "bye", "{}"))
    async with chat_server(Answer(stream(*deltas, finish="tool_calls"))) as server:
        pieces = await answer(model(server.url), WITH_TOOLS)
    ids = [piece.id for piece in pieces if isinstance(piece, ToolCall)]
    assert len(set(ids)) == 4
    assert all(ids)


async def test_calls_and_their_results_go_back() -> None:
    history = (
        *ASK.messages,
        ChatMessage("assistant", "", (ToolCall("c1", "slots", {"day": "Müntag"}),)),
        ChatMessage("tool", "None.", call_id="c1"),
    )
    async with chat_server(Answer(events("Hi."))) as server:
        await answer(model(server.url), replace(WITH_TOOLS, messages=history, must_call=True))
        sent = server.requests[0]
    assert sent["tool_choice"] == "required"
    assert sent["messages"][2:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "slots", "arguments": '{"day": "Müntag"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "None."},
    ]


@pytest.mark.parametrize("arguments", ['{"day": ', "[1]", '"Monday"', "null"])
async def test_broken_arguments_are_asked_for_once_more(arguments: str) -> None:
    broken = Answer(stream(call(0, "c1", "slots", arguments), finish="tool_calls"))
    good = Answer(stream(call(0, "c2", "slots", "{}"), finish="tool_calls", usage=(1, 1)))
    async with chat_server(broken, good) as server:
        pieces = await answer(model(server.url), WITH_TOOLS)
        assert pieces == [ToolCall("c2", "slots", {}), usage(1, 1)]
    async with chat_server(broken) as server:
        with pytest.raises(ChatError, match='arguments of the function "slots" that are not a JSON object'):
            await answer(model(server.url), WITH_TOOLS)
        assert len(server.requests) == 2


# What goes wrong

PASSING = {
    "500": refusal(500, "out of order"),
    "503": refusal(503, "starting"),
    "429": refusal(429, "slow down"),
    "429 for a moment": refusal(429, "slow down", Retry_After="0.1"),
    "408": refusal(408, "too late"),
    "409": refusal(409, "conflict"),
    "not a byte": Answer(silent=True),
    "ends before the text": Answer(events(finish=False)),
    "breaks before the text": Answer(events(finish=False), breaks=True),
    "error event": Answer([b'data: {"error": {"message": "overloaded"}}\n\n']),
    "nonsense": Answer([b"data: {nonsense\n\n"]),
}


@pytest.mark.parametrize("failure", PASSING)
async def test_one_retry_where_it_may_help(failure: str) -> None:
    async with chat_server(PASSING[failure], Answer(events("Hi."))) as server:
        assert await said(model(server.url)) == "Hi."
        assert len(server.requests) == 2
    async with chat_server(PASSING[failure]) as server:
        with pytest.raises(ChatError):
            await said(model(server.url))
        assert len(server.requests) == 2


LASTING = {
    "400": refusal(400, "bad"),
    "401": refusal(401, "no"),
    "404": refusal(404, "no such model"),
    "429 for longer than anybody waits": refusal(429, "slow down", Retry_After="20"),
    "503 until some day": refusal(503, "closed", Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"),
    "after a text": Answer(events("One ", finish=False), breaks=True),
    "after a thought": Answer(stream({"reasoning": "Hm."}, finish=None), breaks=True),
}


@pytest.mark.parametrize("failure", LASTING)
async def test_no_retry_where_it_cannot_help(failure: str) -> None:
    async with chat_server(LASTING[failure], Answer(events("Hi."))) as server:
        with pytest.raises(ChatError):
            await said(model(server.url))
        assert len(server.requests) == 1


async def test_the_retry_has_what_is_left_of_the_time() -> None:
    slow = Answer([0.3, *events("Hi.")])
    async with chat_server(refusal(500, "out of order"), slow) as server:
        with pytest.raises(ChatUnavailable, match=r"did not begin to reply within 0\.5 s"):
            await said(model(server.url, first=0.5))
        assert len(server.requests) == 2


FAILURES: dict[str, tuple[Answer, str, bool]] = {
    "401": (refusal(401, f"Incorrect API key provided: {KEY}"), r"refused the API key \(HTTP 401\)", False),
    "403": (refusal(403, "no"), r"refused the API key \(HTTP 403\)", False),
    "429": (refusal(429, "slow down"), r"rate limit or quota \(HTTP 429\)", True),
    "404": (refusal(404, f"no model tiny\nfor {KEY}"), r"HTTP 404: .*no model tiny", False),
    "500": (refusal(500, "out of order"), "HTTP 500: .*out of order", True),
    "no text": (Answer([b"<html>", b"hello"], 500, "text/html"), "HTTP 500", True),
    "silence": (Answer([30.0]), r"did not begin to reply within 0.5 s", True),
    "only a role": (Answer([events()[0], 30.0]), "did not begin to reply within 0.5 s", True),
    "stops": (Answer([*events("One ")[:2], 30.0]), "did not finish its reply within 1 s", True),
    "stops in a call": (
        Answer([*stream(call(0, "c", "slots", "{"))[:2], 30.0]),
        "did not finish its reply within 1 s",
        True,
    ),
    "broken": (Answer(events("One ", finish=False), breaks=True), "broke the connection|broke off", True),
    "ends early": (Answer(events("One ", finish=False)), "broke off", True),
    "empty": (Answer([]), "broke off", True),
    "error event": (Answer([b'data: {"error": {"message": "overloaded"}}\n\n']), "failed: overloaded", True),
    "no JSON": (Answer([b"data: {nonsense\n\n"]), "cannot be read", False),
    "only thoughts": (
        Answer(stream({"reasoning": "Hm"}, finish="length")),
        "limit of 50 tokens .* before it said anything",
        False,
    ),
    "cut in a call": (
        Answer(stream(call(0, "c", "slots", "{"), finish="length")),
        "limit of 50 tokens .* within the arguments",
        False,
    ),
    "filtered": (Answer(stream(finish="content_filter")), "withheld its reply", False),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_failures_are_one_clear_sentence(failure: str, caplog: pytest.LogCaptureFixture) -> None:
    wrong, expected, unavailable = FAILURES[failure]
    caplog.set_level(logging.DEBUG)
    async with chat_server(wrong) as server, asyncio.timeout(10):
        with pytest.raises(ChatError) as raised:
            await said(model(server.url, first=0.5 if "begin" in expected else 5.0, total=1.0))
    message = str(raised.value)
    assert message.startswith("The language model local (tiny) ")
    assert re.search(expected, message), message
    assert isinstance(raised.value, ChatUnavailable) is unavailable
    assert "\n" not in message
    assert KEY not in message
    assert KEY not in caplog.text


async def test_nobody_listens() -> None:
    async with chat_server(Answer([])) as server:
        url = server.url
    with pytest.raises(ChatUnavailable, match="cannot be reached"):
        await said(model(url))
