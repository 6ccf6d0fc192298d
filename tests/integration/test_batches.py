"""A batch from its schedule to its end: begun, paused, stopped, deleted, completed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ringback.dialing.batches import NotRunning, UnknownBatch
from ringback.dialing.queue import NoFromNumber
from ringback.executions.lifecycle import Status
from ringback.store.database import Database, Row
from ringback.store.queries import gates
from tests.support.batches import Desk, open_desk

A, B, C = "+14155550001", "+14155550002", "+14155550003"
HOUR_US = 3_600_000_000
ANSWERED = (Status.QUEUED, Status.INITIATED, Status.IN_PROGRESS, Status.CALL_DISCONNECTED, Status.COMPLETED)


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> Desk:
    return await open_desk(database, tmp_path)


async def gate(desk: Desk, batch_id: str) -> Row:
    found = await gates.get(desk.db, desk.books.account_id, "batch", batch_id)
    assert found is not None
    return found


async def status(desk: Desk, batch_id: str) -> str:
    return (await desk.batches.get(desk.books.account_id, batch_id)).status


async def pause(desk: Desk, batch_id: str) -> None:
    async with desk.db.transaction() as tx:
        await gates.close(
            tx, desk.books.account_id, "batch", batch_id, how="paused", why="20 failed", now_us=1
        )


async def serve(desk: Desk, batch_id: str) -> None:
    """As a claim does."""
    async with desk.db.transaction() as tx:
        now = desk.books.clock.now_us()
        await gates.lane_served(tx, desk.books.account_id, "batch", batch_id, now_us=now)


async def test_an_unknown_agent_or_number_is_refused(desk: Desk) -> None:
    with pytest.raises(NoFromNumber, match="not one of your numbers"):
        await desk.upload([A], from_numbers=("+14155559999",))
    with pytest.raises(LookupError, match="no agent nobody"):
        await desk.upload([A], agent_id="nobody")
    assert [view async for view in desk.batches.all(desk.books.account_id, desk.books.agent_id)] == []
    assert not await desk.jobs.one("intake")


async def test_a_schedule_opens_the_gate_at_its_moment(desk: Desk) -> None:
    batch_id = await desk.processed([A])
    at = desk.books.clock.now_us() + HOUR_US
    batch = await desk.batches.schedule(desk.books.account_id, batch_id, at, bypass=True)
    assert (batch.state, batch.scheduled_at, batch.bypass_guardrails) == ("scheduled", at, True)
    assert ((await gate(desk, batch_id))["opens_at"], await status(desk, batch_id)) == (at, "scheduled")
    assert "calls" in desk.wakeup.topics
    await serve(desk, batch_id)
    assert await status(desk, batch_id) == "running"


async def test_scheduled_again_it_moves_and_goes_on_after_a_pause(desk: Desk) -> None:
    batch_id = await desk.running([A])
    await serve(desk, batch_id)
    await pause(desk, batch_id)
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert (view.status, view.paused_reason) == ("running", "20 failed")
    at = desk.books.clock.now_us() + HOUR_US
    await desk.schedule(batch_id, at)
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert (view.batch.scheduled_at, view.paused_reason) == (at, None)
    assert ((await gate(desk, batch_id))["closed"], (await gate(desk, batch_id))["opens_at"]) == (None, at)


async def test_stopped_nothing_of_it_waits_and_what_is_dialled_is_cancelled(desk: Desk) -> None:
    batch_id = await desk.running([A, B, C])
    first = (await desk.executions(batch_id))[0]["id"]
    async with desk.db.transaction() as tx:
        await tx.execute(
            """
            UPDATE attempts SET state = 'dialling', slot_since = 1, lease_owner = 'w', lease_until = 9
            WHERE execution_id = :id
            """,
            id=first,
        )
    await desk.batches.stop(desk.books.account_id, batch_id)
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert view.status == "stopped"
    assert view.counts == {Status.PREPARED: 1, Status.STOPPED: 2}
    attempts = await desk.attempts(batch_id)
    assert [bool(row["cancel_requested"]) for row in attempts] == [True, False, False]
    assert [row["state"] for row in attempts] == ["dialling", "done", "done"]
    assert all(row["ended_at"] for row in attempts[1:])
    [record] = [r for r in await desk.books.list() if r["context_details"]["recipient_phone_number"] == B]
    assert record["status"] == "canceled"  # as the v1 list shows `stopped`
    closed = await gate(desk, batch_id)
    assert (closed["closed"], closed["next_due_at"]) == ("stopped", None)
    for again in (desk.batches.stop(desk.books.account_id, batch_id), desk.schedule(batch_id, 2**60)):
        with pytest.raises(NotRunning):
            await again


async def test_only_what_is_scheduled_can_be_stopped(desk: Desk) -> None:
    batch_id = await desk.upload([A])
    with pytest.raises(NotRunning, match="created, neither queued nor running"):
        await desk.batches.stop(desk.books.account_id, batch_id)
    with pytest.raises(UnknownBatch):
        await desk.batches.stop(desk.books.account_id, "nothing")
    with pytest.raises(UnknownBatch):
        await desk.batches.stop("another account", batch_id)


async def test_a_large_batch_is_swept_by_the_job(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.dialing.sweep.AT_ONCE", 3)
    batch_id = await desk.running([f"+1415555{number:04d}" for number in range(10)])
    await desk.batches.stop(desk.books.account_id, batch_id)
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert view.counts == {Status.PREPARED: 7, Status.STOPPED: 3}
    assert "sweep" in desk.wakeup.topics
    assert await desk.jobs.one("sweep")
    assert not await desk.jobs.one("sweep")
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert view.counts == {Status.STOPPED: 10}


async def test_a_sweep_leaves_what_was_not_stopped(desk: Desk) -> None:
    batch_id = await desk.running([A])
    single = await desk.books.create()
    await desk.sweep.run(desk.books.account_id, batch_id)
    await desk.sweep.run(desk.books.account_id, desk.books.agent_id)
    assert (await desk.executions(batch_id))[0]["status"] == "prepared"
    async with desk.db.transaction() as tx:
        await gates.stop_agent(tx, desk.books.account_id, desk.books.agent_id)
    later, ringing = await desk.books.create(), await desk.books.create()
    async with desk.db.transaction() as tx:
        await tx.execute(
            "UPDATE attempts SET state = 'dialling', slot_since = 1 WHERE execution_id = :id", id=ringing.id
        )
    await desk.sweep.run(desk.books.account_id, desk.books.agent_id)
    ledger, account = desk.books.ledger, desk.books.account_id
    assert (await ledger.get(account, single.id)).status is Status.STOPPED
    assert (await ledger.get(account, later.id)).status is Status.QUEUED
    assert not (await ledger.attempt(account, ringing.id)).cancel_requested


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_what_somebody_else_holds_is_swept_when_he_lets_it_go(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL: a row that is locked is passed over; the sweep does not end before it has seen it."""
    batch_id = await desk.running([A, B])
    first = (await desk.executions(batch_id))[0]["id"]
    locked, go = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with desk.db.transaction() as tx:
            await tx.fetch_one(
                "SELECT execution_id FROM attempts WHERE execution_id = :id FOR UPDATE", id=first
            )
            locked.set()
            await go.wait()

    async def sleep(seconds: float) -> None:
        go.set()
        await holding

    async with desk.db.transaction() as tx:
        await gates.close(tx, desk.books.account_id, "batch", batch_id, how="stopped", why="", now_us=1)
    holding = asyncio.create_task(hold())
    await locked.wait()
    monkeypatch.setattr(desk.books.clock, "sleep", sleep)
    await desk.sweep.run(desk.books.account_id, batch_id)
    assert {row["status"] for row in await desk.executions(batch_id)} == {"stopped"}


