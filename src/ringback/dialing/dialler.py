"""The worker's side of the queue: claims what it has room for and takes each call to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ringback.clock import Clock
from ringback.dialing.claims import Claim, Claims
from ringback.dialing.outcomes import STATUS, hangup_fields
from ringback.dialing.queue import CALLS
from ringback.executions.ledger import LeaseLost, Ledger, UnknownExecution
from ringback.executions.lifecycle import IllegalTransition, Status
from ringback.executions.record import AttemptState, Execution, UsageLine
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
from ringback.store.wakeup import Wakeup

logger = logging.getLogger(__name__)

_IDLE_S: Final = 30.0
"""Longest sleep without a wake-up: bounds what a lost notification can cost."""
_RENEW_S: Final = 5.0
_REAP_S: Final = 10.0
_RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Waits between tries to write a record while the database is away."""
_HANGUP_TIMEOUT_S: Final = 40.0
"""Longest wait for the end of a leg that we hung up: SIP gives up after 32 s."""

_MOVED_ON: Final = (LeaseLost, IllegalTransition, UnknownExecution)
"""The call is not ours any more: stopped, deleted, or taken over after our lease ran out."""


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


class Dialler:
    """Runs the calls of one worker."""

    def __init__(
        self,
        *,
        claims: Claims,
        ledger: Ledger,
        carrier: Carrier,
        wakeup: Wakeup,
        clock: Clock,
        prepare: Prepare,
        after_call: AfterCall,
        capacity: int,
        ring_timeout_s: float,
    ) -> None:
        self._claims = claims
        self._ledger = ledger
        self._carrier = carrier
        self._wakeup = wakeup
        self._clock = clock
        self._prepare = prepare
        self._after_call = after_call
        self._capacity = capacity
        self._ring_timeout_s = ring_timeout_s
        self._calls: dict[Claim, asyncio.Task[None]] = {}
        self._legs: dict[Claim, Leg] = {}
        self._room = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Claim and dial until `stopping`, then finish the calls that are under way."""
        keepers = [
            asyncio.create_task(self._every(_RENEW_S, self._keep_leases)),
            asyncio.create_task(self._every(_REAP_S, self._reap)),
        ]
        try:
            while not stopping.is_set():
                if not await self._claim_some():
                    await self._wait(stopping)
            logger.info("draining: %d calls to finish", len(self._calls))
            while self._calls:
                await asyncio.wait(self._calls.values())
        finally:
            for task in (*keepers, *self._calls.values()):
                task.cancel()
            await asyncio.gather(*keepers, *self._calls.values(), return_exceptions=True)

    async def _claim_some(self) -> bool:
        """Start what is due and fits; whether there was any."""
        room = self._capacity - len(self._calls)
        if room <= 0:
            return False
        try:
            claims = await self._claims.take(room)
        except StoreError as error:
            logger.error("cannot claim calls: %s", error)
            return False
        for claim in claims:
            self._start(claim, self._call(claim))
        return bool(claims)

    def _start(self, claim: Claim, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(claim, work))
        self._calls[claim] = task

        def forget(_: asyncio.Task[None]) -> None:
            self._calls.pop(claim, None)
            self._legs.pop(claim, None)
            self._room.set()

        task.add_done_callback(forget)

    async def _guarded(self, claim: Claim, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except _MOVED_ON as reason:
            logger.warning("call %s is not ours any more: %s", claim.execution_id, reason)
        except StoreError as error:
            logger.error("the record of call %s could not be written: %s", claim.execution_id, error)
        except Exception:
            logger.exception("call %s failed", claim.execution_id)

    async def _wait(self, stopping: asyncio.Event) -> None:
        """Until the queue changed, the next call is due, a call ended, or we stop."""
        self._room.clear()
        waits = [
            asyncio.create_task(self._wakeup.wait(CALLS, await self._idle_s())),
            asyncio.create_task(self._room.wait()),
            asyncio.create_task(stopping.wait()),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await self._cancel_asked()

    async def _idle_s(self) -> float:
        if len(self._calls) >= self._capacity:
            return _IDLE_S
        try:
            due = await self._claims.next_due_us()
        except StoreError:
            return 1.0
        if due is None:
            return _IDLE_S
        return min(_IDLE_S, max(0.02, (due - self._clock.now_us()) / 1_000_000))

    # One call, from the claim to the completed record.

    async def _call(self, claim: Claim) -> None:
        execution = await self._ledger.get(claim.account_id, claim.execution_id)
        try:
            talker = await self._prepare(execution)
        except CallRefused as refusal:
            await self._refuse(claim, str(refusal))
            return
        request = DialRequest(
            call_id=self._carrier.new_call_id(),
            to_number=execution.to_number or "",
            from_number=execution.from_number or "",
            ring_timeout_s=self._ring_timeout_s,
        )
        execution = await self._claims.intend(claim, request.call_id)
        leg = await self._carrier.dial(request)
        self._legs[claim] = leg
        try:
            ended = await self._ring(claim, leg)
            if ended is None:
                await self._talk(claim, execution, leg, talker)
            else:
                await self._unanswered(claim, execution, ended)
        finally:
            # Whatever went wrong above: nobody is left on a line that nobody listens to.
            await leg.hangup(HangupCause.ERROR)

    async def _refuse(self, claim: Claim, why: str) -> None:
        await self._ledger.transition(
            claim.account_id,
            claim.execution_id,
            Status.ERROR,
            changes={"error_message": why},
            attempt={
                "state": AttemptState.DONE,
                "ended_at": self._clock.now_us(),
                "hangup_by": "Error",
                "hangup_reason": "Bolna Error",
            },
            number=claim.number,
        )

    async def _ring(self, claim: Claim, leg: Leg) -> Ended | None:
        """Follow the leg to its answer (None) or to its end without one."""
        rings = False
        while True:
            event = await leg.next_event()
            if isinstance(event, Ended):
                return event
            if isinstance(event, Answered):
                return None
            if isinstance(event, Ringing | EarlyMedia) and not rings:
                rings = True
                await self._ledger.transition(
                    claim.account_id,
                    claim.execution_id,
                    Status.RINGING,
                    attempt={"ringing_at": self._clock.now_us()},
                    number=claim.number,
                )

    async def _unanswered(self, claim: Claim, execution: Execution, ended: Ended) -> None:
        async def write() -> None:
            await self._ledger.transition(
                claim.account_id,
                claim.execution_id,
                STATUS[ended.outcome],
                changes={"error_message": ended.detail},
                attempt={
                    "state": AttemptState.DONE,
                    "ended_at": self._clock.now_us(),
                    **hangup_fields(ended, execution.call_type),
                },
                number=claim.number,
            )

        await self._persist(write)

    async def _talk(self, claim: Claim, execution: Execution, leg: Leg, talker: Talker) -> None:
        """Talk and write at the same time: the greeting does not wait for a disk."""
        answered = self._clock.now_us()
        talking = asyncio.create_task(talker.talk(LiveCall(execution, claim.number, leg, answered)))
        try:
            await self._persist(lambda: self._answered(claim, answered))
            talk = await self._ended(talking, leg)
        finally:
            talking.cancel()
        ended_us = self._clock.now_us()
        await self._persist(lambda: self._disconnected(claim, execution, talk, ended_us))
        await self._after_call(claim)

    async def _answered(self, claim: Claim, answered_us: int) -> None:
        await self._ledger.transition(
            claim.account_id,
            claim.execution_id,
            Status.IN_PROGRESS,
            attempt={"state": AttemptState.LIVE, "answered_at": answered_us},
            number=claim.number,
        )

    async def _ended(self, talking: asyncio.Task[Talk], leg: Leg) -> Talk:
        """What the talker brings back; when it fails itself, the leg is ended and the record says so."""
        try:
            return await talking
        except Exception:
            logger.exception("the conversation on %s failed", leg.call_id)
        await leg.hangup(HangupCause.ERROR)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HANGUP_TIMEOUT_S):
                while not isinstance(event := await leg.next_event(), Ended):
                    logger.debug("%s: %s after the failure", leg.call_id, event)
        failed = Ended(Outcome.HUNG_UP, EndedBy.ERROR, "Bolna Error", 3110)
        return Talk(failed, conversation_ms=0, error="The conversation failed; the worker's log says why")

    async def _disconnected(self, claim: Claim, execution: Execution, talk: Talk, ended_us: int) -> None:
        await self._ledger.transition(
            claim.account_id,
            claim.execution_id,
            STATUS[talk.ended.outcome],
            changes={
                "error_message": talk.error or talk.ended.detail,
                "extracted_data": talk.extracted,
                "context_data": talk.context,
                "latency_data": talk.latency,
            },
            attempt={
                "ended_at": ended_us,
                "conversation_ms": talk.conversation_ms,
                **hangup_fields(talk.ended, execution.call_type),
            },
            usage=talk.usage,
            number=claim.number,
        )

    async def _persist(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write although the database may be away for a while: a call that took place is never lost."""
        for wait in _RETRY_S:
            try:
                return await write()
            except StoreError as error:
                logger.error("cannot write the record, tries again in %.1f s: %s", wait, error)
                await self._clock.sleep(wait)
        return await write()

    # What goes on beside the calls.

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except StoreError as error:
                logger.error("%s", error)
            await self._clock.sleep(seconds)

    async def _keep_leases(self) -> None:
        held = await self._claims.renew()
        for claim in self._legs.keys() - held.claims:
            logger.error("the lease of call %s is lost; it is hung up", claim.execution_id)
            await self._legs[claim].hangup(HangupCause.ERROR)
        await self._cancel(held.cancelled)

    async def _cancel_asked(self) -> None:
        if self._legs:
            with contextlib.suppress(StoreError):
                await self._cancel((await self._claims.held()).cancelled)

    async def _cancel(self, cancelled: frozenset[Claim]) -> None:
        for claim in cancelled & self._legs.keys():
            await self._legs[claim].hangup(HangupCause.CANCELED)

    async def _reap(self) -> None:
        for orphan in await self._claims.reap():
            logger.warning(
                "call %s was left by a lost worker; its record is completed here", orphan.execution_id
            )
            self._start(orphan, self._after_call(orphan))
