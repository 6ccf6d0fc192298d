"""The work after a call without language models: what every call has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ringback.aftercall.pipeline import Pipeline
from ringback.aftercall.recording import RecordingStage
from ringback.aftercall.stage import Stage
from ringback.aftercall.telephone import TelephoneStage
from ringback.aftercall.transcript import TranscriptStage
from ringback.aftercall.transfer import TransferStage
from ringback.agents.followup import FollowUps
from ringback.billing.prices import Prices
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, Execution
from ringback.store.database import Database
from tests.support.ledgers import Books

OWNER = "worker"


def pipeline(db: Database, ledger: Ledger, folder: Path, *more: Stage) -> Pipeline:
    """Recordings are in the folder; `more` stages come before the rating."""
    stages: Sequence[Stage] = (
        RecordingStage(folder),
        TransferStage(folder),
        TranscriptStage(),
        *more,
        TelephoneStage(Prices(db)),
    )
    return Pipeline(db, ledger, stages, nothing_more)


async def nothing_more(account_id: str, agent_id: str) -> FollowUps:
    """The agent has no follow-up tasks."""
    return FollowUps()


async def disconnected(
    books: Books, *, tries: int = 0, error_message: str | None = None, **of_the_call: Any
) -> Execution:
    """A call of 61 s that is over, leased to OWNER."""
    call = await books.create(**of_the_call)
    where, now = (books.account_id, call.id), books.clock.now_us()
    await books.ledger.transition(*where, Status.INITIATED, attempt={"state": AttemptState.DIALLING})
    await books.ledger.transition(
        *where,
        Status.IN_PROGRESS,
        attempt={
            "state": AttemptState.LIVE,
            "answered_at": now,
            "lease_owner": OWNER,
            "lease_until": now + 30_000_000,
            "tries": tries,
        },
    )
    return await books.ledger.transition(
        *where,
        Status.CALL_DISCONNECTED,
        changes={"error_message": error_message},
        attempt={"ended_at": now + 61_000_000},
    )
