"""Lists, records and logs over HTTP, on both databases."""

from __future__ import annotations

from uuid import uuid4

import jsonschema
import pytest

from ringback.executions.lifecycle import Status
from ringback.executions.record import LogRow
from tests.support.api import Api, assert_refused
from tests.support.records import SEED_LIST_SCHEMA


async def test_no_executions(api: Api) -> None:
    agent_id = await api.agent()
    answer = await api.client.get(f"/agent/{agent_id}/executions")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == []
    paged = (await api.client.get(f"/v2/agent/{agent_id}/executions")).json()
    assert paged == {
        "page_number": 1,
        "page": 1,
        "page_size": 20,
        "total": 0,
        "total_exact": True,
        "has_more": False,
        "next_cursor": None,
        "data": [],
        "filters": {},
        "sorts": [{"field": "created_at", "order": "desc"}],
    }


async def test_the_v1_list_is_an_array_newest_first_in_v1_statuses(api: Api) -> None:
    agent_id = await api.agent()
    ids = await api.executions(agent_id, 3)
    await api.executions(await api.agent(), 1)
    await api.ledger.transition(api.account, ids[0], Status.STOPPED)
    listed = (await api.client.get(f"/agent/{agent_id}/executions")).json()
    jsonschema.validate(listed, SEED_LIST_SCHEMA)
    assert [execution["id"] for execution in listed] == ids[::-1]
    assert (listed[-1]["status"], listed[-1]["smart_status"]) == ("canceled", "stopped")
    one = (await api.client.get(f"/agent/{agent_id}/execution/{ids[0]}")).json()
    assert one == listed[-1]
    assert (await api.client.get(f"/executions/{ids[0]}")).json()["status"] == "stopped"


async def test_the_v1_list_takes_pages_and_filters_and_stays_an_array(api: Api) -> None:
    agent_id = await api.agent()
    ids = await api.executions(agent_id, 5)
    await api.ledger.transition(api.account, ids[1], Status.STOPPED)
    url = f"/agent/{agent_id}/executions"
    second = (await api.client.get(url, params={"page_number": 2, "page_size": 2})).json()
    assert [execution["id"] for execution in second] == [ids[2], ids[1]]
    jsonschema.validate(second, SEED_LIST_SCHEMA)
    stopped = (await api.client.get(url, params={"status": "stopped"})).json()
    assert [execution["id"] for execution in stopped] == [ids[1]]


async def test_pages_of_v2(api: Api) -> None:
    agent_id = await api.agent()
    ids = await api.executions(agent_id, 53)
    url = f"/v2/agent/{agent_id}/executions"
    first = (await api.client.get(url, params={"page_size": 500})).json()
    assert (first["page_size"], first["total"], first["has_more"]) == (50, 53, True)
    assert [execution["id"] for execution in first["data"]] == ids[:2:-1]
    second = (await api.client.get(url, params={"page_size": 50, "page_number": 2})).json()
    assert [execution["id"] for execution in second["data"]] == ids[2::-1]
    assert (second["page_number"], second["page"], second["has_more"]) == (2, 2, False)


async def test_filters_of_v2(api: Api) -> None:
    agent_id = await api.agent()
    ids = await api.executions(agent_id, 3)  # a second apart, the first at 04:04:05
    await api.ledger.transition(api.account, ids[0], Status.STOPPED)

    async def found(**params: str) -> list[str]:
        page = (await api.client.get(f"/v2/agent/{agent_id}/executions", params=params)).json()
        assert page["filters"] == params
        return [execution["id"] for execution in page["data"]]

    assert await found(status="stopped") == [ids[0]]
    assert await found(status="stopped,queued") == ids[::-1]
    assert await found(call_type="inbound") == []
    assert await found(call_type="outbound") == ids[::-1]
    assert await found(provider="carrier-pigeon") == []
    assert await found(**{"from": "2026-11-24T04:04:06Z"}) == [ids[2], ids[1]]
    assert await found(to="2026-11-24T04:04:06Z") == [ids[1], ids[0]]
    assert await found(**{"from": "2026-11-24T09:34:06+05:30", "to": "2026-11-24T04:04:06"}) == [ids[1]]


