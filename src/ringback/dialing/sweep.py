"""Closes the record of what waits in a lane that was stopped: nobody dials it any more, but it says it waits."""

from __future__ import annotations

import logging
from typing import Final

from ringback.clock import Clock
from ringback.dialing.outcomes import LEFT
from ringback.executions.bulk import Bulk, Move
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptChanges, AttemptState
from ringback.store.database import Database, StoreError, Transaction
from ringback.store.queries import batches, gates, queue

logger = logging.getLogger(__name__)

AT_ONCE: Final = 500
_HELD_S: Final = 0.1
_LOOKS: Final = 50
"""At what somebody else has locked."""


class Sweep:
    """Of a batch's lane or an agent's, named by its key."""

    def __init__(self, db: Database, bulk: Bulk, clock: Clock) -> None:
        self._db = db
        self._bulk = bulk
        self._clock = clock

    async def run(self, account_id: str, lane: str) -> None:
        """Until nothing waits that was stopped. Raises StoreError: then it is worth another try."""
        looks = 0
        while True:
            if await self.some(account_id, lane):
                continue
            if not await self._left(account_id, lane):
                return
            looks += 1
            if looks > _LOOKS:
                raise StoreError(f"some of lane {lane} is locked by others for long")
            await self._clock.sleep(_HELD_S)

    async def some(self, account_id: str, lane: str) -> int:
        """Ask for what is dialled to be cancelled, and stop up to AT_ONCE of what waits; how many that were."""
        async with self._db.transaction() as tx:
            stopped, up_to_seq = await self._stopped(tx, account_id, lane)
            if not stopped:
                return 0
            await batches.cancel(tx, account_id, lane, up_to_seq=up_to_seq)
        async with self._db.transaction() as tx:
            rows = await batches.waiting(tx, account_id, lane, up_to_seq=up_to_seq, limit=AT_ONCE)
            now = self._clock.now_us()
            attempt: AttemptChanges = {"state": AttemptState.DONE, "ended_at": now, **LEFT}
            moves = [Move(row["execution_id"], Status.STOPPED, {}, attempt) for row in rows]
            moved = {execution.id for execution in await self._bulk.move(tx, account_id, moves)}
            for row in rows:
                if row["execution_id"] not in moved:
                    # A bug: its execution goes on without it. It must not be found for ever.
                    logger.error("attempt %d of call %s waited in vain", row["number"], row["execution_id"])
                    key = account_id, row["execution_id"], row["number"]
                    await queue.abandon(tx, key, now_us=now)
        return len(rows)

    async def _stopped(self, tx: Transaction, account_id: str, lane: str) -> tuple[bool, int | None]:
        """Whether the lane was stopped, and up to which seq (None: all of it)."""
        gate = await gates.get(tx, account_id, "batch", lane)
        if gate is not None:
            return gate["closed"] == "stopped", None
        gate = await gates.get(tx, account_id, "agent", lane)
        return gate is not None and gate["stopped_seq"] > 0, gate["stopped_seq"] if gate else None

    async def _left(self, account_id: str, lane: str) -> bool:
        """Something waits that was stopped: locked by somebody a moment ago."""
        async with self._db.transaction() as tx:
            stopped, up_to_seq = await self._stopped(tx, account_id, lane)
            return stopped and await batches.is_waiting(tx, account_id, lane, up_to_seq=up_to_seq)
