"""What an execution and its attempts begin as."""

from __future__ import annotations

import uuid
from dataclasses import replace

from ringback.executions.lifecycle import Status
from ringback.executions.record import Attempt, AttemptState, CostBreakdown, Execution, NewExecution


def created(new: NewExecution, seq: int, now: int) -> Execution:
    """Queued, or scheduled if its time is to come."""
    scheduled = new.scheduled_at is not None and new.scheduled_at > now
    return Execution(
        account_id=new.account_id,
        id=new.id or str(uuid.uuid4()),
        agent_id=new.agent_id,
        seq=seq,
        batch_id=new.batch_id,
        status=Status.SCHEDULED if scheduled else Status.QUEUED,
        call_type=new.call_type,
        provider=new.provider,
        to_number=new.to_number,
        from_number=new.from_number,
        hosted_telephony=new.hosted_telephony,
        trunk_id=new.trunk_id,
        recipient_data=new.recipient_data,
        agent_data=new.agent_data,
        context_data=None,
        extracted_data=None,
        summary=None,
        error_message=None,
        answered_by_voice_mail=False,
        termination_reason=None,
        scheduled_at=new.scheduled_at,
        rescheduled_at=None,
        initiated_at=None,
        retry_config=new.retry_config,
        retry_count=0,
        retry_history=None,
        latency_data=None,
        cost=CostBreakdown(),
        updated_at=seq,
        bypass_guardrails=new.bypass_guardrails,
        line=new.line,
    )


def first_attempt(execution: Execution, now: int) -> Attempt:
    """Due at once, or when the execution is scheduled."""
    return Attempt(
        account_id=execution.account_id,
        execution_id=execution.id,
        number=1,
        state=AttemptState.WAITING,
        due_at=max(now, execution.scheduled_at or now),
        lease_owner=None,
        lease_until=None,
        cancel_requested=False,
        call_id=None,
        dialled_at=None,
        ringing_at=None,
        answered_at=None,
        ended_at=None,
        status=None,
        hangup_by=None,
        hangup_reason=None,
        hangup_provider_code=None,
        sip_code=None,
        recording_path=None,
        recording_token=None,
        recording_ms=None,
        recording_sha256=None,
        conversation_ms=0,
        agent_id=execution.agent_id,
        batch_id=execution.batch_id,
        lane=execution.batch_id or execution.agent_id,
        trunk=execution.trunk_id or execution.provider,
        seq=execution.seq,
        slot_since=None,
        dial_at=None,
        tries=0,
    )


def further_attempt(execution: Execution, now: int) -> Attempt:
    """That of an execution which was just scheduled again; due then."""
    return replace(first_attempt(execution, now), number=execution.retry_count + 1)
