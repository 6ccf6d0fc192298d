"""Concurrency 5 and 10 calls a second with 4 workers: the most that were open, and the worst second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.dialling.station import station
from benchmarks.ledger.stores import Store
from ringback.store.database import Row
from ringback.store.queries import gates

CALLS_AT_ONCE = 5
PER_SECOND = 10
_WORKERS = 4
_BUSY, _TALKS = "0", "7"
"""Last digits: see the sink's manners."""


@dataclass(frozen=True, slots=True)
class Seen:
    most_open: int
    """Dialogs at the sink, from the INVITE to the final response."""
    worst_second_granted: int
    worst_second_at_sink: int
    per_second: float
    """Of the first half, by their grants: what the rate leaves is used up, too."""


async def measure(store: Store, folder: Path, calls: int) -> Seen:
    """Half of the people are busy after 150 ms: the rate binds. Half talk for a second: the slots bind."""
    async with station(store, "limits", folder) as place:
        async with place.db.transaction() as tx:
            await gates.set_limits(
                tx,
                place.account_id,
                "account",
                "",
                max_calls=CALLS_AT_ONCE,
                interval_us=1_000_000 // PER_SECOND,
            )
        await place.fill(calls // 2, _BUSY)
        await place.fill(calls - calls // 2, _TALKS)
        async with place.working(_WORKERS, talk_s=10):
            await place.over(60 + 3 * calls / PER_SECOND)
        events = place.sink.events()
        invites = sorted(event["at"] for event in events if event["event"] == "invite")
        attempts = await place.attempts()
        granted = sorted(row["dial_at"] or row["dialled_at"] for row in attempts)
        return Seen(
            most_open(events),
            worst_second(granted),
            worst_second(invites),
            (calls // 2 - 1) / ((granted[calls // 2 - 1] - granted[0]) / 1_000_000),
        )


def most_open(events: Sequence[Row]) -> int:
    """The most calls between `invite` and `over` at one moment; an end counts before a beginning of its time."""
    steps = {"invite": 1, "over": -1}
    changes = sorted((event["at"], steps[event["event"]]) for event in events if event["event"] in steps)
    open_now = most = 0
    for _, step in changes:
        open_now += step
        most = max(most, open_now)
    return most


def worst_second(times_us: Sequence[int]) -> int:
    """The most of the sorted times in any window of one second, its end not included."""
    worst = first = 0
    for last, at in enumerate(times_us):
        while at - times_us[first] >= 1_000_000:
            first += 1
        worst = max(worst, last - first + 1)
    return worst
