"""Batches from the upload to the last call, with everything that works on them running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ringback.clock import SystemClock
from ringback.dialing.batches import Batches, NewBatch
from ringback.dialing.intake import Intake
from ringback.dialing.jobs import Job, Jobs
from ringback.dialing.sweep import Sweep
from ringback.executions.bulk import Bulk
from ringback.executions.lifecycle import Status
from ringback.media.leg import Answered, Ringing
from ringback.store.database import Database
from ringback.store.wakeup import open_wakeup
from tests.support.batches import MACHINE, Desk, open_desk
from tests.support.exchange import TIMEOUT_S, Exchange, open_exchange
from tests.support.simulated_carrier import NORMAL, SimulatedCarrier

PEOPLE = [f"+1415555{number:04d}" for number in range(12)]


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> Desk:
    return await open_desk(database, tmp_path)


@asynccontextmanager
async def working(exchange: Exchange, folder: Path) -> AsyncIterator[Batches]:
    """As in an api process, which hears of others by itself."""
    db, clock, bulk = exchange.books.db, SystemClock(), Bulk(exchange.books.ledger)
    sweep, wakeup = Sweep(db, bulk, clock), await open_wakeup(db, folder)
    batches = Batches(db, clock, wakeup, exchange.queue, sweep, MACHINE)
    jobs = Jobs(
        db,
        clock,
        wakeup,
        Intake(db, bulk, clock),
        sweep,
        batches.settle_all,
        machine=MACHINE,
        uploads=folder,
    )
    running = asyncio.create_task(jobs.run())
    try:
        yield batches
    finally:
        running.cancel()
        await asyncio.wait({running})
        await wakeup.close()


async def until(batches: Batches, account_id: str, batch_id: str, status: str) -> dict[Status, int]:
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            view = await batches.get(account_id, batch_id)
            if view.status == status:
                return dict(view.counts)
            await asyncio.sleep(0.02)


async def test_uploaded_scheduled_dialled_completed(database: Database, tmp_path: Path) -> None:
    async with open_exchange(database, tmp_path) as exchange, working(exchange, tmp_path) as batches:
        account, agent = exchange.books.account_id, exchange.books.agent_id
        (tmp_path / "batch.csv").write_text("\n".join(["contact_number", *PEOPLE]))
        new = NewBatch(account, "batch", agent, "people.csv", (), None, "https://example.com/hook")
        async with database.transaction() as tx:
            await batches.create(tx, new)
        await batches.wake()
        assert await until(batches, account, "batch", "processed") == {Status.PREPARED: 12}
        answering = SimulatedCarrier(lambda leg: leg.give(Ringing(), Answered(), NORMAL))
        async with exchange.open(answering):
            await batches.schedule(account, "batch", SystemClock().now_us(), False)
            counts = await until(batches, account, "batch", "completed")
        assert counts == {Status.COMPLETED: 12}
        assert sorted(request.to_number for request in answering.dialled) == PEOPLE
        rows = await database.fetch_all("SELECT event FROM webhook_deliveries ORDER BY position")
        assert [row["event"] for row in rows] == ["processed", "completed"]
        assert not (tmp_path / "batch.csv").exists()


async def test_a_job_under_way_is_given_back_when_its_process_ends(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def for_ever(job: Job, file: Path) -> None:
        begun.set()
        await asyncio.Event().wait()

    await desk.upload(PEOPLE)
    with monkeypatch.context() as patch:
        patch.setattr(desk.intake, "run", for_ever)
        running = asyncio.create_task(desk.jobs.one("intake"))
        await begun.wait()
        assert not await desk.jobs.one("intake")  # it is leased
        running.cancel()
        await asyncio.wait({running})
        assert running.cancelled()
    assert await desk.jobs.one("intake")


async def test_a_job_that_was_asked_for_again_is_done_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was stopped while the sweep ran may have come behind it."""
    batch_id = await desk.running(PEOPLE)
    run, runs = desk.sweep.run, 0

    async def stopped_once_more(account_id: str, lane: str) -> None:
        nonlocal runs
        runs += 1
        await run(account_id, lane)
        if runs == 1:
            await desk.batches.delete(account_id, batch_id)

    await desk.batches.stop(desk.books.account_id, batch_id)
    monkeypatch.setattr(desk.sweep, "run", stopped_once_more)
    while await desk.jobs.one("sweep"):
        pass
    assert runs == 2


async def test_a_job_whose_lease_was_lost_is_let_go(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.dialing.jobs._LEASE_S", 0.03)
    ended = asyncio.Event()

    async def for_ever(job: Job, file: Path) -> None:
        async with desk.db.transaction() as tx:
            await tx.execute("UPDATE jobs SET lease_owner = 'another'")
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    await desk.upload(PEOPLE)
    monkeypatch.setattr(desk.intake, "run", for_ever)
    assert await asyncio.wait_for(desk.jobs.one("intake"), TIMEOUT_S)
    assert ended.is_set()
    row = await desk.db.fetch_one("SELECT lease_owner FROM jobs")
    assert row is not None
    assert row["lease_owner"] == "another"
