"""Records completed a second and core, without a language model: a minute's calls of a scripted agent, all that came of
them written already, and their recordings on the disk.

What counts is the processor time of the worker and of the database's server together, as if they shared one core. It is
one worker, wired as the product's, with some calls at a time.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.aftercall.calls import OWNER, Place, place
from benchmarks.ledger.postgresql import Postgresql
from benchmarks.ledger.stores import Store
from ringback.aftercall.recording import recording_path
from ringback.agents.registry import Agents
from ringback.app.after_call import after_call
from ringback.app.core import Core
from ringback.app.providers import Providers
from ringback.app.settings import Settings
from ringback.app.telemetry.telemetry import Telemetry
from ringback.billing.prices import Prices
from ringback.dialing.claims import Claim
from ringback.dialing.queue import CallQueue
from ringback.executions.lifecycle import Status
from ringback.media.frame import SAMPLE_RATE
from ringback.store.wakeup import open_wakeup
from ringback.trunks.numbers import Numbers
from ringback.trunks.secrecy import Secrecy
from ringback.trunks.trunks import Trunks

_AT_ONCE: Final = 8
_ALONE: Final = 100
"""Completed one after the other, for how long one takes."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")


_Complete = Callable[[str], Awaitable[None]]


def run(store: Store, folder: Path, calls: int) -> dict[str, Any]:
    """calls_completed_per_s_per_core, and beside it per second of the clock, and the median of one call."""
    return asyncio.run(_measured(store, folder / "recordings", calls))


async def _measured(store: Store, folder: Path, calls: int) -> dict[str, Any]:
    async with place(store, "aftercall_pipeline") as here:
        first = await here.disconnected()
        ids = [first.id, *await here.copied(first, calls + _ALONE - 1)]
        await asyncio.to_thread(_record, folder, here.account_id, ids)
        await asyncio.to_thread(store.tidy, "aftercall_pipeline")
        async with _worker(here, folder) as complete:
            alone = [await _timed(complete, id) for id in ids[:_ALONE]]
            used_s = _used_s(store)
            began_s = time.monotonic()
            await _complete(complete, ids[_ALONE:])
            took_s, cpu_s = time.monotonic() - began_s, _used_s(store) - used_s
        await _must_be_completed(here, len(ids))
        return {
            "calls_completed_per_s_per_core": round(calls / cpu_s, 1),
            "calls_completed_per_s": round(calls / took_s, 1),
            "completed_median_ms": round(statistics.median(alone) * 1000, 1),
        }


@asynccontextmanager
async def _worker(here: Place, folder: Path) -> AsyncIterator[_Complete]:
    settings = Settings(data=folder.parent)
    wakeup = await open_wakeup(here.db, folder.parent)
    queue = CallQueue(here.db, here.ledger, wakeup, provider="sip-trunk", from_numbers=["+14155550100"])
    store = here.db, here.clock
    trunks = Trunks(*store, Secrecy.of_folder(folder.parent))
    core = Core(*store, wakeup, here.ledger, Agents(*store), queue, trunks, Numbers(*store))
    work = after_call(core, settings, Providers(settings), Prices(here.db), OWNER, Telemetry("bench"))

    async def complete(execution_id: str) -> None:
        await work(Claim(here.account_id, execution_id, 1))

    try:
        yield complete
    finally:
        await wakeup.close()


async def _timed(complete: _Complete, execution_id: str) -> float:
    began_s = time.monotonic()
    await complete(execution_id)
    return time.monotonic() - began_s


async def _complete(complete: _Complete, ids: list[str]) -> None:
    waiting = iter(ids)

    async def one_after_the_other() -> None:
        for execution_id in waiting:
            await complete(execution_id)

    await asyncio.gather(*(one_after_the_other() for _ in range(_AT_ONCE)))


async def _must_be_completed(here: Place, calls: int) -> None:
    rows = await here.db.fetch_all("SELECT status, COUNT(*) AS n FROM executions GROUP BY status")
    if {row["status"]: row["n"] for row in rows} != {Status.COMPLETED: calls}:
        raise RuntimeError(f"not every call was completed: {[dict(row) for row in rows]}")


def _record(folder: Path, account_id: str, ids: list[str]) -> None:
    """A minute for each: one file under many names."""
    paths = [recording_path(folder, account_id, execution_id, 1) for execution_id in ids]
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(paths[0]), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(os.urandom(60 * SAMPLE_RATE * 4))
    for path in paths[1:]:
        path.hardlink_to(paths[0])


def _used_s(store: Store) -> float:
    """Processor seconds of this process, and of the server's."""
    own = time.process_time()
    return own + (_of_server_s(store.pid) if isinstance(store, Postgresql) else 0.0)


def _of_server_s(pid: int) -> float:
    """Of the server and all that it started, also of those that have ended."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(_ticks(int(one)) for one in (pid, *children)) / _TICKS


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return sum(int(field) for field in fields[11:15])
