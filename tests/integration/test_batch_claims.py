"""Batches at the claim: opened by their schedule, paused by their failures, whatever the hours."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ringback.calls.outcomes import LEFT
from ringback.dialing.breaker import Breaker
from ringback.dialing.claims import Claim
from ringback.dialing.queue import NewCall
from ringback.dialing.taking import Taking
from ringback.executions.lifecycle import Status
from ringback.store.database import Database
from tests.support.batches import Desk, open_desk

PEOPLE = [f"+1415555{number:04d}" for number in range(30)]
HOUR_US = 3_600_000_000


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> Desk:
    return await open_desk(database, tmp_path)


async def take(desk: Desk, room: int) -> tuple[Claim, ...]:
    books, breaker = desk.books, Breaker(5, 0.8)
    taking = Taking(books.db, books.ledger, books.clock, "worker", breaker=breaker)
    return (await taking.take(room)).claims


async def dialled(desk: Desk, claims: tuple[Claim, ...], end: Status) -> None:
    for claim in claims:
        await desk.end(claim.execution_id, Status.INITIATED)
        await desk.books.ledger.transition(
            claim.account_id,
            claim.execution_id,
            end,
            attempt={"ended_at": desk.books.clock.now_us(), **LEFT},
        )


async def paused(desk: Desk, batch_id: str) -> str | None:
    return (await desk.batches.get(desk.books.account_id, batch_id)).paused_reason


async def test_nobody_is_dialled_before_its_moment(desk: Desk) -> None:
    batch_id = await desk.processed(PEOPLE[:3])
    assert await take(desk, 5) == ()
    await desk.schedule(batch_id, desk.books.clock.now_us() + HOUR_US)
    assert await take(desk, 5) == ()
    desk.books.clock.us += HOUR_US
    claims = await take(desk, 2)
    rows = await desk.executions(batch_id)
    assert [claim.execution_id for claim in claims] == [row["id"] for row in rows[:2]]  # in the file's order
    assert [row["status"] for row in rows] == ["queued", "queued", "prepared"]
    assert (await desk.batches.get(desk.books.account_id, batch_id)).status == "running"


async def test_read_scheduled_claimed_and_stopped_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for each other in a circle: every lock comes in the one order."""
    monkeypatch.setattr("ringback.dialing.intake._AT_ONCE", 2)
    monkeypatch.setattr("ringback.dialing.intake._AT_ONCE_SQLITE", 2)
    account = desk.books.account_id
    begun = await desk.running(PEOPLE)
    batch_id = await desk.upload([f"+1415556{number:04d}" for number in range(60)])
    reading = asyncio.create_task(desk.jobs.one("intake"))

    async def schedule() -> None:
        while not reading.done():
            await desk.schedule(batch_id, desk.books.clock.now_us())

    async def claim() -> None:
        while not reading.done():
            await dialled(desk, await take(desk, 2), Status.BUSY)

    async def place() -> None:
        while not reading.done():
            await desk.calls.place(NewCall(account, desk.books.agent_id, "+14155550123", None))

    async def stop() -> None:
        await desk.batches.stop(account, begun)

    await asyncio.wait_for(asyncio.gather(reading, schedule(), claim(), place(), stop()), 60)
    view = await desk.batches.get(account, batch_id)
    assert (view.batch.valid, sum(view.counts.values())) == (60, 60)
    view = await desk.batches.get(account, begun)
    assert sum(view.counts.values()) == 30
    assert set(view.counts) <= {Status.STOPPED, Status.BUSY}


async def test_stopped_nobody_is_claimed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.dialing.sweep.AT_ONCE", 1)
    batch_id = await desk.running(PEOPLE)
    await desk.batches.stop(desk.books.account_id, batch_id)
    assert len([row for row in await desk.attempts(batch_id) if row["state"] == "waiting"]) == 29
    assert await take(desk, 5) == ()


async def test_it_is_paused_when_its_calls_fail_and_says_so(desk: Desk) -> None:
    batch_id = await desk.running(PEOPLE)
    await dialled(desk, await take(desk, 5), Status.FAILED)
    single = await desk.books.create()
    assert [claim.execution_id for claim in await take(desk, 5)] == [single.id]
    assert "5 of the last 5 calls failed" in str(await paused(desk, batch_id))
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert (view.status, sum(view.counts.values())) == ("running", 30)


async def test_people_who_are_busy_do_not_pause_it(desk: Desk) -> None:
    batch_id = await desk.running(PEOPLE)
    for _ in range(3):
        await dialled(desk, await take(desk, 5), Status.BUSY)
    assert len(await take(desk, 5)) == 5
    assert await paused(desk, batch_id) is None


async def test_scheduled_again_it_goes_on_and_old_failures_are_forgotten(desk: Desk) -> None:
    batch_id = await desk.running(PEOPLE)
    await dialled(desk, await take(desk, 5), Status.FAILED)
    assert await take(desk, 5) == ()
    await desk.schedule(batch_id, desk.books.clock.now_us())
    claims = await take(desk, 5)
    assert len(claims) == 5
    await dialled(desk, claims, Status.FAILED)
    assert await take(desk, 5) == ()
    assert "5 of the last 5" in str(await paused(desk, batch_id))


async def test_the_hours_hold_unless_the_schedule_bypasses_them(desk: Desk) -> None:
    """The clock stands at 04:04 UTC, 20:04 of the day before in California."""
    hours = {"calling_guardrails": {"call_start_hour": 9, "call_end_hour": 10}}
    async with desk.db.transaction() as tx:
        await tx.execute("UPDATE agents SET definition = :definition", definition=json.dumps(hours))
    batch_id = await desk.running(PEOPLE[:3])
    assert await take(desk, 5) == ()
    assert {row["status"] for row in await desk.executions(batch_id)} == {"rescheduled"}
    other = await desk.processed(PEOPLE[3:6])
    await desk.schedule(other, desk.books.clock.now_us(), bypass=True)
    assert len(await take(desk, 5)) == 3
