"""Webhooks delivered to a real receiver that fails, stalls and redirects: what arrives, when, in which order."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from standardwebhooks import Webhook

from ringback.executions.record import Execution
from ringback.net.addresses import Allowed
from ringback.net.client import GuardedClient
from ringback.store.database import Database
from ringback.webhooks import deliverer as module
from ringback.webhooks.deliverer import Deliverer
from ringback.webhooks.policy import DAY_US, TRIED_FOR_US
from tests.support.batches import Deaf
from tests.support.http_server import Page, Request
from tests.support.webhook_post import SECOND, STORY, TALK, Post, Receiver, post_office, receiver

HOUR = 3600 * SECOND


@pytest.fixture
async def post(database: Database) -> AsyncIterator[Post]:
    async with post_office(database) as office:
        yield office


@pytest.fixture
async def hook(post: Post) -> AsyncIterator[Receiver]:
    async with receiver(lambda: post.clock.us) as found:
        await post.tell(found.url)
        yield found


def failing(until_us: int, post: Post, status: int = 500) -> Callable[[Request], Page]:
    return lambda request: Page(status=status if post.clock.us < until_us else 200)


async def states(post: Post, execution: Execution | None = None) -> Counter[str]:
    return Counter(row["state"] for row in await post.rows(execution))


async def test_each_status_arrives_once_in_order_and_signed(post: Post, hook: Receiver) -> None:
    call = await post.call(*TALK)
    assert await post.deliverer.settle() is None
    assert hook.events() == STORY
    assert hook.ids == [f"{call.id}-{position}" for position in range(1, 7)]
    stored = await post.books.listing.by_id(post.books.account_id, call.id)
    assert stored is not None
    assert hook.got[-1].body == stored.body
    endpoint = await post.endpoint(hook.url)
    secret = await post.endpoints.secret(post.books.account_id, endpoint.id)
    for request in hook.got:
        assert (request.method, request.path) == ("POST", "/hook")
        assert request.headers["content-type"] == "application/json"
        assert request.headers["user-agent"].startswith("Ringback/")
        # The clock of the test is not that of the library.
        assert (
            Webhook(secret.text).sign(
                request.headers["webhook-id"],
                _moment(request),
                request.body.decode(),
            )
            == request.headers["webhook-signature"]
        )
    rows = await post.rows()
    assert {(row["state"], row["tries"], row["last_code"], row["lease_until"]) for row in rows} == {
        ("delivered", 1, 200, None)
    }
    assert await post.deliverer.settle() is None
    assert len(hook.got) == 6


def _moment(request: Request) -> datetime:
    return datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)


async def test_connections_are_kept(post: Post, hook: Receiver) -> None:
    for _ in range(3):
        await post.call(*TALK)
        await post.deliverer.settle()
    assert len(hook.got) == 18
    assert hook.connections <= 3


async def test_a_receiver_that_answers_500_for_a_day(post: Post, hook: Receiver) -> None:
    """Tried at growing pauses; whatever happens meanwhile waits behind it, and then all of it comes in order."""
    began = post.clock.us
    hook.answer = failing(began + DAY_US, post)
    first = await post.call(*TALK[:2])
    await post.until(began + 12 * HOUR)
    assert set(hook.ids) == {f"{first.id}-1"}
    await post.walk(first, *TALK[2:])
    second = await post.call(*TALK)
    await post.until(began + 2 * DAY_US)
    ok = [request for request, at in zip(hook.got, hook.times, strict=True) if at >= began + DAY_US]
    for call in (first, second):
        assert [request.json["status"] for request in ok if request.json["id"] == call.id] == STORY
        assert await states(post, call) == {"delivered": 6}
    tries = [at - began for at, name in zip(hook.times, hook.ids, strict=True) if name == f"{first.id}-1"]
    pauses = [round((b - a) / SECOND) for a, b in pairwise(tries)]
    assert pauses[:8] == pytest.approx([5, 10, 20, 40, 80, 160, 320, 640], abs=2)
    assert max(pauses) <= 6 * 3600 * 1.2
    assert tries[-1] < DAY_US + 6 * HOUR * 1.2
    assert len(hook.got) < 100
    endpoint = await post.endpoint(hook.url)
    assert (endpoint.state, endpoint.failing_since, endpoint.failures) == ("enabled", None, 0)


async def test_an_endpoint_that_never_answers_is_disabled_and_goes_on_in_order(
    post: Post, hook: Receiver
) -> None:
    began = post.clock.us
    hook.answer = lambda request: Page(status=503)
    call = await post.call(*TALK)
    await post.until(began + 2 * DAY_US)
    assert (await post.endpoint(hook.url)).state == "enabled"
    await post.until(began + 4 * DAY_US)
    endpoint = await post.endpoint(hook.url)
    assert endpoint.state == "disabled"
    assert (
        endpoint.disabled_why == "No delivery succeeded for three days; at last: The receiver answered 503."
    )
    assert endpoint.disabled_at == pytest.approx(began + TRIED_FOR_US, abs=2 * SECOND)
    assert await states(post) == {"waiting": 6}
    tried = len(hook.got)
    another = await post.call(*TALK)
    await post.until(began + 5 * DAY_US)
    assert len(hook.got) == tried
    # It fails once more: that is no reason to give up what has waited.
    pages = [Page(status=503)]
    hook.answer = lambda request: pages.pop() if pages and request.json["id"] == call.id else Page()
    hook.got.clear()
    await post.endpoints.set_state(post.books.account_id, endpoint.id, "enabled")
    await post.until(post.clock.us + 10 * SECOND)
    assert await states(post) == {"delivered": 12}
    assert (hook.events(call), hook.events(another)) == (["queued", *STORY], STORY)
    enabled = await post.endpoint(hook.url)
    assert (enabled.state, enabled.disabled_at, enabled.disabled_why) == ("enabled", None, None)


async def test_one_that_always_fails_is_given_up_and_the_rest_goes_on(post: Post, hook: Receiver) -> None:
    began = post.clock.us
    poisoned = await post.call(*TALK)
    hook.answer = lambda request: Page(
        status=400 if request.headers["webhook-id"] == f"{poisoned.id}-2" else 200
    )

    others: list[Execution] = []
    day = began
    while day < began + 4 * DAY_US:
        day += DAY_US // 2
        others.append(await post.call(*TALK))
        await post.until(day)
    assert [hook.events(call) for call in others] == [STORY] * len(others)
    rows = {row["position"]: row for row in await post.rows(poisoned)}
    assert [rows[position]["state"] for position in rows] == ["delivered", "dead", *["delivered"] * 4]
    assert rows[2]["last_error"].startswith("Given up after ")
    assert rows[2]["last_error"].endswith("in three days: The receiver answered 400.")
    assert rows[2]["last_code"] == 400
    assert [event for event in hook.events(poisoned) if event != "initiated"] == ["queued", *TALK[1:]]
    assert (await post.endpoint(hook.url)).state == "enabled"
    # Sent again, it arrives.
    hook.answer = lambda request: Page()
    hook.got.clear()
    replayed = await post.deliveries.replay(post.books.account_id, f"{poisoned.id}-2")
    assert (replayed.state, replayed.tries) == ("waiting", 0)
    await post.deliverer.settle()
    assert hook.ids == [f"{poisoned.id}-2"]
    assert await states(post, poisoned) == {"delivered": 6}


async def test_retry_after_is_honoured_by_everything_that_waits_for_the_endpoint(
    post: Post, hook: Receiver
) -> None:
    began = post.clock.us
    hook.answer = lambda request: (
        Page(status=429, headers={"Retry-After": "3600"}) if post.clock.us < began + 60 * SECOND else Page()
    )
    await post.call(*TALK)
    await post.deliverer.settle()
    await post.call(*TALK)
    asked = len(hook.got)
    await post.until(began + HOUR - SECOND)
    assert len(hook.got) == asked == 1
    await post.until(began + HOUR + 10 * SECOND)
    assert len(hook.got) == 13


@pytest.mark.parametrize(
    ("page", "error"),
    [
        (
            Page(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data"}),
            "The receiver answered 302. Redirects are not followed.",
        ),
        (Page(status=410), "The receiver answered 410."),
        (Page(breaks=True, headers={"Content-Length": "5"}), "127.0.0.1 broke off the connection."),
        (Page(wait_s=5), "127.0.0.1 did not answer within 0.2 s."),
    ],
    ids=["redirects", "refuses", "breaks", "stalls"],
)
async def test_what_is_no_delivery(
    post: Post, hook: Receiver, monkeypatch: pytest.MonkeyPatch, page: Page, error: str
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    hook.answer = lambda request: page
    call = await post.call(TALK[0])
    due = await post.deliverer.settle()
    assert due is not None
    first, second = await post.rows(call)
    assert (first["state"], first["tries"], first["last_error"]) == ("waiting", 1, error)
    assert (second["tries"], second["due_at"]) == (0, first["due_at"])
    assert len(hook.got) == 1


@pytest.mark.parametrize(
    "page",
    [
        Page(status=204),
        Page(status=202, body=b"x" * 200_000),
        Page(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}),
    ],
    ids=["empty", "long", "compressed"],
)
async def test_any_success_is_a_delivery(post: Post, hook: Receiver, page: Page) -> None:
    hook.answer = lambda request: page
    await post.call(*TALK)
    await post.deliverer.settle()
    assert hook.events() == STORY


async def test_private_addresses_are_refused_unless_allowed(post: Post, hook: Receiver) -> None:
    client = GuardedClient(Allowed())
    guarded = Deliverer(post.db, post.clock, Deaf(), client)
    await post.call(*TALK)
    await guarded.settle()
    assert hook.got == []
    row = (await post.rows())[0]
    assert row["last_error"].endswith("its address is private (setting outbound.allow).")
    await client.close()


async def test_a_dead_endpoint_does_not_delay_the_others(
    post: Post, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred calls wait for a receiver that stalls; a healthy one has its webhooks meanwhile."""
    monkeypatch.setattr(module, "EACH_AT_ONCE", 4)
    agent = await post.books.agent("other")
    async with receiver() as stalled:
        stalled.answer = lambda request: Page(wait_s=30)
        await post.tell(stalled.url, agent)
        for _ in range(30):
            await post.call(agent_id=agent)
        await post.call(*TALK)
        running = asyncio.create_task(post.deliverer.run())
        try:
            async with asyncio.timeout(8):
                await stalled.has(4)
                await hook.has(6)
        finally:
            monkeypatch.setattr(module, "_CLOSING_S", 0.0)
            running.cancel()
            await asyncio.wait({running})
        assert len(stalled.got) == 4
    assert hook.events() == STORY


