"""The OpenAI-compatible language model against a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest

from ringback.agents.chat import Ask, ChatError, ChatMessage, ChatSettings, ChatText, ChatUsage
from ringback.llm.openai_compatible import OpenAICompatible
from tests.support.chat_server import Answer, chat_server, events, refusal

KEY = "sk-very-secret-key"
ASK = Ask(
    (ChatMessage("system", "Be brief."), ChatMessage("user", "Grüezi!")),
    ChatSettings("tiny", max_tokens=50, temperature=0.2, top_p=0.8, extra={"seed": 7}),
)


def model(url: str, first: float = 5.0, total: float = 10.0) -> OpenAICompatible:
    return OpenAICompatible("local", url, KEY, first_token_timeout_s=first, total_timeout_s=total)


async def ask(chat: OpenAICompatible, into: list[str] | None = None) -> tuple[str, ChatUsage | None]:
    said: list[str] = [] if into is None else into
    usage = None
    async for piece in chat.stream(ASK):
        if isinstance(piece, ChatText):
            said.append(piece.text)
        else:
            usage = piece
    await chat.close()
    return "".join(said), usage


async def test_streams_text_then_usage() -> None:
    async with chat_server(Answer(events("Hel", "lo, ", "Ada.", usage=(12, 3)))) as server:
        said: list[str] = []
        text, usage = await ask(model(server.url), said)
        assert said == ["Hel", "lo, ", "Ada."]
        assert (text, usage) == ("Hello, Ada.", ChatUsage(12, 3))
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
    stream = events("First.", "Second.")
    async with chat_server(Answer([*stream[:2], 30.0, *stream[2:]])) as server:
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
        assert await ask(model(server.url)) == ("Grüße, 日本!", ChatUsage(1, 2))


async def test_many_events_in_one_chunk() -> None:
    async with chat_server(Answer([b"".join(events("a", "b", "c"))])) as server:
        assert await ask(model(server.url)) == ("abc", None)


async def test_a_server_that_does_not_know_stream_options() -> None:
    no = refusal(400, "Unknown parameter: stream_options")
    async with chat_server(no, Answer(events("Hi."))) as server:
        chat = model(server.url)
        assert await ask(chat) == ("Hi.", None)
        assert ["stream_options" in request for request in server.requests] == [True, False]


async def test_connections_are_reused() -> None:
    async with chat_server(Answer(events("Hi."))) as server:
        chat = model(server.url)
        for _ in range(3):
            assert [piece async for piece in chat.stream(ASK)] == [ChatText("Hi.")]
        assert server.connections == 1
        await chat.close()


async def test_one_retry_after_a_server_error() -> None:
    async with chat_server(refusal(500, "out of order"), Answer(events("Hi."))) as server:
        assert await ask(model(server.url)) == ("Hi.", None)
        assert len(server.requests) == 2


FAILURES = {
    "401": (refusal(401, f"Incorrect API key provided: {KEY}"), r"refused the API key \(HTTP 401\)"),
    "403": (refusal(403, "no"), r"refused the API key \(HTTP 403\)"),
    "429": (refusal(429, "slow down"), r"rate limit or quota \(HTTP 429\)"),
    "404": (refusal(404, f"no model tiny\nfor {KEY}"), r"HTTP 404: .*no model tiny"),
    "500": (refusal(500, "out of order"), "HTTP 500: .*out of order"),
    "no text": (Answer([b"<html>", b"hello"], 500, "text/html"), "HTTP 500"),
    "silence": (Answer([30.0]), r"did not begin to reply within 0.5 s"),
    "only a role": (Answer([events()[0], 30.0]), "did not begin to reply within 0.5 s"),
    "stops": (Answer([*events("One ")[:2], 30.0]), "did not finish its reply within 1 s"),
    "broken": (Answer(events("One ", finish=False), breaks=True), "broke the connection|broke off"),
    "ends early": (Answer(events("One ", finish=False)), "broke off"),
    "empty": (Answer([]), "broke off"),
    "error event": (Answer([b'data: {"error": {"message": "overloaded"}}\n\n']), "failed: overloaded"),
    "no JSON": (Answer([b"data: {nonsense\n\n"]), "cannot be read"),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_failures_are_one_clear_sentence(failure: str, caplog: pytest.LogCaptureFixture) -> None:
    answer, expected = FAILURES[failure]
    caplog.set_level(logging.DEBUG)
    async with chat_server(answer) as server, asyncio.timeout(10):
        with pytest.raises(ChatError) as raised:
            await ask(model(server.url, first=0.5 if "begin" in expected else 5.0, total=1.0))
    message = str(raised.value)
    assert message.startswith("The language model local (tiny) ")
    assert re.search(expected, message), message
    assert "\n" not in message
    assert KEY not in message
    assert KEY not in caplog.text


async def test_nobody_listens() -> None:
    async with chat_server(Answer([])) as server:
        url = server.url
    with pytest.raises(ChatError, match="cannot be reached"):
        await ask(model(url))
