"""The JSON of an execution against contract section 4 and the example of the user's page."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.executions.lifecycle import TERMINAL, V1_STATUS, Status
from ringback.executions.record import (
    CENT,
    CostBreakdown,
    Turn,
    UsageKind,
    UsageLine,
    UsagePurpose,
    cost_of,
)
from ringback.executions.rendering import render, v1
from tests.support.records import CREATED_AT, SEED_LIST_SCHEMA, an_attempt, an_execution

# The example of the page (transfer_call_data left out: no call is transferred yet).
SEED_EXAMPLE: dict[str, Any] = {
    "id": "4c06b4d1-4096-4561-919a-4f94539c8d4a",
    "agent_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "batch_id": "baab7cdc833145bf8dd260ff1f0a3f21",
    "conversation_time": 123,
    "total_cost": 14.9,
    "status": "completed",
    "answered_by_voice_mail": True,
    "transcript": "<string>",
    "created_at": "2024-01-23T01:14:37Z",
    "updated_at": "2024-01-29T18:31:22Z",
    "cost_breakdown": {
        "llm": 4.2,
        "network": 1.2,
        "platform": 2,
        "synthesizer": 6.8,
        "transcriber": 0.7,
    },
    "telephony_data": {
        "duration": 42,
        "to_number": "+10123456789",
        "from_number": "+19876543007",
        "recording_url": "https://bolna-call-recordings",
        "hosted_telephony": True,
        "provider_call_id": "CA42fb13614bfcfeccd94cf33befe14s2f",
        "call_type": "outbound",
        "provider": "twilio",
        "hangup_by": "Caller",
        "hangup_reason": "Normal Hangup",
        "hangup_provider_code": 4000,
    },
    "transfer_call_data": None,
    "batch_run_details": {
        "status": "completed",
        "created_at": "2024-01-23T01:14:37Z",
        "updated_at": "2024-01-29T18:31:22Z",
        "retried": 0,
    },
    "extracted_data": {
        "user_interested": True,
        "callback_user": False,
        "address": "42 world lane",
        "salary_expected": "42 bitcoins",
    },
    "context_details": {},
}
COMPLETED = {
    "execution": {
        "batch_id": "baab7cdc833145bf8dd260ff1f0a3f21",
        "status": Status.COMPLETED,
        "answered_by_voice_mail": True,
        "updated_at": 1_706_553_082_000_000,
        "hosted_telephony": True,
        "provider": "twilio",
        "extracted_data": SEED_EXAMPLE["extracted_data"],
        "cost": CostBreakdown(
            llm=42_000, network=12_000, platform=20_000, synthesizer=68_000, transcriber=7_000
        ),
    },
    "attempt": {
        "call_id": "CA42fb13614bfcfeccd94cf33befe14s2f",
        "dialled_at": CREATED_AT,
        "ringing_at": CREATED_AT + 1_400_000,
        "answered_at": CREATED_AT + 10_000_000,
        "ended_at": CREATED_AT + 52_400_000,
        "hangup_by": "Caller",
        "hangup_reason": "Normal Hangup",
        "hangup_provider_code": 4000,
        "sip_code": 16,
        "recording_path": "a/b.wav",
        "recording_token": "secret",
        "conversation_ms": 123_049,
    },
}
TURNS = [Turn(0, "assistant", "Hello?", 0, 900), Turn(1, "user", "Yes. I\nam here.", 1200, 2000)]
USAGE = [
    UsageLine(UsageKind.LLM, "openai", "gpt", "input_tokens", 100, 40_000),
    UsageLine(UsageKind.LLM, "openai", "gpt", "output_tokens", 20, 2_000),
    UsageLine(UsageKind.SYNTHESIZER, "local", "hibari", "characters", 321, 68_000),
    UsageLine(UsageKind.TRANSCRIBER, "local", "whisper-base", "ms", 12_345, 7_000),
    UsageLine(UsageKind.NETWORK, "sip-trunk", "", "ms", 42_400, 12_000),
]
BREAKDOWN = {
    "llm_breakdown": {
        "conversation": 4.2,
        "extraction": 0,
        "summarization": 0,
        "analytics": 0,
        "hangup": 0,
        "voicemail": 0,
    },
    "synthesizer_breakdown": {"conversation": 6.8, "welcome_message": 0},
    "transcriber_breakdown": {"conversation": 0.7, "analytics": 0},
    "transfer_cost": 0,
}
FREE = {name: dict.fromkeys(parts, 0) if isinstance(parts, dict) else 0 for name, parts in BREAKDOWN.items()}


def rendered(execution: dict[str, Any], attempt: dict[str, Any] | None = None) -> dict[str, Any]:
    body = render(
        an_execution(**execution), an_attempt(**attempt or {}), TURNS, USAGE, "https://ringback.example"
    )
    record: dict[str, Any] = json.loads(body)
    return record


def kind(value: object) -> str:
    """Integers and fractions are both numbers, everything else is its own kind."""
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def shape(record: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """Kinds of the members that `like` has, in the record's order, nested."""
    return {
        key: shape(value, like[key]) if isinstance(value, dict) and like[key] else kind(value)
        for key, value in record.items()
        if key in like
    }


