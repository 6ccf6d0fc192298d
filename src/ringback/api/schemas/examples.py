"""An example of each shape. Records are rendered from a fixed call, so that they are what the API would send."""

from __future__ import annotations

import json
from typing import Any, Final

from ringback.agents import definition
from ringback.agents.registry import Agent
from ringback.api.agents import rendered
from ringback.api.schemas.batch import BATCH_EXAMPLE
from ringback.api.schemas.disposition import DISPOSITION_EXAMPLES
from ringback.api.schemas.extraction import EXTRACTION_EXAMPLES
from ringback.api.schemas.inbound import INBOUND_EXAMPLES
from ringback.api.schemas.phone_number import PHONE_NUMBER_EXAMPLES
from ringback.api.schemas.trunk import TRUNK_EXAMPLES
from ringback.api.schemas.webhook import WEBHOOK_EXAMPLES
from ringback.executions.lifecycle import Status
from ringback.executions.record import (
    Attempt,
    AttemptState,
    CostBreakdown,
    Execution,
    Turn,
    UsageKind,
    UsageLine,
)
from ringback.executions.rendering import render, v1

_AGENT_ID: Final = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
_EXECUTION_ID: Final = "4c06b4d1-4096-4561-919a-4f94539c8d4a"
_SECOND: Final = 1_000_000
_CREATED: Final = 1_705_972_477 * _SECOND
_ANSWERED: Final = _CREATED + 9 * _SECOND

_EXECUTION = Execution(
    account_id="",
    id=_EXECUTION_ID,
    agent_id=_AGENT_ID,
    seq=_CREATED,
    batch_id="baab7cdc833145bf8dd260ff1f0a3f21",
    status=Status.COMPLETED,
    call_type="outbound",
    provider="sip-trunk",
    to_number="+14155550123",
    from_number="+14155550100",
    hosted_telephony=False,
    recipient_data={"name": "Daniel", "day": "Thursday"},
    agent_data={},
    context_data={"node": "goodbye"},
    extracted_data={"confirmed": True, "new_day": None},
    summary=None,
    error_message=None,
    answered_by_voice_mail=False,
    termination_reason=None,
    scheduled_at=None,
    rescheduled_at=None,
    initiated_at=_CREATED + _SECOND,
    retry_config={
        "enabled": True,
        "max_retries": 2,
        "retry_on_statuses": ["no-answer", "busy"],
        "retry_on_voicemail": False,
        "retry_intervals_minutes": [30, 60],
    },
    retry_count=1,
    retry_history=[{"attempt": 1, "status": "busy", "at": "2024-01-23T00:44:12Z"}],
    latency_data={
        "stream_id": "b1f7@ringback",
        "time_to_first_audio": 40,
        "region": None,
        "transcriber": {
            "time_to_connect": None,
            "turns": [
                {
                    "turn": 1,
                    "turn_latency": [{"sequence_id": 1, "audio_to_text_latency": 143, "text": "Yes, it is."}],
                }
            ],
        },
        "llm": {
            "time_to_connect": None,
            "turns": [{"turn": 1, "time_to_first_token": 151, "time_to_last_token": 190}],
        },
        "synthesizer": {
            "time_to_connect": None,
            "turns": [
                {"turn": -1, "time_to_first_token": 21, "time_to_last_token": None},
                {"turn": 1, "time_to_first_token": 18, "time_to_last_token": None},
            ],
        },
        "rag": None,
        "turns": [
            {
                "turn": 1,
                "endpointing": 360,
                "transcription": 143,
                "first_token": 151,
                "first_audio": 18,
                "tools": None,
                "overhead": 11,
                "total": 540,
            }
        ],
        "summary": {"turns": 1, "total_p50": 540, "total_p95": 540},
    },
    cost=CostBreakdown(llm=42_000, network=12_000, platform=20_000, synthesizer=68_000, transcriber=7_000),
    updated_at=_CREATED + 55 * _SECOND,
    bypass_guardrails=False,
    line=17,
)
_ATTEMPT = Attempt(
    account_id="",
    execution_id=_EXECUTION_ID,
    number=2,
    state=AttemptState.DONE,
    due_at=_CREATED,
    lease_owner=None,
    lease_until=None,
    cancel_requested=False,
    call_id="b1f7@ringback",
    dialled_at=_CREATED + _SECOND,
    ringing_at=_CREATED + 2 * _SECOND,
    answered_at=_ANSWERED,
    ended_at=_ANSWERED + 42 * _SECOND,
    status=Status.COMPLETED,
    hangup_by="Callee",
    hangup_reason="Normal Hangup",
    hangup_provider_code=4000,
    sip_code=None,
    recording_path="example.wav",
    recording_token="kZ0v3Yw1dJmQ",
    recording_ms=41_600,
    recording_sha256=None,
    conversation_ms=41_600,
    agent_id=_AGENT_ID,
    batch_id=_EXECUTION.batch_id,
    lane=_EXECUTION.batch_id or _AGENT_ID,
    trunk="sip-trunk",
    seq=_CREATED,
    slot_since=None,
    dial_at=_CREATED + _SECOND,
    tries=0,
)
_TURNS = (
    Turn(0, "assistant", "Hello Daniel, is the appointment on Thursday still fine?", 0, 3100),
    Turn(1, "user", "Yes, it is.", 3900, 4700),
    Turn(2, "assistant", "Thank you, goodbye.", 5240, 6500),
)
_USAGE = (
    UsageLine(UsageKind.LLM, "openai", "gpt-4.1-mini", "input_tokens", 812, 30_000),
    UsageLine(UsageKind.LLM, "openai", "gpt-4.1-mini", "output_tokens", 46, 12_000),
    UsageLine(UsageKind.SYNTHESIZER, "local", "hibari", "characters", 76, 68_000),
    UsageLine(UsageKind.TRANSCRIBER, "local", "whisper-base", "ms", 41_600, 7_000),
)
_BODY = render(_EXECUTION, _ATTEMPT, _TURNS, _USAGE, "https://ringback.example")