BAD_PARAMETERS: list[tuple[dict[str, str], str]] = [
    ({"page_number": "0"}, "page_number must be at least 1"),
    ({"page_number": "x"}, "page_number must be a whole number"),
    ({"page_number": "9" * 30}, "page_number must be at most 1000000000"),
    ({"page_size": "0"}, "page_size must be at least 1"),
    ({"call_type": "sideways"}, "call_type must be one of 'inbound' or 'outbound'"),
    ({"answered_by_voice_mail": "maybe"}, "answered_by_voice_mail must be true or false"),
    ({"batch_id": "x"}, "batch_id must be a UUID"),
    ({"from": "x"}, "from must be an ISO 8601 time, such as 2026-06-05T16:35:00Z"),
    ({"from": "2026-01-02", "to": "2026-01-01"}, "to must not be before from"),
]


async def test_bad_parameters(api: Api) -> None:
    agent_id = await api.agent()
    for base in ("/agent", "/v2/agent"):
        for params, message in BAD_PARAMETERS:
            answer = await api.client.get(f"{base}/{agent_id}/executions", params=params)
            assert_refused(answer, 400, message)


async def test_an_unknown_status_is_refused_with_the_known_ones(api: Api) -> None:
    agent_id = await api.agent()
    answer = await api.client.get(f"/v2/agent/{agent_id}/executions", params={"status": "queued,lost"})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("status must be one or more of prepared, scheduled, ")


async def test_the_strict_date_window(api: Api) -> None:
    strict = api.with_services(strict_date_window=True)
    agent_id = await api.agent()
    url = f"/v2/agent/{agent_id}/executions"
    week = {"from": "2026-11-20T00:00:00Z", "to": "2026-11-27T00:00:00Z"}
    assert_refused(await strict.get(url), 400, "from and to are required")
    assert_refused(
        await strict.get(url, params=week | {"to": "2026-11-27T00:00:01Z"}),
        400,
        "from and to must be at most 7 days apart",
    )
    assert (await strict.get(url, params=week)).status_code == 200
    assert (await strict.get(f"/agent/{agent_id}/executions")).status_code == 200


@pytest.mark.parametrize("path", ["/agent/{agent}/executions", "/v2/agent/{agent}/executions"])
async def test_lists_of_unknown_and_foreign_agents(api: Api, path: str) -> None:
    agent_id, unknown = await api.agent(), uuid4()
    await api.executions(agent_id, 1)
    foreign = await api.stranger.get(path.format(agent=agent_id))
    assert_refused(foreign, 404, f"There is no agent {agent_id}")
    assert_refused(await api.client.get(path.format(agent=unknown)), 404, f"There is no agent {unknown}")
    assert_refused(await api.client.get(path.format(agent="42")), 400, "agent_id must be a UUID")


@pytest.mark.parametrize(
    "path",
    ["/agent/{agent}/execution/{execution}", "/executions/{execution}", "/executions/{execution}/log"],
)
async def test_records_of_others(api: Api, path: str) -> None:
    agent_id, unknown = await api.agent(), uuid4()
    [execution] = await api.executions(agent_id, 1)
    url = path.format(agent=agent_id, execution=execution)
    assert (await api.client.get(url)).status_code == 200
    assert_refused(await api.stranger.get(url), 404, f"There is no execution {execution}")
    url = path.format(agent=agent_id, execution=unknown)
    assert_refused(await api.client.get(url), 404, f"There is no execution {unknown}")
    url = path.format(agent=agent_id, execution="42")
    assert_refused(await api.client.get(url), 400, "execution_id must be a UUID")


async def test_an_execution_of_another_agent_is_not_under_this_one(api: Api) -> None:
    [execution] = await api.executions(await api.agent(), 1)
    answer = await api.client.get(f"/agent/{await api.agent()}/execution/{execution}")
    assert_refused(answer, 404, f"There is no execution {execution}")


async def test_the_log(api: Api) -> None:
    [execution] = await api.executions(await api.agent(), 1)
    at = api.clock.us
    await api.ledger.add_log(
        api.account,
        execution,
        [
            LogRow(at, "request", "llm", "openai", "hello"),
            LogRow(at + 1, "response", "llm", "openai", "hi", reasoning_content="thought"),
            LogRow(at + 2, "request", "tool", None, "{}", tool_name="transfer_call"),
        ],
    )
    body = (await api.client.get(f"/executions/{execution}/log")).json()
    assert (body["status"], body["execution_id"]) == ("success", execution)
    asked, answered, tool = body["data"][-3:]
    assert asked == {
        "created_at": asked["timestamp"],
        "timestamp": asked["timestamp"],
        "type": "request",
        "component": "llm",
        "provider": "openai",
        "data": "hello",
    }
    assert answered["reasoning_content"] == "thought"
    assert tool["tool_name"] == "transfer_call"
