"""One call to us, from its record to the work after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ringback.calls.answered import disconnected, talked
from ringback.calls.call import AfterCall, CallRefused, LiveCall, Prepare, Talker
from ringback.calls.outcomes import LEFT, STATUS, hangup_fields
from ringback.calls.writing import Writing
from ringback.clock import Clock
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptChanges, Execution
from ringback.inbound.opening import Held
from ringback.media.leg import Answered, Ended, HangupCause, Leg

logger = logging.getLogger(__name__)

_GIVEN_UP = 487
"""What the wire says where the caller hung up before the answer (RFC 3261 section 15.1.2)."""


class Caller(Protocol):
    """A call that waits for its answer, as the telephony gives it."""

    def ring(self) -> None: ...

    def reject(self, status: int = 603, retry_after_s: int | None = None) -> None: ...

    async def answer(self) -> Leg: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What the calls to a worker share."""

    ledger: Ledger
    clock: Clock
    owner: str
    prepare: Prepare
    after_call: AfterCall


class InboundCall:
    """Its errors, LeaseLost and the like, tell that it is not ours any more."""

    def __init__(
        self,
        caller: Caller,
        execution: Execution,
        desk: Desk,
        introduced: Callable[[Execution, Talker], Talker] = lambda execution, talker: talker,
        silent: Callable[[], None] = lambda: None,
    ) -> None:
        """`introduced`: what comes before the agent, such as menus. `silent` is called when only the work after an
        answered call is left."""
        self.held = Held(execution.account_id, execution.id)
        self._caller = caller
        self._execution = execution
        self._desk = desk
        self._introduced = introduced
        self._silent = silent
        self._writing = Writing(self.held, desk.ledger, desk.owner)
        self._leg: Leg | None = None

    async def hang_up(self, cause: HangupCause) -> None:
        """End it, or refuse it; `run` goes on to write the record."""
        if self._leg is not None:
            await self._leg.hangup(cause)
        else:
            self._caller.reject(480)

    async def run(self) -> None:
        """Ring, answer, talk and complete the record.

        Raises LeaseLost, IllegalTransition, UnknownExecution where the call was taken for lost or deleted.
        """
        try:
            await self._run()
        finally:
            # Whatever went wrong: nobody is left on a line that nobody listens to.
            self._caller.reject(500)
            if self._leg is not None:
                await self._leg.hangup(HangupCause.ERROR)

    async def _run(self) -> None:
        self._caller.ring()
        ringing_us = self._desk.clock.now_us()
        preparing = asyncio.ensure_future(self._desk.prepare(self._execution))
        try:
            await self._writing.move(Status.RINGING, attempt={"ringing_at": ringing_us})
            talker = await preparing
        except CallRefused as refusal:
            self._caller.reject(480)
            await self._over(
                Status.ERROR, str(refusal), {"hangup_by": "Error", "hangup_reason": "Bolna Error"}
            )
            return
        finally:
            preparing.cancel()
        leg = self._leg = await self._caller.answer()
        ended = await _answered(leg)
        if ended is None:
            await self._talk(leg, self._introduced(self._execution, talker))
        else:
            await self._unanswered(ended)

    async def _talk(self, leg: Leg, talker: Talker) -> None:
        clock = self._desk.clock
        call = LiveCall(self._execution, self.held.number, leg, clock.now_us())
        talk = await talked(call, talker, self._writing)
        await disconnected(self._execution, talk, self._writing, clock)
        self._silent()
        await self._desk.after_call(self.held)

    async def _unanswered(self, ended: Ended) -> None:
        if ended.sip_code == _GIVEN_UP:
            fields: AttemptChanges = {
                "hangup_by": "Caller",
                "hangup_reason": "Call canceled",
                "sip_code": _GIVEN_UP,
            }
            await self._over(Status.CANCELED, "The caller hung up before the call was answered", fields)
        else:
            fields = hangup_fields(ended, self._execution.call_type)
            await self._over(STATUS[ended.outcome], ended.detail, fields)

    async def _over(self, status: Status, why: str | None, attempt: AttemptChanges) -> None:
        await self._writing.persist(
            status,
            changes={"error_message": why},
            attempt={"ended_at": self._desk.clock.now_us(), **attempt, **LEFT},
        )


async def _answered(leg: Leg) -> Ended | None:
    """Wait for the answer to be taken (None), or for the end without one."""
    while True:
        event = await leg.next_event()
        if isinstance(event, Ended):
            return event
        if isinstance(event, Answered):
            return None
