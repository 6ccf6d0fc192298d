"""How many calls wait for a worker, and for how long."""

from __future__ import annotations

from typing import Final

from ringback.app.telemetry import catalogue
from ringback.app.telemetry.pulse import Sample
from ringback.app.telemetry.telemetry import Telemetry
from ringback.clock import Clock
from ringback.store.database import Database
from ringback.store.queries import queue

_MOST_DUE: Final = 10_000


def of_queue(telemetry: Telemetry, db: Database, clock: Clock) -> Sample:
    async def sample() -> None:
        now = clock.now_us()
        depth = await queue.depth(db, now_us=now, limit=_MOST_DUE)
        telemetry.record(catalogue.QUEUE_DUE, depth["due"])
        oldest = depth["oldest"]
        telemetry.record(catalogue.QUEUE_WAIT, 0.0 if oldest is None else (now - oldest) / 1e6)

    return sample
