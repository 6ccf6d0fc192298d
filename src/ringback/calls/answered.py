"""A call from its answer to its end, whoever placed it: the talk, and what is written of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from ringback.calls.call import LiveCall, Talk, Talker
from ringback.calls.outcomes import hangup_fields
from ringback.calls.writing import Writing
from ringback.clock import Clock
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptChanges, AttemptState, Execution
from ringback.media.leg import Ended, EndedBy, HangupCause, Leg, Outcome

logger = logging.getLogger(__name__)

_HANGUP_TIMEOUT_S: Final = 40.0
"""Longest wait for the end of a leg that we hung up: SIP gives up after 32 s."""


async def talked(call: LiveCall, talker: Talker, writing: Writing) -> Talk:
    """Talk and write at the same time: the greeting does not wait for a disk.

    Raises as `Writing.move`; the leg may be up then.
    """
    talking = asyncio.create_task(talker.talk(call))
    try:
        await writing.persist(
            Status.IN_PROGRESS, attempt={"state": AttemptState.LIVE, "answered_at": call.answered_us}
        )
        return await _brought_back(talking, call.leg)
    finally:
        talking.cancel()


async def disconnected(execution: Execution, talk: Talk, writing: Writing, clock: Clock) -> None:
    """Write what came of the talk. Raises as `Writing.move`."""
    await writing.persist(
        # Answered: whatever the wire said at the end, the call took place.
        Status.CALL_DISCONNECTED,
        changes={
            "error_message": talk.error or talk.ended.detail,
            "extracted_data": talk.extracted,
            "context_data": talk.context,
            "latency_data": talk.latency,
            "answered_by_voice_mail": talk.voicemail,
        },
        attempt={
            "ended_at": clock.now_us(),
            "conversation_ms": talk.conversation_ms,
            "slot_since": None,
            **hangup_fields(talk.ended, execution.call_type),
            # Where the talker failed, what was metered is all that there is to bill.
            **(AttemptChanges(metered=()) if talk.usage else {}),
        },
        usage=talk.usage,
    )


async def end_of(leg: Leg) -> Ended | None:
    """Hang up and wait for the end; None: it did not come, or came to a talker that failed on it."""
    await leg.hangup(HangupCause.ERROR)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_HANGUP_TIMEOUT_S):
            while not isinstance(event := await leg.next_event(), Ended):
                logger.debug("%s: %s after the failure", leg.call_id, event)
            return event
    return None


async def _brought_back(talking: asyncio.Task[Talk], leg: Leg) -> Talk:
    """What the talker brings back; when it fails itself, the leg is ended and the record says so."""
    try:
        return await talking
    except Exception:
        logger.exception("the conversation on %s failed", leg.call_id)
    await end_of(leg)
    failed = Ended(Outcome.HUNG_UP, EndedBy.ERROR, "Bolna Error", 3110)
    return Talk(failed, conversation_ms=0, error="The conversation failed; the worker's log says why")
