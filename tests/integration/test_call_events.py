"""Events from the API into live calls, on both databases: taken by the worker that holds the call, in order, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ringback.app.journal import Journal
from ringback.app.talker import receiver
from ringback.clock import SystemClock
from ringback.dialing.call_events import MOST_WAITING, EventDelivery
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState
from ringback.store.database import Database, StoreError
from ringback.store.wakeup import Wakeup, open_wakeup
from tests.support.api import Api, assert_refused, open_api

NO_CALL = "No active call found for this run_id"
TIMEOUT_S = 10


class FakeConversation:
    def __init__(self) -> None:
        self.got: list[tuple[str, Mapping[str, Any]]] = []
        self._news = asyncio.Event()

    def inject(self, name: str, properties: Mapping[str, Any]) -> None:
        self.got.append((name, properties))
        self._news.set()

    async def until(self, count: int) -> list[tuple[str, Mapping[str, Any]]]:
        async with asyncio.timeout(TIMEOUT_S):
            while len(self.got) < count:
                self._news.clear()
                await self._news.wait()
        return self.got


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> AsyncIterator[Api]:
    async with open_api(database, tmp_path) as api:
        yield api


@pytest.fixture
async def wakeup(database: Database, tmp_path: Path) -> AsyncIterator[Wakeup]:
    """The worker's."""
    opened = await open_wakeup(database, tmp_path)
    yield opened
    await opened.close()


async def talking(api: Api, owner: str = "worker") -> str:
    """A live call that this worker holds."""
    [call] = await api.executions(await api.agent(), 1)
    await api.ledger.transition(api.account, call, Status.INITIATED, attempt={"lease_owner": owner})
    live = {"state": AttemptState.LIVE}
    await api.ledger.transition(api.account, call, Status.IN_PROGRESS, attempt=live)  # type: ignore[arg-type]
    return call


async def send(api: Api, call: str, name: str, **properties: Any) -> Any:
    body = {"event": name, "properties": properties}
    return await api.client.post(f"/v1/call/{call}/events", json=body)


