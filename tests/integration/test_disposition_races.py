"""Dispositions changed by several at once, on both databases: nothing is lost, doubled or left hanging."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Any

import httpx
import pytest

from ringback.agents.dispositions import MOST_OF_AGENT
from tests.support.api import Api

SENT: dict[str, Any] = {"name": "Outcome", "question": "How?", "is_subjective": True}


async def created(api: Api, *agents: str) -> str:
    answer = await api.client.post("/dispositions/", json=SENT | {"agent_ids": list(agents)})
    disposition_id: str = answer.json()["id"]
    return disposition_id


async def linked(api: Api) -> dict[str, list[dict[str, Any]]]:
    """The dispositions of each agent."""
    agents = (await api.client.get("/v2/agent/all")).json()
    return {
        agent["id"]: (await api.client.get("/dispositions/", params={"agent_id": agent["id"]})).json()
        for agent in agents
    }


@pytest.mark.parametrize("turn", range(4))
async def test_each_agent_changes_the_shared_one_for_itself(api: Api, turn: int) -> None:
    """One fewer copies than agents: the last one has the original alone, and changes it in place."""
    agents = [await api.agent() for _ in range(2 + turn)]
    original = await created(api, *agents)
    answers = await asyncio.gather(
        *(
            api.client.put(f"/dispositions/{original}", json={"agent_id": agent, "category": agent})
            for agent in agents
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[201] * (len(agents) - 1)]
    found = await linked(api)
    for agent, answer in zip(agents, answers, strict=True):
        [own] = found[agent]
        assert (own["id"], own["category"], own["agent_ids"]) == (answer.json()["id"], agent, [agent])
    assert len((await api.client.get("/dispositions/")).json()) == len(agents)


async def test_one_agent_gets_one_copy(api: Api) -> None:
    """Whoever comes second finds that the agent does not have the original any more."""
    agent, other = await api.agent(), await api.agent()
    original = await created(api, agent, other)
    answers = await asyncio.gather(
        *(
            api.client.put(f"/dispositions/{original}", json={"agent_id": agent, "name": str(n)})
            for n in range(5)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, *[404] * 4]
    found = await linked(api)
    [copy] = [answer.json() for answer in answers if answer.status_code == 201]
    assert [own["id"] for own in found[agent]] == [copy["id"]]
    assert [(own["id"], own["name"]) for own in found[other]] == [(original, "Outcome")]


async def test_fields_of_several_are_all_kept(api: Api) -> None:
    disposition_id = await created(api)
    changes: list[dict[str, Any]] = [
        {"name": "n"},
        {"question": "q"},
        {"category": "c"},
        {"system_prompt": "s"},
        {"model": "m"},
        {"subjective_type": "email"},
        {"agent_ids": [await api.agent()]},
    ]
    answers = await asyncio.gather(
        *(api.client.put(f"/dispositions/{disposition_id}", json=change) for change in changes)
    )
    assert [answer.status_code for answer in answers] == [200] * len(changes)
    shown = (await api.client.get(f"/dispositions/{disposition_id}")).json()
    for change in changes:
        assert change.items() <= shown.items()


async def test_the_bound_of_an_agent_holds(api: Api) -> None:
    agent = await api.agent()
    some = {"agent_id": agent, "dispositions": [SENT] * (MOST_OF_AGENT // 5)}
    answers = await asyncio.gather(*(api.client.post("/dispositions/bulk", json=some) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [422] * 3
    assert len((await linked(api))[agent]) == MOST_OF_AGENT == (await api.rows())["dispositions"]


async def test_deletions_of_agents_and_dispositions_in_between(api: Api) -> None:
    """Nobody waits in a circle, and every answer is one of those that there are."""
    agents = [await api.agent() for _ in range(6)]
    shared = [await created(api, *agents) for _ in range(3)]

    async def put(agent: str) -> list[httpx.Response]:
        return [
            await api.client.put(f"/dispositions/{one}", json={"agent_id": agent, "name": agent})
            for one in shared
        ]

    async def unlink_all() -> list[httpx.Response]:
        return [
            await api.client.put(f"/dispositions/{one}", json={"agent_ids": agents[::-1]})
            for one in reversed(shared)
        ]

    deleted = [
        api.client.delete(f"/v2/agent/{agents[0]}"),
        api.client.delete(f"/dispositions/{shared[1]}"),
        api.client.delete(f"/v2/agent/{agents[3]}"),
    ]
    results = await asyncio.gather(*(put(agent) for agent in agents), unlink_all(), *deleted)
    lists, gone = results[:-3], results[-3:]
    assert {answer.status_code for some in lists for answer in some} <= {200, 201, 403, 404}  # type: ignore[union-attr]
    assert [answer.status_code for answer in gone] == [200] * 3  # type: ignore[union-attr]
    found = await linked(api)
    assert set(found) == set(agents) - {agents[0], agents[3]}
    shown = {one["id"]: one for one in (await api.client.get("/dispositions/")).json()}
    assert shared[1] not in shown
    for agent, own in found.items():
        assert all(one == shown[one["id"]] for one in own)
        assert all(agent in one["agent_ids"] for one in own)
    assert set().union(*(one["agent_ids"] for one in shown.values())) <= set(found)
    copies = [one for one in shown.values() if one["id"] not in shared]
    assert all(len(one["agent_ids"]) <= 1 for one in islice(copies, 100))
