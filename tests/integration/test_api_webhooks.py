"""Webhooks through the API: endpoints, secrets, the log, sending again."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.agents.definition import read
from ringback.executions.lifecycle import Status
from ringback.executions.record import NewExecution
from tests.support import agent_definitions
from tests.support.api import FROM, Api, assert_refused

URL = "https://crm.example/calls"


async def agent_with(api: Api, url: str = URL) -> str:
    definition = agent_definitions.scripted()
    definition["agent_config"]["webhook_url"] = url
    return (await api.services.agents.create(api.account, read(definition))).id


async def endpoint_of(api: Api) -> dict[str, Any]:
    answer = await api.client.get("/webhooks/endpoints")
    assert answer.status_code == 200
    [endpoint] = answer.json()["data"]
    found: dict[str, Any] = endpoint
    return found


async def told(api: Api, agent_id: str) -> str:
    new = NewExecution(api.account, agent_id, "+14155550123", FROM, "sip-trunk")
    call = await api.ledger.create(new)
    api.clock.us += 1_000_000
    await api.ledger.transition(api.account, call.id, Status.STOPPED)
    return call.id


async def test_an_agents_url_is_an_endpoint(api: Api) -> None:
    await agent_with(api)
    await agent_with(api)
    endpoint = await endpoint_of(api)
    assert (endpoint["url"], endpoint["state"], endpoint["failures"]) == (URL, "enabled", 0)
    assert "whsec_" not in (await api.client.get("/webhooks/endpoints")).text
    one = await api.client.get(f"/webhooks/endpoints/{endpoint['id']}")
    assert one.json() == endpoint


async def test_the_secret_is_shown_by_its_own_route_and_rotated(api: Api) -> None:
    await agent_with(api)
    url = f"/webhooks/endpoints/{(await endpoint_of(api))['id']}/secret"
    first = (await api.client.get(url)).json()
    assert first["secret"].startswith("whsec_")
    assert first["old_secret_until"] is None
    second = (await api.client.post(url)).json()
    assert second["secret"] != first["secret"]
    assert second["old_secret_until"] == "2026-11-25T04:04:05Z"
    assert (await api.client.get(url)).json() == second
    assert (await endpoint_of(api))["old_secret_until"] == "2026-11-25T04:04:05Z"
    api.clock.us += 86_400_000_000
    assert (await endpoint_of(api))["old_secret_until"] is None


async def test_disabled_and_enabled_again(api: Api) -> None:
    await agent_with(api)
    url = f"/webhooks/endpoints/{(await endpoint_of(api))['id']}"
    disabled = await api.client.patch(url, json={"state": "disabled"})
    assert disabled.json()["state"] == "disabled"
    assert disabled.json()["disabled_reason"] == "Disabled by the user"
    assert (await api.client.patch(url, json={"state": "disabled"})).json() == disabled.json()
    enabled = await api.client.patch(url, json={"state": "enabled"})
    assert (enabled.json()["state"], enabled.json()["disabled_at"]) == ("enabled", None)
    assert_refused(await api.client.patch(url, json={"state": "on"}), 400)
    assert_refused(await api.client.patch(url, json={}), 400, "state is required")


async def test_the_log_is_paged_and_filtered(api: Api) -> None:
    agent_id = await agent_with(api)
    calls = [await told(api, agent_id) for _ in range(5)]
    ids, cursor = [], None
    while True:
        query = {"page_size": "3", **({"cursor": cursor} if cursor else {})}
        page = (await api.client.get("/webhooks/deliveries", params=query)).json()
        ids += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
    assert cursor is None
    assert len(ids) == len(set(ids)) == 10
    # A call is told of its end in the second in which the next one is told of its beginning.
    assert ids[0] == f"{calls[-1]}-2"
    assert ids[-1] == f"{calls[0]}-1"

    async def listed(**query: str) -> list[str]:
        answer = await api.client.get("/webhooks/deliveries", params=query)
        return [one["id"] for one in answer.json()["data"]]

    assert await listed(execution_id=calls[1]) == [f"{calls[1]}-2", f"{calls[1]}-1"]
    endpoint = (await endpoint_of(api))["id"]
    assert len(await listed(endpoint_id=endpoint, state="waiting")) == 10
    assert await listed(state="dead") == await listed(state="delivered") == []
    assert await listed(endpoint_id="0" * 32) == []
    [one] = (await api.client.get("/webhooks/deliveries", params={"page_size": 1})).json()["data"]
    assert (one["event"], one["position"], one["kind"], one["subject_id"]) == (
        "stopped",
        2,
        "execution",
        calls[-1],
    )
    assert (one["state"], one["tries"], one["under_way"], one["last_error"]) == ("waiting", 0, False, None)
    assert one["next_try_at"] == one["created_at"]


@pytest.mark.parametrize(
    "query",
    [
        {"state": "lost"},
        {"page_size": "0"},
        {"page_size": "201"},
        {"cursor": "x"},
        {"endpoint_id": "1"},
        {"execution_id": "1"},
        {"execution_id": "4c06b4d1-4096-4561-919a-4f94539c8d4a", "batch_id": "0" * 32},
    ],
    ids=str,
)
async def test_bad_questions(api: Api, query: dict[str, str]) -> None:
    assert_refused(await api.client.get("/webhooks/deliveries", params=query), 400)


async def test_sent_again(api: Api) -> None:
    call = await told(api, await agent_with(api))
    async with api.db.transaction() as tx:
        await tx.execute(
            "UPDATE webhook_deliveries SET state = 'dead', tries = 20, ended_at = 1, last_error = 'Given up'"
        )
    answer = await api.client.post(f"/webhooks/deliveries/{call}-2/replay")
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["tries"], answer.json()["ended_at"]) == (
        "waiting",
        0,
        None,
    )
    states = [one["state"] for one in (await api.client.get("/webhooks/deliveries")).json()["data"]]
    assert states == ["waiting", "dead"]


async def test_what_is_not_there(api: Api) -> None:
    nowhere = "4c06b4d1-4096-4561-919a-4f94539c8d4a"
    for path in (f"/webhooks/endpoints/{nowhere}", f"/webhooks/endpoints/{nowhere}/secret"):
        assert_refused(await api.client.get(path), 404, f"There is no endpoint {nowhere.replace('-', '')}")
    gone = await api.client.post(f"/webhooks/deliveries/{nowhere}-1/replay")
    assert_refused(gone, 404, f"There is no delivery {nowhere}-1")


async def test_what_is_under_way_is_not_sent_twice(api: Api) -> None:
    call = await told(api, await agent_with(api))
    async with api.db.transaction() as tx:
        until = api.clock.us + 30_000_000
        await tx.execute(
            "UPDATE webhook_deliveries SET due_at = :until, lease_until = :until WHERE position = 1",
            until=until,
        )
    answer = (await api.client.post(f"/webhooks/deliveries/{call}-1/replay")).json()
    assert (answer["under_way"], answer["next_try_at"]) == (True, "2026-11-24T04:04:36Z")
