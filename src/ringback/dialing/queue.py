"""The queue as the API sees it: put a call in, take it out again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ringback.calls.outcomes import LEFT
from ringback.dialing.ways import NoFromNumber, Ways
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import STOPPABLE, Status
from ringback.executions.record import AttemptChanges, AttemptState, NewExecution
from ringback.store.database import Database, Transaction
from ringback.store.wakeup import Wakeup

__all__ = ["CALLS", "CallQueue", "NewCall", "NoFromNumber", "NotStoppable"]

CALLS: Final = "calls"
"""Topic of the wake-ups: something changed in the queue."""

_CANCELLABLE: Final = frozenset({Status.INITIATED, Status.RINGING})


class NotStoppable(Exception):
    """The call is live or over; the message says so."""


@dataclass(frozen=True, slots=True)
class NewCall:
    """POST /call, validated (contract 8)."""

    account_id: str
    agent_id: str
    to_number: str
    from_number: str | None
    scheduled_at_us: int | None = None
    user_data: Mapping[str, Any] = field(default_factory=dict)
    agent_data: Mapping[str, Any] = field(default_factory=dict)
    retry_config: Mapping[str, Any] | None = None
    bypass_guardrails: bool = False


class CallQueue:
    """Places and stops calls; the workers do the rest."""

    def __init__(
        self, db: Database, ledger: Ledger, wakeup: Wakeup, *, provider: str, from_numbers: Sequence[str]
    ) -> None:
        """`from_numbers` are the installation's, on the trunk of the settings, for all accounts."""
        self._db = db
        self._ledger = ledger
        self._wakeup = wakeup
        self._provider = provider
        self.ways: Final = Ways(from_numbers)

    async def place(self, call: NewCall, *, tx: Transaction | None = None) -> str:
        """Queue a call (or schedule it) and wake a worker; the execution's id. Raises NoFromNumber.

        Whoever gives a transaction calls `wake` after its end.
        """
        way = await self.ways.way(tx or self._db, call.account_id, call.from_number)
        execution = await self._ledger.create(
            NewExecution(
                account_id=call.account_id,
                agent_id=call.agent_id,
                to_number=call.to_number,
                from_number=way.from_number,
                provider=self._provider,
                hosted_telephony=way.trunk_id is None,
                trunk_id=way.trunk_id,
                recipient_data=call.user_data,
                agent_data=call.agent_data,
                scheduled_at=call.scheduled_at_us,
                retry_config=call.retry_config,
                bypass_guardrails=call.bypass_guardrails,
            ),
            tx=tx,
        )
        if tx is None:
            await self.wake()
        return execution.id

    async def wake(self) -> None:
        """Let the workers look at the queue."""
        await self._wakeup.notify(CALLS)

    async def stop(self, account_id: str, execution_id: str) -> None:
        """Nothing is dialled after this returns; what rings is cancelled. Raises UnknownExecution, NotStoppable."""
        where = account_id, execution_id
        async with self._db.transaction() as tx:
            # Locked from here on: whoever answers, dials or claims comes before all of this or after it.
            execution = await self._ledger.update(*where, attempt={"cancel_requested": True}, tx=tx)
            if execution.call_type == "inbound":
                raise NotStoppable(
                    f"The call is {execution.status}, and came to you: only yours can be stopped"
                )
            if execution.status in STOPPABLE:
                attempt: AttemptChanges = {"state": AttemptState.DONE, **LEFT}
                await self._ledger.transition(*where, Status.STOPPED, attempt=attempt, tx=tx)
            elif execution.status not in _CANCELLABLE:
                raise NotStoppable(
                    f"The call is {execution.status}; only a call that was not answered yet can be stopped"
                )
        await self.wake()