EXECUTION: Final[dict[str, Any]] = json.loads(_BODY)

AGENT_REQUEST: Final[dict[str, Any]] = {
    "agent_config": {
        "agent_name": "Reminder",
        "tasks": [
            {
                "task_type": "conversation",
                "tools_config": {
                    "llm_agent": {
                        "agent_type": "graph_agent",
                        "llm_config": {
                            "provider": "scripted",
                            "current_node_id": "ask",
                            "nodes": [
                                {
                                    "id": "ask",
                                    "node_type": "static",
                                    "static_message": "Hello {name}, is the appointment on {day} still fine?",
                                    "edges": [
                                        {
                                            "to_node_id": "goodbye",
                                            "condition_type": "match",
                                            "match": {"type": "yes"},
                                            "slots": {"confirmed": True},
                                        },
                                        {"to_node_id": "goodbye", "condition_type": "unconditional"},
                                    ],
                                },
                                {
                                    "id": "goodbye",
                                    "node_type": "static",
                                    "static_message": "Thank you, goodbye.",
                                },
                            ],
                        },
                    },
                    "transcriber": {"provider": "local", "language": "en"},
                    "synthesizer": {"provider": "local", "provider_config": {}},
                },
            }
        ],
    },
    "agent_prompts": {},
}

_ACCOUNT_ID: Final = "9b1c2e0a-4a5f-4d3e-8a46-2f0d7c1b6e52"
_SUB_ACCOUNT: Final[dict[str, Any]] = {
    "id": "5d0f2a7e-6c1b-4f6a-9a0e-1b7d3c5e8f90",
    "name": "Gotham branch",
    "user_id": _ACCOUNT_ID,
    "organization_id": _ACCOUNT_ID,
    "email": None,
    "description": None,
    "metadata": {"region": "east"},
    "multi_tenant": False,
    "allow_concurrent_calls": 8,
    "min_concurrency": 2,
    "max_concurrency": None,
    "created_at": "2024-01-23T01:14:37Z",
    "updated_at": "2024-01-23T01:14:37Z",
}
_LISTED: Final = {
    "number": "+14155550199",
    "reason": "asked on the phone not to be called",
    "created_at": "2024-01-23T01:14:51Z",
}
_LOG_LINE = {"created_at": "2024-01-23T01:14:51Z", "timestamp": "2024-01-23T01:14:51Z"}

