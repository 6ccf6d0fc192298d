"""A talker of calls without speech, for proofs of dialling: its transcript says which attempt it was."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from typing import Final

from ringback.calls.call import LiveCall, Talk
from ringback.executions.ledger import LeaseLost, Ledger
from ringback.executions.record import Turn, UsageKind, UsageLine
from ringback.media.leg import Ended, HangupCause
from ringback.store.database import StoreError

_PRICE: Final = Decimal("0.75")


class DialListener:
    """Says which attempt it is, listens until the leg ends, and ends it when it has heard enough."""

    def __init__(self, ledger: Ledger, worker: str, enough_s: float) -> None:
        self._ledger = ledger
        self._worker = worker
        self._enough_s = enough_s

    async def talk(self, call: LiveCall) -> Talk:
        enough = asyncio.create_task(self._hang_up(call))
        try:
            await self._say(call, 0)
            while not isinstance(event := await call.leg.next_event(), Ended):
                pass
            await self._say(call, 1)
        finally:
            enough.cancel()
        usage = [
            UsageLine(UsageKind.TRANSCRIBER, "ears", "", "ms", 1000, 125, price=_PRICE, per=60_000, step=1000)
        ]
        return Talk(event, conversation_ms=1000, usage=usage)

    async def _say(self, call: LiveCall, index: int) -> None:
        with contextlib.suppress(StoreError, LeaseLost):
            await self._ledger.add_turns(
                call.execution.account_id,
                call.execution.id,
                [Turn(index, "assistant", f"attempt {call.number}", 0, 1000)],
                number=call.number,
                lease_owner=self._worker,
            )

    async def _hang_up(self, call: LiveCall) -> None:
        await asyncio.sleep(self._enough_s)
        await call.leg.hangup(HangupCause.NORMAL)
