"""The do-not-call list over the API, on both databases."""

from __future__ import annotations

import pytest

from ringback.dialing.do_not_call import DoNotCall
from ringback.dialing.taking import Taking
from tests.support import agent_definitions
from tests.support.api import FROM, Api, assert_refused

NUMBER = "+14155550199"
PATH = f"/do-not-call/{NUMBER}"


async def listed(api: Api) -> list[str]:
    return [entry.number async for entry in api.services.do_not_call.every(api.account)]


async def test_put_get_and_delete(api: Api) -> None:
    missing = f"{NUMBER} is not on the do-not-call list"
    assert_refused(await api.client.get(PATH), 404, missing)
    entry = {"number": NUMBER, "reason": "asked not to be called", "created_at": "2026-11-24T04:04:05Z"}
    answer = await api.client.put(PATH, json={"reason": "asked not to be called", "by": "Ann"})
    assert (answer.status_code, answer.json()) == (200, entry)
    assert (await api.client.get(PATH)).json() == entry
    answer = await api.client.delete(PATH)
    assert (answer.status_code, answer.json()) == (200, {"message": "success", "state": "deleted"})
    assert_refused(await api.client.get(PATH), 404, missing)
    assert_refused(await api.client.delete(PATH), 404, missing)


async def test_a_second_put_changes_the_reason_and_not_the_time(api: Api) -> None:
    await api.client.put(PATH, json={"reason": "asked not to be called"})
    api.clock.us += 3_600_000_000
    for body, reason in (({"reason": "moved"}, "moved"), ({}, None), ({"reason": None}, None)):
        answer = await api.client.put(PATH, json=body)
        assert answer.json() == {"number": NUMBER, "reason": reason, "created_at": "2026-11-24T04:04:05Z"}
    assert await listed(api) == [NUMBER]


async def test_a_plus_sign_may_be_encoded(api: Api) -> None:
    assert (await api.client.put("/do-not-call/%2B14155550199", json={})).status_code == 200
    assert (await api.client.get(PATH)).status_code == 200


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("14155550199", "number must be a phone number in E.164 form, such as +14155550123"),
        ("%2B1 415 555 0199", "number must be a phone number in E.164 form, such as +14155550123"),
        ("%2B1415555019955555", "number must be a phone number in E.164 form, such as +14155550123"),
        ("%2B%D9%A1%D9%A2%D9%A3%D9%A4", "number must be a phone number in E.164 form, such as +14155550123"),
        ("%2B14155550199%00", "number must be a phone number in E.164 form, such as +14155550123"),
        ("%2B14155550199%0A", "number must be a phone number in E.164 form, such as +14155550123"),
        ("anonymous", "number must be a phone number in E.164 form, such as +14155550123"),
        ("%2B04155550199", "number must be in E.164 form: a country code does not begin with 0"),
    ],
)
async def test_a_number_that_is_none(api: Api, number: str, message: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = await api.client.request(method, f"/do-not-call/{number}", json={})
        assert_refused(answer, 400, message)
    assert await listed(api) == []


async def test_a_body_that_is_none(api: Api) -> None:
    for body, message in (
        ({"reason": 5}, "reason must be a string"),
        ({"reason": "x" * 501}, "reason must be at most 500 characters"),
        ([], "The body must be a JSON object"),
    ):
        assert_refused(await api.client.put(PATH, json=body), 400, message)
    assert_refused(await api.client.put(PATH), 400, "The body is empty: send a JSON object")
    assert await listed(api) == []


async def test_pages_in_the_order_of_numbers(api: Api) -> None:
    numbers = sorted(f"+{country}{tail:05}" for country in (1, 44, 881) for tail in range(9))
    await api.services.do_not_call.add(api.account, numbers[::-1], "imported")
    found: list[str] = []
    query = {"page_size": "10"}
    for _ in range(3):
        page = (await api.client.get("/do-not-call", params=query)).json()
        assert page["page_size"] == 10
        assert {entry["reason"] for entry in page["data"]} == {"imported"}
        found += [entry["number"] for entry in page["data"]]
        if not page["has_more"]:
            break
        query["cursor"] = page["next_cursor"]
    assert found == numbers
    assert page["next_cursor"] is None
    assert (await api.client.get("/do-not-call")).json()["data"][0]["number"] == numbers[0]


async def test_a_page_that_is_just_full_is_the_last(api: Api) -> None:
    await api.services.do_not_call.add(api.account, ["+1415000", "+1415001"], None)
    page = (await api.client.get("/do-not-call", params={"page_size": "2"})).json()
    assert ([entry["number"] for entry in page["data"]], page["has_more"]) == (
        ["+1415000", "+1415001"],
        False,
    )
    empty = (await api.client.get("/do-not-call", params={"cursor": "1415001"})).json()
    assert empty == {"page_size": 100, "has_more": False, "next_cursor": None, "data": []}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"page_size": "0"}, "page_size must be at least 1"),
        ({"page_size": "1001"}, "page_size must be at most 1000"),
        ({"page_size": "many"}, "page_size must be a whole number"),
        ({"cursor": "x"}, "cursor must match ^[1-9][0-9]{1,14}$"),
        ({"cursor": "+1415001"}, "cursor must match ^[1-9][0-9]{1,14}$"),
    ],
)
async def test_a_bad_page(api: Api, query: dict[str, str], message: str) -> None:
    assert_refused(await api.client.get("/do-not-call", params=query), 400, message)


async def test_many_at_once_leave_what_is_there(api: Api) -> None:
    await api.client.put(PATH, json={"reason": "first"})
    listed_ = DoNotCall(api.db, api.clock)
    await listed_.add(api.account, [NUMBER, "+4930123456", "+4930123456"], "second")
    reasons = {entry.number: entry.reason async for entry in listed_.every(api.account)}
    assert reasons == {NUMBER: "first", "+4930123456": "second"}


async def test_a_listed_number_is_not_dialled_for_this_account_alone(api: Api) -> None:
    mine, theirs = [
        await client.post("/v2/agent", json=agent_definitions.scripted())
        for client in (api.client, api.stranger)
    ]
    placed = {}
    for client, agent, number in (
        (api.client, mine, NUMBER),
        (api.client, mine, "+14155550123"),
        (api.stranger, theirs, NUMBER),
    ):
        call = {
            "agent_id": agent.json()["agent_id"],
            "recipient_phone_number": number,
            "from_phone_number": FROM,
            "bypass_call_guardrails": True,
        }
        placed[client, number] = (await client.post("/call", json=call)).json()["execution_id"]
    await api.client.put(PATH, json={})
    taken = await Taking(api.db, api.ledger, api.clock, "worker").take(5)
    stopped = placed.pop((api.client, NUMBER))
    assert {claim.execution_id for claim in taken.claims} == set(placed.values())
    record = (await api.client.get(f"/executions/{stopped}")).json()
    assert record["status"] == "stopped"
    assert record["error_message"] == "The number is on the account's do-not-call list"


async def test_a_long_list_is_read_to_its_end(api: Api) -> None:
    numbers = [f"+1415{tail:07}" for tail in range(2001)]
    await api.services.do_not_call.add(api.account, numbers, None)
    assert await listed(api) == numbers
