"""Functions as requests to real servers on loopback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from ringback.agents.chat import ToolSpec
from ringback.agents.tools import HttpTool, ToolResult
from ringback.net.addresses import Allowed
from ringback.net.client import GuardedClient
from ringback.tools.http import HttpToolRunner
from tests.support.http_server import HttpServer, Page, http_server

SCHEMA = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
VARIABLES = {"execution_id": "e1", "name": "Ada"}
MONDAY = {"day": "Monday"}


@pytest.fixture
async def runner() -> AsyncIterator[HttpToolRunner]:
    made = HttpToolRunner(GuardedClient(Allowed(["127.0.0.0/8"])))
    yield made
    await made.close()


def tool(server: HttpServer) -> HttpTool:
    return HttpTool(
        ToolSpec("slots", "Free times.", SCHEMA),
        f"{server.url}/slots",
        "POST",
        param={"day": "%(day)s", "who": "%(name)s"},
        headers={"X-Own": "1"},
        api_token="Bearer tok",
        timeout_s=5.0,
    )


async def test_a_call(runner: HttpToolRunner) -> None:
    async with http_server(Page(b'{"free": ["9:00"]}')) as server:
        result = await runner.run(tool(server), MONDAY, VARIABLES)
    assert result == ToolResult('{"free": ["9:00"]}', status=200, values={"free": ["9:00"]})
    asked = server.requests[0]
    assert (asked.method, asked.path, asked.json) == ("POST", "/slots", {"day": "Monday", "who": "Ada"})
    assert (asked.headers["authorization"], asked.headers["x-own"]) == ("Bearer tok", "1")


async def test_a_get(runner: HttpToolRunner) -> None:
    async with http_server(Page(b"nine")) as server:
        result = await runner.run(replace(tool(server), method="GET"), MONDAY, VARIABLES)
    assert result.content == "nine"
    assert server.requests[0].path == "/slots?day=Monday&who=Ada"
    assert server.requests[0].body == b""


async def test_calls_side_by_side(runner: HttpToolRunner) -> None:
    async with http_server(Page(b"x", wait_s=0.5)) as server, asyncio.timeout(4):
        await asyncio.gather(*(runner.run(tool(server), MONDAY, {}) for _ in range(10)))
    assert len(server.requests) == 10


async def test_wrong_arguments_are_not_sent(runner: HttpToolRunner) -> None:
    async with http_server(Page(b"x")) as server:
        result = await runner.run(tool(server), {}, {})
    assert result.failed
    assert '"day" is missing' in result.content
    assert server.requests == []


FAILURES = {
    "404": (Page(b"no such day", 404), "The server answered HTTP 404: no such day", 404),
    "redirect": (Page(status=301, headers={"Location": "http://h/"}), "redirect", 301),
    "late": (Page(b"x", wait_s=30), "127.0.0.1 did not answer within 0.5 s.", None),
    "cut": (Page(b"x", breaks=True), "127.0.0.1 broke off the connection.", None),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_failures_are_results(runner: HttpToolRunner, failure: str) -> None:
    page, why, status = FAILURES[failure]
    async with http_server(page) as server:
        result = await runner.run(replace(tool(server), timeout_s=0.5), MONDAY, {})
    assert (result.failed, result.status) == (True, status)
    assert why in result.content


async def test_a_request_is_made_once(runner: HttpToolRunner) -> None:
    """A booking that failed late may have been made."""
    async with http_server(Page(b"no", 503)) as server:
        await runner.run(tool(server), MONDAY, {})
    assert len(server.requests) == 1


async def test_private_addresses_are_refused() -> None:
    guarded = HttpToolRunner(GuardedClient(Allowed()))
    async with http_server(Page(b"secret")) as server:
        result = await guarded.run(tool(server), MONDAY, {})
        told = await guarded.run(replace(tool(server), url="http://%(day)s/"), {"day": "127.0.0.1"}, {})
    assert server.connections == 0
    for refused in (result, told):
        assert refused.failed
        assert "not allowed" in refused.content
    await guarded.close()


async def test_a_definition_that_is_broken_all_the_same(
    runner: HttpToolRunner, caplog: pytest.LogCaptureFixture
) -> None:
    async with http_server(Page(b"x")) as server:
        broken = await runner.run(replace(tool(server), param="{"), MONDAY, {})
        strange = await runner.run(replace(tool(server), headers={"X": 5}), MONDAY, {})  # type: ignore[dict-item]
    assert broken.content.startswith("The function's param must be an object")
    assert strange.content == "The function failed: TypeError."
    assert (broken.failed, strange.failed) == (True, True)
    assert "tok" not in caplog.text


async def test_the_webhook_is_told_and_not_waited_for(runner: HttpToolRunner) -> None:
    async with http_server(Page(b"x", wait_s=30)) as hook, http_server(Page(b"nine")) as server:
        told = replace(tool(server), webhook_url=f"{hook.url}/hook", webhook_param={"day": "%(day)s"})
        async with asyncio.timeout(5):
            assert (await runner.run(told, MONDAY, VARIABLES)).content == "nine"
            await hook.asked.wait()
        await runner.close()
    asked = hook.requests[0]
    assert (asked.method, asked.path) == ("POST", "/hook")
    assert (asked.json["execution_id"], asked.json["status"], asked.json["day"]) == (
        "e1",
        "in-progress",
        "Monday",
    )
    assert "authorization" not in asked.headers


async def test_a_webhook_that_fails_is_a_line_in_the_log(
    runner: HttpToolRunner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with http_server(Page(b"no", 500)) as hook, http_server(Page(b"nine", wait_s=0.2)) as server:
        told = replace(tool(server), webhook_url=hook.url)
        assert not (await runner.run(told, MONDAY, VARIABLES)).failed
    assert "the webhook before slots failed: HTTP 500" in caplog.text


async def test_a_cancelled_call_gives_its_connection_up(runner: HttpToolRunner) -> None:
    async with http_server(Page(b"x", wait_s=30)) as server, asyncio.timeout(5):
        call = asyncio.create_task(runner.run(tool(server), MONDAY, {}))
        await server.asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
