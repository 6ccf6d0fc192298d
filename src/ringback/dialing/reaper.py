"""Closes what lost workers left, and frees the slots of dials whose outcome nobody will tell."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from ringback.calls.outcomes import LEFT, WORKER_LOST
from ringback.clock import Clock
from ringback.dialing.claims import LEASE_S, Claim, give_back, log_event
from ringback.dialing.queue import CALLS
from ringback.executions.ledger import LeaseLost, Ledger, UnknownExecution
from ringback.executions.lifecycle import IllegalTransition, Status
from ringback.executions.record import MOST_AFTER_CALL_TRIES, AttemptChanges, AttemptState
from ringback.store.database import Database, Row, Transaction
from ringback.store.queries import queue
from ringback.store.wakeup import Wakeup

logger = logging.getLogger(__name__)

_BATCH: Final = 1000
"""In one round: all that a worker can hold, so that its loss is dealt with at once."""
_MOVED_ON: Final = (LeaseLost, IllegalTransition, UnknownExecution)
_BAD_HOUR_US: Final = 3600 * 1_000_000
"""Workers that are lost again and again within it say nothing of the call that they had in hand."""


class Reaper:
    """Of one worker, named `owner`: live calls of the lost are adopted by it."""

    def __init__(
        self,
        db: Database,
        ledger: Ledger,
        clock: Clock,
        owner: str,
        *,
        lease_s: float = LEASE_S,
        unknown_s: float = 240.0,
        wakeup: Wakeup | None = None,
    ) -> None:
        """`wakeup` is told when slots are free again."""
        self._db = db
        self._ledger = ledger
        self._clock = clock
        self._owner = owner
        self._lease_s = lease_s
        self._unknown_us = round(unknown_s * 1_000_000)
        self._wakeup = wakeup
        self._looked_s = clock.monotonic()

    async def reap(self) -> list[Claim]:
        """Claims go back to the queue, dials of unknown outcome end as `error` and keep their slot.

        Live calls end as `call-disconnected` and are returned: their after-call work is this worker's now. A round is
        left out after a delay in which healthy workers could not renew either.
        """
        rows = await self._expired()
        adopted = []
        for row in rows:
            try:
                if await self._close(row):
                    adopted.append(Claim.of(row))
            except _MOVED_ON as reason:
                logger.info("call %s was not lost: %s", row["execution_id"], reason)
        freed = await self._forget_unknown()
        if (rows or freed) and self._wakeup is not None:
            await self._wakeup.notify(CALLS)
        return adopted

    async def _expired(self) -> Sequence[Row]:
        """What was lost; none, if it may be that nobody could renew.

        Inside a transaction: where writing has to wait (another process holds the file, the server is away), it is
        this look that comes late.
        """
        async with self._db.transaction() as tx:
            rows = await queue.expired(tx, now_us=self._clock.now_us(), limit=_BATCH)
            now_s = self._clock.monotonic()
            late = now_s - self._looked_s > self._lease_s / 2
            self._looked_s = now_s
        if late and rows:
            logger.warning(
                "%d leases ran out while this worker was held up: their owners renew first", len(rows)
            )
        return [] if late else rows

    async def _close(self, row: Row) -> bool:
        """Whether its after-call work is this worker's now."""
        claim = Claim.of(row)
        async with self._db.transaction() as tx:
            if row["state"] == AttemptState.CLAIMED:
                await self._give_back(tx, claim)
            elif row["state"] == AttemptState.DIALLING:
                await self._close_unknown(tx, claim)
            elif row["state"] == AttemptState.LIVE:
                return await self._adopt(tx, claim, row)
        return False

    async def _give_back(self, tx: Transaction, claim: Claim) -> None:
        attempt = await self._ledger.attempt(claim.account_id, claim.execution_id, tx=tx)
        if attempt.number != claim.number or attempt.lease_until is None:
            return
        if attempt.lease_until < self._clock.now_us():
            await give_back(tx, self._ledger, attempt, attempt.lease_owner, patient=False)

    async def _close_unknown(self, tx: Transaction, claim: Claim) -> None:
        now = self._clock.now_us()
        found = await queue.still_expired(tx, claim.key, now_us=now)
        if found is None or found["state"] != AttemptState.DIALLING:
            return
        execution = await self._ledger.get(claim.account_id, claim.execution_id, tx=tx)
        to_us = execution.call_type == "inbound"
        await self._ledger.transition(
            claim.account_id,
            claim.execution_id,
            Status.ERROR,
            changes={
                "error_message": "The worker that was called was lost before it answered"
                if to_us
                else "The worker that dialled was lost; whether the call went out is not known"
            },
            attempt={
                "state": AttemptState.DONE if to_us else AttemptState.UNKNOWN,
                "ended_at": now,
                "hangup_by": "Error",
                "hangup_reason": WORKER_LOST,
                "lease_owner": None,
                "lease_until": None,
            },
            number=claim.number,
            tx=tx,
        )

    async def _adopt(self, tx: Transaction, claim: Claim, row: Row) -> bool:
        now = self._clock.now_us()
        execution = await self._ledger.get(claim.account_id, claim.execution_id, tx=tx)
        disconnected = execution.status is Status.CALL_DISCONNECTED
        tries = self._tries(row) if disconnected else row["tries"]
        until = now + round(self._lease_s * 1_000_000) * 2 ** min(tries, MOST_AFTER_CALL_TRIES)
        if not await queue.adopt(tx, claim.key, owner=self._owner, now_us=now, until_us=until, tries=tries):
            return False
        if tries > MOST_AFTER_CALL_TRIES:
            await self._move(
                tx, claim, Status.ERROR,
                {"state": AttemptState.DONE, **LEFT},
                "The work after the call failed again and again; the worker's log says why",
            )  # fmt: skip
            return False
        if not disconnected:
            last_sign = row["lease_until"] - round(self._lease_s * 1_000_000)
            await self._move(
                tx, claim, Status.CALL_DISCONNECTED,
                {
                    "ended_at": max(last_sign, row["answered_at"] or last_sign),
                    "hangup_by": "Error",
                    "hangup_reason": WORKER_LOST,
                },
                "The worker that held the call was lost",
            )  # fmt: skip
        return True

    def _tries(self, row: Row) -> int:
        """Of the work after a call with this one; the last of them, in which it is given up, comes after an hour."""
        tries: int = row["tries"] + 1
        long_ago = self._clock.now_us() - (row["ended_at"] or 0) >= _BAD_HOUR_US
        return tries if long_ago else min(tries, MOST_AFTER_CALL_TRIES - 1)

    async def _move(
        self, tx: Transaction, claim: Claim, to: Status, attempt: AttemptChanges, error: str
    ) -> None:
        await self._ledger.transition(
            claim.account_id,
            claim.execution_id,
            to,
            changes={"error_message": error},
            attempt=attempt,
            number=claim.number,
            tx=tx,
        )

    async def _forget_unknown(self) -> int:
        """Free the slots of lost dials that must be over by now; how many."""
        before = self._clock.now_us() - self._unknown_us
        freed = 0
        for row in await queue.unreconciled(self._db, before_us=before, limit=_BATCH):
            claim = Claim.of(row)
            async with self._db.transaction() as tx:
                if await queue.reconcile(tx, claim.key, sip_code=None):
                    freed += 1
                    text = "What became of the lost dial is not known; it counts for the limits no longer"
                    await log_event(tx, self._ledger, self._clock, claim, text)
        return freed
