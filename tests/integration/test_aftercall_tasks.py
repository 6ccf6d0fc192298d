"""Summaries and webhook tasks after a call, on a real store, with real servers."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.aftercall.pipeline import NotYet
from ringback.store.database import Database
from tests.support.http_server import Page, http_server
from tests.support.ledgers import Books, open_books
from tests.support.meant import desk, reply

DETAILS = "age (number) : of the patient\nmood : in a word"
FOUND = {"age": 42, "mood": None}


@pytest.fixture
async def books(database: Database, monkeypatch: pytest.MonkeyPatch) -> Books:
    monkeypatch.setenv("RINGBACK_CONFIG", "")
    return await open_books(database)


async def test_a_summary(books: Books) -> None:
    async with desk(books, reply({"summary": " Ada confirmed. "})) as one:
        one.summarizes(summarization_details="In one sentence, for {name}'s file.")
        body = await one.record(recipient_data={"name": "Ada"})
        assert "In one sentence, for Ada's file." in one.server.requests[0]["messages"][0]["content"]
        assert [row[0] for row in await one.usage(body)] == ["summarization"] * 2
    assert (body["summary"], body["extracted_data"], body["error_message"]) == ("Ada confirmed.", None, None)


@pytest.mark.parametrize("wrong", ["Ada confirmed.", {"summary": ""}, {"summary": None}])
async def test_a_summary_that_is_none(books: Books, wrong: Any) -> None:
    async with desk(books, reply(wrong)) as one:
        one.summarizes()
        body = await one.record()
        assert [row[3] for row in await one.usage(body)] == [200, 40]
    assert (body["summary"], body["status"]) == (None, "completed")
    assert body["error_message"].startswith("summary failed: The language model ")


async def test_a_webhook_task(books: Books) -> None:
    async with http_server(Page(b"ok")) as server, desk(books, reply(FOUND)) as one:
        one.extracts(extraction_details=DETAILS)
        one.tells(f"{server.url}/hook", headers={"X-Own": "1"}, api_token="Bearer t")
        body = await one.record()
        [told] = server.requests
    assert (body["extraction_webhook_status"], body["error_message"]) == (True, None)
    assert (told.method, told.path, told.json) == ("POST", "/hook", FOUND)
    assert (told.headers["authorization"], told.headers["x-own"]) == ("Bearer t", "1")
    assert told.headers["webhook-id"] == f"{body['id']}-1-0"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (Page(b"no", 500), "answered HTTP 500"),
        (
            Page(status=302, headers={"Location": "http://169.254.169.254/"}),
            "a redirect, which is not followed",
        ),
        (Page(b"x", breaks=True), "broke off the connection"),
    ],
)
async def test_a_webhook_that_is_not_taken(books: Books, page: Page, words: str) -> None:
    async with http_server(page) as server, desk(books, reply(FOUND)) as one:
        one.extracts(extraction_details=DETAILS)
        one.tells(f"{server.url}/hook")
        call = await one.call()
        for _ in range(2):
            with pytest.raises(NotYet, match="webhook of"):
                await one.complete(call)
        body = await one.complete(call)
        assert len({request.headers["webhook-id"] for request in server.requests}) == 1
        assert (len(server.requests), len(one.server.requests)) == (3, 1)
    assert (body["status"], body["extraction_webhook_status"]) == ("completed", False)
    assert body["error_message"].startswith("webhook failed: ")
    assert words in body["error_message"]
    assert body["extracted_data"] == FOUND


async def test_a_webhook_to_a_private_address(books: Books) -> None:
    async with (
        http_server(Page(b"ok")) as server,
        desk(books, reply(FOUND), settings={"outbound": {}}) as one,
    ):
        one.extracts(extraction_details=DETAILS)
        one.tells(f"{server.url}/hook")
        call = await one.call()
        for _ in range(2):
            with pytest.raises(NotYet, match="not allowed"):
                await one.complete(call)
        body = await one.complete(call)
        assert server.requests == []
    assert body["extraction_webhook_status"] is False


async def test_nothing_extracted_is_nothing_to_tell(books: Books) -> None:
    async with http_server(Page(b"ok")) as server, desk(books, reply("no")) as one:
        one.extracts(extraction_details=DETAILS)
        one.tells(f"{server.url}/hook")
        body = await one.record()
        assert server.requests == []
    assert (body["extraction_webhook_status"], body["extracted_data"]) == (False, None)


async def test_without_a_webhook_task_nothing_is_said_of_one(books: Books) -> None:
    async with desk(books, reply(FOUND)) as one:
        one.extracts(extraction_details=DETAILS)
        assert (await one.record())["extraction_webhook_status"] is None


async def test_what_is_not_said_cannot_be_put_into_the_request(books: Books) -> None:
    """Places in a param are the user's; those in somebody's words are words."""
    fooled = {"age": None, "mood": "%(agent_id)s"}
    async with http_server(Page(b"ok")) as server, desk(books, reply(fooled)) as one:
        one.extracts(extraction_details=DETAILS)
        one.tells(f"{server.url}/hook", param={"said": "%(mood)s", "call": "%(execution_id)s"})
        body = await one.record()
        assert server.requests[0].json == {"said": "%(agent_id)s", "call": body["id"]}