async def test_deleted_it_is_hidden_and_its_calls_stay(desk: Desk) -> None:
    batch_id = await desk.running([A])
    await desk.batches.delete(desk.books.account_id, batch_id)
    with pytest.raises(UnknownBatch):
        await desk.batches.get(desk.books.account_id, batch_id)
    with pytest.raises(UnknownBatch):
        await desk.batches.delete(desk.books.account_id, batch_id)
    assert [view async for view in desk.batches.all(desk.books.account_id, desk.books.agent_id)] == []
    assert [record["status"] for record in await desk.books.list()] == ["canceled"]


async def test_deleted_before_it_was_read_nothing_is_read(desk: Desk) -> None:
    batch_id = await desk.upload([A])
    await desk.batches.delete(desk.books.account_id, batch_id)
    assert await desk.jobs.one("intake")
    assert await desk.executions(batch_id) == []
    assert not desk.file(batch_id).exists()


async def test_all_batches_of_an_agent_newest_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.dialing.batches._PAGE", 2)
    ids = [await desk.processed([A, B]) for _ in range(5)]
    other = await desk.books.agent("other")
    await desk.upload([A], agent_id=other)
    views = [view async for view in desk.batches.all(desk.books.account_id, desk.books.agent_id)]
    assert [view.batch.id for view in views] == ids[::-1]
    assert {view.counts[Status.PREPARED] for view in views} == {2}


