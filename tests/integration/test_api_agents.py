"""Agents over HTTP, on both databases."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.support import agent_definitions as bodies
from tests.support.api import Api, Client, assert_refused

VERSIONS = pytest.mark.parametrize("base", ["/agent", "/v2/agent"])


async def created(client: Client, body: dict[str, Any] | None = None, base: str = "/v2/agent") -> str:
    answer = await client.post(base, json=body or bodies.simple())
    agent_id: str = answer.json()["agent_id"]
    return agent_id


@pytest.mark.parametrize(("base", "status"), [("/agent", 200), ("/v2/agent", 201)])
async def test_create(api: Api, base: str, status: int) -> None:
    answer = await api.client.post(base, json=bodies.simple())
    assert answer.status_code == status
    body = answer.json()
    assert body == {"agent_id": body["agent_id"], "state": "created", "status": "created"}


@VERSIONS
async def test_get_returns_what_was_sent_and_the_defaults(api: Api, base: str) -> None:
    sent = bodies.simple()
    sent["agent_config"]["unknown"] = {"kept": [1, None, "é"]}
    agent_id = await created(api.client, sent)
    got = (await api.client.get(f"{base}/{agent_id}")).json()
    assert got["id"] == agent_id
    assert got["agent_name"] == "Alfred"
    assert got["unknown"] == {"kept": [1, None, "é"]}
    assert got["agent_status"] == "processed"
    assert got["agent_prompts"] == sent["agent_prompts"]
    assert got["created_at"] == got["updated_at"] == "2026-11-24T04:04:05Z"
    assert got["tasks"][0]["task_config"]["call_terminate"] == 90
    assert {"webhook_url", "calling_guardrails", "dispositions", "gpt_assistants"} <= got.keys()
    assert (await api.client.get(f"{base}/{agent_id.replace('-', '')}")).json() == got


@VERSIONS
async def test_put_of_what_get_returned_changes_nothing(api: Api, base: str) -> None:
    for sent in (bodies.simple(), bodies.flat(), bodies.scripted(), bodies.scripted(nested=False)):
        agent_id = await created(api.client, sent)
        got = (await api.client.get(f"{base}/{agent_id}")).json()
        api.clock.us += 60_000_000
        answer = await api.client.put(
            f"{base}/{agent_id}", json={"agent_config": got, "agent_prompts": got["agent_prompts"]}
        )
        assert answer.json() == {
            "agent_id": agent_id,
            "state": "updated",
            "status": "updated",
            "message": "success",
        }
        assert (await api.client.get(f"{base}/{agent_id}")).json() == got


@VERSIONS
async def test_put_replaces_everything(api: Api, base: str) -> None:
    sent = bodies.simple()
    sent["agent_config"]["unknown"] = 1
    agent_id = await created(api.client, sent)
    api.clock.us += 60_000_000
    await api.client.put(f"{base}/{agent_id}", json=bodies.scripted())
    got = (await api.client.get(f"{base}/{agent_id}")).json()
    assert "unknown" not in got
    assert got["tasks"][0]["tools_config"]["llm_agent"]["agent_type"] == "graph_agent"
    assert (got["created_at"], got["updated_at"]) == ("2026-11-24T04:04:05Z", "2026-11-24T04:05:05Z")


@VERSIONS
async def test_patch(api: Api, base: str) -> None:
    agent_id = await created(api.client)
    change = {"agent_config": {"agent_name": "Robin", "agent_type": "ignored", "webhook_url": "https://h/"}}
    answer = await api.client.patch(f"{base}/{agent_id}", json=change)
    assert (answer.status_code, answer.json()) == (200, {"message": "success", "state": "updated"})
    got = (await api.client.get(f"{base}/{agent_id}")).json()
    assert (got["agent_name"], got["agent_type"], got["webhook_url"]) == ("Robin", "other", "https://h/")
    await api.client.patch(f"{base}/{agent_id}", json={"agent_config": {"webhook_url": None}})
    assert (await api.client.get(f"{base}/{agent_id}")).json()["webhook_url"] is None


@VERSIONS
async def test_all_are_listed_newest_first_and_only_ours(api: Api, base: str) -> None:
    assert (await api.client.get(f"{base}/all")).json() == []
    mine = []
    for _ in range(103):  # more than the store reads at a time
        mine.append(await created(api.client))
        api.clock.us += 1_000_000
    await created(api.stranger)
    listed = (await api.client.get(f"{base}/all")).json()
    assert [agent["id"] for agent in listed] == mine[::-1]
    assert listed[0] == (await api.client.get(f"{base}/{mine[-1]}")).json()


@VERSIONS
async def test_delete_takes_the_executions_along(api: Api, base: str) -> None:
    agent_id = await created(api.client)
    kept = await created(api.client)
    await api.executions(agent_id, 2)
    await api.executions(kept, 1)
    answer = await api.client.delete(f"{base}/{agent_id}")
    assert (answer.status_code, answer.json()) == (200, {"message": "success", "state": "deleted"})
    rows = await api.rows()
    assert (rows["agents"], rows["executions"], rows["attempts"]) == (1, 1, 1)
    assert_refused(await api.client.get(f"{base}/{agent_id}"), 404, f"There is no agent {agent_id}")


METHODS = ("GET", "PUT", "PATCH", "DELETE")


def body_for(method: str) -> dict[str, Any] | None:
    return bodies.scripted() if method in ("PUT", "PATCH") else None


@VERSIONS
async def test_another_accounts_agent_is_unknown(api: Api, base: str) -> None:
    agent_id, unknown = await created(api.client), uuid4()
    before = (await api.client.get(f"{base}/{agent_id}")).json()
    for method in METHODS:
        foreign = await api.stranger.request(method, f"{base}/{agent_id}", json=body_for(method))
        assert_refused(foreign, 404, f"There is no agent {agent_id}")
        nobodys = await api.client.request(method, f"{base}/{unknown}", json=body_for(method))
        assert_refused(nobodys, 404, f"There is no agent {unknown}")
    assert (await api.client.get(f"{base}/{agent_id}")).json() == before


@VERSIONS
async def test_a_malformed_id(api: Api, base: str) -> None:
    for method in METHODS:
        answer = await api.client.request(method, f"{base}/not-an-id", json=body_for(method))
        assert_refused(answer, 400, "agent_id must be a UUID")


@VERSIONS
async def test_a_bad_definition_writes_nothing_and_names_every_path(api: Api, base: str) -> None:
    before = await api.rows()
    bad = bodies.simple()
    bad["agent_config"]["agent_name"] = 7
    bodies.task(bad)["toolchain"]["pipelines"] = ["llm"]
    answer = await api.client.post(base, json=bad)
    assert_refused(answer, 400, "agent_config.agent_name must be a string")
    assert answer.json()["details"]["problems"] == [
        {"path": "agent_config.agent_name", "message": "agent_config.agent_name must be a string"},
        {
            "path": "agent_config.tasks[0].toolchain.pipelines[0]",
            "message": "toolchain.pipelines must be array of arrays",
        },
    ]
    assert await api.rows() == before


async def test_very_many_problems_are_cut(api: Api) -> None:
    bad = bodies.scripted()
    graph = bodies.task(bad)["tools_config"]["llm_agent"]["llm_config"]
    graph["nodes"] += [{"id": f"n{n}", "node_type": "static"} for n in range(200)]
    answer = await api.client.post("/v2/agent", json=bad)
    assert answer.status_code == 400
    assert len(answer.json()["details"]["problems"]) == 100


@VERSIONS
async def test_a_bad_put_or_patch_changes_nothing(api: Api, base: str) -> None:
    agent_id = await created(api.client)
    before = (await api.client.get(f"{base}/{agent_id}")).json()
    assert_refused(await api.client.put(f"{base}/{agent_id}", json={}), 400, "agent_config is required")
    bad = {"agent_config": {"agent_name": "Robin", "calling_guardrails": {"call_start_hour": 9}}}
    assert_refused(
        await api.client.patch(f"{base}/{agent_id}", json=bad),
        400,
        "agent_config.calling_guardrails.call_end_hour is required",
    )
    assert (await api.client.get(f"{base}/{agent_id}")).json() == before
