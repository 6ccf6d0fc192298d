"""Every status of an execution is told once, in its order, with the record of that moment; on both databases."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ringback.agents.definition import read
from ringback.agents.registry import Agents
from ringback.executions import outbox_check
from ringback.executions.bulk import BatchTemplate, Bulk, Move
from ringback.executions.lifecycle import TERMINAL, TRANSITIONS, IllegalTransition, Status
from ringback.executions.record import Execution, Turn
from ringback.executions.stencil import Line
from ringback.store.database import Database
from tests.support import agent_definitions
from tests.support.batches import open_desk
from tests.support.webhook_post import STORY, TALK, Post, post_office

URL = "https://crm.example/calls"
RETRIES: dict[str, Any] = {
    "enabled": True,
    "max_retries": 2,
    "retry_on_statuses": ["busy", "no-answer", "failed", "error"],
    "retry_intervals_minutes": [1],
}


@pytest.fixture
async def post(database: Database) -> AsyncIterator[Post]:
    async with post_office(database) as office:
        await office.tell(URL)
        yield office


async def events(post: Post, execution: Execution) -> list[str]:
    """What is told of it. Checked: nothing is left out, and each payload is of its moment."""
    rows = await post.rows(execution)
    assert [row["position"] for row in rows] == [*range(1, len(rows) + 1)]
    assert [json.loads(row["payload"])["status"] for row in rows] == [row["event"] for row in rows]
    stored = await post.books.ledger.get(post.books.account_id, execution.id)
    assert stored.moves == len(rows)
    return [row["event"] for row in rows]


async def test_every_status_of_a_call(post: Post) -> None:
    call = await post.call(*TALK)
    assert await events(post, call) == STORY
    rows = await post.rows(call)
    stored = await post.books.listing.by_id(post.books.account_id, call.id)
    assert stored is not None
    assert rows[-1]["payload"].encode() == stored.body
    assert {row["state"] for row in rows} == {"waiting"}


async def test_the_payload_is_that_of_its_moment(post: Post) -> None:
    call = await post.call(*TALK[:3])
    await post.books.ledger.add_turns(post.books.account_id, call.id, [Turn(0, "user", "Hello.", 0, 900)])
    await post.walk(call, *TALK[3:])
    told = {row["event"]: json.loads(row["payload"]) for row in await post.rows(call)}
    assert told["in-progress"]["transcript"] == ""
    assert told["call-disconnected"]["transcript"] == "user: Hello."


async def test_without_a_url_nothing_is_told_and_nothing_afterwards(post: Post) -> None:
    await post.tell(None)
    call = await post.call(*TALK[:2])
    assert await post.rows() == []
    await post.tell(URL)
    await post.walk(call, *TALK[2:])
    assert [(row["position"], row["event"]) for row in await post.rows(call)] == [
        (4, "in-progress"),
        (5, "call-disconnected"),
        (6, "completed"),
    ]


async def test_what_is_never_dialled_is_told_as_well(post: Post) -> None:
    for end in (Status.STOPPED, Status.CANCELED, Status.ERROR, Status.BALANCE_LOW):
        assert await events(post, await post.call(end)) == ["queued", end]


async def test_a_retry_is_told_with_the_end_before_it(post: Post) -> None:
    call = await post.books.create(retry_config=RETRIES)
    await post.walk(call, Status.INITIATED, Status.BUSY)
    assert await events(post, call) == ["queued", "initiated", "busy", "scheduled"]
    busy, again = [json.loads(row["payload"]) for row in await post.rows(call)][2:]
    assert (busy["retry_count"], busy["retry_history"]) == (0, None)
    assert (again["retry_count"], again["retry_history"][0]["status"]) == (1, "busy")
    await post.walk(call, Status.QUEUED, Status.INITIATED, Status.NO_ANSWER)
    assert (await events(post, call))[4:] == ["queued", "initiated", "no-answer", "scheduled"]


async def test_what_fails_is_not_told(post: Post) -> None:
    call = await post.call(Status.INITIATED)
    with pytest.raises(IllegalTransition):
        await post.walk(call, Status.COMPLETED)

    class Lost(Exception):
        pass

    async def lost() -> None:
        async with post.db.transaction() as tx:
            await post.books.ledger.transition(post.books.account_id, call.id, Status.RINGING, tx=tx)
            raise Lost

    with pytest.raises(Lost):
        await lost()
    assert await events(post, call) == ["queued", "initiated"]


async def test_a_change_without_a_new_status_is_not_told(post: Post) -> None:
    call = await post.call(*TALK)
    await post.books.ledger.update(post.books.account_id, call.id, changes={"summary": "Short."})
    assert await events(post, call) == STORY


@pytest.mark.parametrize("seed", range(8))
async def test_random_lives_of_many_calls_at_once(post: Post, seed: int) -> None:
    chance = random.Random(seed)

    async def live(number: int) -> tuple[Execution, list[str]]:
        config = RETRIES if number % 2 else None
        call = await post.books.create(retry_config=config)
        told, status = [str(call.status)], call.status
        for _ in range(chance.randint(0, 14)):
            if status in TERMINAL:
                break
            to = chance.choice(sorted(TRANSITIONS[status]))
            after = await post.walk(call, to)
            told.append(str(to))
            if after.status is not to:
                told.append(str(after.status))
            status = after.status
        return call, told

    lived = await asyncio.gather(*(live(number) for number in range(6)))
    for call, told in lived:
        assert await events(post, call) == told


async def test_many_moved_at_once(post: Post) -> None:
    calls = [await post.books.create() for _ in range(70)]
    bulk = Bulk(post.books.ledger)
    rung: list[int] = []
    post.books.ledger.told = lambda: rung.append(1)
    async with post.db.transaction() as tx:
        moves = [Move(call.id, Status.STOPPED, {}, {}) for call in calls]
        assert len(await bulk.move(tx, post.books.account_id, moves)) == 70
    assert rung
    for call in calls:
        assert await events(post, call) == ["queued", "stopped"]


async def test_lines_of_a_batch(post: Post) -> None:
    bulk = Bulk(post.books.ledger)
    template = BatchTemplate(post.books.account_id, "agent", "b" * 32, "sip-trunk", ("+14155550100",))
    stencil = bulk.stencil(template)
    lines = [Line(n, f"+1415555{n:04}", {"name": "Zoë"}, n * 10) for n in range(1, 41)]
    for silent in (False, True):
        async with post.db.transaction() as tx:
            await bulk.create(tx, stencil.draw(lines))
        rows = await post.rows()
        assert len(rows) == 40
        assert {(row["event"], row["position"]) for row in rows} == {("prepared", 1)}
        if not silent:
            await post.tell(None)
    stored = await post.books.listing.by_id(post.books.account_id, rows[0]["subject"])
    assert stored is not None
    assert rows[0]["payload"].encode() == stored.body
    async with post.db.transaction() as tx:
        moved = await bulk.move(
            tx, post.books.account_id, [Move(rows[0]["subject"], Status.INITIATED, {}, {})]
        )
    assert moved[0].moves == 2


async def test_agents_with_urls_have_endpoints(post: Post) -> None:
    agents, account = Agents(post.db, post.clock), post.books.account_id
    definition = agent_definitions.scripted()
    definition["agent_config"]["webhook_url"] = "https://one.example/x"
    agent = await agents.create(account, read(definition))
    call = await post.call(Status.INITIATED, agent_id=agent.id)
    await agents.patch(account, agent.id, {"agent_config": {"webhook_url": "https://two.example/x"}})
    await post.walk(call, Status.RINGING)
    await agents.patch(account, agent.id, {"agent_config": {"webhook_url": None}})
    await post.walk(call, Status.BUSY)
    urls = {one.id: one.url for one in await post.endpoints.after(account, "", 10)}
    assert [(urls[row["endpoint_id"]], row["event"]) for row in await post.rows(call)] == [
        ("https://one.example/x", "queued"),
        ("https://one.example/x", "initiated"),
        ("https://two.example/x", "ringing"),
    ]
    one = next(key for key, url in urls.items() if "one" in url)
    secret = await post.endpoints.secret(account, one)
    await agents.patch(account, agent.id, {"agent_config": {"webhook_url": "https://one.example/x"}})
    assert await post.endpoints.secret(account, one) == secret


async def test_what_is_told_outlives_its_execution(post: Post) -> None:
    call = await post.call(*TALK)
    async with post.db.transaction() as tx:
        await tx.execute("DELETE FROM agents WHERE id = 'agent'")
    assert await post.books.listing.by_id(post.books.account_id, call.id) is None
    assert [row["event"] for row in await post.rows(call)] == STORY


async def test_a_batch_is_told_twice(database: Database, tmp_path: Path) -> None:
    desk = await open_desk(database, tmp_path)
    people = [f"+1415555{n:04}" for n in range(102)]
    batch_id = await desk.running(people, webhook_url=URL)
    executions = await desk.executions(batch_id)
    for row in executions:
        await desk.end(row["id"], Status.QUEUED, Status.STOPPED)
    await desk.batches.settle_all()
    rows = await database.fetch_all("SELECT * FROM webhook_deliveries ORDER BY position")
    assert [(row["kind"], row["subject"], row["event"]) for row in rows] == [
        ("batch", batch_id, "processed"),
        ("batch", batch_id, "completed"),
    ]
    processed, completed = [json.loads(row["payload"]) for row in rows]
    assert (processed["batch_id"], processed["valid_contacts"], processed["total_contacts"]) == (
        batch_id,
        102,
        102,
    )
    assert (completed["status"], completed["execution_status"]) == ("completed", {"stopped": 102})
    assert [execution["id"] for execution in completed["executions"]] == [row["id"] for row in executions][
        :100
    ]
    assert {execution["status"] for execution in completed["executions"]} == {"stopped"}
    assert completed["has_more_executions"] is True
    assert "webhooks" in desk.wakeup.topics


async def test_the_audit_misses_what_was_not_told(post: Post) -> None:
    async with post.db.transaction() as tx:
        await tx.execute("UPDATE agents SET updated_at = 1")
    calls = [await post.call(*TALK) for _ in range(3)]
    retried = await post.books.create(retry_config=RETRIES)
    await post.walk(retried, Status.INITIATED, Status.BUSY, Status.STOPPED)
    now = post.clock.us

    async def wrong() -> list[str]:
        found = [
            *await outbox_check.untold(post.db, 10, now_us=now),
            *await outbox_check.disordered(post.db, 10),
        ]
        return [row["subject"] for row in found]

    assert await wrong() == []
    for sql, subject in [
        ("DELETE FROM webhook_deliveries WHERE subject = :id AND position = 6", calls[0].id),
        ("UPDATE webhook_deliveries SET event = 'queued' WHERE subject = :id AND position = 3", calls[1].id),
        ("UPDATE executions SET status = 'error' WHERE id = :id", calls[2].id),
    ]:
        before = await wrong()
        async with post.db.transaction() as tx:
            await tx.execute(sql, id=subject)
        assert {*await wrong()} == {*before, subject}
    assert await outbox_check.untold(post.db, 1, now_us=now) != []
    assert await outbox_check.untold(post.db, 10, now_us=now + 8 * 86_400_000_000) == []
