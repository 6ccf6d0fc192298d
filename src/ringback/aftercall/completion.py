"""From `call-disconnected` to `completed`: the recording found, the telephone rated, the record closed."""

from __future__ import annotations

import logging
import secrets
from pathlib import Path
from typing import Final

from ringback.aftercall.recording import finish, recording_path
from ringback.billing.prices import PriceBook
from ringback.billing.rating import telephone_lines
from ringback.executions.ledger import LeaseLost, Ledger, UnknownExecution
from ringback.executions.lifecycle import IllegalTransition, Status
from ringback.executions.record import MOST_AFTER_CALL_TRIES, Attempt, AttemptChanges, Execution

logger = logging.getLogger(__name__)

_MOVED_ON: Final = (LeaseLost, IllegalTransition, UnknownExecution)


class Completion:
    """Completes records from what the store and the recordings folder hold, so any worker can do it."""

    def __init__(self, ledger: Ledger, recordings: Path, prices: PriceBook) -> None:
        self._ledger = ledger
        self._recordings = recordings
        self._prices = prices

    async def complete(
        self, account_id: str, execution_id: str, number: int, lease_owner: str | None = None
    ) -> None:
        """Close the record of a disconnected call; one that is completed already is left alone.

        What fails is to be tried again; with the last try the record is closed as an error, for nobody will look at it
        again. Raises what failed before that, LeaseLost where attempt `number` is not current, or its lease not the
        owner's, UnknownExecution.
        """
        execution = await self._ledger.get(account_id, execution_id)
        if execution.status is not Status.CALL_DISCONNECTED:
            return
        attempt = await self._ledger.attempt(account_id, execution_id)
        if attempt.number != number:
            raise LeaseLost(f"attempt {number} of {execution_id} is over: {attempt.number} is current")
        try:
            await self._complete(execution, attempt, lease_owner)
        except _MOVED_ON:
            raise
        except Exception:
            if attempt.tries < MOST_AFTER_CALL_TRIES:
                raise
            logger.exception("the work after call %s failed for the last time", execution_id)
            await self._give_up(execution, attempt, lease_owner)

    async def _complete(self, execution: Execution, attempt: Attempt, lease_owner: str | None) -> None:
        changes: AttemptChanges = {}
        path = recording_path(self._recordings, execution.account_id, execution.id, attempt.number)
        recording = await finish(path)
        if recording is not None:
            changes["recording_path"] = str(recording.path.relative_to(self._recordings))
            changes["recording_token"] = secrets.token_urlsafe(24)
            changes["recording_ms"] = recording.duration_ms
            # A lost worker could not say how long was talked; its recording can.
            changes["conversation_ms"] = attempt.conversation_ms or recording.duration_ms
        await self._ledger.transition(
            execution.account_id,
            execution.id,
            Status.COMPLETED,
            attempt=changes,
            usage=telephone_lines(_duration_ms(attempt), execution.provider, self._prices),
            number=attempt.number,
            lease_owner=lease_owner,
        )

    async def _give_up(self, execution: Execution, attempt: Attempt, lease_owner: str | None) -> None:
        """The call took place: it is paid for."""
        await self._ledger.transition(
            execution.account_id,
            execution.id,
            Status.ERROR,
            changes={"error_message": "post-processing failed: the worker's log says why"},
            usage=telephone_lines(_duration_ms(attempt), execution.provider, self._prices),
            number=attempt.number,
            lease_owner=lease_owner,
        )


def _duration_ms(attempt: Attempt) -> int:
    """The telephone leg, from the answer to the hang-up."""
    if attempt.answered_at is None or attempt.ended_at is None:
        return 0
    return max(0, attempt.ended_at - attempt.answered_at) // 1000
