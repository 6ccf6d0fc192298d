"""What `ringback serve` uses of a core while a hundred thousand calls are scheduled for tomorrow."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

from benchmarks.crash.clients import AGENT
from benchmarks.crash.worker import FROM, PROVIDER
from benchmarks.dialling.station import Station, station
from benchmarks.ledger.stores import Store
from ringback.executions.record import NewExecution

_SETTLE_S = 15.0
_DAY_US = 86_400_000_000
_CHUNK = 5_000
_TICKS = os.sysconf("SC_CLK_TCK")


async def measure(store: Store, folder: Path, calls: int, seconds: float) -> float:
    """Percent of one core, all processes of `serve` together, with default settings except the ports."""
    async with station(store, "idle", folder) as place:
        await _schedule(place, calls)
        serve = await asyncio.to_thread(_serve, place, store.name)
        try:
            assert serve.stdout is not None
            if not await asyncio.to_thread(serve.stdout.readline):
                raise RuntimeError(f"ringback serve did not start: see {place.post.folder}/serve.log")
            await asyncio.sleep(_SETTLE_S)
            before = _ticks(serve.pid)
            await asyncio.sleep(seconds)
            after = _ticks(serve.pid)
            if before.keys() != after.keys():
                raise RuntimeError("a process of ringback serve was replaced while it was measured")
            return _percent(before, after, seconds)
        finally:
            serve.send_signal(signal.SIGTERM)
            await asyncio.to_thread(serve.wait, 60)


def _serve(place: Station, store: str) -> subprocess.Popen[bytes]:
    folder = place.post.folder
    if store == "sqlite":
        (folder / "ringback.db").unlink(missing_ok=True)
        (folder / "ringback.db").symlink_to(place.post.url.removeprefix("sqlite:///"))
    environment = {
        "RINGBACK_DATA": str(folder),
        "RINGBACK_DATABASE_URL": "" if store == "sqlite" else place.post.url,
        "RINGBACK_PORT": "0",
        "RINGBACK_SIP__PORT": "0",
        "RINGBACK_TRUNK__HOST": "127.0.0.1",
        "RINGBACK_TRUNK__PORT": str(place.sink.port),
        "RINGBACK_TRUNK__FROM_NUMBERS": f'["{FROM}"]',
    }
    with (folder / "serve.log").open("wb") as log:
        command = [sys.executable, "-m", "ringback", "serve"]
        return subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=log)


async def _schedule(place: Station, calls: int) -> None:
    """One call by the ledger, the others as its copies, a second apart."""
    due_us = place.clock.now_us() + _DAY_US
    new = NewExecution(place.account_id, AGENT, "+14155550100", FROM, PROVIDER, scheduled_at=due_us)
    first = (await place.ledger.create(new)).id
    for start in range(1, calls, _CHUNK):
        numbers = range(start, min(calls, start + _CHUNK))
        ids = [str(uuid.uuid4()) for _ in numbers]
        for table, key in (("executions", "id"), ("attempts", "execution_id")):
            found = await place.db.fetch_one(
                f"SELECT * FROM {table} WHERE account_id = :account_id AND {key} = :id",
                account_id=place.account_id,
                id=first,
            )
            row = dict(found or {})
            moment = "due_at" if table == "attempts" else "scheduled_at"
            copies = [
                row | {key: name, "seq": row["seq"] + number, moment: due_us + number * 1_000_000}
                for name, number in zip(ids, numbers, strict=True)
            ]
            async with place.db.transaction() as tx:
                await tx.insert_rows(table, list(row), [list(copy.values()) for copy in copies])


def _percent(before: dict[int, int], after: dict[int, int], seconds: float) -> float:
    """Of one core; what each process has of it is printed."""
    used = {pid: (after[pid] - before[pid]) / _TICKS / seconds * 100 for pid in before}
    for pid, percent in used.items():
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        print(f"    {percent:.2f} % {command}", flush=True)
    return sum(used.values())


def _ticks(pid: int) -> dict[int, int]:
    """User and system time of a process and all below it, by pid."""
    found: dict[int, int] = {}
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        found[one] = int(fields[11]) + int(fields[12])
        for task in Path(f"/proc/{one}/task").iterdir():
            waiting += map(int, (task / "children").read_text().split())
    return found
