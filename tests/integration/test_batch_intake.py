"""From a batch's file to its executions: every line once, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ringback.dialing import intake as module
from ringback.dialing.batches import BatchState
from ringback.dialing.jobs import _TRIES
from ringback.executions.lifecycle import Status
from ringback.store.database import Database, StoreError
from tests.support.batches import Desk, open_desk
from tests.support.nth_await import Saboteur

A, B, C = "+14155550001", "+14155550002", "+14155550003"
HOUR_US = 3_600_000_000


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> Desk:
    return await open_desk(database, tmp_path)


async def test_each_line_becomes_an_execution_that_waits_behind_a_closed_gate(desk: Desk) -> None:
    retry = {"enabled": True, "max_retries": 2}
    file = f"contact_number,name\n{A},Ada\n{B},Grace\n".encode()
    batch_id = await desk.upload(file, retry_config=retry, from_numbers=("+14155550101",))
    before = await desk.batches.get(desk.books.account_id, batch_id)
    assert (before.status, before.batch.total) == ("created", 0)
    assert await desk.jobs.one("intake")
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert (view.status, view.batch.total, view.batch.valid) == ("processed", 2, 2)
    assert view.counts == {Status.PREPARED: 2}
    assert [(row["line"], row["to_number"]) for row in await desk.executions(batch_id)] == [(2, A), (3, B)]
    [first, _] = await desk.executions(batch_id)
    execution = await desk.books.ledger.get(desk.books.account_id, first["id"])
    assert execution.recipient_data == {"name": "Ada"}
    assert (execution.retry_config, execution.from_number) == (retry, "+14155550101")
    assert {(row["state"], row["due_at"], row["lane"]) for row in await desk.attempts(batch_id)} == {
        ("waiting", 0, batch_id)
    }
    gate = await desk.db.fetch_one("SELECT * FROM gates WHERE key = :id", id=batch_id)
    assert gate is not None
    assert (gate["opens_at"], gate["next_due_at"]) == (2**62, 0)
    assert not desk.file(batch_id).exists()
    assert not await desk.jobs.one("intake")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_large_file_leaves_statistics(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL: without them it reads whole tables for the first claims."""
    monkeypatch.setattr(module, "_WORTH_ANALYZING", 2)
    await desk.processed([A, B])
    row = await desk.db.fetch_one("SELECT reltuples FROM pg_class WHERE relname = 'attempts'")
    assert row is not None
    assert row["reltuples"] == 2


async def test_bad_lines_and_duplicates_are_counted_and_listed(desk: Desk) -> None:
    file = f"contact_number\n{A}\nnobody\n{B}\n'{A}\n\n{A}\n".encode()
    batch_id = await desk.processed(file)
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert (view.batch.total, view.batch.valid, view.batch.duplicates) == (5, 2, 2)
    faults = [fault async for fault in desk.batches.faults(desk.books.account_id, batch_id)]
    assert [(fault.line, fault.number) for fault in faults] == [(3, "nobody"), (5, A), (7, A)]
    assert faults[1].reason == "the same number as line 2"
    assert [row["to_number"] for row in await desk.executions(batch_id)] == [A, B]


async def test_duplicates_are_dialled_where_that_is_wanted(desk: Desk) -> None:
    batch_id = await desk.processed([A, B, A], dial_once=False)
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert (view.batch.total, view.batch.valid, view.batch.duplicates) == (3, 3, 1)
    assert [row["to_number"] for row in await desk.executions(batch_id)] == [A, B, A]


def _people(count: int) -> list[str]:
    """With a bad one and a number that was there before in every ten."""
    numbers = [f"+1415555{number:04d}" for number in range(count)]
    numbers[3::10] = ["nobody"] * len(numbers[3::10])
    numbers[7::10] = [numbers[0]] * len(numbers[7::10])
    return numbers


@pytest.mark.parametrize("duplicates", [True, False])
async def test_killed_at_any_await_every_line_is_written_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, duplicates: bool
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 8)
    monkeypatch.setattr(module, "_AT_ONCE_SQLITE", 8)
    people = _people(30)
    batch_id = await desk.upload(people, dial_once=duplicates)
    nth, killed = 1, 0
    while True:
        saboteur = Saboteur("Intake.run", nth)
        saboteur.install()
        running = asyncio.create_task(desk.intake.run(desk.job(batch_id), desk.file(batch_id)))
        await asyncio.wait({running})
        asyncio.get_running_loop().set_task_factory(None)
        # Both of one moment: what was to be committed when it was killed may still be on its way.
        view = await desk.batches.get(desk.books.account_id, batch_id)
        assert view.batch.valid == sum(view.counts.values())
        if not saboteur.struck:
            await running
            break
        killed += 1
        nth += 1 if view.batch.total == 0 else 3  # further on than the last time, whatever was written since
    assert killed > 3
    assert view.status == "processed"
    rows = await desk.executions(batch_id)
    dialled = [number for number in people if number != "nobody"]
    wanted = list(dict.fromkeys(dialled)) if duplicates else dialled
    assert [row["to_number"] for row in rows] == wanted
    assert view.batch.total == 30
    assert view.batch.duplicates == len(dialled) - len(set(dialled))
    faults = [fault.line async for fault in desk.batches.faults(desk.books.account_id, batch_id)]
    assert len(faults) == 30 - len(wanted)


async def test_two_that_read_the_same_file_write_each_line_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    monkeypatch.setattr(module, "_AT_ONCE_SQLITE", 2)
    batch_id = await desk.upload([f"+1415555{number:04d}" for number in range(20)])
    await asyncio.gather(*(desk.intake.run(desk.job(batch_id), desk.file(batch_id)) for _ in range(3)))
    assert [row["line"] for row in await desk.executions(batch_id)] == list(range(2, 22))
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert (view.status, view.batch.valid) == ("processed", 20)