async def test_the_batches_of_an_agent_are_stopped_together(desk: Desk) -> None:
    running, waiting, unread = await desk.running([A]), await desk.processed([B]), await desk.upload([A])
    single = await desk.books.create()
    ids = [row["id"] for batch_id in (running, waiting) for row in await desk.executions(batch_id)]
    stop = desk.books.account_id, desk.books.agent_id
    assert await desk.batches.stop_agent(*stop) == [*ids, single.id]
    for batch_id in (running, waiting, unread):
        assert await status(desk, batch_id) == "stopped"
    for id_ in (*ids, single.id):
        assert (await desk.books.ledger.get(desk.books.account_id, id_)).status is Status.STOPPED
    assert await desk.batches.stop_agent(*stop) == []
    later = await desk.running([A, B])
    assert await desk.batches.stop_agent(*stop) == [row["id"] for row in await desk.executions(later)]


# Its end.


async def test_it_is_completed_once_when_nothing_is_left(desk: Desk) -> None:
    batch_id = await desk.running([A, B], webhook_url="https://example.com/hook")
    first, second = [row["id"] for row in await desk.executions(batch_id)]
    await desk.end(first, *ANSWERED)
    await desk.batches.settle_all()
    assert await status(desk, batch_id) == "scheduled"
    await desk.end(second, Status.QUEUED, Status.INITIATED, Status.BUSY)
    await desk.batches.settle_all()
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert view.status == "completed"
    assert view.counts == {Status.COMPLETED: 1, Status.BUSY: 1}
    await desk.batches.settle_all()
    assert not await desk.batches.settle(desk.books.account_id, batch_id)
    assert await desk.events(batch_id) == ["processed", "completed"]
    with pytest.raises(NotRunning):
        await desk.schedule(batch_id, 2**60)


async def test_a_retry_that_waits_keeps_it_open(desk: Desk) -> None:
    retry = {
        "enabled": True,
        "max_retries": 1,
        "retry_on_statuses": ["busy"],
        "retry_on_voicemail": False,
        "retry_intervals_minutes": [30],
    }
    batch_id = await desk.running([A], retry_config=retry)
    [row] = await desk.executions(batch_id)
    await desk.end(row["id"], Status.QUEUED, Status.INITIATED, Status.BUSY)
    await desk.batches.settle_all()
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert (view.status, view.counts) == ("scheduled", {Status.SCHEDULED: 1})
    await desk.end(row["id"], Status.QUEUED, Status.INITIATED, Status.BUSY)
    await desk.batches.settle_all()
    assert await status(desk, batch_id) == "completed"


