"""Questions whose answer is JSON of a schema, against a real HTTP server on loopback."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ringback.agents.answer_schema import asked
from ringback.agents.chat import ChatSettings, ChatUsage
from ringback.llm.openai_compatible import OpenAICompatible
from ringback.llm.structured import MAX_ANSWER, MAX_QUESTION, Answer, Model, ask
from tests.support.chat_server import Answer as Reply
from tests.support.chat_server import ChatServer, chat_server, events, refusal, stream

SCHEMA = asked({"type": "object", "properties": {"age": {"type": "integer"}, "name": {"type": "string"}}})
GOOD = {"age": 42, "name": "Ada"}


def reply(value: Any, usage: tuple[int, int] | None = (10, 5)) -> Reply:
    text = value if isinstance(value, str) else json.dumps(value)
    return Reply(events(text[:3], text[3:], usage=usage))


@asynccontextmanager
async def asking(
    *replies: Reply, first_s: float = 5.0, total_s: float = 10.0, **more: Any
) -> AsyncIterator[tuple[ChatServer, Callable[..., Any]]]:
    async with chat_server(*replies) as server:
        chat = OpenAICompatible(
            "local", server.url, "sk-secret", first_token_timeout_s=first_s, total_timeout_s=total_s
        )

        async def question(data: str = "She said she is 42.", **keys: Any) -> Answer:
            model = Model(chat, ChatSettings("tiny", max_tokens=500))
            return await ask(model, "How old is she?", data, SCHEMA, **keys)

        try:
            yield server, question
        finally:
            await chat.close()


async def test_a_good_answer() -> None:
    async with asking(reply(GOOD)) as (server, question):
        usage = (ChatUsage(10, 5, "local", "tiny"),)
        assert await question() == Answer(GOOD, usage=usage, said=(json.dumps(GOOD),))
        [sent] = server.requests
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
    }
    system, user = sent["messages"]
    assert system["content"].startswith("How old is she?")
    assert json.dumps(SCHEMA, separators=(",", ":")) in system["content"]
    assert user == {"role": "user", "content": "She said she is 42."}


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"age": 42, "name": "Ada"}\n```',
        'Here you are: {"age": 42, "name": "Ada"} I hope that helps.',
        '\n\n {"age":42,"name":"Ada"}',
    ],
)
async def test_what_stands_around_an_answer_does_not_count(text: str) -> None:
    async with asking(reply(text)) as (_, question):
        assert (await question()).value == GOOD


WRONG: dict[str, tuple[str, str]] = {
    "no JSON": ("She is 42.", "it is no JSON object"),
    "broken JSON": ('{"age": 42, "name": }', "it is no JSON"),
    "cut off": ('{"age": 42, "name": "Ad', "it is no JSON object"),
    "a wrong type": ('{"age": "42", "name": "Ada"}', "$.age: '42' is not of type 'integer', 'null'"),
    "something missing": ('{"age": 42}', "'name' is a required property"),
    "something more": ('{"age": 42, "name": "Ada", "admin": true}', "('admin' was unexpected)"),
    "a list": ('[{"age": 42}]', "'name' is a required property"),
    "too deep": ('{"a":' * 5000 + "1" + "}" * 5000, "it is no JSON: the JSON text is too deep"),
    "too long": ('{"name": "' + "x" * MAX_ANSWER + '"}', f"it is longer than {MAX_ANSWER} characters"),
    "empty": ("", "it is no JSON object"),
    "a refusal": ("I cannot help with that.", "it is no JSON object"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_answer_is_repaired_once(name: str) -> None:
    wrong, words = WRONG[name]
    async with asking(reply(wrong), reply(GOOD)) as (server, question):
        answer = await question()
        assert (answer.value, answer.repaired, answer.reason) == (GOOD, True, "")
        assert [usage.input_tokens for usage in answer.usage][-1] == 10
        assert len(answer.usage) == 2
        again = server.requests[1]["messages"]
    assert words in again[-1]["content"]
    assert "Answer again" in again[-1]["content"]
    if wrong:
        assert [message["role"] for message in again] == ["system", "user", "assistant", "user"]
        assert wrong.startswith(again[2]["content"][:4000])


@pytest.mark.parametrize("name", WRONG)
async def test_a_twice_wrong_answer_is_none_and_why(name: str) -> None:
    wrong, words = WRONG[name]
    async with asking(reply(wrong)) as (server, question):
        answer = await question()
        assert answer.value is None
        assert answer.reason.startswith(
            "The language model local (tiny) did not answer as it was asked to, twice: "
        )
        assert words in answer.reason
        assert not answer.unavailable
        assert (len(server.requests), len(answer.usage)) == (2, 2)


async def test_a_wish_is_a_reason_to_ask_again_and_none_to_do_without() -> None:
    def older(value: Any) -> str | None:
        return None if value["age"] > 50 else "`age` must be more than 50"

    elder = {"age": 60, "name": "Ada"}
    async with asking(reply(GOOD), reply(elder)) as (_, question):
        assert (await question(wish=older)).value == elder
    for second in (reply(GOOD), reply("no"), Reply(silent=True)):
        async with asking(reply(GOOD), second) as (server, question):
            answer = await question(wish=older)
            assert (answer.value, answer.reason) == (GOOD, "")
            assert "must be more than 50" in server.requests[1]["messages"][-1]["content"]


async def test_servers_that_know_less_of_schemas() -> None:
    no_schema = refusal(400, "This response_format type is unavailable now")
    no_object = refusal(422, "'response_format.type' must be 'json_schema' or 'text'")
    async with asking(no_schema, reply(GOOD)) as (server, question):
        assert (await question()).value == GOOD
        assert [request["response_format"]["type"] for request in server.requests] == [
            "json_schema",
            "json_object",
        ]
    usage = refusal(400, "Unknown parameter: stream_options")
    async with asking(no_schema, usage, no_object, reply(GOOD, usage=None)) as (server, question):
        answer = await question()
        assert answer.value == GOOD
        assert [usage.estimated for usage in answer.usage] == [True]
        assert "response_format" not in server.requests[-1]
        assert "stream_options" not in server.requests[-1]


async def test_a_refusal_for_another_reason_is_final() -> None:
    async with asking(refusal(400, "This model's maximum context length is 4096 tokens")) as (
        server,
        question,
    ):
        answer = await question()
        assert len(server.requests) == 1
    assert "maximum context length" in answer.reason
    assert (answer.value, answer.unavailable, answer.usage) == (None, False, ())


GONE: dict[str, tuple[Reply, str]] = {
    "500": (refusal(500, "boom"), "answered HTTP 500"),
    "429": (refusal(429, "quota"), "rate limit or quota"),
    "no first token": (Reply([30.0]), "did not begin to reply within 0.4 s"),
    "no end": (Reply([*events("{")[:2], 30.0]), "did not finish its reply within 0.8 s"),
    "cut": (Reply(events('{"age"', finish=False)), "broke off in the middle"),
    "silent": (Reply(silent=True), "cannot be reached"),
}


@pytest.mark.parametrize("name", GONE)
async def test_a_server_that_is_not_there(name: str) -> None:
    reply_, words = GONE[name]
    async with asking(reply_, first_s=0.4, total_s=0.8) as (_, question):
        answer = await question()
    assert words in answer.reason
    assert "sk-secret" not in answer.reason
    assert (answer.value, answer.unavailable) == (None, True)


async def test_what_was_said_before_the_end_is_counted() -> None:
    async with asking(Reply([*events('{"age": 42, ')[:2], 30.0]), first_s=1, total_s=0.8) as (_, question):
        [usage] = (await question()).usage
    assert usage.estimated
    assert usage.input_tokens > usage.output_tokens > 0


async def test_a_server_that_goes_away_for_the_repair() -> None:
    async with asking(reply("no"), Reply(silent=True)) as (_, question):
        answer = await question()
    assert (answer.value, answer.unavailable, answer.repaired) == (None, True, True)
    assert "cannot be reached" in answer.reason
    assert answer.usage[0] == ChatUsage(10, 5, "local", "tiny")


async def test_a_withheld_answer() -> None:
    async with asking(Reply(stream({}, finish="content_filter"))) as (_, question):
        answer = await question()
    assert "withheld its reply" in answer.reason
    assert not answer.unavailable


async def test_a_question_without_bounds_is_not_asked() -> None:
    async with asking(reply(GOOD)) as (server, question):
        answer = await question("x" * MAX_QUESTION)
        assert server.requests == []
    assert answer.reason == f"The question is longer than {MAX_QUESTION} characters."
