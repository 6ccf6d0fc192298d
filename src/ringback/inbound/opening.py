"""The beginning of a call to us: its record, in the hands of this worker, and what its wallet keeps aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ringback.billing.reservation import BalanceLow, PayerGone, Reservations, Reserve
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, Execution, LogRow, NewExecution
from ringback.store.database import Database, Transaction
from ringback.store.queries import inbound as queries

NUMBER = 1
"""Of the only attempt: nobody calls twice for somebody else."""


class Held(NamedTuple):
    """The attempt of a call to us that this worker holds. Implements `calls.call.Attempted`."""

    account_id: str
    execution_id: str
    number: int = NUMBER


class Refused(Exception):
    """The call is not taken: `status` is what the carrier is told, the message is for the worker's log."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that shall be taken."""

    account_id: str
    execution_id: str
    """That its record shall have."""
    agent_id: str
    call_id: str
    caller: str | None
    called: str
    provider: str
    hosted: bool
    data: Mapping[str, Any]
    """What is known of the caller."""
    limit: int | None
    """So often the caller may have called the agent, this time included; None: as often as they like."""
    arrived_us: int
    trunk_id: str | None = None
    """Of the account's trunk that it came by; None: the operator's."""
    note: str | None = None
    """For the call's log."""


class Opening:
    """Of one worker, the `owner` of the leases."""

    def __init__(
        self, db: Database, ledger: Ledger, reservations: Reservations, owner: str, lease_s: float
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._reservations = reservations
        self._owner = owner
        self._lease_us = round(lease_s * 1_000_000)

    async def open(self, arrival: Arrival) -> Execution:
        """Write the record, all or nothing: it is `initiated` then.

        Raises Refused; where the wallet is empty, its record tells so.
        """
        reserve = await self._wanted(arrival)
        async with self._db.transaction() as tx:
            try:
                return await self._opened(tx, arrival, reserve)
            except BalanceLow as reason:
                low = reason
            await self._ledger.transition(
                arrival.account_id,
                arrival.execution_id,
                Status.BALANCE_LOW,
                changes={"error_message": str(low)},
                attempt={"ended_at": self._now()},
                tx=tx,
            )
        raise Refused(480, str(low))

    async def _wanted(self, arrival: Arrival) -> Reserve | None:
        """Before the transaction: prices and agents are read."""
        try:
            return await self._reservations.wanted(arrival.account_id, arrival.agent_id, arrival.provider)
        except PayerGone as reason:
            raise Refused(480, str(reason)) from None

    async def _opened(self, tx: Transaction, arrival: Arrival, reserve: Reserve | None) -> Execution:
        now = self._now()
        await self._ledger.receive(
            _new(arrival),
            {
                "state": AttemptState.CLAIMED,
                "lease_owner": self._owner,
                "lease_until": now + self._lease_us,
                "call_id": arrival.call_id,
                "dialled_at": arrival.arrived_us,
            },
            tx=tx,
        )
        if arrival.limit is not None and arrival.caller is not None:
            # The account is locked since it gave the execution its number: no two calls are counted at once.
            calls = await queries.calls_from(
                tx, arrival.account_id, arrival.agent_id, arrival.caller, limit=arrival.limit + 1
            )
            if calls > arrival.limit:
                raise Refused(603, f"{arrival.caller} has called agent {arrival.agent_id} as often as it may")
        if reserve is not None:
            await self._reservations.make(tx, reserve, (arrival.account_id, arrival.execution_id, NUMBER))
        log = [LogRow(now, "event", "system", arrival.provider, arrival.note)] if arrival.note else []
        # After the wallet, which is last of all locks: what is written here is nobody else's yet.
        return await self._ledger.transition(
            arrival.account_id,
            arrival.execution_id,
            Status.INITIATED,
            changes={"initiated_at": now},
            attempt={"state": AttemptState.DIALLING, "reserved": reserve.amount if reserve else 0},
            log=log,
            number=NUMBER,
            lease_owner=self._owner,
            tx=tx,
        )

    def _now(self) -> int:
        return self._ledger.clock.now_us()


def _new(arrival: Arrival) -> NewExecution:
    return NewExecution(
        account_id=arrival.account_id,
        agent_id=arrival.agent_id,
        to_number=arrival.called,
        from_number=arrival.caller,
        provider=arrival.provider,
        hosted_telephony=arrival.hosted,
        trunk_id=arrival.trunk_id,
        recipient_data=arrival.data,
        call_type="inbound",
        id=arrival.execution_id,
    )
