"""Rate limits as clients meet them: which requests they count, the refusal, what answers tell."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from uuid import uuid4

import pytest

from ringback.accounts.keys import Keys
from ringback.accounts.rate_limits import RateLimits, StoredWindows, windows
from ringback.agents.registry import Agents
from ringback.api.rate_limits import NAMED
from ringback.executions.listing import Listing
from ringback.store.database import Database, open_database
from tests.support.api import Api, Client, assert_refused

MINUTE = 60_000_000


def _limits(api: Api, named: int, other: int, db: Database | None = None) -> RateLimits:
    counts = windows(db or api.db)
    return RateLimits(counts, api.clock, named_per_minute=named, other_per_minute=other)


def _limited(api: Api, named: int = 1, other: int = 1) -> Client:
    return api.with_services(rate_limits=_limits(api, named, other))


async def test_a_request_too_many(api: Api) -> None:
    client, agent_id = _limited(api), await api.agent()
    path = f"/v2/agent/{agent_id}"
    assert (await client.get(path)).status_code == 200
    refused = await client.get(path)
    assert_refused(
        refused,
        429,
        "Too many requests: an account may send 1 a minute to /v2/agent/{agent_id}; the next minute begins in 55 s",
    )
    assert refused.headers["retry-after"] == "55"
    api.clock.us += 55_000_000
    assert (await client.get(path)).status_code == 200


async def test_every_route_with_a_key_is_limited(api: Api) -> None:
    """Generated from the description, so that no new route can be without."""
    client = _limited(api)
    described = (await api.nobody.get("/openapi.json")).json()["paths"]
    operations = [(method, path) for path, methods in described.items() for method in methods]
    for method, path in operations:
        api.clock.us += MINUTE
        url = re.sub(r"\{\w+\}", str(uuid4()), path)
        statuses = [(await client.request(method, url)).status_code for _ in range(2)]
        if path == "/health":
            assert statuses == [200, 200]
        else:
            assert statuses[0] != 429
            assert statuses[1] == 429, (method, path)
            assert "429" in described[path][method]["responses"]
    assert {path for _, path in operations} > NAMED.keys()


async def test_the_named_paths_have_a_limit_each_and_the_rest_shares_one(api: Api) -> None:
    client, one, two = _limited(api, named=2, other=3), await api.agent(), await api.agent()
    spent = [
        ("GET", f"/v2/agent/{one}"),
        ("PATCH", f"/v2/agent/{two}"),
        ("GET", f"/v2/agent/{one}/executions"),
        ("GET", f"/v2/agent/{two}/executions"),
        ("POST", "/call"),
        ("POST", "/call"),
        ("GET", f"/agent/{one}"),
        ("GET", "/v2/agent/all"),
        ("POST", f"/v2/agent/{two}/stop"),
    ]
    assert 429 not in [(await client.request(method, path)).status_code for method, path in spent]
    refused = [
        ("DELETE", f"/v2/agent/{two}"),
        ("GET", f"/v2/agent/{two}/executions"),
        ("POST", "/call"),
        ("POST", f"/call/{uuid4()}/stop"),
        ("GET", f"/executions/{uuid4()}"),
    ]
    assert {(await client.request(method, path)).status_code for method, path in refused} == {429}
    assert (await api.client.get(f"/v2/agent/{two}")).status_code == 200


async def test_who_is_not_let_in_spends_nothing(api: Api) -> None:
    client = _limited(api)
    for authorization in ("", "Bearer bn-wrong"):
        answer = await client.get("/v2/agent/all", headers={"Authorization": authorization})
        assert_refused(answer, 401, "Access denied")
        assert "ratelimit" not in answer.headers
    assert (await client.get("/v2/agent/all")).status_code == 200


async def test_a_body_is_not_read_of_a_request_too_many(api: Api) -> None:
    client = _limited(api)
    assert_refused(await client.post("/call", content=b"{not json"), 400)
    assert_refused(await client.post("/call", content=b"{not json"), 429)


async def test_answers_tell_what_is_left(api: Api) -> None:
    client = _limited(api, named=2, other=3)
    origin = {"Origin": "https://dashboard.example"}
    for path, status, policy, left in (
        ("/v2/agent/all", 200, '"other";q=3;w=60', '"other";r=2;t=55'),
        (f"/executions/{uuid4()}", 404, '"other";q=3;w=60', '"other";r=1;t=55'),
        ("/executions/42", 400, '"other";q=3;w=60', '"other";r=0;t=55'),
        ("/v2/agent/all", 429, '"other";q=3;w=60', '"other";r=0;t=55'),
        (f"/v2/agent/{uuid4()}", 404, '"agent";q=2;w=60', '"agent";r=1;t=55'),
    ):
        answer = await client.get(path, headers=origin)
        assert (answer.status_code, answer.headers["ratelimit-policy"]) == (status, policy)
        assert answer.headers["ratelimit"] == left
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert {"Retry-After", "RateLimit", "RateLimit-Policy"} <= set(exposed)
    assert "ratelimit" not in (await client.get("/health")).headers


async def test_without_limits_nothing_is_counted_or_told(api: Api) -> None:
    for client in (api.client, _limited(api, named=0, other=0)):
        answers = [await client.get("/v2/agent/all") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert all("ratelimit" not in answer.headers for answer in answers)
    assert (await api.rows())["rate_windows"] == 0


async def test_a_link_to_a_recording_is_counted_only_with_a_key(api: Api) -> None:
    client = _limited(api)
    path = f"/recordings/call/{uuid4()}"
    for _ in range(3):
        answer = await client.get(path, params={"token": "x"}, headers={"Authorization": ""})
        assert_refused(answer, 404)
    assert_refused(await client.get(path), 404)
    assert_refused(await client.get(path), 429)


async def test_instances_on_one_postgresql_let_exactly_so_many_through(api: Api, database_url: str) -> None:
    other = await open_database(database_url)
    # On SQLite there is one API process: both applications share its counts.
    shared = isinstance(windows(other), StoredWindows)
    limits = _limits(api, 25, 25)
    other_limits = _limits(api, 25, 25, other) if shared else limits
    there = replace(
        api.services, keys=Keys(other, api.clock), agents=Agents(other, api.clock), listing=Listing(other)
    )
    clients = [
        api.with_services(rate_limits=limits),
        replace(api, services=there).with_services(rate_limits=other_limits),
    ]
    agent_id = await api.agent()
    for path in (f"/v2/agent/{agent_id}", f"/v2/agent/{agent_id}/executions", "/v2/agent/all"):
        answers = await asyncio.gather(*(clients[n % 2].get(path) for n in range(60)))
        statuses = [answer.status_code for answer in answers]
        assert (statuses.count(200), statuses.count(429)) == (25, 35), path
    await other.close()


@pytest.mark.parametrize("empty_database_url", ["postgresql"], indirect=True)
async def test_where_the_database_cannot_count_the_request_fails(api: Api, empty_database_url: str) -> None:
    without_tables = await open_database(empty_database_url)
    client = api.with_services(rate_limits=_limits(api, 9, 9, without_tables))
    answer = await client.get("/v2/agent/all")
    await without_tables.close()
    assert_refused(answer, 503, "The database is not available; try again in a moment")
