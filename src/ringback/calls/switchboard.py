"""The second legs of a live call: dialled by the carrier of the first, and kept in its record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from ringback.calls.call import LiveCall
from ringback.clock import Clock
from ringback.conversation.transfer import TransferRefused, TransferResult
from ringback.executions import recording_files
from ringback.executions.ledger import LeaseLost, Ledger, UnknownExecution
from ringback.executions.lifecycle import Status
from ringback.executions.transfer import Transfer
from ringback.media.leg import Carrier, DialRequest, Ended, EndedBy, Leg
from ringback.media.recorder import Recorder
from ringback.store.database import StoreError

logger = logging.getLogger(__name__)

_RETRY_S: Final = (0.2, 0.5, 1.0, 2.0)
"""Waits between tries to write while the database is away; then what follows the call closes the transfer."""
_STATUS: Final = {
    TransferResult.COMPLETED: Status.COMPLETED,
    TransferResult.UNCONFIRMED: Status.COMPLETED,
    TransferResult.HUNG_UP_AT_ONCE: Status.COMPLETED,
    TransferResult.NO_ANSWER: Status.NO_ANSWER,
    TransferResult.BUSY: Status.BUSY,
    TransferResult.CALLER_LEFT: Status.CANCELED,
}
_BY: Final = {
    EndedBy.PEER: "Callee",
    EndedBy.US: "API Request",
    EndedBy.CARRIER: "Carrier",
    EndedBy.ERROR: "Error",
}
_NORMAL: Final = "Normal Hangup"


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the switchboards of a worker share."""

    ledger: Ledger
    carrier: Carrier
    clock: Clock
    recordings: Path
    owner: str
    """Of the leases of its calls."""


class CallSwitchboard:
    """Implements `conversation.transfer.Switchboard` for one call."""

    def __init__(self, exchange: Exchange, call: LiveCall) -> None:
        self._exchange = exchange
        self._call = call
        self._transfers: list[Transfer] = []
        self._writing: asyncio.Task[None] | None = None
        self._unwritten = False

    async def begin(
        self, kind: Literal["attended", "blind"], to_number: str, ring_timeout_s: float
    ) -> CallSecondLeg:
        """The record says so before the first packet leaves: it is never dialled without a trace."""
        exchange, call = self._exchange, self._call
        attended = kind == "attended"
        call_id = exchange.carrier.new_call_id() if attended else call.leg.call_id
        execution = call.execution
        ours = execution.from_number if execution.call_type == "outbound" else execution.to_number
        place, now = len(self._transfers), exchange.clock.now_us()
        self._transfers.append(
            Transfer(kind, to_number, ours or "", execution.provider, call_id, began_at=now)
        )
        try:
            await self._write()
        except (StoreError, LeaseLost, UnknownExecution) as error:
            self._transfers.pop()
            raise TransferRefused(f"The transfer could not be recorded: {error}") from error
        leg = None
        if attended:
            request = DialRequest(
                call_id=call_id,
                to_number=to_number,
                from_number=ours or "",
                ring_timeout_s=ring_timeout_s,
                account_id=execution.account_id,
                trunk_id=execution.trunk_id,
            )
            leg = await exchange.carrier.dial(request)
        return CallSecondLeg(self, place, leg)

    def recorder(self, place: int) -> Recorder:
        execution = self._call.execution
        path = recording_files.transfer_place(
            execution.account_id, execution.id, self._call.number, place + 1
        )
        self.change(place, lambda transfer: replace(transfer, recording_path=path))
        return Recorder(self._exchange.recordings / path)

    def change(self, place: int, change: Callable[[Transfer], Transfer]) -> None:
        """Written soon, in one go with whatever else changes meanwhile."""
        self._transfers[place] = change(self._transfers[place])
        self._unwritten = True
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())

    async def written(self) -> None:
        """Wait until the record says all."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    def now_us(self) -> int:
        return self._exchange.clock.now_us()

    async def _write_all(self) -> None:
        waits = list(_RETRY_S)
        while self._unwritten:
            self._unwritten = False
            try:
                await self._write()
            except StoreError as error:
                if not waits:
                    logger.error(
                        "the transfer of call %s is not recorded: %s", self._call.execution.id, error
                    )
                    return
                self._unwritten = True
                await self._exchange.clock.sleep(waits.pop(0))
            except (LeaseLost, UnknownExecution, ValueError) as error:
                logger.error("the transfer of call %s is not recorded: %s", self._call.execution.id, error)

    async def _write(self) -> None:
        execution = self._call.execution
        await self._exchange.ledger.update(
            execution.account_id,
            execution.id,
            attempt={"transfers": tuple(self._transfers)},
            number=self._call.number,
            lease_owner=self._exchange.owner,
        )


class CallSecondLeg:
    """Implements `conversation.transfer.SecondLeg`."""

    def __init__(self, board: CallSwitchboard, place: int, leg: Leg | None) -> None:
        self._board = board
        self._place = place
        self._leg = leg

    @property
    def leg(self) -> Leg:
        assert self._leg is not None
        return self._leg

    def recorder(self) -> Recorder:
        return self._board.recorder(self._place)

    def rings(self) -> None:
        now = self._board.now_us()
        self._change(
            lambda transfer: (
                transfer
                if transfer.ringing_at is not None
                else replace(transfer, status=Status.RINGING, ringing_at=now)
            )
        )

    def answered(self) -> None:
        now = self._board.now_us()
        self._change(lambda transfer: replace(transfer, status=Status.IN_PROGRESS, answered_at=now))

    def joined(self) -> None:
        now = self._board.now_us()
        self._change(lambda transfer: replace(transfer, joined_at=now))

    async def ended(self, result: TransferResult, ended: Ended | None, *, by_caller: bool) -> None:
        now = self._board.now_us()
        self._change(lambda transfer: _over(transfer, result, ended, by_caller, now))
        await self._board.written()

    def _change(self, change: Callable[[Transfer], Transfer]) -> None:
        self._board.change(self._place, change)


def _over(
    transfer: Transfer, result: TransferResult, ended: Ended | None, by_caller: bool, now_us: int
) -> Transfer:
    answered = transfer.answered_at is not None
    by, reason, code = "Error", "Unknown", None
    if by_caller:
        by, reason, code = "Caller", _NORMAL if answered else "Call canceled", 4000
    elif transfer.kind == "blind" and result.took_place:
        # The network has taken it over: how it ends, nobody tells.
        by, reason = "API Request", "Call completed"
    elif ended is not None:
        by, reason, code = _BY[ended.by], ended.reason, ended.provider_code
    return replace(
        transfer,
        status=Status.COMPLETED if answered else _STATUS.get(result, Status.FAILED),
        ended_at=now_us,
        hangup_by=by,
        hangup_reason=reason,
        hangup_provider_code=code,
        sip_code=ended.sip_code if ended is not None else None,
        termination_reason=str(result),
    )
