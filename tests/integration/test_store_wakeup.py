"""Wake-ups between instances and between processes, on both databases."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from ringback.store.database import Database, StoreError
from ringback.store.postgresql import PostgresqlDatabase
from ringback.store.wakeup import PostgresqlWakeup, SocketWakeup, Wakeup, open_wakeup

LONG = 10.0
Opener = Callable[[], Awaitable[Wakeup]]


@pytest.fixture
async def opener(database: Database, tmp_path: Path) -> AsyncIterator[Opener]:
    opened = []

    async def open_one() -> Wakeup:
        opened.append(await open_wakeup(database, tmp_path))
        return opened[-1]

    yield open_one
    for wakeup in opened:
        await wakeup.close()


async def test_a_waiter_is_woken_at_once(opener: Opener) -> None:
    waiter, notifier = await opener(), await opener()
    waiting = asyncio.create_task(waiter.wait("calls", LONG))
    await asyncio.sleep(0)
    started = time.monotonic()
    await notifier.notify("calls")
    assert await waiting is True
    assert time.monotonic() - started < LONG / 2
    assert await waiter.wait("calls", 0.05) is False


async def test_what_comes_between_looking_and_waiting_is_not_missed(opener: Opener) -> None:
    waiter, notifier = await opener(), await opener()
    await notifier.notify("calls")
    assert await waiter.wait("calls", LONG) is True


async def test_topics_are_apart(opener: Opener) -> None:
    waiter, notifier = await opener(), await opener()
    await notifier.notify("other")
    assert await waiter.wait("other", LONG) is True
    assert await waiter.wait("calls", 0.05) is False


async def test_every_waiter_is_woken_also_ones_own(opener: Opener) -> None:
    waiters = [await opener() for _ in range(4)]
    waits = [asyncio.create_task(waiter.wait("calls", LONG)) for waiter in waiters for _ in range(2)]
    await asyncio.sleep(0)
    await waiters[0].notify("calls")
    assert await asyncio.gather(*waits) == [True] * 8


async def test_a_cancelled_wait_loses_nothing(opener: Opener) -> None:
    waiter = await opener()
    waiting = asyncio.create_task(waiter.wait("calls", LONG))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await waiter.notify("calls")
    assert await waiter.wait("calls", LONG) is True


async def test_a_notification_from_another_process(opener: Opener, database_url: str, tmp_path: Path) -> None:
    waiter = await opener()
    script = """
import asyncio, os
from pathlib import Path
from ringback.store.database import open_database
from ringback.store.wakeup import open_wakeup

async def main():
    db = await open_database(os.environ["DATABASE"])
    wakeup = await open_wakeup(db, Path(os.environ["DATA"]))
    assert await wakeup.wait("to the child", 20)
    await wakeup.notify("from the child")
    # Gone without closing anything, as after a kill -9.
    os._exit(0)

asyncio.run(main())
"""
    environment = {**os.environ, "DATABASE": database_url, "DATA": str(tmp_path)}
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", script, env=environment)
    async with asyncio.timeout(30):
        while not await waiter.wait("from the child", 0.1):
            await waiter.notify("to the child")
        assert await child.wait() == 0
    await waiter.notify("after it died")
    assert await waiter.wait("after it died", LONG) is True


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Deeper than a socket's address is long."""
    return tmp_path / ("deep" * 30) / "wake"


def _sockets(folder: Path) -> int:
    assert folder.stat().st_mode & 0o077 == 0
    return len(list(folder.iterdir()))


async def test_sockets_of_the_dead_are_removed(folder: Path) -> None:
    alive, dead = SocketWakeup.open(folder), SocketWakeup.open(folder)
    asyncio.get_running_loop().remove_reader(dead._socket)
    dead._socket.close()
    assert _sockets(folder) == 2
    await alive.notify("calls")
    assert _sockets(folder) == 1
    await alive.close()
    assert _sockets(folder) == 0


async def test_a_waiter_that_does_not_read_never_blocks_and_is_woken_for_everything(folder: Path) -> None:
    notifier, stuck = SocketWakeup.open(folder), SocketWakeup.open(folder)
    loop = asyncio.get_running_loop()
    loop.remove_reader(stuck._socket)
    assert await stuck.wait("late", 0.01) is False
    for _ in range(2000):
        await notifier.notify("calls")
    await notifier.notify("late")
    loop.add_reader(stuck._socket, stuck._receive)
    assert await stuck.wait("calls", LONG) is True
    assert await stuck.wait("late", LONG) is True
    await notifier.close()
    await stuck.close()


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot make a socket in"):
        SocketWakeup.open(tmp_path / "file" / "wake")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_postgresql_listens_again_after_its_connection_broke(database: Database) -> None:
    assert isinstance(database, PostgresqlDatabase)
    waiter, notifier = await PostgresqlWakeup.open(database), await PostgresqlWakeup.open(database)
    assert await waiter.wait("calls", 0.01) is False
    await database.fetch_all(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE query LIKE :listen AND datname = current_database()",
        listen="LISTEN%",
    )
    # Something may have been missed: everybody looks.
    assert await waiter.wait("calls", LONG) is True
    await notifier.notify("calls")
    assert await waiter.wait("calls", LONG) is True
    await waiter.close()
    await notifier.close()
