"""The account and its sub-accounts over the API, on both databases."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from ringback.agents.definition import Definition, read
from ringback.dialing.taking import Taking
from ringback.executions.lifecycle import Status
from ringback.executions.record import NewExecution, UsageKind, UsageLine
from ringback.store.queries import gates, sub_accounts, workers
from tests.support import agent_definitions
from tests.support.api import BASE_URL, FROM, START_US, Api, Client, assert_refused

DAY = 86_400_000_000


@pytest.fixture
async def limited(api: Api) -> Api:
    """The account may have ten calls at a time."""
    async with api.db.transaction() as tx:
        await gates.set_limits(tx, api.account, "account", "", max_calls=10, interval_us=None)
    return api


async def made(api: Api, **body: Any) -> dict[str, Any]:
    answer = await api.client.post("/sub-accounts/create", json={"name": "branch", **body})
    assert answer.status_code == 200, answer.content
    api.clock.us += 1_000_000  # they are listed by age
    found: dict[str, Any] = answer.json()
    return found


def bearing(api: Api, key: str) -> Client:
    return httpx.AsyncClient(
        transport=api.nobody._transport, base_url=BASE_URL, headers={"Authorization": f"Bearer {key}"}
    )


async def allowed(api: Api) -> list[int | None]:
    """Calls at a time of each sub-account, as the list says, and as its gate does."""
    listed = (await api.client.get("/sub-accounts/all")).json()
    shown = [each["allow_concurrent_calls"] for each in listed]
    kept = []
    for each in listed:
        gate = await gates.get(api.db, each["id"], "account")
        kept.append(gate and gate["max_calls"])
    assert shown == kept
    return shown


# GET /user/me.


async def test_me(api: Api) -> None:
    assert (await api.client.get("/user/me")).json() == {
        "id": api.account,
        "name": "mine",
        "email": None,
        "wallet": 0,
        "concurrency": {"max": 0, "current": 0},
    }


async def test_my_wallet_is_in_cents(api: Api) -> None:
    await api.services.wallets.top_up(api.account, 123_456_789)
    assert (await api.client.get("/user/me")).json()["wallet"] == 12345.6789


async def test_my_wallet_knows_what_was_charged_a_moment_ago(api: Api) -> None:
    await completed(api, api.account, await api.agent())
    assert (await api.client.get("/user/me")).json()["wallet"] == -3.3


async def test_without_a_limit_the_workers_are_the_limit(api: Api) -> None:
    worker = {"machine": "here", "number": 0, "pid": 1, "address": None, "calls": 0, "lateness_us": 0}
    for name, capacity, state in (("one", 20, "serving"), ("two", 30, "serving"), ("old", 40, "draining")):
        await workers.beat(api.db, name=name, capacity=capacity, state=state, now_us=api.clock.us, **worker)
    assert (await api.client.get("/user/me")).json()["concurrency"] == {"max": 50, "current": 0}
    api.clock.us += 61_000_000
    assert (await api.client.get("/user/me")).json()["concurrency"] == {"max": 0, "current": 0}


async def test_my_calls_at_this_moment(limited: Api) -> None:
    await limited.executions(await limited.agent(), 3)
    await Taking(limited.db, limited.ledger, limited.clock, "w").take(2)
    assert (await limited.client.get("/user/me")).json()["concurrency"] == {"max": 10, "current": 2}


# What a sub-account is.


async def test_a_sub_account_has_a_key_of_its_own(api: Api) -> None:
    answer = await made(api, name="Gotham branch", metadata={"region": "east"}, description="North side")
    key = answer.pop("api_key")
    assert re.fullmatch(r"sa-[0-9a-f]{32}", key)
    assert answer == {
        "id": answer["id"],
        "name": "Gotham branch",
        "user_id": api.account,
        "organization_id": api.account,
        "email": None,
        "description": "North side",
        "metadata": {"region": "east"},
        "multi_tenant": False,
        "allow_concurrent_calls": None,
        "min_concurrency": 0,
        "max_concurrency": None,
        "created_at": "2026-11-24T04:04:05Z",
        "updated_at": "2026-11-24T04:04:05Z",
    }
    assert (await api.client.get("/sub-accounts/all")).json() == [answer]
    assert (await api.stranger.get("/sub-accounts/all")).json() == []
    async with bearing(api, key) as sub:
        me = (await sub.get("/user/me")).json()
        assert (me["id"], me["name"], me["wallet"]) == (answer["id"], "Gotham branch", 0)
        agent = (await sub.post("/v2/agent", json=agent_definitions.scripted())).json()["agent_id"]
        call = {"agent_id": agent, "recipient_phone_number": "+14155550123"}
        placed = (await sub.post("/call", json=call)).json()["execution_id"]
        assert (await sub.get(f"/executions/{placed}")).status_code == 200
        assert_refused(await api.client.get(f"/executions/{placed}"), 404)
        assert_refused(await api.client.get(f"/v2/agent/{agent}"), 404)
        mine = await api.agent()
        assert_refused(await sub.get(f"/v2/agent/{mine}"), 404)


async def test_only_the_account_itself_may_have_sub_accounts(api: Api) -> None:
    answer = await made(api)
    path = f"/sub-accounts/{answer['id']}"
    before = await api.rows()
    async with bearing(api, answer["api_key"]) as sub:
        for refused in (
            await sub.post("/sub-accounts/create", json={"name": "below"}),
            await sub.get("/sub-accounts/all"),
            await sub.get("/sub-accounts/all/usage"),
            await sub.get(f"{path}/usage"),
            await sub.patch(path, json={"max_concurrency": 99}),
            await sub.delete(path),
        ):
            assert_refused(
                refused, 403, "Only the account's own keys may do this, not those of a sub-account"
            )
    assert await api.rows() == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x", "min_concurrency": -1}, "min_concurrency"),
        ({"name": "x", "max_concurrency": 1.5}, "max_concurrency"),
        ({"name": "x", "allow_concurrent_calls": True}, "allow_concurrent_calls"),
        ({"name": "x", "metadata": {"a": "b" * 17_000}}, "metadata"),
        ({"name": "x", "metadata": "text"}, "metadata"),
        ({"name": "x", "multi_tenant": True}, "multi_tenant"),
    ],
)
async def test_what_cannot_be_meant_is_refused(api: Api, body: dict[str, Any], field: str) -> None:
    before = await api.rows()
    answer = await api.client.post("/sub-accounts/create", json=body)
    assert_refused(answer, 400)
    assert field in answer.json()["message"]
    assert await api.rows() == before


async def test_a_change_keeps_the_rest(api: Api) -> None:
    answer = await made(api, metadata={"a": 1}, min_concurrency=2, max_concurrency=5)
    path = f"/sub-accounts/{answer['id']}"
    api.clock.us += 59_000_000
    changed = await api.client.patch(path, json={"name": "new", "surprise": 1})
    assert changed.json() == {"message": "success", "state": "updated"}
    [shown] = (await api.client.get("/sub-accounts/all")).json()
    del answer["api_key"]
    assert shown == answer | {"name": "new", "updated_at": "2026-11-24T04:05:05Z"}
    await api.client.patch(path, json={"max_concurrency": None, "metadata": None})
    [shown] = (await api.client.get("/sub-accounts/all")).json()
    assert (shown["min_concurrency"], shown["max_concurrency"], shown["metadata"]) == (2, None, None)


async def test_a_change_of_nothing_is_refused(api: Api) -> None:
    path = f"/sub-accounts/{(await made(api))['id']}"
    for body in ({}, {"surprise": 1}, {"name": None}):
        assert_refused(await api.client.patch(path, json=body), 400, "No valid fields provided")


async def test_one_that_is_deleted_opens_nothing_and_its_records_stay(api: Api) -> None:
    answer = await made(api)
    path = f"/sub-accounts/{answer['id']}"
    agent = (await api.services.agents.create(answer["id"], _definition())).id
    await completed(api, answer["id"], agent)
    waits = await api.ledger.create(NewExecution(answer["id"], agent, "+14155550123", FROM, "sip-trunk"))
    assert (await api.client.delete(path)).json() == {"message": "success", "state": "deleted"}
    async with bearing(api, answer["api_key"]) as sub:
        assert_refused(await sub.get("/user/me"), 401, "Access denied")
        assert_refused(await sub.get("/v2/agent/all"), 401, "Access denied")
    assert (await api.client.get("/sub-accounts/all")).json() == []
    assert_refused(await api.client.delete(path), 404, f"There is no sub-account {answer['id']}")
    assert_refused(await api.client.patch(path, json={"name": "back"}), 404)
    assert (await api.ledger.get(answer["id"], waits.id)).status is Status.STOPPED
    used = (await api.client.get(f"{path}/usage")).json()
    assert (used["status_map"], used["total_cost"]) == ({"completed": 1, "stopped": 1}, 3.3)


async def test_unknown_ones(api: Api) -> None:
    nowhere = "00000000-0000-4000-8000-000000000000"
    for answer in (
        await api.client.patch(f"/sub-accounts/{nowhere}", json={"name": "x"}),
        await api.client.delete(f"/sub-accounts/{nowhere}"),
        await api.client.get(f"/sub-accounts/{nowhere}/usage"),
        await api.client.get(f"/sub-accounts/{api.account}/usage"),
    ):
        assert_refused(answer, 404)
    assert_refused(await api.client.get("/sub-accounts/nonsense/usage"), 400)


# Their shares of the calls.


async def test_shares(limited: Api) -> None:
    api = limited
    first = await made(api, name="elastic")
    assert first["allow_concurrent_calls"] == 10
    second = await made(api, name="promised", min_concurrency=4)
    assert (second["allow_concurrent_calls"], await allowed(api)) == (10, [6, 10])
    await made(api, name="fixed", allow_concurrent_calls=3)
    assert await allowed(api) == [3, 7, 3]
    path = f"/sub-accounts/{second['id']}"
    await api.client.patch(path, json={"max_concurrency": 0})
    assert await allowed(api) == [7, 0, 3]
    await api.client.delete(path)
    assert await allowed(api) == [7, 3]


async def test_more_than_there_is_cannot_be_promised(limited: Api) -> None:
    api = limited
    await made(api, allow_concurrent_calls=7)
    before = await api.rows()
    answer = await api.client.post("/sub-accounts/create", json={"name": "b", "allow_concurrent_calls": 5})
    message = (
        "Concurrency limit exceeded: 5 calls at a time were asked for, and 3 of the account's 10 are not promised to "
        "others"
    )
    assert_refused(answer, 400, message)
    assert answer.json()["details"] == {
        "requested": 5,
        "available": 3,
        "account_limit": 10,
        "subaccount_usage": 7,
    }
    assert await api.rows() == before
    other = await made(api, name="c", min_concurrency=3)
    refused = await api.client.patch(f"/sub-accounts/{other['id']}", json={"min_concurrency": 4})
    assert_refused(refused, 400)
    assert await allowed(api) == [7, 3]


async def test_a_share_holds_in_the_claim(limited: Api) -> None:
    api = limited
    answer = await made(api, max_concurrency=2)
    agent = (await api.services.agents.create(answer["id"], _definition())).id
    for _ in range(4):
        await api.ledger.create(NewExecution(answer["id"], agent, "+14155550123", FROM, "sip-trunk"))
    taking = Taking(api.db, api.ledger, api.clock, "w")
    path = f"/sub-accounts/{answer['id']}"
    assert len((await taking.take(10)).claims) == 2
    await api.client.patch(path, json={"max_concurrency": 0})
    assert len((await taking.take(10)).claims) == 0
    await api.client.patch(path, json={"max_concurrency": 3})
    assert len((await taking.take(10)).claims) == 1


async def test_a_rate_that_the_operator_set_stays(limited: Api) -> None:
    api = limited
    answer = await made(api)
    async with api.db.transaction() as tx:
        await gates.set_limits(tx, answer["id"], "account", "", max_calls=10, interval_us=500_000)
    await made(api, min_concurrency=4)
    gate = await gates.get(api.db, answer["id"], "account")
    assert gate is not None
    assert (gate["max_calls"], gate["interval_us"]) == (6, 500_000)


# What they used.


def _definition() -> Definition:
    return read(agent_definitions.scripted())


async def completed(api: Api, account: str, agent: str) -> str:
    new = NewExecution(account, agent, "+14155550123", FROM, "sip-trunk")
    execution = (await api.ledger.create(new)).id
    for status in (Status.INITIATED, Status.IN_PROGRESS):
        await api.ledger.transition(account, execution, status)
    talked = [
        UsageLine(UsageKind.LLM, "openai", "gpt", "input_tokens", 100, 600),
        UsageLine(UsageKind.LLM, "openai", "gpt", "output_tokens", 20, 400),
        UsageLine(UsageKind.SYNTHESIZER, "local", "hibari", "characters", 76, 0),
        UsageLine(UsageKind.TRANSCRIBER, "deepgram", "nova-2", "ms", 1_500, 1_000),
        UsageLine(UsageKind.TRANSCRIBER, "deepgram", "nova-2", "ms", 1_000, 1_000),
    ]
    await api.ledger.transition(
        account,
        execution,
        Status.CALL_DISCONNECTED,
        attempt={"conversation_ms": 41_600},
        usage=talked,
    )
    telephone = [
        UsageLine(UsageKind.NETWORK, "sip-trunk", "", "ms", 42_000, 10_000),
        UsageLine(UsageKind.PLATFORM, "ringback", "", "ms", 42_000, 20_000),
    ]
    await api.ledger.transition(account, execution, Status.COMPLETED, usage=telephone)
    return execution


async def test_usage(api: Api) -> None:
    one, two = await made(api, name="one"), await made(api, name="two")
    agents = [(await api.services.agents.create(of["id"], _definition())).id for of in (one, one, two)]
    for of, agent in zip((one, one, two), agents, strict=True):
        await completed(api, of["id"], agent)
    await completed(api, api.account, await api.agent())
    await api.ledger.create(NewExecution(one["id"], agents[0], "+14155550123", FROM, "sip-trunk"))
    span = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-24T23:59:59Z"}
    expected = {
        **span,
        "sub_account_id": one["id"],
        "sub_account_name": "one",
        "total_records": 3,
        "total_duration": 83.2,
        "total_cost": 6.6,
        "total_platform_cost": 4,
        "total_telephony_cost": 2,
        "status_map": {"completed": 2, "queued": 1},
        "synthesizer_cost_map": {"local": {"hibari": {"characters": 152, "cost": 0}}},
        "transcriber_cost_map": {"deepgram": {"nova-2": {"duration": 5, "cost": 0.4}}},
        "llm_cost_map": {"cost": 0.2, "tokens": {"gpt": {"input": 200, "output": 40}}},
    }
    assert (await api.client.get(f"/sub-accounts/{one['id']}/usage")).json() == expected
    found = (await api.client.get("/sub-accounts/all/usage")).json()
    assert found[0] == expected
    assert (found[1]["sub_account_name"], found[1]["total_cost"], len(found)) == ("two", 3.3, 2)
    assert (await api.stranger.get("/sub-accounts/all/usage")).json() == []


async def test_usage_goes_by_the_time_of_creation_both_ends_included(api: Api) -> None:
    one = await made(api)
    agent = (await api.services.agents.create(one["id"], _definition())).id
    for day in range(3):
        api.clock.us = START_US + day * DAY
        await completed(api, one["id"], agent)
    path = f"/sub-accounts/{one['id']}/usage"
    for query, calls in (
        ({}, 3),
        ({"from": "2026-11-25T04:04:05Z"}, 2),
        ({"from": "2026-11-25T04:04:06Z", "to": "2026-11-26"}, 0),
        ({"to": "2026-11-25T04:04:05Z"}, 2),
        ({"from": "2026-10-30T00:00:00+05:30", "to": "2026-11-24T04:04:05"}, 1),
    ):
        answer = await api.client.get(path, params=query)
        assert answer.json()["total_records"] == calls, query


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"from": "yesterday"}, "from must be a time in ISO 8601, such as 2024-01-23T01:14:37Z"),
        ({"to": "2026-13-01"}, "to must be a time in ISO 8601, such as 2024-01-23T01:14:37Z"),
        ({"from": "2026-11-24", "to": "2026-11-23"}, "to must not be before from"),
        ({"from": "2026-10-01", "to": "2026-11-23"}, "from and to may be at most 32 days apart"),
    ],
)
async def test_spans_that_cannot_be_meant(api: Api, query: dict[str, str], message: str) -> None:
    assert_refused(await api.client.get("/sub-accounts/all/usage", params=query), 400, message)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_usage_is_read_by_indexes(api: Api) -> None:
    """Neither executions nor lines are read from end to end."""
    read_as: list[str] = []

    class Plans:
        async def fetch_all(self, sql: str, **params: object) -> list[Any]:
            rows = await api.db.fetch_all(f"EXPLAIN QUERY PLAN {sql}", **params)
            read_as.extend(row["detail"] for row in rows)
            return []

    for query in (sub_accounts.calls, sub_accounts.lines):
        await query(Plans(), api.account, None, since_us=0, until_us=1)  # type: ignore[arg-type]
    assert not [detail for detail in read_as if detail.startswith("SCAN")], read_as