async def test_stopped_while_it_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    monkeypatch.setattr(module, "_AT_ONCE_SQLITE", 2)
    batch_id = await desk.upload([f"+1415555{number:04d}" for number in range(200)], webhook_url="https://x")
    await desk.schedule(batch_id, desk.books.clock.now_us() + HOUR_US)
    running = asyncio.create_task(desk.intake.run(desk.job(batch_id), desk.file(batch_id)))
    while (await desk.batches.get(desk.books.account_id, batch_id)).batch.total == 0:
        assert not running.done()
    await desk.batches.stop(desk.books.account_id, batch_id)
    await asyncio.wait_for(running, 15)
    while await desk.jobs.one("sweep"):
        pass
    rows = await desk.executions(batch_id)
    assert 0 < len(rows) < 200
    assert {row["status"] for row in rows} == {"stopped"}
    assert await desk.events(batch_id) == []


async def test_scheduled_before_it_is_read_it_opens_when_it_is_read(desk: Desk) -> None:
    batch_id = await desk.upload([A], webhook_url="https://example.com/hook")
    at = desk.books.clock.now_us() + HOUR_US
    await desk.schedule(batch_id, at)
    gate = await desk.db.fetch_one("SELECT opens_at FROM gates WHERE key = :id", id=batch_id)
    assert gate is not None
    assert gate["opens_at"] == 2**62
    assert await desk.jobs.one("intake")
    gate = await desk.db.fetch_one("SELECT opens_at FROM gates WHERE key = :id", id=batch_id)
    assert gate is not None
    assert gate["opens_at"] == at
    account = await desk.db.fetch_one("SELECT next_due_at FROM gates WHERE kind = 'account'")
    assert account is not None
    assert account["next_due_at"] <= at
    assert (await desk.batches.get(desk.books.account_id, batch_id)).status == "scheduled"
    assert await desk.events(batch_id) == ["processed"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"number\n1\n", "no column contact_number"),
        (b"", "no column"),
        ("contact_number\n".encode("utf-16"), "UTF-16"),
    ],
)
async def test_a_file_that_is_no_such_file_fails(desk: Desk, content: bytes, said: str) -> None:
    batch_id = await desk.processed(content)
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert view.status == "failed"
    assert said in str(view.batch.failure)


async def test_a_file_that_is_too_long_fails_as_a_whole(database: Database, tmp_path: Path) -> None:
    desk = await open_desk(database, tmp_path, max_lines=2)
    batch_id = await desk.processed([A, B, C])
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert (view.status, view.batch.failure) == (
        "failed",
        "The file has more than 2 lines; send it as several batches",
    )
    assert await desk.jobs.one("sweep")
    assert {row["status"] for row in await desk.executions(batch_id)} == {"stopped"}


async def test_a_file_that_is_gone_fails(desk: Desk) -> None:
    batch_id = await desk.upload([A])
    desk.file(batch_id).unlink()
    assert await desk.jobs.one("intake")
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert view.batch.state is BatchState.FAILED


async def test_it_is_tried_again_when_the_database_refuses_then_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise StoreError("the disk is full")

    batch_id = await desk.upload([A])
    with monkeypatch.context() as patch:
        patch.setattr(desk.intake, "run", refuse)
        assert await desk.jobs.one("intake")
    assert not await desk.jobs.one("intake")  # not at once
    desk.books.clock.us += 60_000_000
    assert await desk.jobs.one("intake")
    assert (await desk.batches.get(desk.books.account_id, batch_id)).status == "processed"

    hopeless = await desk.upload([B])
    monkeypatch.setattr(desk.intake, "run", refuse)
    for _ in range(_TRIES):
        desk.books.clock.us += 600_000_000
        assert await desk.jobs.one("intake")
    desk.books.clock.us += 600_000_000
    assert not await desk.jobs.one("intake")
    view = await desk.batches.get(desk.books.account_id, hopeless)
    assert (view.status, view.batch.failure) == ("failed", "The file could not be read: the disk is full")


async def test_what_fails_again_and_again_but_gets_on_is_not_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    monkeypatch.setattr(module, "_AT_ONCE_SQLITE", 1)
    write, chunks = desk.intake._write, 0

    async def every_other(*args: Any) -> Any:
        nonlocal chunks
        chunks += 1
        if chunks % 2 == 0:
            raise StoreError("the gate was locked for too long")
        return await write(*args)

    monkeypatch.setattr(desk.intake, "_write", every_other)
    numbers = [f"+1415555{number:04d}" for number in range(2 * _TRIES)]
    batch_id = await desk.upload(numbers)
    while await desk.jobs.one("intake"):
        desk.books.clock.us += 600_000_000
    view = await desk.batches.get(desk.books.account_id, batch_id)
    assert (view.status, view.batch.valid) == ("processed", len(numbers))


async def test_a_job_of_another_machine_is_left_to_it(desk: Desk) -> None:
    await desk.upload([A])
    async with desk.db.transaction() as tx:
        await tx.execute("UPDATE jobs SET machine = 'elsewhere'")
    assert not await desk.jobs.one("intake")


async def test_a_job_whose_process_died_is_taken_over_when_its_lease_is_over(desk: Desk) -> None:
    await desk.upload([A])
    async with desk.db.transaction() as tx:
        await tx.execute(
            "UPDATE jobs SET lease_owner = 'dead', lease_until = :until",
            until=desk.books.clock.now_us() + 10_000_000,
        )
    assert not await desk.jobs.one("intake")
    desk.books.clock.us += 11_000_000
    assert await desk.jobs.one("intake")
