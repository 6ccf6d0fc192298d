"""Leases on attempts: what a worker holds, for how long, and the intent that comes before every dial."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ringback.billing.reservation import PayerGone, Reservations, Reserve
from ringback.calls.outcomes import LEFT
from ringback.clock import Clock
from ringback.dialing.grants import Grant, reserve
from ringback.dialing.limits import Defaults
from ringback.executions.ledger import LeaseLost, Ledger, UnknownExecution
from ringback.executions.lifecycle import IllegalTransition, Status
from ringback.executions.record import Attempt, AttemptState, Execution, LogRow
from ringback.media.leg import Ended
from ringback.store.database import Database, Transaction
from ringback.store.queries import gates, queue

LEASE_S: Final = 30.0
"""A worker that renews no lease for so long is taken for lost."""

_MARGIN_S: Final = 7.0
"""So long before the end of its lease, at most, a worker dials nobody: clocks of machines differ (2 s), and before the
packet a trunk's name may have to be looked up (5 s)."""

_MOST_AHEAD_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What was read with a claim, and does not change until it is dialled."""

    execution: Execution
    agent_id: str
    batch_id: str | None
    trunk: str
    seq: int


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt that this worker holds."""

    account_id: str
    execution_id: str
    number: int
    closes_us: int = field(default=2**62, compare=False)
    """The person may not be dialled after this moment: the calling hours are over."""
    asked: Asked | None = field(default=None, compare=False, repr=False)
    """None: to be read again."""
    limited: bool = field(default=True, compare=False)
    """It takes a slot that somebody else may wait for."""

    @property
    def key(self) -> queue.Key:
        return self.account_id, self.execution_id, self.number

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Claim:
        return cls(row["account_id"], row["execution_id"], row["number"])


@dataclass(frozen=True, slots=True)
class Held:
    """What the worker still holds, and what of it the API asked to cancel."""

    claims: frozenset[Claim]
    cancelled: frozenset[Claim]


@dataclass(frozen=True, slots=True)
class Intent:
    """A committed dial."""

    execution: Execution
    grant: Grant
    deadline_s: float
    """Monotonic: after it no packet may leave, the lease may be somebody else's."""


class Stopped(Exception):
    """The batch or the agent was stopped after the claim: nobody may dial."""


class NotNow(Exception):
    """The batch was paused, or the calling hours ended, after the claim: it goes back to the queue."""


