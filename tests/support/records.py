"""Executions and attempts for tests that need the values only; and the contract's JSON schema of a list."""

from __future__ import annotations

from typing import Any

from ringback.executions.lifecycle import Status
from ringback.executions.record import Attempt, AttemptState, CostBreakdown, Execution

# Contract 4.4, word for word.
TIMESTAMP = {"type": "string", "pattern": "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$"}
SEED_LIST_SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": [
            "id",
            "agent_id",
            "batch_id",
            "conversation_time",
            "total_cost",
            "status",
            "answered_by_voice_mail",
            "transcript",
            "created_at",
            "updated_at",
            "cost_breakdown",
            "telephony_data",
            "transfer_call_data",
            "batch_run_details",
            "extracted_data",
            "context_details",
        ],
        "properties": {
            "id": {"type": "string"},
            "agent_id": {"type": "string"},
            "batch_id": {"type": ["string", "null"], "pattern": "^[a-f0-9]{32}$"},
            "conversation_time": {"type": "number"},
            "total_cost": {"type": "number"},
            "status": {
                "enum": [
                    "completed",
                    "call-disconnected",
                    "no-answer",
                    "busy",
                    "failed",
                    "in-progress",
                    "canceled",
                    "balance-low",
                    "queued",
                    "ringing",
                    "initiated",
                ]
            },
            "answered_by_voice_mail": {"type": "boolean"},
            "transcript": {"type": "string"},
            "created_at": TIMESTAMP,
            "updated_at": TIMESTAMP,
            "cost_breakdown": {
                "type": "object",
                "required": ["llm", "network", "platform", "synthesizer", "transcriber"],
                "properties": {
                    "llm": {"type": "number"},
                    "network": {"type": "number"},
                    "platform": {"type": "number"},
                    "synthesizer": {"type": "number"},
                    "transcriber": {"type": "number"},
                },
            },
            "telephony_data": {
                "type": "object",
                "required": [
                    "duration",
                    "to_number",
                    "from_number",
                    "recording_url",
                    "hosted_telephony",
                    "provider_call_id",
                    "call_type",
                    "provider",
                    "hangup_by",
                    "hangup_reason",
                    "hangup_provider_code",
                ],
                "properties": {
                    "duration": {"type": "number"},
                    "hosted_telephony": {"type": "boolean"},
                    "call_type": {"enum": ["inbound", "outbound"]},
                    "hangup_provider_code": {"type": ["integer", "null"]},
                },
            },
            "transfer_call_data": {"type": ["object", "null"]},
            "batch_run_details": {"type": ["object", "null"]},
            "extracted_data": {"type": ["object", "null"]},
            "context_details": {"type": "object"},
        },
    },
}

CREATED_AT = 1_705_972_477_999_999
"""2024-01-23T01:14:37.999999Z"""


def an_execution(**changes: Any) -> Execution:
    """A call that was just queued, but for the changes."""
    values: dict[str, Any] = {
        "account_id": "account",
        "id": "4c06b4d1-4096-4561-919a-4f94539c8d4a",
        "agent_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
        "seq": CREATED_AT,
        "batch_id": None,
        "status": Status.QUEUED,
        "call_type": "outbound",
        "provider": "sip-trunk",
        "to_number": "+10123456789",
        "from_number": "+19876543007",
        "hosted_telephony": False,
        "recipient_data": {},
        "agent_data": {},
        "context_data": None,
        "extracted_data": None,
        "summary": None,
        "error_message": None,
        "answered_by_voice_mail": False,
        "termination_reason": None,
        "scheduled_at": None,
        "rescheduled_at": None,
        "initiated_at": None,
        "retry_config": None,
        "retry_count": 0,
        "retry_history": None,
        "latency_data": None,
        "cost": CostBreakdown(),
        "updated_at": CREATED_AT,
        "bypass_guardrails": False,
        "line": None,
    }
    return Execution(**(values | changes))


def an_attempt(**changes: Any) -> Attempt:
    """Its first attempt, waiting, but for the changes."""
    values: dict[str, Any] = {
        "account_id": "account",
        "execution_id": "4c06b4d1-4096-4561-919a-4f94539c8d4a",
        "number": 1,
        "state": AttemptState.WAITING,
        "due_at": CREATED_AT,
        "lease_owner": None,
        "lease_until": None,
        "cancel_requested": False,
        "call_id": None,
        "dialled_at": None,
        "ringing_at": None,
        "answered_at": None,
        "ended_at": None,
        "status": None,
        "hangup_by": None,
        "hangup_reason": None,
        "hangup_provider_code": None,
        "sip_code": None,
        "recording_path": None,
        "recording_token": None,
        "recording_ms": None,
        "recording_sha256": None,
        "conversation_ms": 0,
        "agent_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
        "batch_id": None,
        "lane": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
        "trunk": "sip-trunk",
        "seq": CREATED_AT,
        "slot_since": None,
        "dial_at": None,
        "tries": 0,
    }
    return Attempt(**(values | changes))
