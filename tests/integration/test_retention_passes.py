"""Passes that are killed anywhere, run at the same time, or at random moments of a long life."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ringback.app.upkeep import LedgerUpkeep
from ringback.clock import Clock
from ringback.executions import segments
from ringback.executions.ledger import Ledger, UnknownExecution
from ringback.executions.lifecycle import Status
from ringback.executions.record import Execution
from ringback.executions.removal import Removal
from ringback.executions.retention import DAY_US, Removed, Retention
from ringback.store.database import Database, open_database
from ringback.store.queries import executions
from tests.support.archive import Archive, open_archive
from tests.support.ledgers import PUBLIC_URL


@pytest.fixture
async def archive(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    monkeypatch.setattr("ringback.executions.retention._BATCH", 3)
    monkeypatch.setattr(segments, "ROWS", 4)
    return await open_archive(database, tmp_path / "recordings")


class Killed(BaseException):
    """The process is no more."""


class _Life:
    """Counts what a pass does to the world, and ends before the n-th thing is done."""

    def __init__(self, things: int) -> None:
        self.left = things

    def spend(self) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1


class _Mortal:
    """A database, or a transaction of it, whose every statement costs a thing of a life."""

    def __init__(self, inner: Any, life: _Life) -> None:
        self._inner = inner
        self._life = life

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)

        async def mortal(*args: Any, **params: Any) -> Any:
            self._life.spend()
            return await call(*args, **params)

        return mortal

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        async with self._inner.transaction() as tx:
            yield _Mortal(tx, self._life)
            self._life.spend()  # before the commit


async def _pass(archive: Archive, life: _Life, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether it came to its end."""
    db: Any = _Mortal(archive.books.db, life)
    unlink = Path.unlink

    def mortal_unlink(path: Path, missing_ok: bool = False) -> None:
        life.spend()
        unlink(path, missing_ok)

    retention = Retention(
        db, Ledger(db, archive.books.clock, PUBLIC_URL), archive.books.clock, archive.folder
    )
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", mortal_unlink)
        try:
            await retention.apply()
        except Killed:
            return False
    return True


async def test_wherever_a_pass_is_killed_the_next_one_finishes(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    things, finished = 0, False
    while not finished:
        victim = await open_archive(archive.books.db, archive.folder)
        await victim.call(10)
        stripped = await victim.call(5)
        await victim.keep(recordings=3, transcripts=4, records=7)
        finished = await _pass(victim, _Life(things), monkeypatch)
        assert victim.files() <= await victim.recorded(), f"after {things} things a file belongs to nobody"
        await victim.retention.apply()

        assert await victim.statuses() == {stripped.id: "completed"}, things
        await victim.assert_whole()
        body = await victim.books.body(stripped)
        assert (body["transcript"], body["telephony_data"]["recording_url"]) == ("", None)
        log = [row.data for row in await victim.books.listing.log(stripped.account_id, stripped.id)]
        assert [line for line in log if "removed" in line] == [
            "recording removed after 3 days",
            "transcript removed after 4 days",
        ], things
        await victim.keep(recordings=None, transcripts=None, records=None)
        things += 1
    assert things > 40


async def test_a_pass_that_is_killed_among_calls_that_ended_at_once(archive: Archive) -> None:
    for _ in range(8):
        call = await archive.call(5)
        ended_at = archive.now - 4 * DAY_US
        await archive.books.ledger.update(call.account_id, call.id, attempt={"ended_at": ended_at})
    await archive.keep(recordings=3, transcripts=2)
    with pytest.raises(Killed):
        await _removing(archive, pauses=1).apply()
    assert len(archive.files()) == 5, "one batch went"
    assert await archive.apply() == Removed(archive.books.account_id, 5, 8, 0)
    await archive.assert_whole()


@pytest.mark.parametrize("part", ["recordings", "transcripts", "records"])
async def test_whoever_changes_their_mind_during_a_pass_is_heard(archive: Archive, part: str) -> None:
    for _ in range(8):
        await archive.call(5)
    await archive.keep(**{part: 3})

    async def change() -> None:
        await archive.keep(**{part: None})

    [removed] = await _removing(archive, at_pause=change).apply()
    assert removed.recordings + removed.transcripts + removed.records == 3
    await archive.assert_whole()
    assert await archive.apply() is None


@pytest.mark.parametrize("first", ["attempt", "status"])
async def test_a_record_that_is_about_to_be_tried_again_stays(archive: Archive, first: str) -> None:
    """Whichever of the two the retry policy writes first, and whether a pass sees it at the look or at the lock."""
    again, over = await archive.call(9), await archive.call(8)
    if first == "attempt":
        await archive.retry(again, status=again.status)
    async with archive.books.db.transaction() as tx:
        if first == "status":
            await executions.update(tx, again.account_id, again.id, {"status": Status.SCHEDULED})
        removal = Removal(archive.books.ledger, archive.books.clock)
        assert await removal.records(tx, again.account_id, {again.id}) == 0
    await archive.keep(records=7)
    told = await archive.retention.preview()
    assert told == await archive.retention.apply() == [Removed(over.account_id, 0, 0, 1)]
    assert {*await archive.statuses()} == {again.id}


@dataclass
class _Pauses:
    """The clock of a pass: something happens at every pause, or it is killed at the n-th."""

    clock: Clock
    left: int
    happens: Callable[[], Awaitable[None]] | None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.clock, name)

    async def sleep(self, seconds: float) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed
        if self.happens is not None:
            await self.happens()


