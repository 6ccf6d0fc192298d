"""From a batch's file to its executions, a chunk a transaction."""

from __future__ import annotations

from pathlib import Path

from ringback.clock import Clock
from ringback.dialing.jobs import Job
from ringback.executions.bulk import Bulk
from ringback.store.database import Database


class Intake:
    def __init__(self, db: Database, bulk: Bulk, clock: Clock) -> None:
        self._db = db
        self._bulk = bulk
        self._clock = clock

    async def run(self, job: Job, file: Path) -> None:
        """Read the file from where the batch's row says on; each line is written once, however often this is killed
        and run again."""
        raise NotImplementedError