def test_the_example_of_the_page_has_the_same_names_order_nesting_and_types() -> None:
    record = rendered(**COMPLETED)
    expected = shape(SEED_EXAMPLE, SEED_EXAMPLE)
    found = shape(record, SEED_EXAMPLE)
    found["context_details"] = kind(record["context_details"])
    assert found == expected
    assert list(record)[:16] == list(SEED_EXAMPLE)
    assert list(record["telephony_data"])[:11] == list(SEED_EXAMPLE["telephony_data"])
    assert list(record["cost_breakdown"])[:5] == list(SEED_EXAMPLE["cost_breakdown"])


def test_the_example_of_the_page_has_the_same_values() -> None:
    record = rendered(**COMPLETED)
    expected = SEED_EXAMPLE | {
        "cost_breakdown": SEED_EXAMPLE["cost_breakdown"] | BREAKDOWN,
        "conversation_time": 123,
        "transcript": "assistant: Hello?\nuser: Yes. I\nam here.",
        "context_details": {"recipient_data": {}, "recipient_phone_number": "+10123456789"},
        "telephony_data": SEED_EXAMPLE["telephony_data"]
        | {
            "recording_url": "https://ringback.example/recordings/call/4c06b4d1-4096-4561-919a-4f94539c8d4a"
            "?token=secret",
            "hangup_code": 4000,
            "sip_code": 16,
            "ring_duration": 9,
            "post_dial_delay": 1,
            "to_number_carrier": None,
        },
    }
    assert {key: record[key] for key in expected} == expected
    assert record["conversation_duration"] == record["conversation_time"]
    assert record["execution_id"] == record["id"]
    assert record["usage_breakdown"] == {
        "synthesizer_characters": 321,
        "synthesizer_model": "hibari",
        "synthesizer_provider": "local",
        "transcriber_duration": 12.345,
        "transcriber_model": "whisper-base",
        "transcriber_provider": "local",
        "llm_tokens": 120,
        "llm_model": {"gpt": {"input": 100, "output": 20}},
        "llmTokens": 120,
        "llmModel": {"gpt": {"input": 100, "output": 20}},
    }


def test_every_key_of_the_contract_is_there_before_anything_is_known() -> None:
    record = rendered({})
    unknown = {
        "batch_id": None,
        "conversation_time": 0,
        "total_cost": 0,
        "answered_by_voice_mail": False,
        "transcript": "",
        "cost_breakdown": {"llm": 0, "network": 0, "platform": 0, "synthesizer": 0, "transcriber": 0} | FREE,
        "transfer_call_data": None,
        "batch_run_details": None,
        "extracted_data": None,
        "error_message": None,
        "summary": None,
        "user_number": "+10123456789",
        "agent_number": "+19876543007",
        "scheduled_at": None,
        "rescheduled_at": None,
        "initiated_at": None,
        "retry_config": None,
        "retry_count": 0,
        "retry_history": None,
        "latency_data": None,
        "termination_reason": None,
        "agent_extraction": None,
        "custom_extractions": None,
        "workflow_retries": None,
        "campaign_id": None,
        "deleted": False,
        "extraction_webhook_status": None,
        "createdAt": "2024-01-23T01:14:37Z",
        "updatedAt": "2024-01-23T01:14:37Z",
    }
    assert {key: record[key] for key in unknown} == unknown
    telephony = record["telephony_data"]
    assert telephony["duration"] == 0
    assert all(
        telephony[key] is None for key in ("recording_url", "provider_call_id", "hangup_by", "sip_code")
    )
    assert record["usage_breakdown"]["llm_tokens"] == 0


