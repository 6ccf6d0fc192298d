"""Transfers: what a lost worker left open is closed, and their recordings get their length, digest and link."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

from ringback.aftercall.recording import finish
from ringback.aftercall.stage import FinishedCall, Outcome, StageError
from ringback.executions.record import AttemptChanges
from ringback.executions.transfer import Transfer


class TransferStage:
    """Implements `Stage`. It comes before the rating, which needs the ends of the legs."""

    name = "transfer"
    tries = 5

    def __init__(self, folder: Path) -> None:
        """`folder` is that of recordings."""
        self._folder = folder

    async def run(self, call: FinishedCall) -> Outcome:
        attempt = call.attempt
        if not attempt.transfers:
            return Outcome()
        ended = attempt.ended_at or attempt.answered_at or 0
        transfers = [await self._recorded(transfer.closed(ended)) for transfer in attempt.transfers]
        changes = AttemptChanges(transfers=transfers)
        if any(transfer.recording_sha256 for transfer in transfers):
            changes["transfer_token"] = secrets.token_urlsafe(24)
        return Outcome(attempt_changes=changes, note=", ".join(map(_said, transfers)))

    async def _recorded(self, transfer: Transfer) -> Transfer:
        """One whose file is not there was never answered, or its worker was lost before it had written any."""
        if transfer.recording_path is None:
            return transfer
        try:
            found = await finish(self._folder / transfer.recording_path)
        except OSError as error:
            reason = error.strerror or "it is damaged"
            raise StageError(f"the recording of a transfer cannot be read: {reason}") from error
        if found is None:
            return replace(transfer, recording_path=None)
        return replace(transfer, recording_ms=found.duration_ms, recording_sha256=found.sha256)


def _said(transfer: Transfer) -> str:
    return f"{transfer.status} after {transfer.leg_ms / 1000:.1f} s"
