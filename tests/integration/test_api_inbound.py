"""Who answers at a number, over the API, on both databases."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from ringback.executions.record import AttemptState, NewExecution
from tests.support.api import BASE_URL, POOL, Api, assert_refused

MENU = {
    "step_id": "main",
    "type": "menu",
    "prompt": "Press 1 for sales.",
    "options": [{"digit": "1", "label": "sales"}],
}


async def number(api: Api) -> str:
    answer = await api.client.post("/phone-numbers/buy", json={"country": "US", "phone_number": POOL[0]})
    bought: str = answer.json()["id"]
    return bought


async def answers(api: Api) -> str | None:
    [listed] = (await api.client.get("/phone-numbers/all")).json()
    agent: str | None = listed["agent_id"]
    return agent


async def menus(api: Api) -> list[Any]:
    return [row["ivr_config"] for row in await api.db.fetch_all("SELECT ivr_config FROM inbound_menus")]


async def test_an_agent_answers_at_a_number_until_it_is_unlinked(api: Api) -> None:
    agent_id, number_id = await api.agent(), await number(api)
    body = {"agent_id": agent_id, "phone_number_id": UUID(number_id).hex, "allow_multiple": True}
    answer = await api.client.post("/inbound/setup", json=body)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "message": f"The agent answers at {POOL[0]}",
            "url": f"{BASE_URL}/inbound_call?agent_id={agent_id}&user_id={api.account}",
            "phone_number": POOL[0],
            "id": number_id,
        },
    )
    assert await answers(api) == agent_id
    other = await api.agent()
    await api.client.post("/inbound/setup", json={"agent_id": other, "phone_number_id": number_id})
    assert await answers(api) == other, "one number, one agent"
    answer = await api.client.post("/inbound/unlink", json={"phone_number_id": number_id})
    assert answer.json() == {
        "message": f"Nobody answers at {POOL[0]}",
        "url": None,
        "phone_number": POOL[0],
        "id": number_id,
    }
    assert await answers(api) is None


async def test_menus_are_those_of_the_last_setup(api: Api) -> None:
    agent_id, number_id = await api.agent(), await number(api)
    body = {"agent_id": agent_id, "phone_number_id": number_id}
    answer = await api.client.post("/inbound/setup", json={**body, "ivr_config": {"steps": [MENU]}})
    assert answer.status_code == 200
    [kept] = await menus(api)
    assert '"max_retries": 2' in kept, "with its defaults"
    await api.client.post("/inbound/setup", json=body)
    assert await menus(api) == []
    await api.client.post("/inbound/setup", json={**body, "ivr_config": {"enabled": True, "steps": [MENU]}})
    assert len(await menus(api)) == 1
    await api.client.post("/inbound/unlink", json={"phone_number_id": number_id})
    assert await menus(api) == []


async def test_menus_go_with_their_number(api: Api) -> None:
    agent_id, number_id = await api.agent(), await number(api)
    body = {"agent_id": agent_id, "phone_number_id": number_id, "ivr_config": {"steps": [MENU]}}
    await api.client.post("/inbound/setup", json=body)
    await api.client.delete(f"/phone-numbers/{number_id}")
    assert await menus(api) == []


@pytest.mark.parametrize("wrong", ["agent", "number", "option", "default"])
async def test_whom_the_account_does_not_have_does_not_answer(api: Api, wrong: str) -> None:
    agent_id, number_id, unknown = await api.agent(), await number(api), str(uuid4())
    option = {"digit": "1", "label": "sales", "agent_id": unknown if wrong == "option" else agent_id}
    config = {"steps": [{**MENU, "options": [option]}]}
    if wrong == "default":
        config["default_agent_id"] = unknown  # type: ignore[assignment]
    body = {
        "agent_id": unknown if wrong == "agent" else agent_id,
        "phone_number_id": unknown if wrong == "number" else number_id,
        "ivr_config": config,
    }
    what = "phone number" if wrong == "number" else "agent"
    assert_refused(await api.client.post("/inbound/setup", json=body), 404, f"There is no {what} {unknown}")
    assert (await answers(api), await menus(api)) == (None, [])


async def test_menus_that_cannot_be_played_are_refused_with_their_place(api: Api) -> None:
    body = {
        "agent_id": await api.agent(),
        "phone_number_id": await number(api),
        "ivr_config": {"steps": [{**MENU, "options": []}]},
    }
    answer = await api.client.post("/inbound/setup", json=body)
    assert answer.status_code == 400
    assert "ivr_config.steps[0].options" in answer.json()["message"]


async def test_what_is_missing_is_named(api: Api) -> None:
    for path, missing in (("setup", "agent_id"), ("unlink", "phone_number_id")):
        assert_refused(await api.client.post(f"/inbound/{path}", json={}), 400, f"{missing} is required")


async def test_files_of_callers(api: Api) -> None:
    path = "/inbound/callers/june.csv"
    answer = await api.client.put(path, json={"csv": "contact_number,name\n+14155550123,Ann\n"})
    kept = {"source_name": "june.csv", "callers": 1, "created_at": "2026-11-24T04:04:05Z"}
    assert (answer.status_code, answer.json()) == (200, kept)
    assert (await api.client.get("/inbound/callers")).json() == [kept]
    assert (await api.stranger.get("/inbound/callers")).json() == []
    answer = await api.client.put(path, json={"csv": "name\nAnn\n"})
    assert_refused(answer, 400, "csv: The first line must name a column contact_number")
    assert (await api.client.delete(path)).json() == {"message": "success", "state": "deleted"}
    assert_refused(await api.client.delete(path), 404, "There is no file of callers named june.csv")


async def test_a_call_that_came_to_us_cannot_be_stopped(api: Api) -> None:
    new = NewExecution(
        api.account, await api.agent(), "+14155550100", "+14155550123", "sip-trunk", call_type="inbound"
    )
    async with api.db.transaction() as tx:
        call = await api.ledger.receive(new, {"state": AttemptState.CLAIMED}, tx=tx)
    answer = await api.client.post(f"/call/{call.id}/stop")
    assert_refused(answer, 400, "The call is queued, and came to you: only yours can be stopped")
    attempt = await api.ledger.attempt(api.account, call.id)
    assert not attempt.cancel_requested
