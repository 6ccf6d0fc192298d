"""Deleting an agent, on both databases: nothing of it is dialled, and nothing of it is left."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ringback.agents.registry import Agents, UnknownAgent
from ringback.dialing.claims import Claim, Claims, Stopped
from ringback.dialing.taking import Taking
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState
from ringback.executions.recording_files import place
from ringback.store.database import Database, StoreError
from tests.support.batches import Desk, open_desk


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> Desk:
    return await open_desk(database, tmp_path)


async def claimed(desk: Desk) -> Claim:
    books = desk.books
    [claim] = (await Taking(books.db, books.ledger, books.clock, "worker").take(1)).claims
    return claim


def claims(desk: Desk) -> Claims:
    return Claims(desk.db, desk.books.ledger, desk.books.clock, "worker")


async def delete(desk: Desk) -> None:
    await desk.batches.delete_agent(desk.books.account_id, desk.books.agent_id)


async def left(desk: Desk) -> dict[str, int]:
    tables = ("agents", "batches", "batch_faults", "executions", "attempts", "execution_log", "gates", "jobs")
    found = {}
    for table in tables:
        row = await desk.db.fetch_one(f"SELECT COUNT(*) AS n FROM {table}")
        assert row is not None
        if row["n"]:
            found[table] = row["n"]
    return found


async def swept(desk: Desk) -> None:
    while await desk.jobs.one("sweep"):
        pass


async def record(desk: Desk, execution_id: str) -> tuple[Status, str | None]:
    execution = await desk.books.ledger.get(desk.books.account_id, execution_id)
    return execution.status, execution.error_message


async def test_all_of_it_goes_its_gates_too(desk: Desk) -> None:
    await desk.books.create()
    await desk.running(["+14155550123", "no number"])
    await desk.processed(["+14155550124"])
    unread = await desk.upload(["+14155550125"])
    await delete(desk)
    await swept(desk)
    assert await desk.jobs.one("intake")
    assert not desk.file(unread).exists()
    assert await left(desk) == {"gates": 1}
    with pytest.raises(UnknownAgent):
        await delete(desk)


async def test_what_waits_is_stopped_and_says_why(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: Any, **__: Any) -> None:
        raise StoreError("the database is away")

    monkeypatch.setattr(desk.sweep, "_remove", refused)
    call = await desk.books.create()
    batch_id = await desk.running(["+14155550123"])
    await delete(desk)
    [line] = await desk.executions(batch_id)
    for execution_id in (call.id, line["id"]):
        assert await record(desk, execution_id) == (Status.STOPPED, "The agent was deleted")
    agents = Agents(desk.db, desk.books.clock)
    with pytest.raises(UnknownAgent):
        await agents.require(desk.books.account_id, desk.books.agent_id)
    with pytest.raises(UnknownAgent):
        await agents.get(desk.books.account_id, desk.books.agent_id)
    assert [agent async for agent in agents.all(desk.books.account_id)] == []
    monkeypatch.undo()
    await swept(desk)
    assert await left(desk) == {"gates": 1}


async def test_a_claim_is_not_dialled(desk: Desk) -> None:
    await desk.books.create()
    claim = await claimed(desk)
    await delete(desk)
    with pytest.raises(Stopped):
        await claims(desk).intend(claim, "call")


async def test_a_live_call_goes_on_and_goes_when_it_is_over(desk: Desk, tmp_path: Path) -> None:
    books = desk.books
    await books.create()
    claim = await claimed(desk)
    await claims(desk).intend(claim, "call")
    where = claim.account_id, claim.execution_id
    live: Any = {"state": AttemptState.LIVE, "answered_at": books.clock.now_us()}
    await books.ledger.transition(*where, Status.IN_PROGRESS, attempt=live)
    recording = tmp_path / "recordings" / place(*where, 1)
    recording.parent.mkdir(parents=True)
    recording.write_bytes(b"RIFF")
    await delete(desk)
    await swept(desk)
    assert await record(desk, claim.execution_id) == (Status.IN_PROGRESS, None)
    for status in (Status.CALL_DISCONNECTED, Status.COMPLETED):
        await books.ledger.transition(*where, status, attempt={"ended_at": books.clock.now_us()})
    await swept(desk)
    assert recording.exists(), "it is looked at again after a while, not at once"
    books.clock.us += 31_000_000
    await swept(desk)
    assert not recording.exists()
    assert await left(desk) == {"gates": 1}


async def test_a_retry_is_not_opened(desk: Desk) -> None:
    retry = {"enabled": True, "max_retries": 1, "retry_on_statuses": ["busy"], "retry_intervals_minutes": [5]}
    await desk.books.create(retry_config=retry)
    claim = await claimed(desk)
    await claims(desk).intend(claim, "call")
    await delete(desk)
    assert (await desk.books.ledger.attempt(claim.account_id, claim.execution_id)).cancel_requested
    await desk.end(claim.execution_id, Status.BUSY)
    assert (await record(desk, claim.execution_id))[0] is Status.BUSY


async def test_many_go_in_parts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.dialing.sweep._REMOVED_AT_ONCE", 20)
    monkeypatch.setattr("ringback.dialing.sweep._REMOVED_IN_TURN", 40)
    await desk.processed([f"+1415555{number:04d}" for number in range(100)])
    await delete(desk)
    assert (await left(desk))["executions"] == 80
    assert await desk.jobs.one("sweep")  # the batch's, which is stopped
    assert await desk.jobs.one("sweep")
    assert (await left(desk))["executions"] == 40
    await swept(desk)
    assert await left(desk) == {"gates": 1}


async def test_deleted_in_the_midst_of_everything(desk: Desk) -> None:
    """Its file is read, calls are put in and claimed, and counters folded: no circle of locks, and nothing is left."""
    books = desk.books
    taking = Taking(books.db, books.ledger, books.clock, "worker")
    await desk.running([f"+1415555{number:04d}" for number in range(60)])
    await desk.upload([f"+1415556{number:04d}" for number in range(3_000)])
    gone, refusals = asyncio.Event(), []

    async def put_in() -> None:
        while not gone.is_set():
            try:
                await books.create()
            except StoreError as error:
                refusals.append(str(error))

    async def claim() -> None:
        while not gone.is_set():
            for each in (await taking.take(2)).claims:
                await claims(desk).release(each)

    async def remove() -> None:
        await asyncio.sleep(0)
        try:
            await delete(desk)
        finally:
            gone.set()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for work in (put_in(), claim(), remove(), desk.jobs.one("intake")):
            group.create_task(work)
    assert not [refusal for refusal in refusals if "deadlock" in refusal or "lock timeout" in refusal]
    while await desk.jobs.one("intake"):
        pass
    books.clock.us += 600_000_000
    await swept(desk)
    assert await left(desk) == {"gates": 1}


async def test_another_agent_is_not_touched(desk: Desk) -> None:
    other = await desk.books.agent("other")
    call = await desk.books.create(agent_id=other)
    batch_id = await desk.running(["+14155550123"], agent_id=other)
    await desk.books.create()
    await delete(desk)
    await swept(desk)
    assert (await record(desk, call.id))[0] is Status.QUEUED
    [line] = await desk.executions(batch_id)
    assert line["status"] == Status.PREPARED
    assert len((await Taking(desk.db, desk.books.ledger, desk.books.clock, "worker").take(5)).claims) == 2


async def test_what_of_another_account_bears_its_name_stays(database: Database, tmp_path: Path) -> None:
    """An agent's id is its account's own."""
    mine, theirs = await open_desk(database, tmp_path), await open_desk(database, tmp_path / "theirs")
    await mine.books.create()
    call = await theirs.books.create()
    await delete(mine)
    await swept(mine)
    assert (await record(theirs, call.id))[0] is Status.QUEUED