@pytest.mark.parametrize("steps", range(1, len(ANSWERED)))
async def test_a_call_or_its_after_call_work_keeps_it_open(desk: Desk, steps: int) -> None:
    batch_id = await desk.running([A])
    [row] = await desk.executions(batch_id)
    await desk.end(row["id"], *ANSWERED[:steps])
    await desk.batches.settle_all()
    assert not await desk.batches.settle(desk.books.account_id, batch_id)
    await desk.end(row["id"], *ANSWERED[steps:])
    assert await desk.batches.settle(desk.books.account_id, batch_id)


async def test_an_empty_batch_is_completed_when_its_moment_comes(desk: Desk) -> None:
    batch_id = await desk.processed(b"contact_number\n")
    await desk.schedule(batch_id, desk.books.clock.now_us() + HOUR_US)
    await desk.batches.settle_all()
    assert await status(desk, batch_id) == "scheduled"
    desk.books.clock.us += 2 * HOUR_US
    await desk.batches.settle_all()
    assert await status(desk, batch_id) == "completed"


async def test_of_two_last_calls_one_completes_it(desk: Desk) -> None:
    """Both end at the same moment, and each looks when its own end is written."""
    batch_id = await desk.running([A, B], webhook_url="https://example.com/hook")
    ids = [row["id"] for row in await desk.executions(batch_id)]
    for execution_id in ids:
        await desk.end(execution_id, Status.QUEUED, Status.INITIATED)

    async def end(execution_id: str) -> bool:
        await desk.end(execution_id, Status.BUSY)
        return await desk.batches.settle(desk.books.account_id, batch_id)

    assert sorted(await asyncio.gather(*(end(execution_id) for execution_id in ids))) == [False, True]
    assert await status(desk, batch_id) == "completed"
    assert await desk.events(batch_id) == ["processed", "completed"]


async def test_stopped_and_settled_at_once_it_is_one_of_both(desk: Desk) -> None:
    for _ in range(5):
        batch_id = await desk.running([A], webhook_url="https://example.com/hook")
        [row] = await desk.executions(batch_id)
        await desk.end(row["id"], Status.QUEUED, Status.INITIATED, Status.BUSY)
        settled, stopped = await asyncio.gather(
            desk.batches.settle(desk.books.account_id, batch_id),
            desk.batches.stop(desk.books.account_id, batch_id),
            return_exceptions=True,
        )
        assert (settled is True) == isinstance(stopped, NotRunning)
        assert await status(desk, batch_id) == ("completed" if settled else "stopped")
        assert ("completed" in await desk.events(batch_id)) is (settled is True)


async def test_counts_are_exact_while_it_is_dialled_and_swept(desk: Desk) -> None:
    """Never more or fewer than the lines of the file, at any look."""
    batch_id = await desk.running([f"+1415555{number:04d}" for number in range(40)])
    ids = [row["id"] for row in await desk.executions(batch_id)]
    looks: list[dict[Status, int]] = []

    async def look() -> None:
        while not dialling.done():
            looks.append(dict((await desk.batches.get(desk.books.account_id, batch_id)).counts))

    async def dial() -> None:
        for execution_id in ids[:20]:
            await desk.end(execution_id, Status.QUEUED, Status.INITIATED, Status.BUSY)
        await desk.batches.stop(desk.books.account_id, batch_id)

    dialling = asyncio.create_task(dial())
    await asyncio.gather(dialling, look())
    assert {sum(counts.values()) for counts in looks} == {40}
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert view.counts == {Status.BUSY: 20, Status.STOPPED: 20}


async def test_batches_are_the_accounts_own(desk: Desk) -> None:
    batch_id = await desk.running([A])
    other = await open_desk(desk.db, desk.uploads.parent / "other")
    for refused in (
        other.batches.get(other.books.account_id, batch_id),
        other.batches.stop(other.books.account_id, batch_id),
        other.batches.delete(other.books.account_id, batch_id),
        other.batches.schedule(other.books.account_id, batch_id, 2**60, False),
        other.batches.settle(other.books.account_id, batch_id),
    ):
        with pytest.raises(UnknownBatch):
            await refused
    assert await status(desk, batch_id) == "scheduled"
