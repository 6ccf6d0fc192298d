"""Workers in their table, on both databases, and what `ringback status` says of the installation."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from ringback.app.presence import GONE_S, Presence
from ringback.cli.status import lines, report
from ringback.store.database import Database, StoreError
from ringback.store.migrate import upgrade
from ringback.store.queries import gates, workers
from ringback.store.version import newest, require_newest
from ringback.trunks.gateway import Gateway, Qualified
from ringback.trunks.secrecy import Secrecy
from ringback.trunks.trunk import Registration, TrunkFields
from ringback.trunks.trunks import Trunks
from tests.support.ledgers import open_books

T: Final = 1_795_493_045_000_000


class HandClock:
    """Time goes on when the test says so."""

    def __init__(self) -> None:
        self.now = T
        self._beats = asyncio.Queue[None]()

    def now_us(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1e6

    async def sleep(self, seconds: float) -> None:
        await self._beats.get()

    def beat(self, seconds: float) -> None:
        self.now += round(seconds * 1e6)
        self._beats.put_nowait(None)


def presence(name: str = "here/0/1/ab") -> Presence:
    return Presence(name, 0, "127.0.0.1:5080", 20, lambda: 3, lambda: 1.5)


async def seen(db: Database, seen_at: int, state: str) -> None:
    """Once the one worker says so."""
    async with asyncio.timeout(10):
        while [(row["seen_at"], row["state"]) for row in await workers.everyone(db)] != [(seen_at, state)]:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_a_worker_beats_tells_at_once_that_it_drains_and_leaves(database: Database) -> None:
    clock, stopping = HandClock(), asyncio.Event()
    async with presence().shown(database, clock, stopping):
        await seen(database, T, "serving")
        clock.beat(5)
        await seen(database, T + 5_000_000, "serving")
        clock.now += 1_000_000
        stopping.set()
        await seen(database, T + 6_000_000, "draining")
        clock.beat(5)
        await seen(database, T + 11_000_000, "draining")
        (row,) = await workers.everyone(database)
        assert (row["calls"], row["capacity"], row["lateness_us"], row["started_at"]) == (3, 20, 1500, T)
    assert await workers.everyone(database) == []


async def test_rows_of_the_lost_go_with_the_next_worker(database: Database) -> None:
    clock, stopping = HandClock(), asyncio.Event()
    for name, age_s in (("lost", GONE_S + 1), ("late", GONE_S - 1)):
        await workers.beat(
            database, name=name, machine="m", number=1, pid=1, address=None, capacity=1, calls=0,
            lateness_us=0, state="serving", now_us=T - round(age_s * 1e6),
        )  # fmt: skip
    async with presence("new").shown(database, clock, stopping):
        assert {row["name"] for row in await workers.everyone(database)} == {"late", "new"}


async def test_a_status_tells_of_workers_waiting_calls_slots_and_pauses(database: Database) -> None:
    books = await open_books(database)
    first = await books.create()
    await books.create()
    now = books.clock.now_us()
    async with presence().shown(database, books.clock, asyncio.Event()):
        found = await report(database, now + 1_000_000)
        (worker,) = found["workers"]
        assert (worker["state"], worker["calls"], worker["address"]) == ("serving", 3, "127.0.0.1:5080")
        assert found["queue"]["due"] == 2
        async with database.transaction() as tx:
            await tx.execute(
                "UPDATE attempts SET state = 'claimed', slot_since = :now, lease_owner = 'me' WHERE execution_id = :id",
                now=now, id=first.id,
            )  # fmt: skip
            await gates.close(
                tx, books.account_id, "batch", "b1", how="paused", why="too many failed", now_us=now
            )
        found = await report(database, now + 1_000_000)
        assert found["queue"]["due"] == 1
        assert found["accounts"] == [{"account_id": books.account_id, "calls": 1, "unknown": 0}]
        assert [(lane["id"], lane["why"], lane["since_s"]) for lane in found["paused"]] == [
            ("b1", "too many failed", 1.0)
        ]
        text = "\n".join(lines(found))
        for expected in (
            "3/20",
            "1 due",
            f"account {books.account_id}: 1 calls",
            "batch b1 for 1 s: too many failed",
        ):
            assert expected in text


async def test_a_status_tells_of_trunks(database: Database, tmp_path: Path) -> None:
    books = await open_books(database)
    trunks = Trunks(database, books.clock, Secrecy.of_folder(tmp_path))
    fields = TrunkFields(
        name="Carrier",
        provider="p",
        auth_type="userpass",
        auth_username="joe",
        auth_password="open sesame",
        gateways=(Gateway("a.example"), Gateway("b.example", 5070)),
    )
    trunk = await trunks.create(books.account_id, fields)
    await trunks.keep("one", 15.0, 10)
    now = books.clock.now_us()
    await trunks.qualified(
        books.account_id, trunk.id, 1, "a.example", 5060, Qualified("up", now, 20_500, 200)
    )
    down = Qualified("down", now, None, None, "no answer within 4 s")
    await trunks.qualified(books.account_id, trunk.id, 2, "b.example", 5070, down)
    await trunks.registered(trunk, "one", Registration("failing", code=403, error="it forbids it"))
    await trunks.registered(trunk, "another", Registration("registered", now))
    told = list(lines(await report(database, now)))
    assert told[-3:] == [
        f"trunk {trunk.id} (Carrier): failing: it forbids it",
        "  gateway a.example:5060: up in 20 ms",
        "  gateway b.example:5070: down (no answer within 4 s)",
    ]
    later = list(lines(await report(database, now + 60_000_000)))
    assert later[-3].endswith(", kept by no worker")
    assert "open sesame" not in str(await report(database, now))


async def test_a_role_alone_asks_for_the_tables_of_its_version(empty_database_url: str) -> None:
    with pytest.raises(StoreError, match="ringback migrate"):
        await require_newest(empty_database_url)
    await upgrade(empty_database_url)
    await require_newest(empty_database_url)


def test_the_newest_version_is_the_one_that_upgrades_end_at() -> None:
    config = Config()
    config.set_main_option("script_location", "src/ringback/store/migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == newest()
