"""The record of a call while this worker holds it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from ringback.calls.call import Attempted
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptChanges, ExecutionChanges, UsageLine
from ringback.store.database import StoreError

logger = logging.getLogger(__name__)

_RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Waits between tries to write a record while the database is away."""


class Writing:
    """Of the worker `owner`, as long as its lease is valid."""

    def __init__(self, held: Attempted, ledger: Ledger, owner: str) -> None:
        self._held = held
        self._ledger = ledger
        self._owner = owner
        self.opened_another = False
        """The last status has opened another attempt."""

    async def persist(
        self,
        to: Status,
        changes: ExecutionChanges | None = None,
        attempt: AttemptChanges | None = None,
        usage: Sequence[UsageLine] = (),
    ) -> None:
        """Write although the database may be away for a while: a call that took place is never lost."""
        for wait in _RETRY_S:
            try:
                return await self.move(to, changes, attempt, usage)
            except StoreError as error:
                logger.error("cannot write the record, tries again in %.1f s: %s", wait, error)
                await self._ledger.clock.sleep(wait)
        return await self.move(to, changes, attempt, usage)

    async def move(
        self,
        to: Status,
        changes: ExecutionChanges | None = None,
        attempt: AttemptChanges | None = None,
        usage: Sequence[UsageLine] = (),
    ) -> None:
        """Raises LeaseLost, IllegalTransition, UnknownExecution: the call is not ours any more; StoreError."""
        execution = await self._ledger.transition(
            self._held.account_id,
            self._held.execution_id,
            to,
            changes=changes or {},
            attempt=attempt or {},
            usage=usage,
            number=self._held.number,
            lease_owner=self._owner,
        )
        self.opened_another = execution.status is not to