@pytest.mark.parametrize("status", Status)
def test_every_status_validates_as_v1_against_the_schema_of_the_contract(status: Status) -> None:
    for values in (COMPLETED, {"execution": {}, "attempt": {}}):
        execution = an_execution(**values["execution"] | {"status": status})
        body = render(execution, an_attempt(**values["attempt"]), TURNS, USAGE, "https://ringback.example")
        shown = json.loads(v1(body, status))
        jsonschema.validate([shown], SEED_LIST_SCHEMA)
        assert shown["smart_status"] == status
        assert shown["status"] == V1_STATUS.get(status, status)
        if shown["batch_run_details"]:
            assert shown["batch_run_details"]["status"] == shown["status"]
        true = json.loads(body)
        true["status"] = shown["status"]
        true["batch_run_details"] = shown["batch_run_details"]
        assert shown == true


@pytest.mark.parametrize("status", Status)
def test_when_transcript_recording_and_cost_are_shown(status: Status) -> None:
    record = rendered(COMPLETED["execution"] | {"status": status}, COMPLETED["attempt"])
    assert (record["transcript"] != "") == (status in TERMINAL or status == "call-disconnected")
    assert (record["telephony_data"]["recording_url"] is not None) == (status == "completed")
    assert (record["total_cost"] != 0) == (status in TERMINAL)


def test_the_bill_of_an_earlier_attempt_stays_while_the_next_one_runs() -> None:
    record = rendered(COMPLETED["execution"] | {"status": Status.QUEUED, "retry_count": 1})
    assert record["total_cost"] == 14.9
    assert record["batch_run_details"]["retried"] == 1


def test_numbers_by_direction() -> None:
    record = rendered({"call_type": "inbound", "from_number": "+1222", "to_number": "+1333"})
    assert (record["user_number"], record["agent_number"]) == ("+1222", "+1333")
    assert record["context_details"]["recipient_phone_number"] == "+1222"


def test_the_place_in_the_graph() -> None:
    record = rendered({"context_data": {"node": "goodbye"}, "recipient_data": {"name": "Ana"}})
    assert record["context_details"] == {
        "recipient_data": {"name": "Ana"},
        "recipient_phone_number": "+10123456789",
        "context_data": {"node": "goodbye"},
    }


@pytest.mark.parametrize(
    ("milliseconds", "seconds"),
    [(0, "0"), (49, "0"), (50, "0.1"), (4249, "4.2"), (4250, "4.3"), (60_000, "60")],
)
def test_conversation_time_is_rounded_to_tenths(milliseconds: int, seconds: str) -> None:
    body = render(an_execution(), an_attempt(conversation_ms=milliseconds), (), (), "")
    assert f'"conversation_time":{seconds},'.encode() in body


@pytest.mark.parametrize(
    ("microseconds", "seconds"), [(499_999, 0), (500_000, 1), (1_500_000, 2), (2_499_999, 2)]
)
def test_duration_is_rounded_half_up(microseconds: int, seconds: int) -> None:
    record = rendered({}, {"answered_at": CREATED_AT, "ended_at": CREATED_AT + microseconds})
    assert record["telephony_data"]["duration"] == seconds


amounts = st.integers(min_value=0, max_value=10**12)


