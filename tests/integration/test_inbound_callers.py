"""What is known of a caller: from the account's server, over the wire, and from files, on both databases."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ringback.inbound import callers
from ringback.inbound.callers import BadCallers, CallerDataError
from ringback.store.database import Database
from tests.support.http_server import Page, http_server
from tests.support.reception import CALLER, Foyer, open_foyer

FILE = "contact_number,name,note\n+14155550123,Ann,\n'14155550124,\"O'Hara, Bob\",über\n\n"


@pytest.fixture
async def foyer(database: Database, tmp_path: Path) -> AsyncIterator[Foyer]:
    async with open_foyer(database, tmp_path) as foyer:
        yield foyer


async def asked(foyer: Foyer, source: dict[str, Any], caller: str | None = CALLER) -> dict[str, Any] | None:
    return await foyer.callers.look_up(
        foyer.books.account_id, source, caller, agent_id="agent", execution_id="call"
    )


def api(url: str) -> dict[str, Any]:
    return {"source_type": "api", "source_url": f"{url}/callers?team=7", "source_auth_token": "secret"}


async def test_a_server_is_asked_about_the_caller(foyer: Foyer) -> None:
    async with http_server(Page(json.dumps({"name": "Ann", "orders": [1, 2]}).encode())) as server:
        assert await asked(foyer, api(server.url)) == {"name": "Ann", "orders": [1, 2]}
    [request] = server.requests
    path = urlsplit(request.path)
    assert (request.method, path.path, request.headers["authorization"]) == (
        "GET",
        "/callers",
        "Bearer secret",
    )
    assert parse_qs(path.query) == {
        "team": ["7"],
        "contact_number": [CALLER],
        "agent_id": ["agent"],
        "execution_id": ["call"],
    }


@pytest.mark.parametrize(
    "page", [Page(b"{}"), Page(b"[]"), Page(b"null"), Page(b"not there", 404), Page(status=204)]
)
async def test_a_server_that_does_not_know_the_caller(foyer: Foyer, page: Page) -> None:
    async with http_server(page) as server:
        assert await asked(foyer, api(server.url)) is None


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (Page(b"no", 500), "HTTP 500"),
        (Page(b"", 302, {"Location": "http://127.0.0.1/"}), "HTTP 302"),
        (Page(b"<html>"), "not JSON"),
        (Page(b'{"n": NaN}'), "not JSON"),
        (Page(b'{"n": 1e999}'), "not JSON"),
        (Page(b'["Ann"]'), "not a JSON object"),
        (Page(b'{"n": "' + b"x" * 70_000 + b'"}'), "larger than"),
        (Page(b"{}", breaks=True), "broke off"),
        (Page(b"{}", wait_s=1), "did not answer within 0.3 s"),
    ],
)
async def test_a_server_that_fails_is_said_to(
    foyer: Foyer, monkeypatch: pytest.MonkeyPatch, page: Page, message: str
) -> None:
    monkeypatch.setattr(callers, "TIMEOUT_S", 0.3)
    async with http_server(page) as server:
        with pytest.raises(CallerDataError, match=message) as failure:
            await asked(foyer, api(server.url))
    assert "secret" not in str(failure.value)


async def test_a_sheet_is_no_source_here(foyer: Foyer) -> None:
    source = {"source_type": "google_sheet", "source_name": "a", "source_url": "https://sheets.example"}
    with pytest.raises(CallerDataError, match="google_sheet: use source_type api, or csv"):
        await asked(foyer, source)


async def test_a_file_knows_its_callers_with_and_without_their_plus(foyer: Foyer) -> None:
    account = foyer.books.account_id
    kept = await foyer.callers.put(account, "june.csv", FILE.encode("utf-8-sig"))
    assert (kept.name, kept.lines) == ("june.csv", 2)
    source = {"source_type": "csv", "source_name": "june.csv"}
    assert await asked(foyer, source) == {"name": "Ann", "note": ""}
    assert await asked(foyer, source, "+14155550124") == {"name": "O'Hara, Bob", "note": "über"}
    for caller in ("+14155550125", None):
        assert await asked(foyer, source, caller) is None
    assert await asked(foyer, {**source, "source_name": "july.csv"}) is None


async def test_a_file_is_replaced_as_a_whole_and_deleted(foyer: Foyer) -> None:
    account, source = foyer.books.account_id, {"source_type": "csv", "source_name": "june.csv"}
    await foyer.callers.put(account, "june.csv", FILE.encode())
    with pytest.raises(BadCallers):
        await foyer.callers.put(account, "june.csv", b"contact_number\nnobody\n")
    assert await asked(foyer, source) is not None
    await foyer.callers.put(account, "june.csv", b"name,contact_number\nEve,1,\n".replace(b",\n", b"\n"))
    assert await asked(foyer, source) is None
    assert [(one.name, one.lines) for one in await foyer.callers.all(account)] == [("june.csv", 1)]
    assert await foyer.callers.remove(account, "june.csv") == 1
    assert await foyer.callers.remove(account, "june.csv") == 0
    assert await foyer.callers.all(account) == []


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "must name a column contact_number"),
        (b"number,name\n1,Ann\n", "must name a column contact_number"),
        (b"contact_number\n\xff\n", "not UTF-8 at byte 15"),
        (b"contact_number,name\nAnn,+1\n", "Line 2: contact_number must be a phone number"),
        (b"contact_number\n+1,Ann\n", "Line 2 has more fields"),
        (b'contact_number,name\n+1,"Ann\n', "is no CSV"),
        (b"contact_number,name\n+1,A\0n\n", "Line 2"),
    ],
)
async def test_a_file_that_cannot_be_used(foyer: Foyer, file: bytes, message: str) -> None:
    with pytest.raises(BadCallers, match=message):
        await foyer.callers.put(foyer.books.account_id, "june.csv", file)
    assert await foyer.callers.all(foyer.books.account_id) == []
