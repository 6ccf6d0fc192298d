"""Calls a second that so many workers take from the queue, dial and close, when all are busy at once."""

from __future__ import annotations

from pathlib import Path

from benchmarks.dialling.station import station
from benchmarks.ledger.stores import Store

_LONGEST_S = 600.0


async def measure(store: Store, folder: Path, calls: int, workers: int) -> float:
    """Claims a second, from the first intent to the last end: each is a claim, an intent and a closed record."""
    async with station(store, "throughput", folder) as place:
        await place.fill(calls)
        async with place.working(workers, busy=True):
            await place.over(_LONGEST_S)
        attempts = await place.attempts()
        first = min(row["dialled_at"] for row in attempts)
        last = max(row["ended_at"] for row in attempts)
        return calls / ((last - first) / 1_000_000)
