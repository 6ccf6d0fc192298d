"""Removing recordings, what was said, and whole records, a batch in one transaction.

Everything is locked before anything is written: attempts, then executions, each in the order of their keys; segments
follow in the order of the history. So two processes that remove at once never wait for each other in a circle, and
what the other one removed is seen and left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ringback.clock import Clock
from ringback.executions import counts, rows
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import TERMINAL
from ringback.executions.record import AttemptChanges, AttemptState, ExecutionChanges, LogRow
from ringback.store.database import Row, Transaction
from ringback.store.queries import attempts, executions, retention, segments, stages

SETTLED: Final = frozenset({AttemptState.DONE, AttemptState.UNKNOWN})
"""States of attempts whose record is finished."""

_NO_RECORDING: Final[AttemptChanges] = {
    "recording_path": None,
    "recording_token": None,
    "recording_ms": None,
    "recording_sha256": None,
    "transfer_token": None,
}
_NOTHING_SAID: Final[ExecutionChanges] = {"summary": None, "latency_data": None}


@dataclass(frozen=True, slots=True)
class _Locked:
    """An execution and its attempts, oldest first."""

    execution: Row
    attempts: Sequence[Row]

    @property
    def is_over(self) -> bool:
        """It ended, and no further attempt waits."""
        return self.execution["status"] in TERMINAL and all(
            attempt["state"] in SETTLED for attempt in self.attempts
        )


class Removal:
    """Every method writes in the caller's transaction, and says how much it removed."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def recordings(self, tx: Transaction, account_id: str, ended: Iterable[Row], days: int) -> int:
        """Take the recordings, whose files are gone, out of the records of these attempts."""
        removed = 0
        wanted = {(row["execution_id"], row["number"]) for row in ended}
        for locked in await _locked(tx, account_id, {execution_id for execution_id, _ in wanted}):
            execution_id, newest = locked.execution["id"], locked.attempts[-1]["number"]
            for attempt in locked.attempts:
                number = attempt["number"]
                transfers = rows.transfers_of(attempt)
                recorded = any(one.recording_path is not None for one in transfers)
                if (execution_id, number) not in wanted or not (attempt["recording_path"] or recorded):
                    continue
                changes = _NO_RECORDING
                if transfers:
                    changes = {**changes, "transfers": [one.unrecorded() for one in transfers]}
                if number == newest:
                    await self._ledger.update(account_id, execution_id, attempt=changes, tx=tx)
                else:
                    # The record shows the newest attempt only.
                    columns = rows.to_columns(changes)
                    await attempts.update(tx, account_id, execution_id, number, columns)
                await self._say(tx, locked, f"recording removed after {_days(days)}")
                removed += 1
        return removed

    async def transcripts(self, tx: Transaction, account_id: str, ended: Iterable[Row], days: int) -> int:
        """Remove what was said in these attempts, from the log too; what was extracted from it stays."""
        removed = 0
        wanted = {(row["execution_id"], row["number"]): row for row in ended}
        for locked in await _locked(tx, account_id, {execution_id for execution_id, _ in wanted}):
            for attempt in locked.attempts:
                row = wanted.get((locked.execution["id"], attempt["number"]))
                if row is not None and await self._unsay(tx, account_id, row, locked):
                    await self._say(tx, locked, f"transcript removed after {_days(days)}")
                    removed += 1
        return removed

    async def records(self, tx: Transaction, account_id: str, execution_ids: Collection[str]) -> int:
        """Delete executions with all that hangs on them, but not one that is tried again after all."""
        found = await _locked(tx, account_id, execution_ids)
        over = [locked.execution for locked in found if locked.is_over]
        for execution in over:
            row = await executions.get(tx, account_id, execution["id"])
            if row is not None:
                await counts.changed(tx, rows.to_execution(row), None)
            await segments.reopen(tx, account_id, execution["agent_id"], [execution["seq"]])
        await retention.delete_executions(tx, account_id, [execution["id"] for execution in over])
        return len(over)

    async def _unsay(self, tx: Transaction, account_id: str, row: Row, locked: _Locked) -> bool:
        """Whether there was anything."""
        execution_id, number = row["execution_id"], row["number"]
        turns = await retention.delete_turns(tx, account_id, execution_id, number)
        await stages.forget(tx, account_id, execution_id, number)
        lines = await retention.delete_log(
            tx, account_id, execution_id, log_from=row["log_from"], log_to=row["log_to"]
        )
        if number != locked.attempts[-1]["number"]:
            return bool(turns or lines)
        execution = await self._ledger.get(account_id, execution_id, tx=tx)
        shown = turns or execution.summary is not None or execution.latency_data is not None
        if shown:
            await self._ledger.update(account_id, execution_id, changes=_NOTHING_SAID, tx=tx)
        return bool(shown or lines)

    async def _say(self, tx: Transaction, locked: _Locked, data: str) -> None:
        execution = locked.execution
        row = LogRow(self._clock.now_us(), "event", "system", execution["provider"], data)
        await self._ledger.add_log(execution["account_id"], execution["id"], [row], tx=tx)


async def _locked(tx: Transaction, account_id: str, execution_ids: Collection[str]) -> list[_Locked]:
    """Those that are still there, each agent's in the order of its history."""
    ids = sorted(execution_ids)
    if not ids:
        return []
    of: dict[str, list[Row]] = {}
    for attempt in await retention.attempts_of(tx, account_id, ids, lock=True):
        of.setdefault(attempt["execution_id"], []).append(attempt)
    found = await retention.lock_executions(tx, account_id, ids)
    return [
        _Locked(execution, of[execution["id"]])
        for execution in sorted(found, key=lambda row: (row["agent_id"], row["seq"]))
    ]


def _days(days: int) -> str:
    return f"{days} day" if days == 1 else f"{days} days"
