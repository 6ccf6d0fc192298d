"""What becomes of an exception that nobody expected."""

from __future__ import annotations

import asyncio
import json
import logging
from types import SimpleNamespace

import pytest
from starlette.types import Message, Receive, Scope, Send

from ringback.api.errors import Unexpected

SCOPE = {"type": "http", "method": "GET", "path": "/x", "headers": []}


async def nothing() -> Message:
    return {"type": "http.disconnect"}


async def answered(*before: Message) -> list[Message]:
    """What a client gets from an application that sends these and then fails."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        for message in before:
            await send(message)
        raise ZeroDivisionError("with a secret")

    await Unexpected(failing)(SCOPE, nothing, send)
    return sent


async def test_before_the_answer_it_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ringback"):
        start, body = await answered()
    assert start["status"] == 500
    assert json.loads(body["body"])["error"] == 500
    [record] = caplog.records
    assert record.getMessage().startswith("a request failed: GET /x: ZeroDivisionError in ")
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text


async def test_after_its_start_the_answer_stays_unfinished(caplog: pytest.LogCaptureFixture) -> None:
    begun: list[Message] = [
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.body", "body": b"[1", "more_body": True},
    ]
    with caplog.at_level(logging.INFO, "ringback"):
        assert await answered(*begun) == begun
    assert "GET /x: ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("stops", [True, False])
async def test_what_the_stop_of_the_server_cuts_off_is_told_so(stops: bool) -> None:
    stopping = asyncio.Event()
    sent: list[Message] = []

    async def hanging(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    async def send(message: Message) -> None:
        sent.append(message)

    state = SimpleNamespace(services=SimpleNamespace(stopping=stopping))
    scope = SCOPE | {"app": SimpleNamespace(state=state)}
    task = asyncio.create_task(Unexpected(hanging)(scope, nothing, send))
    await asyncio.sleep(0)
    if stops:
        stopping.set()
    task.cancel()
    [ended] = await asyncio.gather(task, return_exceptions=True)
    if stops:
        assert (ended, sent[0]["status"]) == (None, 503)
        assert json.loads(sent[1]["body"])["message"] == "The server is stopping; send the request again"
    else:
        assert isinstance(ended, asyncio.CancelledError)
        assert sent == []
