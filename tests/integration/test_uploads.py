"""Which files of uploads are removed, on both databases: never one that somebody writes or will read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ringback.dialing.uploads import Leftovers, hold, name_of
from ringback.store.database import Database
from tests.support.batches import Desk, open_desk

OLD_S = 3600


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> Desk:
    return await open_desk(database, tmp_path)


@pytest.fixture
def leftovers(desk: Desk) -> Leftovers:
    return Leftovers(desk.db, desk.books.clock, desk.uploads)


def a_file(desk: Desk, name: str, age_s: float = OLD_S + 60) -> Path:
    desk.uploads.mkdir(exist_ok=True)
    file = desk.uploads / name
    file.write_text("contact_number\n")
    written = desk.books.clock.us / 1_000_000 - age_s
    os.utime(file, (written, written))
    return file


async def test_what_nobody_needs_goes(desk: Desk, leftovers: Leftovers) -> None:
    placed, part = a_file(desk, f"{'a' * 32}.csv"), a_file(desk, f"{'b' * 32}.csv.part")
    assert await leftovers.remove() == 2
    assert (placed.exists(), part.exists(), await leftovers.remove()) == (False, False, 0)


async def test_what_is_young_stays(desk: Desk, leftovers: Leftovers) -> None:
    young = a_file(desk, f"{'a' * 32}.csv.part", OLD_S - 60)
    assert await leftovers.remove() == 0
    desk.books.clock.us += 120 * 1_000_000
    assert await leftovers.remove() == 1
    assert not young.exists()


async def test_what_is_received_stays_however_old_it_is(desk: Desk, leftovers: Leftovers) -> None:
    """Its process was stopped, or the machine slept; it goes on when that is over."""
    with a_file(desk, f"{'a' * 32}.csv.part").open("r+b") as receiving:
        hold(receiving.fileno())
        assert await leftovers.remove() == 0
    assert await leftovers.remove() == 1


async def test_what_a_job_will_read_stays_until_it_was_read(desk: Desk, leftovers: Leftovers) -> None:
    batch_id = await desk.upload(["+14155550123"])
    os.utime(desk.file(batch_id), (0, 0))
    assert await leftovers.remove() == 0
    assert await desk.jobs.one("intake")
    assert not desk.file(batch_id).exists()


async def test_a_batch_that_is_stopped_and_the_sweep_of_its_lane_keep_no_file(
    desk: Desk, leftovers: Leftovers
) -> None:
    """A job of another kind may bear the same name."""
    batch_id = await desk.processed(["+14155550123"])
    await desk.batches.delete(desk.books.account_id, batch_id)
    file = a_file(desk, f"{batch_id}.csv")
    assert await leftovers.remove() == 1
    assert not file.exists()


async def test_what_is_no_upload_is_not_touched(desk: Desk, leftovers: Leftovers) -> None:
    strangers = [
        a_file(desk, name) for name in ("people.csv", "name", f"{'A' * 32}.csv", f"{'a' * 32}.csv.x")
    ]
    elsewhere = a_file(desk, "elsewhere")
    (desk.uploads / f"{'c' * 32}.csv").symlink_to(elsewhere)
    (desk.uploads / f"{'d' * 32}.csv").mkdir()
    assert await leftovers.remove() == 0
    assert all(file.exists() for file in (*strangers, elsewhere))


async def test_a_folder_that_is_not_there_has_none(desk: Desk, leftovers: Leftovers) -> None:
    assert await leftovers.remove() == 0


def test_a_folder_keeps_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "uploads"
    name = name_of(folder)
    assert name == name_of(folder)
    assert name != name_of(tmp_path / "other")
    (folder / "name").write_text("half")
    again = name_of(folder)
    assert again == name_of(folder) != "half"