EXAMPLES: Final[dict[str, Any]] = {
    "Execution": EXECUTION,
    "ExecutionV1": json.loads(v1(_BODY, _EXECUTION.status)),
    "ExecutionPage": {
        "page_number": 1,
        "page": 1,
        "page_size": 20,
        "total": 1,
        "total_exact": True,
        "has_more": False,
        "next_cursor": None,
        "filters": {"status": "completed"},
        "sorts": [{"field": "created_at", "order": "desc"}],
        "data": [EXECUTION],
    },
    "ExecutionLog": {
        "status": "success",
        "execution_id": _EXECUTION_ID,
        "data": [
            _LOG_LINE
            | {
                "type": "response",
                "component": "transcriber",
                "provider": "local",
                "data": "Yes, it is.",
            },
            _LOG_LINE
            | {
                "type": "request",
                "component": "synthesizer",
                "provider": "local",
                "data": "Thank you, goodbye.",
            },
        ],
    },
    "Agent": rendered(Agent("", _AGENT_ID, definition.read(AGENT_REQUEST), "processed", _CREATED, _CREATED)),
    "AgentRequest": AGENT_REQUEST,
    "AgentPatch": {
        "agent_config": {"agent_name": "Reminder of appointments", "webhook_url": "https://crm.example/calls"}
    },
    "Created": {"agent_id": _AGENT_ID, "state": "created", "status": "created"},
    "Updated": {"agent_id": _AGENT_ID, "state": "updated", "status": "updated", "message": "success"},
    "Done": {"message": "success", "state": "deleted"},
    "Stopped": {"stopped_executions": [_EXECUTION_ID]},
    "CallRequest": {
        "agent_id": _AGENT_ID,
        "recipient_phone_number": "+14155550123",
        "user_data": {"name": "Daniel", "day": "Thursday"},
        "retry_config": {"enabled": True, "max_retries": 2, "retry_on_statuses": ["no-answer", "busy"]},
    },
    "Placed": {
        "message": "done",
        "status": "queued",
        "execution_id": _EXECUTION_ID,
        "run_id": _EXECUTION_ID,
    },
    "CallStopped": {"message": "done", "status": "stopped", "execution_id": _EXECUTION_ID},
    "CallEventRequest": {"event": "payment_received", "properties": {"amount": 42.5, "currency": "USD"}},
    "EventAccepted": {"status": "accepted", "event": "payment_received", "run_id": _EXECUTION_ID},
    "DoNotCallRequest": {"reason": "asked on the phone not to be called"},
    "DoNotCallEntry": _LISTED,
    "DoNotCallPage": {"page_size": 100, "has_more": False, "next_cursor": None, "data": [_LISTED]},
    "BatchRequest": {
        "agent_id": _AGENT_ID,
        "file": "contact_number,name,day\r\n+14155550123,Daniel,Thursday\r\n",
        "from_phone_numbers": ["+14155550100"],
        "retry_config": '{"enabled": true, "max_retries": 2, "retry_intervals_minutes": [15, 30]}',
    },
    "BatchCreated": {"batch_id": _EXECUTION.batch_id, "state": "created"},
    "ScheduleRequest": {"scheduled_at": "2026-12-04T09:00:00+05:30"},
    "BatchScheduled": {"message": "success", "state": "scheduled", "scheduled_at": "2026-12-04T03:30:00Z"},
    "BatchDone": {"message": "success", "state": "stopped"},
    "Batch": BATCH_EXAMPLE,
    **WEBHOOK_EXAMPLES,
    **DISPOSITION_EXAMPLES,
    **EXTRACTION_EXAMPLES,
    **TRUNK_EXAMPLES,
    **PHONE_NUMBER_EXAMPLES,
    **INBOUND_EXAMPLES,
    "User": {
        "id": _ACCOUNT_ID,
        "name": "Bruce Wayne",
        "email": "bruce@wayne.example",
        "wallet": 4242.5,
        "concurrency": {"max": 10, "current": 7},
    },
    "SubAccountRequest": {"name": "Gotham branch", "min_concurrency": 2, "max_concurrency": None},
    "SubAccountPatch": {"max_concurrency": 5},
    "SubAccount": _SUB_ACCOUNT,
    "SubAccountCreated": _SUB_ACCOUNT | {"api_key": "sa-b33f4fbf011d4661a273a46b11d185f8"},
    "SubAccountUsage": {
        "from": "2024-01-01T00:00:00Z",
        "to": "2024-01-23T23:59:59Z",
        "sub_account_id": _SUB_ACCOUNT["id"],
        "sub_account_name": "Gotham branch",
        "total_records": 12,
        "total_duration": 151.0,
        "total_cost": 31.521,
        "total_platform_cost": 22.0,
        "total_telephony_cost": 2.673,
        "status_map": {"completed": 11, "no-answer": 1},
        "synthesizer_cost_map": {"elevenlabs": {"eleven_turbo_v2_5": {"characters": 577, "cost": 5.77}}},
        "transcriber_cost_map": {"deepgram": {"nova-2": {"duration": 125.6, "cost": 1.0}}},
        "llm_cost_map": {"cost": 0.078, "tokens": {"gpt-4o-mini": {"input": 2698, "output": 605}}},
    },
    "Health": {"status": "ok"},
}
"""By the name of the schema."""