@asynccontextmanager
async def running(delivery: EventDelivery) -> AsyncIterator[None]:
    task = asyncio.create_task(delivery.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def waiting(api: Api) -> int:
    return (await api.rows())["call_events"]


async def test_an_event_reaches_its_call(api: Api, wakeup: Wakeup) -> None:
    call, conversation = await talking(api), FakeConversation()
    delivery = EventDelivery(api.db, wakeup, "worker")
    async with running(delivery):
        with delivery.to(api.account, call, conversation.inject):
            answer = await send(api, call, "payment_received", amount=4.5, to=["a", None])
            assert (answer.status_code, answer.json()) == (
                202, {"status": "accepted", "event": "payment_received", "run_id": call},
            )  # fmt: skip
            assert await conversation.until(1) == [("payment_received", {"amount": 4.5, "to": ["a", None]})]
    assert await waiting(api) == 0


async def test_many_arrive_in_order_and_once_each(api: Api, wakeup: Wakeup) -> None:
    call, conversation = await talking(api), FakeConversation()
    sent = [str(n) for n in range(MOST_WAITING + 20)]
    delivery = EventDelivery(api.db, wakeup, "worker")
    with delivery.to(api.account, call, conversation.inject):
        for name in sent[:60]:
            await send(api, call, name)
        async with running(delivery):
            for name in sent[60:]:
                assert (await send(api, call, name)).status_code == 202
            got = await conversation.until(len(sent))
    assert [name for name, _ in got] == sent


async def test_two_deliveries_that_look_at_once_give_it_once(api: Api, wakeup: Wakeup) -> None:
    """As after a restart under the same lease, which names do not allow; the database does not either."""
    call, conversation = await talking(api), FakeConversation()
    for n in range(50):
        await send(api, call, str(n))
    one, other = (EventDelivery(api.db, wakeup, "worker") for _ in range(2))
    with one.to(api.account, call, conversation.inject), other.to(api.account, call, conversation.inject):
        await asyncio.gather(*(delivery._deliver() for delivery in (one, other)))
    assert sorted(int(name) for name, _ in conversation.got) == list(range(50))


async def test_each_call_gets_its_own(api: Api, wakeup: Wakeup) -> None:
    calls = {await talking(api): FakeConversation() for _ in range(3)}
    delivery = EventDelivery(api.db, wakeup, "worker")
    for call in calls:
        await send(api, call, call)
    async with running(delivery):
        [a, b, c] = calls
        with (
            delivery.to(api.account, a, calls[a].inject),
            delivery.to(api.account, b, calls[b].inject),
            delivery.to(api.account, c, calls[c].inject),
        ):
            await send(api, a, "again")
            await calls[a].until(2)
            for call, conversation in calls.items():
                assert (await conversation.until(1))[0] == (call, {})


async def test_the_call_of_another_worker_is_left_alone(api: Api, wakeup: Wakeup) -> None:
    mine, theirs = await talking(api), await talking(api, "another")
    conversation = FakeConversation()
    delivery = EventDelivery(api.db, wakeup, "worker")
    await send(api, theirs, "theirs")
    with delivery.to(api.account, mine, conversation.inject):
        assert await delivery._deliver() == 0
    assert await waiting(api) == 1


async def test_what_a_call_cannot_take_does_not_stop_the_others(api: Api, wakeup: Wakeup) -> None:
    call, conversation = await talking(api), FakeConversation()

    def receive(name: str, properties: Mapping[str, Any]) -> None:
        if name == "bad":
            raise RuntimeError("a bug")
        conversation.inject(name, properties)

    delivery = EventDelivery(api.db, wakeup, "worker")
    await send(api, call, "bad")
    await send(api, call, "good")
    with delivery.to(api.account, call, receive):
        await delivery._deliver()
    assert conversation.got == [("good", {})]
    assert await waiting(api) == 0


async def test_a_lost_wake_up_costs_seconds(
    api: Api, wakeup: Wakeup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringback.dialing.call_events._LOOK_S", 0.01)
    call, conversation = await talking(api), FakeConversation()
    delivery = EventDelivery(api.db, _Deaf(), "worker")
    async with running(delivery):
        with delivery.to(api.account, call, conversation.inject):
            await send(api, call, "news")
            await conversation.until(1)


class _Deaf:
    async def notify(self, topic: str) -> None: ...

    async def wait(self, topic: str, timeout: float) -> bool:
        await asyncio.sleep(timeout)
        return False

    async def close(self) -> None: ...


async def test_a_database_that_is_away_is_asked_again(
    api: Api, wakeup: Wakeup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    call, conversation = await talking(api), FakeConversation()
    delivery = EventDelivery(api.db, wakeup, "worker")
    take, tries = delivery._take, 0

    async def failing() -> Any:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise StoreError("the database is away")
        return await take()

    monkeypatch.setattr(delivery, "_take", failing)
    async with running(delivery):
        with delivery.to(api.account, call, conversation.inject):
            await send(api, call, "one")
            await send(api, call, "two")
            await wakeup.notify("call-events")
            await conversation.until(2)
    assert "wait for the database" in caplog.text


async def test_the_call_s_log_names_it(api: Api, wakeup: Wakeup) -> None:
    call, conversation = await talking(api), FakeConversation()
    journal = Journal(api.ledger, SystemClock(), api.account, call, number=1, lease_owner=None)
    delivery = EventDelivery(api.db, wakeup, "worker")
    await send(api, call, "payment_received")
    with delivery.to(api.account, call, receiver(conversation, journal)):
        await delivery._deliver()
    await journal.finish()
    [row] = [r for r in await api.services.listing.log(api.account, call) if r.data.startswith("event ")]
    assert (row.type, row.component, row.provider) == ("event", "system", None)
    assert row.data == "event received: payment_received"
    assert conversation.got == [("payment_received", {})]


@pytest.mark.parametrize(
    "status", [Status.QUEUED, Status.INITIATED, Status.RINGING, Status.CALL_DISCONNECTED]
)
async def test_only_a_live_call_takes_events(api: Api, status: Status) -> None:
    [call] = await api.executions(await api.agent(), 1)
    for step in (Status.INITIATED, Status.RINGING, Status.IN_PROGRESS, Status.CALL_DISCONNECTED):
        if (await api.ledger.get(api.account, call)).status is status:
            break
        await api.ledger.transition(api.account, call, step)
    assert_refused(await send(api, call, "news"), 404, NO_CALL)
    assert await waiting(api) == 0


async def test_a_call_that_is_not_there_or_another_s(api: Api) -> None:
    assert_refused(await send(api, "00000000-0000-4000-8000-000000000000", "news"), 404, NO_CALL)
    call = await talking(api)
    answer = await api.stranger.post(f"/v1/call/{call}/events", json={"event": "news"})
    assert_refused(answer, 404, NO_CALL)
    assert_refused(await send(api, "42", "news"), 400, "run_id must be a UUID")
    assert await waiting(api) == 0


async def test_both_spellings_of_the_id(api: Api) -> None:
    call = await talking(api)
    answer = await send(api, call.replace("-", ""), "news")
    assert (answer.status_code, answer.json()["run_id"]) == (202, call)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "event is required"),
        ({"event": ""}, "event must not be empty"),
        ({"event": 42}, "event must be a string"),
        ({"event": "x" * 201}, "event must be at most 200 characters"),
        ({"event": "x", "properties": [1]}, "properties must be an object"),
        ({"event": "x", "properties": {"a": "é" * 8200}}, "properties must be at most 16384 bytes of JSON"),
    ],
)
async def test_bad_bodies(api: Api, body: dict[str, Any], message: str) -> None:
    call = await talking(api)
    assert_refused(await api.client.post(f"/v1/call/{call}/events", json=body), 400, message)
    assert await waiting(api) == 0


async def test_unknown_keys_and_null_properties(api: Api) -> None:
    call = await talking(api)
    body = {"event": "x" * 200, "properties": None, "more": 1}
    assert (await api.client.post(f"/v1/call/{call}/events", json=body)).status_code == 202


async def test_no_more_than_so_many_wait(api: Api) -> None:
    call = await talking(api)
    for n in range(MOST_WAITING):
        assert (await send(api, call, str(n))).status_code == 202
    answer = await send(api, call, "one too many")
    assert_refused(answer, 429)
    assert answer.headers["retry-after"] == "1"
    assert await waiting(api) == MOST_WAITING
    assert (await send(api, await talking(api), "of another call")).status_code == 202


async def test_nothing_is_left_of_a_call_that_is_over(api: Api) -> None:
    over, goes_on = await talking(api), await talking(api)
    for call in (over, goes_on):
        await send(api, call, "news")
    await api.ledger.transition(api.account, over, Status.CALL_DISCONNECTED)
    assert await waiting(api) == 1
    await api.ledger.transition(api.account, goes_on, Status.CALL_DISCONNECTED)
    assert await waiting(api) == 0