@given(st.builds(CostBreakdown, amounts, amounts, amounts, amounts, amounts))
def test_total_cost_is_exactly_the_sum_of_the_five_parts_as_printed(cost: CostBreakdown) -> None:
    body = render(an_execution(status=Status.COMPLETED, cost=cost), an_attempt(), (), (), "")
    record = json.loads(body, parse_float=Decimal, parse_int=Decimal)
    printed = [record["cost_breakdown"][kind] for kind in UsageKind]
    assert sum(printed) == record["total_cost"] == Decimal(cost.total) / 10_000
    assert all(-value.as_tuple().exponent <= 4 for value in (*printed, record["total_cost"]))


purposes = st.sampled_from(get_args(UsagePurpose))
lines = st.builds(
    UsageLine,
    st.sampled_from(UsageKind),
    st.just("p"),
    st.just("m"),
    st.just("ms"),
    st.just(1),
    amounts,
    purpose=purposes,
)


@given(st.lists(lines, max_size=8))
def test_every_breakdown_is_exactly_its_leg_by_purpose(used: list[UsageLine]) -> None:
    body = render(
        an_execution(status=Status.COMPLETED, cost=cost_of(used)), an_attempt(), (), used, "https://x.example"
    )
    costs = json.loads(body, parse_float=Decimal, parse_int=Decimal)["cost_breakdown"]
    for kind in ("llm", "synthesizer", "transcriber"):
        assert sum(costs[f"{kind}_breakdown"].values()) == costs[kind]
    assert costs["transfer_cost"] <= costs["network"]
    for name, shown in (("extraction", "extraction"), ("dispositions", "analytics"), ("hangup", "hangup")):
        due = sum(line.amount for line in used if line.kind is UsageKind.LLM and line.purpose == name)
        assert costs["llm_breakdown"][shown] == Decimal(due) / CENT
    moved = [line for line in used if line.kind is UsageKind.NETWORK and line.purpose == "transfer"]
    assert costs["transfer_cost"] == Decimal(sum(line.amount for line in moved)) / CENT
    welcome = [line for line in used if (line.kind, line.purpose) == ("synthesizer", "welcome_message")]
    assert (
        costs["synthesizer_breakdown"]["welcome_message"]
        == Decimal(sum(line.amount for line in welcome)) / CENT
    )


def test_while_another_attempt_runs_no_breakdown_is_shown() -> None:
    """Its lines are not read then."""
    record = rendered(COMPLETED["execution"] | {"status": Status.IN_PROGRESS, "retry_count": 1})
    assert record["cost_breakdown"] == SEED_EXAMPLE["cost_breakdown"] | FREE


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
traps = st.sampled_from(
    [
        {"status": "error", "batch_run_details": {"status": "error"}},
        {"x": '"status":"error","batch_run_details":{"status":"error"'},
        {'"batch_run_details":{"status":"error"': '\\"status\\":\\"error'},
        {"batch_run_details": None, "y": {"batch_run_details": {"status": "error"}}},
    ]
)


@given(
    data=traps | st.dictionaries(st.text(), json_values, max_size=4),
    said=st.text() | st.just('"batch_run_details":{"status":"error"'),
    batch_id=st.none() | st.just("baab7cdc833145bf8dd260ff1f0a3f21"),
    status=st.sampled_from(list(Status)),
)
def test_v1_changes_the_two_statuses_and_nothing_else(
    data: dict[str, Any], said: str, batch_id: str | None, status: Status
) -> None:
    execution = an_execution(
        status=status, batch_id=batch_id, recipient_data=data, extracted_data=data, error_message=said
    )
    body = render(execution, an_attempt(), [Turn(0, "user", said, 0, 1)], (), "")
    expected = json.loads(body)
    expected["status"] = V1_STATUS.get(status, status)
    if batch_id is not None:
        expected["batch_run_details"]["status"] = V1_STATUS.get(status, status)
    assert json.loads(v1(body, status)) == expected
    assert expected["context_details"]["recipient_data"] == data


def test_half_a_surrogate_pair_goes_out_as_it_came_in() -> None:
    body = render(an_execution(recipient_data={"name": "\ud83d"}), an_attempt(), (), (), "")
    assert b'"name":"\\ud83d"' in body
    assert json.loads(body)["context_details"]["recipient_data"] == {"name": "\ud83d"}


def test_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        render(an_execution(recipient_data={"x": float("nan")}), an_attempt(), (), (), "")
