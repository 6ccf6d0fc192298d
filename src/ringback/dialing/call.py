"""One call of a worker, from its claim to the completed record."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from ringback.billing.reservation import BalanceLow
from ringback.clock import Clock
from ringback.dialing.claims import Claim, Claims, Intent, NotNow, Stopped
from ringback.dialing.outcomes import LEFT, STATUS, WORKER_LOST, hangup_fields
from ringback.dialing.reaper import Reaper
from ringback.dialing.taking import Taking
from ringback.executions.ledger import LeaseLost, Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptChanges, AttemptState, Execution, ExecutionChanges, UsageLine
from ringback.media.leg import (
    Answered,
    Carrier,
    DialRequest,
    EarlyMedia,
    Ended,
    EndedBy,
    HangupCause,
    Leg,
    Outcome,
    Ringing,
)
from ringback.store.database import StoreError

logger = logging.getLogger(__name__)

_RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Waits between tries to write a record while the database is away."""
_HANGUP_TIMEOUT_S: Final = 40.0
"""Longest wait for the end of a leg that we hung up: SIP gives up after 32 s."""


class CallRefused(Exception):
    """The call cannot be placed as configured; the message says why and goes into the record."""


@dataclass(frozen=True, slots=True)
class LiveCall:
    """An answered call, handed to whoever talks."""

    execution: Execution
    number: int
    leg: Leg
    answered_us: int


@dataclass(frozen=True, slots=True)
class Talk:
    """What came of the talking; the leg has ended."""

    ended: Ended
    conversation_ms: int
    extracted: Mapping[str, Any] | None = None
    context: Mapping[str, Any] | None = None
    """Where a graph agent ended up."""
    latency: Mapping[str, Any] | None = None
    error: str | None = None
    usage: Sequence[UsageLine] = field(default_factory=tuple)


class Talker(Protocol):
    """An agent made ready for one call."""

    async def talk(self, call: LiveCall) -> Talk:
        """Talk until the leg has ended. The first audio goes out at once."""
        ...


Prepare = Callable[[Execution], Awaitable[Talker]]
"""Make the agent of an execution ready before anybody is dialled. Raises CallRefused."""

AfterCall = Callable[[Claim], Coroutine[Any, Any, None]]
"""Complete the record of a call that has been disconnected, from what the store holds."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the calls of a worker share."""

    claims: Claims
    taking: Taking
    reaper: Reaper
    ledger: Ledger
    carrier: Carrier
    clock: Clock
    prepare: Prepare
    after_call: AfterCall
    ring_timeout_s: float


