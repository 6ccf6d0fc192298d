"""POST /call and stopping, on both databases; the telephony behind the queue is not running."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from ringback.executions.lifecycle import Status
from tests.support.api import FROM, Api, assert_refused

PERSON = "+14155550123"


def call(agent_id: str, **more: Any) -> dict[str, Any]:
    return {"agent_id": agent_id, "recipient_phone_number": PERSON} | more


async def test_a_call_is_queued(api: Api) -> None:
    agent_id = await api.agent()
    answer = await api.client.post("/call", json=call(agent_id, user_data={"name": "Ann"}, webhook_url="x"))
    assert answer.status_code == 200
    body = answer.json()
    execution_id = body["execution_id"]
    assert body == {
        "message": "done",
        "status": "queued",
        "execution_id": execution_id,
        "run_id": execution_id,
    }
    execution = (await api.client.get(f"/executions/{execution_id}")).json()
    assert (execution["status"], execution["agent_id"]) == ("queued", agent_id)
    assert execution["telephony_data"]["to_number"] == PERSON
    assert execution["telephony_data"]["from_number"] == FROM
    assert execution["context_details"]["recipient_data"] == {"name": "Ann"}
    rows = await api.rows()
    assert (rows["executions"], rows["attempts"]) == (1, 1)


@pytest.mark.parametrize(
    "spelling", ["2026-11-24T06:04:05Z", "2026-11-24T11:34:05+05:30", "2026-11-24T06:04:05"]
)
async def test_a_scheduled_call_and_its_retry_policy(api: Api, spelling: str) -> None:
    agent_id = await api.agent()
    body = call(agent_id, scheduled_at=spelling, retry_config={"enabled": True, "max_retries": 2})
    answer = await api.client.post("/call", json=body)
    assert answer.json()["status"] == "queued"
    execution = (await api.client.get(f"/executions/{answer.json()['execution_id']}")).json()
    assert execution["status"] == "scheduled"
    assert execution["scheduled_at"] == "2026-11-24T06:04:05Z"
    assert execution["retry_config"] == {
        "enabled": True,
        "max_retries": 2,
        "retry_on_statuses": ["no-answer", "busy", "failed"],
        "retry_on_voicemail": False,
        "retry_intervals_minutes": [30, 60, 120],
    }


TOO_SOON = "Scheduled time should be atleast 2 minutes in the future"
E164 = "must be a phone number in E.164 form, such as +14155550123"
NO_TIME = "scheduled_at must be an ISO 8601 time, such as 2026-06-05T16:35:00+05:30"


BAD_CALLS: list[tuple[dict[str, Any], str]] = [
    ({"agent_id": None}, "agent_id is required"),
    ({"recipient_phone_number": None}, "recipient_phone_number is required"),
    ({"agent_id": "42"}, "agent_id must be a UUID"),
    ({"agent_id": 42}, "agent_id must be a string"),
    ({"recipient_phone_number": "4155550123"}, f"recipient_phone_number {E164}"),
    ({"recipient_phone_number": "+1 415 555 0123"}, f"recipient_phone_number {E164}"),
    ({"recipient_phone_number": "+" + "1" * 16}, f"recipient_phone_number {E164}"),
    ({"recipient_phone_number": "+1"}, f"recipient_phone_number {E164}"),
    ({"recipient_phone_number": "+١٢٣٤٥"}, f"recipient_phone_number {E164}"),
    ({"recipient_phone_number": "sip:a@b"}, f"recipient_phone_number {E164}"),
    (
        {"recipient_phone_number": "+0155550123"},
        "recipient_phone_number must be in E.164 form: a country code does not begin with 0",
    ),
    ({"recipient_phone_number": 14155550123}, "recipient_phone_number must be a string"),
    ({"from_phone_number": "me"}, f"from_phone_number {E164}"),
    ({"scheduled_at": "2026-11-24T04:06:04Z"}, TOO_SOON),
    ({"scheduled_at": "2026-11-24T04:06:04"}, TOO_SOON),
    ({"scheduled_at": "2020-01-01T00:00:00Z"}, TOO_SOON),
    ({"scheduled_at": "soon"}, NO_TIME),
    ({"scheduled_at": ""}, NO_TIME),
    ({"scheduled_at": 1795493045}, "scheduled_at must be a string"),
    ({"user_data": "name"}, "user_data must be an object"),
    ({"user_data": ["name"]}, "user_data must be an object"),
    ({"agent_data": {"voice_id": 3}}, "agent_data.voice_id must be a string"),
    ({"bypass_call_guardrails": "no"}, "bypass_call_guardrails must be true or false"),
    ({"retry_config": True}, "retry_config must be an object"),
    ({"retry_config": {"max_retries": 0}}, "retry_config.max_retries must be at least 1"),
    ({"retry_config": {"max_retries": 4}}, "retry_config.max_retries must be at most 3"),
    (
        {"retry_config": {"retry_on_statuses": ["busy", "completed"]}},
        "retry_config.retry_on_statuses[1] must be one of 'no-answer', 'busy', 'failed' or 'error'",
    ),
    (
        {"retry_config": {"retry_intervals_minutes": [30, 0]}},
        "retry_config.retry_intervals_minutes[1] must be at least 1",
    ),
    (
        {"retry_config": {"retry_intervals_minutes": []}},
        "retry_config.retry_intervals_minutes must hold at least 1 item(s)",
    ),
]


async def test_bad_calls_are_refused_and_nothing_written(api: Api) -> None:
    agent_id = await api.agent()
    before = await api.rows()
    for change, message in BAD_CALLS:
        assert_refused(await api.client.post("/call", json=call(agent_id) | change), 400, message)
        assert await api.rows() == before, change


async def test_two_minutes_ahead_is_enough(api: Api) -> None:
    agent_id = await api.agent()
    answer = await api.client.post("/call", json=call(agent_id, scheduled_at="2026-11-24T04:06:05Z"))
    assert answer.status_code == 200


async def test_a_number_that_is_not_ours(api: Api) -> None:
    agent_id = await api.agent()
    before = await api.rows()
    answer = await api.client.post("/call", json=call(agent_id, from_phone_number="+14155550199"))
    assert answer.status_code == 400
    assert "+14155550199 is not one of your numbers" in answer.json()["message"]
    assert await api.rows() == before


async def test_an_unknown_or_foreign_agent(api: Api) -> None:
    agent_id = await api.agent()
    before = await api.rows()
    assert_refused(
        await api.stranger.post("/call", json=call(agent_id)), 404, f"There is no agent {agent_id}"
    )
    unknown = str(uuid4())
    assert_refused(await api.client.post("/call", json=call(unknown)), 404, f"There is no agent {unknown}")
    assert await api.rows() == before


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"agent_id=1", 400, "The body is not JSON: Expecting value at line 1, column 1"),
        (b"", 400, "The body is empty: send a JSON object"),
        (b"[]", 400, "The body must be a JSON object"),
        (b" " * 10_000_000, 413, "The body is too large: send at most 1048576 bytes"),
    ],
)
async def test_a_body_that_is_no_call(api: Api, content: bytes, status: int, message: str) -> None:
    await api.agent()
    before = await api.rows()
    assert_refused(await api.client.post("/call", content=content), status, message)
    assert await api.rows() == before


async def test_a_huge_body_that_is_not_announced(api: Api) -> None:
    agent_id = await api.agent()
    before = await api.rows()

    async def chunks() -> Any:
        yield json.dumps(call(agent_id))[:-1].encode()
        for _ in range(160):
            yield b" " * 65536
        yield b"}"

    answer = await api.client.post("/call", content=chunks())
    assert_refused(answer, 413, "The body is too large: send at most 1048576 bytes")
    assert await api.rows() == before


async def placed(api: Api, agent_id: str, **more: Any) -> str:
    answer = await api.client.post("/call", json=call(agent_id, **more))
    execution_id: str = answer.json()["execution_id"]
    return execution_id


async def status_of(api: Api, execution_id: str) -> str:
    status: str = (await api.client.get(f"/executions/{execution_id}")).json()["status"]
    return status


async def test_stop(api: Api) -> None:
    agent_id = await api.agent()
    execution_id = await placed(api, agent_id)
    assert_refused(
        await api.stranger.post(f"/call/{execution_id}/stop"), 404, f"There is no execution {execution_id}"
    )
    answer = await api.client.post(f"/call/{execution_id}/stop")
    assert answer.status_code == 200
    assert answer.json() == {"message": "done", "status": "stopped", "execution_id": execution_id}
    assert await status_of(api, execution_id) == "stopped"
    again = await api.client.post(f"/call/{execution_id}/stop")
    assert again.status_code == 400
    assert "stopped" in again.json()["message"]


async def test_a_live_call_cannot_be_stopped(api: Api) -> None:
    execution_id = await placed(api, await api.agent())
    for status in (Status.INITIATED, Status.IN_PROGRESS):
        await api.ledger.transition(api.account, execution_id, status)
    answer = await api.client.post(f"/call/{execution_id}/stop")
    assert answer.status_code == 400
    assert await status_of(api, execution_id) == "in-progress"


async def test_stop_all_calls_of_an_agent(api: Api) -> None:
    agent_id, other = await api.agent(), await api.agent()
    queued = await placed(api, agent_id)
    scheduled = await placed(api, agent_id, scheduled_at="2026-11-24T09:00:00Z")
    live = await placed(api, agent_id)
    for status in (Status.INITIATED, Status.IN_PROGRESS):
        await api.ledger.transition(api.account, live, status)
    elsewhere = await placed(api, other)
    assert (await api.stranger.post(f"/v2/agent/{agent_id}/stop")).status_code == 404
    answer = await api.client.post(f"/v2/agent/{agent_id}/stop")
    assert answer.status_code == 200
    assert set(answer.json()["stopped_executions"]) == {queued, scheduled}
    statuses = [await status_of(api, execution) for execution in (queued, scheduled, live, elsewhere)]
    assert statuses == ["stopped", "stopped", "in-progress", "queued"]
