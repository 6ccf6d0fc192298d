"""The queue of writers on SQLite: one at a time, and nobody is kept out by who died or gave up."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from ringback.store import sqlite
from ringback.store.database import StoreError, open_database
from ringback.store.sqlite import SqliteDatabase
from ringback.store.turnstile import Turnstile

SPAWN = multiprocessing.get_context("spawn")


def _inside(path: str, pipe: Connection) -> None:
    turnstile = Turnstile(path)
    pipe.send(turnstile.enter(10))
    pipe.recv()


def test_one_is_inside_and_its_death_lets_the_next_in(tmp_path: Path) -> None:
    path = str(tmp_path / "turnstile")
    ours, theirs = SPAWN.Pipe()
    other = SPAWN.Process(target=_inside, args=(path, theirs))
    other.start()
    assert ours.recv() is True
    turnstile = Turnstile(path)
    assert not turnstile.enter(0.05)
    assert other.pid is not None
    os.kill(other.pid, signal.SIGKILL)
    other.join(10)
    assert turnstile.enter(10)
    turnstile.close()


def test_who_leaves_twice_does_not_let_two_in(tmp_path: Path) -> None:
    first, second, third = (Turnstile(str(tmp_path / "turnstile")) for _ in range(3))
    assert first.enter(1)
    first.leave()
    assert second.enter(1)
    first.leave()
    assert not third.enter(0.01)


async def _two(tmp_path: Path) -> tuple[SqliteDatabase, SqliteDatabase]:
    url = f"sqlite:///{tmp_path}/a.db"
    one, two = await open_database(url), await open_database(url)
    assert isinstance(one, SqliteDatabase)
    assert isinstance(two, SqliteDatabase)
    return one, two


async def test_a_writer_waits_for_another_process_and_then_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await _two(tmp_path)
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_S", 0.05)
    async with one.transaction():
        with pytest.raises(StoreError, match="another process has been writing"):
            async with two.transaction():
                pytest.fail("two writers")
    async with two.transaction() as tx:
        await tx.execute("CREATE TABLE t (n INTEGER)")
    for db in (one, two):
        await db.close()


async def test_a_writer_that_fails_or_is_cancelled_lets_the_next_in(tmp_path: Path) -> None:
    one, two = await _two(tmp_path)
    inside = asyncio.Event()

    async def hold() -> None:
        async with one.transaction():
            inside.set()
            await asyncio.Event().wait()

    for _ in range(3):
        with pytest.raises(StoreError):
            async with one.transaction() as tx:
                await tx.execute("INSERT INTO nothing VALUES (1)")
        holding = asyncio.create_task(hold())
        await inside.wait()
        waiting = asyncio.create_task(hold_once(two))
        given_up = asyncio.create_task(hold_once(two))
        await asyncio.sleep(0)
        given_up.cancel()
        holding.cancel()
        await asyncio.gather(holding, given_up, return_exceptions=True)
        async with asyncio.timeout(10):
            await waiting
        inside.clear()
    for db in (one, two):
        await db.close()


async def hold_once(db: SqliteDatabase) -> None:
    async with db.transaction() as tx:
        await tx.fetch_one("SELECT 1 AS one")
