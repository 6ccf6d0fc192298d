"""Closes the record of what waits in a lane that was stopped: nobody dials it any more, but it says it waits.

What is left of an agent that was deleted goes then too, once its calls are over.
"""

from __future__ import annotations

import logging
from typing import Final, Protocol

from ringback.calls.outcomes import LEFT
from ringback.clock import Clock
from ringback.executions.bulk import Bulk, Move
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptChanges, AttemptState
from ringback.store.database import Database, StoreError, Transaction
from ringback.store.queries import agents, batches, gates, queue

logger = logging.getLogger(__name__)

AT_ONCE: Final = 500
_HELD_S: Final = 0.1
_LOOKS: Final = 50
"""At what somebody else has locked."""
_REMOVED_AT_ONCE: Final = 200
"""Executions of an agent that is deleted that go before whoever deletes it is answered."""
_REMOVED_IN_TURN: Final = 2_000
"""By the job. Then other lanes that were stopped have their turn."""
_PAUSE_REMOVED_S: Final = 0.02


class NotYet(Exception):
    """It can't be finished before something else is; it is worth another look after some seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:.0f} s")
        self.seconds = seconds


class Remove(Protocol):
    async def __call__(
        self, account_id: str, agent_id: str, *, most: int, pause_s: float = 0.0
    ) -> float | None:
        """Remove about so many executions of an agent that was deleted, at last the agent, with a pause after each
        transaction. Seconds to the next look, None: nothing is left."""
        ...


async def _nothing(account_id: str, agent_id: str, *, most: int, pause_s: float = 0.0) -> None:
    """Nobody deletes agents here."""


class Sweep:
    """Of a batch's lane or an agent's, named by its key."""

    def __init__(self, db: Database, bulk: Bulk, clock: Clock, remove: Remove = _nothing) -> None:
        self._db = db
        self._remove = remove
        self._bulk = bulk
        self._clock = clock

    async def run(self, account_id: str, lane: str) -> None:
        """Until nothing waits that was stopped, and nothing is left of an agent that was deleted. Raises NotYet;
        StoreError: then it is worth another try."""
        await self._sweep(account_id, lane)
        if await agents.is_hidden(self._db, account_id, lane):
            again_s = await self._remove(account_id, lane, most=_REMOVED_IN_TURN, pause_s=_PAUSE_REMOVED_S)
            if again_s is not None:
                raise NotYet(again_s)

    async def remove_some(self, account_id: str, agent_id: str) -> None:
        """Of an agent that was deleted, what takes no time. Where that fails the job goes on."""
        try:
            await self._remove(account_id, agent_id, most=_REMOVED_AT_ONCE)
        except StoreError as error:
            logger.warning("agent %s is not removed yet: %s", agent_id, error)

    async def _sweep(self, account_id: str, lane: str) -> None:
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
            why, up_to_seq = await self._stopped(tx, account_id, lane)
            if why is None:
                return 0
            await batches.cancel(tx, account_id, lane, up_to_seq=up_to_seq)
        async with self._db.transaction() as tx:
            rows = await batches.waiting(tx, account_id, lane, up_to_seq=up_to_seq, limit=AT_ONCE)
            now = self._clock.now_us()
            attempt: AttemptChanges = {"state": AttemptState.DONE, "ended_at": now, **LEFT}
            moves = [
                Move(row["execution_id"], Status.STOPPED, {"error_message": why}, attempt) for row in rows
            ]
            moved = {execution.id for execution in await self._bulk.move(tx, account_id, moves)}
            for row in rows:
                if row["execution_id"] not in moved:
                    # A bug: its execution goes on without it. It must not be found for ever.
                    logger.error("attempt %d of call %s waited in vain", row["number"], row["execution_id"])
                    key = account_id, row["execution_id"], row["number"]
                    await queue.abandon(tx, key, now_us=now)
        return len(rows)

    async def _stopped(self, tx: Transaction, account_id: str, lane: str) -> tuple[str | None, int | None]:
        """Why the lane was stopped (None: it was not), and up to which seq (None: all of it)."""
        gate = await gates.get(tx, account_id, "batch", lane)
        if gate is None:
            gate = await gates.get(tx, account_id, "agent", lane)
        if gate is None:
            return None, None
        if gate["closed"] == "stopped":
            return gate["closed_why"], None
        if gate["kind"] == "agent" and gate["stopped_seq"] > 0:
            return "The agent was stopped", gate["stopped_seq"]
        return None, None

    async def _left(self, account_id: str, lane: str) -> bool:
        """Something waits that was stopped: locked by somebody a moment ago."""
        async with self._db.transaction() as tx:
            why, up_to_seq = await self._stopped(tx, account_id, lane)
            return why is not None and await batches.is_waiting(tx, account_id, lane, up_to_seq=up_to_seq)