def _removing(
    archive: Archive,
    pauses: int = 0,
    at_pause: Callable[[], Awaitable[None]] | None = None,
) -> Retention:
    clock: Any = _Pauses(archive.books.clock, pauses, at_pause)
    return Retention(archive.books.db, archive.books.ledger, clock, archive.folder)


async def test_passes_at_once_and_writers_beside_them(archive: Archive, database_url: str) -> None:
    """Nothing is removed twice, nobody waits in a circle, and everything that is too old goes."""
    books = archive.books
    calls = [await archive.call(40.5 - number) for number in range(30)]  # 40.5 to 11.5 days old
    await LedgerUpkeep(books.db)()
    await archive.keep(recordings=20, transcripts=20, records=30)
    others = [await open_database(database_url) for _ in range(2)]
    ledgers = [books.ledger, *(Ledger(db, books.clock, PUBLIC_URL) for db in others)]
    passes = asyncio.gather(
        *(
            Retention(db, ledger, books.clock, archive.folder).apply()
            for db, ledger in zip((books.db, *others), ledgers, strict=True)
        )
    )
    writer = asyncio.create_task(_write(ledgers[1], calls, passes))
    try:
        async with asyncio.timeout(60):
            done = [removed for one in await passes for removed in one]
            await writer
    finally:
        for db in others:
            await db.close()
    assert sum(removed.records for removed in done) == 11
    assert sum(removed.recordings for removed in done) == 21
    assert sum(removed.transcripts for removed in done) == 21
    assert {*await archive.statuses()} == {call.id for call in calls[11:]}
    await archive.assert_whole()
    assert await archive.apply() is None


async def _write(ledger: Ledger, calls: list[Execution], until: asyncio.Future[Any]) -> None:
    """Change records of any age while the passes run."""
    choose = random.Random(3)
    while not until.done():
        call = choose.choice(calls)
        with contextlib.suppress(UnknownExecution):
            await ledger.update(call.account_id, call.id, changes={"context_data": {"node": "end"}})
        await asyncio.sleep(0.002)  # SQLite's writers of several processes ask for their turn again and again


@pytest.mark.parametrize("seed", range(4))
async def test_a_long_life(archive: Archive, seed: int) -> None:
    """Random calls, policies and passes, against a model of what is left of each call."""
    choose = random.Random(seed)
    left: dict[str, dict[str, Any]] = {}
    today = 0
    for _ in range(12):
        for _ in range(choose.randrange(3)):
            recorded, said = choose.random() < 0.7, choose.random() < 0.7
            call = await archive.call(-today, recorded=recorded, said=said)
            left[call.id] = {"day": today, "recorded": recorded, "said": said}
        records = choose.choice([None, 20, 60])
        days = {
            name: choose.choice([None, *(n for n in (5, 15, 50) if n <= (records or 99))])
            for name in ("recordings", "transcripts")
        }
        await archive.keep(**days, records=records)
        today += choose.randrange(1, 15)
        archive.go_back(-today - 0.5)
        if choose.random() < 0.5:
            await LedgerUpkeep(archive.books.db)()
        told = await archive.retention.preview()
        assert await archive.retention.apply() == told

        expected = _age(left, today, recorded=days["recordings"], said=days["transcripts"], records=records)
        assert told == ([Removed(archive.books.account_id, *expected)] if any(expected) else [])
        await archive.assert_whole()
        for record in await archive.books.list():
            model = left[record["id"]]
            assert bool(record["transcript"]) == model["said"]
            assert (record["telephony_data"]["recording_url"] is not None) == model["recorded"]
        assert {*await archive.statuses()} == {*left}


def _age(
    left: dict[str, dict[str, Any]], today: int, *, records: int | None, **days: int | None
) -> tuple[int, int, int]:
    """Recordings, transcripts and records that are due, taken out of the model."""
    removed = []
    for name in ("recorded", "said"):
        limit = days[name]
        due = [
            call
            for call in left.values()
            if limit is not None and call[name] and today - call["day"] >= limit
        ]
        for call in due:
            call[name] = False
        removed.append(len(due))
    over = [key for key, call in left.items() if records is not None and today - call["day"] >= records]
    for key in over:
        del left[key]
    return removed[0], removed[1], len(over)