async def test_endpoints_take_turns_also_those_that_have_nothing_to_send_yet(
    post: Post, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told after a failure is due, and waits for what failed."""
    monkeypatch.setattr(module, "_ENDPOINTS", 1)
    agent = await post.books.agent("other")
    async with receiver() as failing_one:
        failing_one.answer = lambda request: Page(status=500)
        await post.tell(failing_one.url, agent)
        call = await post.call(agent_id=agent)
        await post.deliverer.settle()
        await post.walk(call, *TALK)
        await post.call(*TALK)
        await post.until(post.clock.us + SECOND)
        assert len(failing_one.got) == 1
        rows = await post.rows(call)
        assert {row["due_at"] for row in rows} == {rows[0]["due_at"]}
    assert hook.events() == STORY


async def test_an_endpoint_with_much_to_send_does_not_have_every_turn(
    post: Post, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ENDPOINTS", 1)
    monkeypatch.setattr(module, "EACH_AT_ONCE", 1)
    agent = await post.books.agent("other")
    async with receiver() as much:
        await post.tell(much.url, agent)
        for _ in range(6):
            await post.call(agent_id=agent)
        await post.call()
        for _ in range(4):
            await post.deliverer.round()
            await asyncio.wait(post.deliverer._flying or {asyncio.create_task(asyncio.sleep(0))})
        assert len(hook.got) == 1
        await post.until(post.clock.us + SECOND)
        assert len(much.got) == 6


async def test_what_waits_behind_a_failure_is_not_looked_at_before_it(
    post: Post, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EACH_AT_ONCE", 1)
    hook.answer = lambda request: Page(status=500)
    first, _ = await post.call(*TALK), await post.call(*TALK)
    await post.deliverer.round()
    await asyncio.wait(post.deliverer._flying)
    await post.deliverer.round()
    rows = await post.rows(first)
    assert rows[0]["tries"] == 1
    assert {row["due_at"] for row in rows} == {rows[0]["due_at"]}
    # Sent again at the user's word, it brings all of it with it.
    hook.answer = lambda request: Page()
    await post.deliveries.replay(post.books.account_id, f"{first.id}-1")
    await post.deliverer.settle()
    assert await states(post, first) == {"delivered": 6}


async def test_a_process_that_stood_still_does_not_send(
    post: Post, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease may be somebody else's by the answer."""
    await post.call()
    await post.deliverer.round()
    post.clock.us += 20 * SECOND
    await asyncio.sleep(0.2)
    assert hook.got == []
    await post.until(post.clock.us + 60 * SECOND)
    assert hook.events() == ["queued"]


async def killed(post: Post, at: Callable[[], Awaitable[None]]) -> None:
    """A deliverer that dies without a word after its requests were answered, or in the midst of them."""
    dying = post.another()
    await dying.round()
    await at()
    for task in list(dying._flying):
        task.cancel()
    await asyncio.gather(*dying._flying, return_exceptions=True)


async def test_killed_between_request_and_write(post: Post, hook: Receiver) -> None:
    calls = [await post.call(*TALK) for _ in range(3)]

    await killed(post, lambda: hook.has(3))
    # Nobody takes it before the lease is over.
    assert await post.deliverer.settle() is not None
    assert len(hook.got) == 3
    await post.until(post.clock.us + 60 * SECOND)
    assert await states(post) == {"delivered": 18}
    for call in calls:
        assert hook.events(call) == ["queued", *STORY]
        assert [row["tries"] for row in await post.rows(call)] == [1] * 6
    # A receiver knows the repeated ones by their id.
    assert len(hook.got) - len(set(hook.ids)) == 3


@pytest.mark.parametrize("late", [200, 500])
async def test_the_answer_to_a_lost_lease_changes_nothing(post: Post, hook: Receiver, late: int) -> None:
    """The other one, whose lease it is, has not been answered yet."""
    pages = [Page(status=late, wait_s=0.2), Page(wait_s=0.6)]
    hook.answer = lambda request: pages.pop(0) if pages else Page()
    call = await post.call(TALK[0])
    slow = post.another()
    await slow.round()
    await hook.has(1)
    post.clock.us += 60 * SECOND
    await post.deliverer.round()
    await hook.has(2)
    await asyncio.wait(slow._flying)
    await slow.round()
    row = (await post.rows(call))[0]
    assert (row["state"], row["tries"]) == ("waiting", 0)
    assert row["lease_until"] > post.clock.us
    assert len(hook.got) == 2
    await post.deliverer.settle()
    assert hook.events(call) == ["queued", "queued", "initiated"]
    assert await states(post, call) == {"delivered": 2}


async def test_two_deliverers_at_once_send_each_once(post: Post, hook: Receiver) -> None:
    hook.answer = lambda request: Page(wait_s=random.Random(request.body).random() / 200)
    calls = [await post.call(*TALK) for _ in range(12)]
    another = post.another()
    await asyncio.gather(post.deliverer.settle(), another.settle())
    await post.deliverer.settle()
    for call in calls:
        assert hook.events(call) == STORY
    assert len(hook.got) == 72


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_fails_each_arrives_and_in_order(post: Post, hook: Receiver, seed: int) -> None:
    """Failures, deaths and new statuses in any order; by the receiver's first successes each call is in order."""
    chance = random.Random(seed)
    accepted: list[str] = []

    def answer(request: Request) -> Page:
        if chance.random() < 0.4:
            return Page(status=chance.choice((400, 429, 500, 503)))
        accepted.append(request.headers["webhook-id"])
        return Page()

    hook.answer = answer
    calls = [await post.books.create() for _ in range(5)]
    for status in TALK:
        for call in chance.sample(calls, len(calls)):
            await post.walk(call, status)
            if chance.random() < 0.3:
                await killed(post, lambda: asyncio.sleep(0.01))
            if chance.random() < 0.5:
                await post.until(post.clock.us + chance.randint(0, 90) * SECOND)
    await post.until(post.clock.us + DAY_US)
    assert await states(post) == {"delivered": 30}
    for call in calls:
        firsts = list(dict.fromkeys(one for one in accepted if one.startswith(call.id)))
        assert firsts == [f"{call.id}-{position}" for position in range(1, 7)]


async def test_a_rotated_secret_signs_beside_the_new_one_for_a_day(post: Post, hook: Receiver) -> None:
    account, endpoint = post.books.account_id, await post.endpoint(hook.url)
    old = await post.endpoints.secret(account, endpoint.id)
    new = await post.endpoints.rotate(account, endpoint.id)
    assert new.text != old.text
    await post.call()
    await post.deliverer.settle()
    post.clock.us += DAY_US
    await post.call()
    await post.deliverer.settle()
    during, after = hook.got

    def proofs(request: Request, *secrets: str) -> list[str]:
        arguments = request.headers["webhook-id"], _moment(request), request.body.decode()
        return [Webhook(secret).sign(*arguments) for secret in secrets]

    assert during.headers["webhook-signature"].split() == proofs(during, new.text, old.text)
    assert after.headers["webhook-signature"].split() == proofs(after, new.text)


async def test_replayed_it_comes_again_the_same(post: Post, hook: Receiver) -> None:
    call = await post.call(*TALK)
    await post.deliverer.settle()
    sent = {request.headers["webhook-id"]: request.body for request in hook.got}
    hook.got.clear()
    for position in (2, 5):
        await post.deliveries.replay(post.books.account_id, f"{call.id}-{position}")
    await post.deliverer.settle()
    assert hook.ids == [f"{call.id}-2", f"{call.id}-5"]
    assert [request.body for request in hook.got] == [sent[one] for one in hook.ids]


async def test_what_is_over_is_removed_after_a_while(post: Post, hook: Receiver) -> None:
    delivered = await post.call(*TALK)
    await post.deliverer.settle()
    post.clock.us += 6 * DAY_US
    await post.deliveries.clean()
    assert len(await post.rows(delivered)) == 6
    waiting = await post.call()
    post.clock.us += 2 * DAY_US
    await post.deliveries.clean()
    assert [row["subject"] for row in await post.rows()] == [waiting.id]
    await post.deliverer.settle()
    endpoint = await post.endpoint(hook.url)
    await post.endpoints.set_state(post.books.account_id, endpoint.id, "disabled")
    forsaken = await post.call()
    post.clock.us += 6 * DAY_US
    await post.deliveries.clean()
    assert (await post.rows(forsaken))[0]["state"] == "waiting"
    post.clock.us += 2 * DAY_US
    await post.deliveries.clean()
    row = (await post.rows(forsaken))[0]
    assert (row["state"], row["last_error"]) == (
        "dead",
        "Given up: its endpoint was disabled for seven days",
    )
    post.clock.us += 31 * DAY_US
    await post.deliveries.clean()
    assert await post.rows() == []


async def test_payloads_are_bytes_as_they_were_told(post: Post, hook: Receiver) -> None:
    call = await post.books.create(recipient_data={"name": "Zoë \ud800", "quote": '"\\'})
    await post.deliverer.settle()
    stored = await post.books.listing.by_id(post.books.account_id, call.id)
    assert stored is not None
    assert hook.got[0].body == stored.body
    assert json.loads(hook.got[0].body)["context_details"]["recipient_data"]["quote"] == '"\\'
