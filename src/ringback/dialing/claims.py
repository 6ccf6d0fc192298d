"""Leases on attempts: what a worker holds, for how long, and what becomes of it when the worker is lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ringback.clock import Clock
from ringback.dialing.outcomes import WORKER_LOST
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, Execution
from ringback.store.database import Database, Transaction
from ringback.store.queries import queue

LEASE_S: Final = 30.0
"""A worker that renews no lease for so long is taken for lost."""

_BATCH: Final = 100
_WAITS: Final = frozenset({Status.PREPARED, Status.SCHEDULED, Status.RESCHEDULED})


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt that this worker holds."""

    account_id: str
    execution_id: str
    number: int


@dataclass(frozen=True, slots=True)
class Held:
    """What the worker still holds, and what of it the API asked to cancel."""

    claims: frozenset[Claim]
    cancelled: frozenset[Claim]


@dataclass(frozen=True, slots=True)
class Intent:
    """A committed dial."""

    execution: Execution
    dial_at_us: int
    """The granted moment."""
    deadline_s: float
    """Monotonic: after it no packet may leave, the lease may be somebody else's."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a worker says of itself when it renews its leases."""

    calls: int
    lateness_us: int
    draining: bool


class Stopped(Exception):
    """The batch or the agent was stopped after the claim: nobody may dial."""


class Claims:
    """The leases of one worker, named `owner`."""

    def __init__(
        self, db: Database, ledger: Ledger, clock: Clock, owner: str, lease_s: float = LEASE_S
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._clock = clock
        self._owner = owner
        self._lease_us = round(lease_s * 1_000_000)

    async def take(self, room: int) -> list[Claim]:
        """Claim up to `room` attempts that are due."""
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            claims = [_claim(row) for row in await queue.due(tx, now_us=now, limit=room)]
            if claims:
                await queue.claim(tx, [_key(c) for c in claims], owner=self._owner, until_us=self._until())
            for claim in claims:
                await self._queue(tx, claim)
        return claims

    async def next_due_us(self) -> int | None:
        return await queue.next_due(self._db)

    async def intend(self, claim: Claim, call_id: str) -> Execution:
        """Commit that this attempt is dialled now, once, under this Call-ID; only then may a packet leave.

        Raises LeaseLost, IllegalTransition (it was stopped) or UnknownExecution: then nobody may dial.
        """
        now = self._clock.now_us()
        return await self._ledger.transition(
            claim.account_id,
            claim.execution_id,
            Status.INITIATED,
            changes={"initiated_at": now},
            attempt={
                "state": AttemptState.DIALLING,
                "call_id": call_id,
                "dialled_at": now,
                "lease_until": self._until(),
            },
            number=claim.number,
            lease_owner=self._owner,
        )

    async def release(self, claim: Claim) -> None:
        """Give back a claim that was not dialled."""
        async with self._db.transaction() as tx:
            await queue.release(tx, _key(claim))

    async def renew(self, claims: Collection[Claim]) -> Held:
        """Prolong the leases of the work that is under way, and look what is left of them.

        Only that work's: what a failed call left behind must run out, so that it is closed.
        """
        if not claims:
            return Held(frozenset(), frozenset())
        async with self._db.transaction() as tx:
            await queue.renew(tx, [_key(c) for c in claims], owner=self._owner, until_us=self._until())
        return await self.held()

    async def held(self) -> Held:
        """What this worker holds at this moment."""
        rows = await queue.held(self._db, owner=self._owner)
        return Held(
            frozenset(_claim(row) for row in rows),
            frozenset(_claim(row) for row in rows if row["cancel_requested"]),
        )

    async def reap(self) -> list[Claim]:
        """Close what lost workers left: claims go back to the queue, dials of unknown outcome end as `error`.

        Live calls end as `call-disconnected` and are returned: their after-call work is this worker's now.
        """
        orphans = []
        async with self._db.transaction() as tx:
            for row in await queue.expired(tx, now_us=self._clock.now_us(), limit=_BATCH):
                if row["state"] == AttemptState.CLAIMED:
                    await queue.release(tx, _key(_claim(row)))
                elif row["state"] == AttemptState.DIALLING:
                    await self._close_unknown(tx, _claim(row))
                else:
                    orphans.append(await self._adopt(tx, row))
        return orphans

    async def _queue(self, tx: Transaction, claim: Claim) -> None:
        execution = await self._ledger.get(claim.account_id, claim.execution_id, tx=tx)
        if execution.status in _WAITS:
            await self._ledger.transition(claim.account_id, claim.execution_id, Status.QUEUED, tx=tx)

    async def _close_unknown(self, tx: Transaction, claim: Claim) -> None:
        await self._ledger.transition(
            claim.account_id,
            claim.execution_id,
            Status.ERROR,
            changes={
                "error_message": "The worker that dialled was lost; whether the call went out is not known"
            },
            attempt={
                "state": AttemptState.UNKNOWN,
                "ended_at": self._clock.now_us(),
                "hangup_by": "Error",
                "hangup_reason": WORKER_LOST,
            },
            number=claim.number,
            tx=tx,
        )

    async def _adopt(self, tx: Transaction, row: Mapping[str, Any]) -> Claim:
        claim = _claim(row)
        await queue.adopt(tx, _key(claim), owner=self._owner, until_us=self._until())
        execution = await self._ledger.get(claim.account_id, claim.execution_id, tx=tx)
        if execution.status is Status.IN_PROGRESS:
            last_sign = row["lease_until"] - self._lease_us
            await self._ledger.transition(
                claim.account_id,
                claim.execution_id,
                Status.CALL_DISCONNECTED,
                changes={"error_message": "The worker that held the call was lost"},
                attempt={
                    "ended_at": max(last_sign, row["answered_at"] or last_sign),
                    "hangup_by": "Error",
                    "hangup_reason": WORKER_LOST,
                },
                number=claim.number,
                tx=tx,
            )
        return claim

    def _until(self) -> int:
        return self._clock.now_us() + self._lease_us


def _claim(row: Mapping[str, Any]) -> Claim:
    return Claim(row["account_id"], row["execution_id"], row["number"])


def _key(claim: Claim) -> queue.Key:
    return claim.account_id, claim.execution_id, claim.number