class Claims:
    """The leases of one worker, named `owner`."""

    def __init__(
        self,
        db: Database,
        ledger: Ledger,
        clock: Clock,
        owner: str,
        lease_s: float = LEASE_S,
        *,
        defaults: Defaults | None = None,
        reservations: Reservations | None = None,
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._clock = clock
        self.owner: Final = owner
        self.lease_s: Final = lease_s
        self._defaults = defaults or Defaults()
        self._reservations = reservations or Reservations(db, clock)

    async def intend(self, claim: Claim, call_id: str) -> Intent:
        """Commit that this attempt is dialled once, under this Call-ID, at a moment that the rates grant, and that its
        payer's wallet keeps aside what it may cost.

        Only then may a packet leave. Raises LeaseLost, IllegalTransition (it was stopped), UnknownExecution, Stopped,
        NotNow or BalanceLow: then nobody may dial.
        """
        reserve = await self._wanted(claim)
        async with self._db.transaction() as tx:
            asked = claim.asked or await self._ledger.attempt(claim.account_id, claim.execution_id, tx=tx)
            grant = await self._pass(tx, claim, asked)
            # After the wait for the gates, so that many intents at once do not use up each other's leases.
            deadline_s = self._clock.monotonic() + self.lease_s - min(_MARGIN_S, self.lease_s / 4)
            now = self._clock.now_us()
            execution = await self._ledger.transition(
                claim.account_id,
                claim.execution_id,
                Status.INITIATED,
                changes={"initiated_at": now},
                attempt={
                    "state": AttemptState.DIALLING,
                    "call_id": call_id,
                    "dialled_at": grant.dial_at_us,
                    "dial_at": grant.dial_at_us,
                    "lease_until": now + self._lease_us,
                    "reserved": reserve.amount if reserve else 0,
                },
                number=claim.number,
                lease_owner=self.owner,
                tx=tx,
            )
            if await queue.forbidden(tx, claim.account_id, execution.to_number or ""):
                raise Stopped("The number is on the account's do-not-call list")
            if reserve is not None:
                await self._reservations.make(tx, reserve, claim.key)
        return Intent(execution, grant, deadline_s)

    async def regrant(self, claim: Claim, late_us: int) -> Grant:
        """Another moment for a dial that came so much too late for its own; raises as `intend`.

        The new one is at least as far ahead: where this transaction takes longer than a dial may be late, none would
        ever be in time otherwise.
        """
        ahead_us = min(late_us, _MOST_AHEAD_US)
        async with self._db.transaction() as tx:
            # The attempt before the gates, as whoever opens the next one: see `queries.gates`.
            await self._ledger.update(
                claim.account_id,
                claim.execution_id,
                attempt={"state": AttemptState.DIALLING},
                number=claim.number,
                lease_owner=self.owner,
                tx=tx,
            )
            attempt = await self._ledger.attempt(claim.account_id, claim.execution_id, tx=tx)
            if attempt.cancel_requested:
                raise Stopped("It was cancelled")
            grant = await self._pass(tx, claim, attempt, ahead_us)
            await self._ledger.update(
                claim.account_id,
                claim.execution_id,
                attempt={"dialled_at": grant.dial_at_us, "dial_at": grant.dial_at_us},
                number=claim.number,
                lease_owner=self.owner,
                tx=tx,
            )
        return grant

    async def release(self, claim: Claim) -> None:
        """Give back a claim that was not dialled."""
        async with self._db.transaction() as tx:
            attempt = await self._ledger.attempt(claim.account_id, claim.execution_id, tx=tx)
            if attempt.number == claim.number:
                await give_back(tx, self._ledger, attempt, self.owner)

    async def renew(self, claims: Collection[Claim]) -> Held:
        """Prolong the leases of the work that is under way, and look what is left of them.

        Only that work's: what a failed call left behind must run out, so that it is closed.
        """
        if not claims:
            return Held(frozenset(), frozenset())
        until = self._clock.now_us() + self._lease_us
        async with self._db.transaction() as tx:
            await queue.renew(tx, [claim.key for claim in claims], owner=self.owner, until_us=until)
        return await self.held()

    async def held(self) -> Held:
        """What this worker holds at this moment."""
        rows = await queue.held(self._db, owner=self.owner)
        return Held(
            frozenset(Claim.of(row) for row in rows),
            frozenset(Claim.of(row) for row in rows if row["cancel_requested"]),
        )

    async def reconcile(self, claim: Claim, ended: Ended | None) -> None:
        """The leg of a dial that was given up for lost has ended (None: there is none): its slot is free."""
        async with self._db.transaction() as tx:
            if await queue.reconcile(tx, claim.key, sip_code=ended.sip_code if ended else None):
                how = ended.reason if ended else "there is none"
                text = f"The lost worker came back, its call is over: {how}"
                await log_event(tx, self._ledger, self._clock, claim, text)

    async def _wanted(self, claim: Claim) -> Reserve | None:
        """Before the transaction: prices and agents are read, and nobody may wait for that with the gates in hand."""
        asked = claim.asked or await self._ledger.attempt(claim.account_id, claim.execution_id)
        execution = (
            claim.asked.execution
            if claim.asked
            else await self._ledger.get(claim.account_id, claim.execution_id)
        )
        try:
            return await self._reservations.wanted(claim.account_id, asked.agent_id, execution.provider)
        except PayerGone as reason:
            raise Stopped(str(reason)) from None

    async def _pass(self, tx: Transaction, claim: Claim, asked: Asked | Attempt, ahead_us: int = 0) -> Grant:
        """When it may be dialled. Raises Stopped, NotNow; the rate that was reserved goes with the transaction."""
        passed = await gates.share(
            tx,
            claim.account_id,
            asked.agent_id,
            asked.batch_id,
            asked.trunk,
            self._defaults.account_interval_us,
        )
        now = self._clock.now_us()
        for gate in passed:
            if gate["kind"] not in ("agent", "batch"):
                continue
            if gate["closed"] == "stopped" or asked.seq <= gate["stopped_seq"]:
                raise Stopped(f"The {gate['kind']} was stopped")
            if gate["closed"] or gate["opens_at"] > now:
                raise NotNow(f"its {gate['kind']} was paused")
        grant = await reserve(
            tx, claim.account_id, asked.trunk, passed, now=lambda: self._clock.now_us() + ahead_us
        )
        if grant.dial_at_us > claim.closes_us:
            raise NotNow("the calling hours are over")
        return grant

    @property
    def _lease_us(self) -> int:
        return round(self.lease_s * 1_000_000)


async def give_back(
    tx: Transaction, ledger: Ledger, attempt: Attempt, owner: str | None, *, patient: bool = True
) -> bool:
    """Let a claim wait again, or end it as stopped where its lane is; False: it was not `owner`'s claim any more.

    The gates come before the attempt: an intent of a worker that was taken for lost locks in that order. Where that
    worker may also be writing an end that opens a retry (attempt, then gates), nobody may wait for it with the gates
    in hand: without `patient` an attempt that is locked is left alone, and False.
    """
    where = attempt.account_id, attempt.execution_id
    key = *where, attempt.number
    offered = await gates.offer(
        tx, attempt.account_id, attempt.agent_id, attempt.batch_id, seq=attempt.seq, due_us=attempt.due_at
    )
    if not patient and not await queue.is_free(tx, key):
        return False
    if offered:
        return await queue.wait(tx, key, owner=owner)
    try:
        await ledger.transition(
            *where, Status.STOPPED, attempt={"state": AttemptState.DONE, **LEFT},
            number=attempt.number, lease_owner=owner, tx=tx,
        )  # fmt: skip
    except (LeaseLost, UnknownExecution, IllegalTransition):
        return False
    return True


async def log_event(tx: Transaction, ledger: Ledger, clock: Clock, claim: Claim, text: str) -> None:
    """A row of the call's log."""
    row = LogRow(clock.now_us(), "event", "system", None, text)
    await ledger.add_log(claim.account_id, claim.execution_id, [row], tx=tx)
