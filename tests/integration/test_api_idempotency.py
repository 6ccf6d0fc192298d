"""`Idempotency-Key`: the same request again, at once or later, from one client or many; on both databases."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from ringback.accounts.idempotency import KEPT_US, Answer, IdempotencyKey
from ringback.store.database import Transaction
from tests.support.api import Api, Client, assert_refused

DAY_US = 24 * 3600 * 1_000_000


async def call(client: Client, agent_id: str, key: str | None, **more: Any) -> httpx.Response:
    body = {"agent_id": agent_id, "recipient_phone_number": "+14155550123"} | more
    return await client.post("/call", json=body, headers={"Idempotency-Key": key} if key else {})


async def test_a_call_sent_again_is_placed_once(api: Api) -> None:
    agent_id = await api.agent()
    first = await call(api.client, agent_id, "order 4711", user_data={"name": "Ann", "age": 3})
    rows = await api.rows()
    assert (first.status_code, rows["executions"], rows["idempotency_keys"]) == (200, 1, 1)
    assert "idempotent-replayed" not in first.headers
    api.clock.us += DAY_US - 1
    again = await call(api.client, agent_id, "order 4711", user_data={"age": 3, "name": "Ann"})
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotent-replayed"] == "true"
    assert await api.rows() == rows


async def test_without_a_key_every_call_is_one(api: Api) -> None:
    agent_id = await api.agent()
    ids = {(await call(api.client, agent_id, None)).json()["execution_id"] for _ in range(2)}
    assert len(ids) == 2
    assert (await api.rows())["idempotency_keys"] == 0


async def test_a_key_of_another_request(api: Api) -> None:
    agent_id = await api.agent()
    assert (await call(api.client, agent_id, "k")).status_code == 200
    rows = await api.rows()
    message = "Idempotency-Key 'k' came with another request of the last 24 hours; send a new key with a new request"
    assert_refused(await call(api.client, agent_id, "k", user_data={"name": "Ann"}), 409, message)
    upload = await api.client.post(
        "/batches",
        data={"agent_id": agent_id},
        files={"file": ("a.csv", b"contact_number\n+14155550123\n")},
        headers={"Idempotency-Key": "k"},
    )
    assert_refused(upload, 409, message)
    assert await api.rows() == rows


async def test_a_key_is_its_accounts(api: Api) -> None:
    mine = await api.agent()
    assert (await call(api.client, mine, "k")).status_code == 200
    assert_refused(await call(api.stranger, mine, "k"), 404, f"There is no agent {mine}")


async def test_a_key_lasts_a_day(api: Api) -> None:
    agent_id = await api.agent()
    first = await call(api.client, agent_id, "k")
    api.clock.us += DAY_US + 1
    second = await call(api.client, agent_id, "k", user_data={"name": "Ann"})
    assert second.status_code == 200
    assert second.json()["execution_id"] != first.json()["execution_id"]
    again = await call(api.client, agent_id, "k", user_data={"name": "Ann"})
    assert again.content == second.content


async def test_a_refusal_is_not_kept(api: Api) -> None:
    agent_id = await api.agent()
    assert (await call(api.client, agent_id, "k", from_phone_number="+14155550199")).status_code == 400
    assert (await call(api.client, agent_id, "k", recipient_phone_number="me")).status_code == 400
    assert (await api.rows())["idempotency_keys"] == 0
    assert (await call(api.client, agent_id, "k")).status_code == 200


async def test_what_has_changed_since_does_not_matter(api: Api) -> None:
    """The moment is over, the agent is gone: the answer is what it was."""
    agent_id = await api.agent()
    first = await call(api.client, agent_id, "k", scheduled_at="2026-11-24T04:06:05Z")
    assert first.status_code == 200
    api.clock.us += 3_600_000_000
    assert (await api.client.delete(f"/v2/agent/{agent_id}")).status_code == 200
    again = await call(api.client, agent_id, "k", scheduled_at="2026-11-24T04:06:05Z")
    assert (again.status_code, again.content) == (200, first.content)


@pytest.mark.parametrize("key", ["", "k" * 256, "schön", "\x07"])
async def test_keys_that_are_none(api: Api, key: str) -> None:
    agent_id = await api.agent()
    body = {"agent_id": agent_id, "recipient_phone_number": "+14155550123"}
    answer = await api.client.post("/call", json=body, headers={"Idempotency-Key": key.encode()})
    assert_refused(answer, 400)
    assert answer.json()["message"].startswith("Idempotency-Key must ")
    assert (await api.rows())["executions"] == 0


async def test_the_longest_key(api: Api) -> None:
    assert (await call(api.client, await api.agent(), "k" * 255)).status_code == 200


async def test_many_at_the_same_moment(api: Api) -> None:
    agent_id = await api.agent()
    answers = await asyncio.gather(*(call(api.client, agent_id, "k") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert (await api.rows())["executions"] == 1


async def test_the_second_waits_for_the_first_which_fails(api: Api) -> None:
    """What was not done is not answered: the second does it."""
    idempotency, key = api.services.idempotency, IdempotencyKey("k", "POST /call", "f")
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def failing(_: Transaction) -> Answer:
        begun.set()
        await go_on.wait()
        raise RuntimeError("away")

    async def working(_: Transaction) -> Answer:
        return Answer(200, "second")

    first = asyncio.create_task(idempotency.once(api.account, key, failing))
    await begun.wait()
    second = asyncio.create_task(idempotency.once(api.account, key, working))
    # It cannot have answered while the first is not over, however long one waits.
    await asyncio.wait({second}, timeout=0.2)
    assert not second.done()
    go_on.set()
    with pytest.raises(RuntimeError):
        await first
    assert await second == Answer(200, "second")
    assert await idempotency.earlier(api.account, key) == Answer(200, "second", replayed=True)


async def test_old_keys_are_forgotten(api: Api) -> None:
    rows = [
        (api.account, f"{age}-{n}", "POST /call", "f", 200, "{}", api.clock.us - age)
        for age in (0, KEPT_US, KEPT_US + 1)
        for n in range(1_500)
    ]
    async with api.db.transaction() as tx:
        names = ("account_id", "key", "route", "fingerprint", "status", "body", "created_at")
        await tx.insert_rows("idempotency_keys", names, rows)
    assert await api.services.idempotency.forget() == 1_500
    assert (await api.rows())["idempotency_keys"] == 3_000
    assert await api.services.idempotency.forget() == 0
