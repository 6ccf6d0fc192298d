"""From the claim of a call, and from its acceptance, to its INVITE on the wire; calls come one by one."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from benchmarks.dialling.station import Station, station
from benchmarks.ledger.stores import Store

_A_SECOND = 5.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds, p50 and p95."""

    claim_to_invite: tuple[float, float]
    place_to_invite: tuple[float, float]
    """From the answer to the client."""


async def measure(store: Store, folder: Path, calls: int, workers: int) -> Latency:
    """`claim_to_invite`: from before the transaction of the claim to the kernel's stamp at the sink."""
    async with (
        station(store, "latency", folder) as place,
        place.working(workers, stamps=True),
    ):
        await asyncio.sleep(2)
        placed = await _place(place, calls)
        await place.over(60)
        invites = {e["call_id"]: e["at"] for e in place.sink.events() if e["event"] == "invite"}
        claimed = place.claimed()
        seen = [(row["execution_id"], invites[row["call_id"]]) for row in await place.attempts()]
        return Latency(
            _spread([at - claimed[execution_id] for execution_id, at in seen]),
            _spread([at - placed[execution_id] for execution_id, at in seen]),
        )


async def _place(place: Station, calls: int) -> dict[str, int]:
    """Busy people at random intervals; when each was accepted."""
    chance, placed = random.Random(calls), {}
    for number in range(calls):
        await asyncio.sleep(chance.expovariate(_A_SECOND))
        execution_id = await place.place(f"+1415{number:06d}0")
        placed[execution_id] = place.clock.now_us()
    return placed


def _spread(times_us: list[int]) -> tuple[float, float]:
    cuts = quantiles([us / 1000 for us in times_us], n=20)
    return cuts[9], cuts[18]