class Call:
    """One attempt. Its errors, LeaseLost and the like, tell that it is not ours any more."""

    def __init__(
        self,
        claim: Claim,
        line: Line,
        freed: Callable[[], None] = lambda: None,
        silent: Callable[[], None] = lambda: None,
    ) -> None:
        """`freed` is called when others have something to look for: a slot that they may wait for, another attempt.
        `silent` is called when an answered call is over, and only the work after it is left.
        """
        self._claim = claim
        self._line = line
        self._freed = freed
        self._silent = silent
        self._leg: Leg | None = None
        self._over: Ended | None = None
        """The end of its leg, once it is known."""
        self._given_up: HangupCause | None = None
        self._dialled_again = False
        """Its end has opened another attempt."""

    async def hang_up(self, cause: HangupCause) -> None:
        """End it or cancel it, whether it was dialled or not; `run` goes on to write the record."""
        self._given_up = self._given_up or cause
        if self._leg is not None:
            await self._leg.hangup(cause)

    async def run(self) -> None:
        """Dial, talk and complete the record.

        Raises LeaseLost, IllegalTransition, UnknownExecution where the call was taken over, stopped or deleted.
        """
        line, claim = self._line, self._claim
        asked = claim.asked
        execution = asked.execution if asked else await line.ledger.get(claim.account_id, claim.execution_id)
        try:
            talker = await line.prepare(execution)
        except CallRefused as refusal:
            await self._refuse(str(refusal))
            return
        request = DialRequest(
            call_id=line.carrier.new_call_id(),
            to_number=execution.to_number or "",
            from_number=execution.from_number or "",
            ring_timeout_s=line.ring_timeout_s,
        )
        if self._given_up is not None:
            await self._release("given up")
            return
        try:
            intent = await line.claims.intend(claim, request.call_id)
        except NotNow as reason:
            await self._release(str(reason))
            return
        except Stopped as reason:
            await self._stopped(str(reason))
            return
        except BalanceLow as reason:
            await self._stopped(str(reason), Status.BALANCE_LOW)
            return
        try:
            if await self._in_time(intent):
                request = replace(request, in_time=lambda: line.clock.monotonic() <= intent.deadline_s)
                await self._dial(intent.execution, request, talker)
        except LeaseLost:
            await self._let_go()
            raise

    async def _in_time(self, intent: Intent) -> bool:
        """Wait for the moment that was granted; False: it is over before anybody was dialled, and the record says so.

        Nothing may be awaited between this and the packet.
        """
        clock, grant = self._line.clock, intent.grant
        while True:
            await clock.sleep(max(0, grant.dial_at_us - clock.now_us()) / 1_000_000)
            if clock.monotonic() > intent.deadline_s:
                await self._undialled(
                    Status.ERROR, "The worker was held up for longer than its lease; nobody was dialled"
                )
                return False
            if self._given_up is not None:
                await self._undialled(Status.CANCELED, None)
                return False
            if clock.now_us() >= self._claim.closes_us:
                await self._undialled(
                    Status.CANCELED, "The calling hours were over before anybody was dialled"
                )
                return False
            late_us = clock.now_us() - grant.dial_at_us
            if grant.tolerance_us is None or late_us <= grant.tolerance_us:
                return True
            try:
                grant = await self._line.claims.regrant(self._claim, late_us)
            except (NotNow, Stopped) as reason:
                await self._undialled(Status.CANCELED, str(reason))
                return False

    async def _dial(self, execution: Execution, request: DialRequest, talker: Talker) -> None:
        leg = self._leg = await self._line.carrier.dial(request)
        try:
            ended = await self._ring(leg)
            if ended is None:
                await self._talk(execution, leg, talker)
            else:
                await self._unanswered(execution, ended)
        finally:
            # Whatever went wrong above: nobody is left on a line that nobody listens to.
            await leg.hangup(HangupCause.ERROR)

    async def _let_go(self) -> None:
        """The call was taken for lost while it was ours: its slot is free when its leg is over, and not before."""
        if self._leg is not None and self._over is None:
            self._over = await self._end_of(self._leg)
        await self._line.claims.reconcile(self._claim, self._over)
        self._free()

    async def _release(self, why: str) -> None:
        logger.info("call %s waits on: %s", self._claim.execution_id, why)
        await self._line.claims.release(self._claim)
        self._freed()

    async def _stopped(self, why: str, status: Status = Status.STOPPED) -> None:
        await self._move(
            status,
            changes={"error_message": why},
            attempt={"state": AttemptState.DONE, "ended_at": self._line.clock.now_us(), **LEFT},
        )
        self._free()

    async def _undialled(self, status: Status, why: str | None) -> None:
        """There was an intent, and no packet. Where the worker was late, another may have written so already."""
        late = status is Status.ERROR
        await self._persist(
            status,
            changes={"error_message": why},
            attempt={
                "state": AttemptState.UNKNOWN if late else AttemptState.DONE,
                "ended_at": self._line.clock.now_us(),
                "hangup_by": "Error" if late else "API Request",
                "hangup_reason": WORKER_LOST if late else "Call canceled",
                **LEFT,
            },
        )
        self._free()

    async def _refuse(self, why: str) -> None:
        await self._move(
            Status.ERROR,
            changes={"error_message": why},
            attempt={
                "ended_at": self._line.clock.now_us(),
                "hangup_by": "Error",
                "hangup_reason": "Bolna Error",
                **LEFT,
            },
        )
        self._free()

    async def _ring(self, leg: Leg) -> Ended | None:
        """Follow the leg to its answer (None) or to its end without one."""
        rings = False
        while True:
            event = await leg.next_event()
            if isinstance(event, Ended):
                self._over = event
                return event
            if isinstance(event, Answered):
                return None
            if isinstance(event, Ringing | EarlyMedia) and not rings:
                rings = True
                await self._move(Status.RINGING, attempt={"ringing_at": self._line.clock.now_us()})

    async def _unanswered(self, execution: Execution, ended: Ended) -> None:
        ended_us = self._line.clock.now_us()
        await self._persist(
            STATUS[ended.outcome],
            changes={"error_message": ended.detail},
            attempt={"ended_at": ended_us, **hangup_fields(ended, execution.call_type), **LEFT},
        )
        self._free()

    async def _talk(self, execution: Execution, leg: Leg, talker: Talker) -> None:
        """Talk and write at the same time: the greeting does not wait for a disk."""
        clock = self._line.clock
        answered = clock.now_us()
        talking = asyncio.create_task(talker.talk(LiveCall(execution, self._claim.number, leg, answered)))
        try:
            await self._persist(
                Status.IN_PROGRESS, attempt={"state": AttemptState.LIVE, "answered_at": answered}
            )
            talk = await self._ended(talking, leg)
            self._over = talk.ended
        finally:
            talking.cancel()
        await self._disconnected(execution, talk, clock.now_us())
        await self._line.after_call(self._claim)

    async def _ended(self, talking: asyncio.Task[Talk], leg: Leg) -> Talk:
        """What the talker brings back; when it fails itself, the leg is ended and the record says so."""
        try:
            return await talking
        except Exception:
            logger.exception("the conversation on %s failed", leg.call_id)
        await self._end_of(leg)
        failed = Ended(Outcome.HUNG_UP, EndedBy.ERROR, "Bolna Error", 3110)
        return Talk(failed, conversation_ms=0, error="The conversation failed; the worker's log says why")

    async def _end_of(self, leg: Leg) -> Ended | None:
        """Hang up and wait for the end; None: it did not come, or came to a talker that failed on it."""
        await leg.hangup(HangupCause.ERROR)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HANGUP_TIMEOUT_S):
                while not isinstance(event := await leg.next_event(), Ended):
                    logger.debug("%s: %s after the failure", leg.call_id, event)
                return event
        return None

    async def _disconnected(self, execution: Execution, talk: Talk, ended_us: int) -> None:
        await self._persist(
            # Answered: whatever the wire said at the end, the call took place.
            Status.CALL_DISCONNECTED,
            changes={
                "error_message": talk.error or talk.ended.detail,
                "extracted_data": talk.extracted,
                "context_data": talk.context,
                "latency_data": talk.latency,
            },
            attempt={
                "ended_at": ended_us,
                "conversation_ms": talk.conversation_ms,
                "slot_since": None,
                **hangup_fields(talk.ended, execution.call_type),
                **(AttemptChanges(metered=()) if talk.usage else {}),
            },
            usage=talk.usage,
        )
        self._silent()
        self._free()

    def _free(self) -> None:
        """It counts for the limits no longer."""
        if self._claim.limited or self._dialled_again:
            self._freed()

    async def _persist(
        self,
        to: Status,
        changes: ExecutionChanges | None = None,
        attempt: AttemptChanges | None = None,
        usage: Sequence[UsageLine] = (),
    ) -> None:
        """Write although the database may be away for a while: a call that took place is never lost."""
        for wait in _RETRY_S:
            try:
                return await self._move(to, changes, attempt, usage)
            except StoreError as error:
                logger.error("cannot write the record, tries again in %.1f s: %s", wait, error)
                await self._line.clock.sleep(wait)
        return await self._move(to, changes, attempt, usage)

    async def _move(
        self,
        to: Status,
        changes: ExecutionChanges | None = None,
        attempt: AttemptChanges | None = None,
        usage: Sequence[UsageLine] = (),
    ) -> None:
        execution = await self._line.ledger.transition(
            self._claim.account_id,
            self._claim.execution_id,
            to,
            changes=changes or {},
            attempt=attempt or {},
            usage=usage,
            number=self._claim.number,
            lease_owner=self._line.claims.owner,
        )
        self._dialled_again = execution.status is not to