PARAMETERS: Final[dict[str, str]] = {
    **{name: EXECUTION[name] for name in ("agent_id", "execution_id", "batch_id")},
    "run_id": _EXECUTION_ID,
    "endpoint_id": WEBHOOK_EXAMPLES["WebhookEndpoint"]["id"],
    "delivery_id": WEBHOOK_EXAMPLES["WebhookDelivery"]["id"],
    "disposition_id": DISPOSITION_EXAMPLES["Disposition"]["id"],
    "template_id": EXTRACTION_EXAMPLES["ExtractionTemplateData"]["data"]["id"],
    "sub_account_id": _SUB_ACCOUNT["id"],
    "trunk_id": TRUNK_EXAMPLES["Trunk"]["id"],
    "phone_number_id": TRUNK_EXAMPLES["TrunkNumber"]["id"],
    "country": "US",
    "source_name": "leads_june.csv",
    "format": "csv",
    "number": "+14155550199",
}
"""By name, of all that are required."""

REFUSALS: Final[dict[str, str]] = {
    "400": "recipient_phone_number is required",
    "401": "Access denied",
    "403": f"The account has no agent {_AGENT_ID}",
    "404": f"There is no agent {_AGENT_ID}",
    "408": "The body did not arrive within 30 seconds",
    "409": "Idempotency-Key 'order-4711' came with another request of the last 24 hours; send a new key with a new "
    "request",
    "413": "The body is too large: send at most 1048576 bytes",
    "416": "The range bytes=900000- lies outside the recording of 705644 bytes",
    "422": "is_subjective or is_objective must be true",
    "429": "Too many requests: an account may send 500 a minute to /call; the next minute begins in 20 s",
    "503": "The database is not available; try again in a moment",
}
"""Messages by status."""


def refusal(status: str) -> dict[str, Any]:
    """The body of an error. Raises KeyError for a status without an example."""
    return {"error": int(status), "message": REFUSALS[status], "detail": REFUSALS[status]}
