"""The JSON of an execution (contract section 4). Pure: the same values give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from ringback.executions.lifecycle import TERMINAL, V1_STATUS, Status
from ringback.executions.record import CENT, Attempt, CostBreakdown, Execution, Turn, UsageKind, UsageLine
from ringback.executions.transfer import Transfer, shown_transfer

_JSON: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

# What the hosted service also sends; nothing here ever sets it.
_CONSTANTS: Final[dict[str, Any]] = {
    "agent_extraction": None,
    "custom_extractions": None,
    "workflow_retries": None,
    "campaign_id": None,
    "deleted": False,
}

# By what the purposes of usage lines are called on the wire; any other is a part of the conversation.
_PURPOSES: Final[Mapping[UsageKind, Mapping[str, Collection[str]]]] = {
    UsageKind.LLM: {
        "conversation": ("conversation",),
        "extraction": ("extraction",),
        "summarization": ("summarization",),
        "analytics": ("dispositions",),
        "hangup": ("hangup",),
        "voicemail": ("voicemail",),
    },
    UsageKind.SYNTHESIZER: {"conversation": ("conversation",), "welcome_message": ("welcome_message",)},
    UsageKind.TRANSCRIBER: {"conversation": ("conversation",), "analytics": ("dispositions",)},
}


def has_ended(status: Status) -> bool:
    """No more is said: the transcript is shown."""
    return status is Status.CALL_DISCONNECTED or status in TERMINAL


def shown_cost(execution: Execution) -> CostBreakdown:
    """The bill as far as it is settled: after a first attempt it stays in sight while the next one runs."""
    settled = execution.status in TERMINAL or execution.retry_count > 0
    return execution.cost if settled else CostBreakdown()


def shown_conversation_ms(attempt: Attempt) -> int:
    """To a tenth of a second (contract 4.2)."""
    return _tenths(attempt.conversation_ms)


def _tenths(ms: int) -> int:
    return (ms + 50) // 100 * 100


def shown(
    execution: Execution,
    attempt: Attempt,
    turns: Sequence[Turn],
    usage: Sequence[UsageLine],
    public_url: str,
) -> dict[str, object]:
    """The columns that say what the record shows: its body, and copies of what lists filter by."""
    return {
        "body": render(execution, attempt, turns, usage, public_url).decode(),
        "conversation_ms": shown_conversation_ms(attempt),
        "total_cost": shown_cost(execution).total,
        "hangup_reason": attempt.hangup_reason,
    }


def render(
    execution: Execution,
    attempt: Attempt,
    turns: Sequence[Turn],
    usage: Sequence[UsageLine],
    public_url: str,
) -> bytes:
    """The canonical JSON object, with the true status. The page's 16 keys come first and in its order.

    `turns` are the current attempt's, `usage` the lines of all attempts; neither is looked at before the call
    has ended. Raises ValueError for a number that JSON can't hold.
    """
    ended = has_ended(execution.status)
    user, agent = _parties(execution)
    conversation_time = _number(shown_conversation_ms(attempt), 1000)
    cost = shown_cost(execution)
    created_at, updated_at = timestamp(execution.created_at), timestamp(execution.updated_at)
    context: dict[str, Any] = {"recipient_data": execution.recipient_data, "recipient_phone_number": user}
    if execution.context_data is not None:
        context["context_data"] = execution.context_data
    record = {
        "id": execution.id,
        "agent_id": execution.agent_id,
        "batch_id": execution.batch_id,
        "conversation_time": conversation_time,
        "total_cost": _cents(cost.total),
        "status": execution.status,
        "answered_by_voice_mail": execution.answered_by_voice_mail,
        "transcript": "\n".join(turn.line for turn in turns) if ended else "",
        "created_at": created_at,
        "updated_at": updated_at,
        "cost_breakdown": _cost(cost, usage if execution.status in TERMINAL else ()),
        "telephony_data": _telephony(execution, attempt, public_url),
        "transfer_call_data": _transfer(execution, attempt, usage, public_url),
        "batch_run_details": _batch_run(execution),
        "extracted_data": execution.extracted_data,
        "context_details": context,
        "execution_id": execution.id,
        "conversation_duration": conversation_time,
        "smart_status": execution.status,
        "error_message": execution.error_message,
        "usage_breakdown": _usage(usage if ended else ()),
        "summary": execution.summary,
        "user_number": user,
        "agent_number": agent,
        "provider": execution.provider,
        "scheduled_at": _timestamp_or_null(execution.scheduled_at),
        "rescheduled_at": _timestamp_or_null(execution.rescheduled_at),
        "initiated_at": _timestamp_or_null(execution.initiated_at),
        "retry_config": execution.retry_config,
        "retry_count": execution.retry_count,
        "retry_history": execution.retry_history,
        "latency_data": execution.latency_data,
        "termination_reason": execution.termination_reason,
        **_CONSTANTS,
        "extraction_webhook_status": execution.extraction_webhook_status,
        "createdAt": created_at,
        "updatedAt": updated_at,
    }
    return encode(record)


def encode(value: object) -> bytes:
    """The JSON of a value as it is in a record."""
    return utf8(_JSON.encode(value))


def utf8(encoded: str) -> bytes:
    """Half a surrogate pair, which a client may send as \\udXXX, goes out as it came in."""
    return encoded.encode("utf-8", "backslashreplace")


def v1(body: bytes, status: Status) -> bytes:
    """The object for the v1 endpoints: `status` is one of the eleven they know (contract 4.4, row 3).

    A projection of the rendered bytes. It relies on `render`'s order: no text of a client's comes before
    `status`, and inside a JSON string the quotes of a look-alike key would be escaped.
    """
    shown = V1_STATUS.get(status)
    if shown is None:
        return body
    old, new = f'"status":"{status}"'.encode(), f'"status":"{shown}"'.encode()
    head, member, tail = body.replace(old, new, 1).partition(b'"batch_run_details":{')
    if b'"batch_run_details":' in head:
        # The true one is null; what was found is a key in some data of the client's.
        return head + member + tail
    return head + member + tail.replace(old, new, 1) if tail.startswith(old) else head + member + tail


def timestamp(us: int) -> str:
    """`2024-01-23T01:14:37Z`: microseconds since the epoch as whole seconds, cut."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _timestamp_or_null(us: int | None) -> str | None:
    return None if us is None else timestamp(us)


def _number(value: int, unit: int) -> int | float:
    """`value / unit` without a trace of binary fractions: whole ones as integers."""
    return value // unit if value % unit == 0 else value / unit


def _cents(amount: int) -> int | float:
    return _number(amount, CENT)


def _seconds_between(start: int | None, end: int | None) -> int | None:
    return None if start is None or end is None else (end - start + 500_000) // 1_000_000


def _parties(execution: Execution) -> tuple[str | None, str | None]:
    """The person's number and ours."""
    if execution.call_type == "outbound":
        return execution.to_number, execution.from_number
    return execution.from_number, execution.to_number


def _telephony(execution: Execution, attempt: Attempt, public_url: str) -> dict[str, Any]:
    recorded = execution.status is Status.COMPLETED and attempt.recording_path and attempt.recording_token
    link = f"{public_url}/recordings/call/{execution.id}?token={attempt.recording_token}"
    return {
        "duration": _seconds_between(attempt.answered_at, attempt.ended_at) or 0,
        "to_number": execution.to_number,
        "from_number": execution.from_number,
        "recording_url": link if recorded else None,
        "hosted_telephony": execution.hosted_telephony,
        "provider_call_id": attempt.call_id,
        "call_type": execution.call_type,
        "provider": execution.provider,
        "hangup_by": attempt.hangup_by,
        "hangup_reason": attempt.hangup_reason,
        "hangup_provider_code": attempt.hangup_provider_code,
        "hangup_code": attempt.hangup_provider_code,
        "sip_code": attempt.sip_code,
        "ring_duration": _seconds_between(attempt.ringing_at, attempt.answered_at or attempt.ended_at),
        "post_dial_delay": _seconds_between(attempt.dialled_at, attempt.ringing_at),
        "to_number_carrier": None,
    }


def _transfer(
    execution: Execution, attempt: Attempt, usage: Sequence[UsageLine], public_url: str
) -> dict[str, Any] | None:
    transfer = shown_transfer(attempt.transfers)
    if transfer is None:
        return None
    recorded = execution.status is Status.COMPLETED and transfer.recording_path and attempt.transfer_token
    link = f"{public_url}/recordings/transfer/{execution.id}?token={attempt.transfer_token}"
    paid = execution.status in TERMINAL and transfer.leg_ms
    cost = sum(line.amount for line in usage if paid and _is_of(line, transfer))
    return {
        "provider_call_id": transfer.call_id,
        "status": transfer.status,
        "duration": _number(_tenths(transfer.leg_ms), 1000),
        "cost": _cents(cost),
        "to_number": transfer.to_number,
        "from_number": transfer.from_number,
        "recording_url": link if recorded else None,
        "hangup_by": transfer.hangup_by,
        "hangup_reason": transfer.hangup_reason,
        "hangup_provider_code": transfer.hangup_provider_code,
        "sip_code": transfer.sip_code,
        "transfer_type": transfer.kind,
        "termination_reason": transfer.termination_reason,
    }


def _is_of(line: UsageLine, transfer: Transfer) -> bool:
    return line.purpose == "transfer" and line.at_us == transfer.answered_at


def _batch_run(execution: Execution) -> dict[str, Any] | None:
    if execution.batch_id is None:
        return None
    return {
        "status": execution.status,
        "created_at": timestamp(execution.created_at),
        "updated_at": timestamp(execution.updated_at),
        "retried": execution.retry_count,
    }


def _cost(cost: CostBreakdown, lines: Sequence[UsageLine]) -> dict[str, Any]:
    """Contract 4.2: the five legs, and what three of them and the transfer were for."""
    return {
        **{str(kind): _cents(getattr(cost, kind)) for kind in UsageKind},
        **{f"{kind}_breakdown": _purposes(kind, shown, lines) for kind, shown in _PURPOSES.items()},
        "transfer_cost": _cents(
            sum(
                line.amount for line in lines if line.kind is UsageKind.NETWORK and line.purpose == "transfer"
            )
        ),
    }


def _purposes(
    kind: UsageKind, shown: Mapping[str, Collection[str]], lines: Sequence[UsageLine]
) -> dict[str, int | float]:
    """The amounts of a leg by purpose; they add up to the whole leg."""
    amounts = dict.fromkeys(shown, 0)
    for line in lines:
        if line.kind is kind:
            name = next(
                (name for name, purposes in shown.items() if line.purpose in purposes), "conversation"
            )
            amounts[name] += line.amount
    return {name: _cents(amount) for name, amount in amounts.items()}


def _usage(lines: Sequence[UsageLine]) -> dict[str, Any]:
    """Contract 4.2: the documented names, and the camel-case aliases of the wire."""
    tokens: dict[str, dict[str, int]] = {}
    for line in lines:
        if line.kind is UsageKind.LLM and line.unit in ("input_tokens", "output_tokens"):
            counts = tokens.setdefault(line.model, {"input": 0, "output": 0})
            counts[line.unit.removesuffix("_tokens")] += line.quantity
    total = sum(count["input"] + count["output"] for count in tokens.values())
    synthesized = [line for line in lines if line.kind is UsageKind.SYNTHESIZER and line.unit == "characters"]
    transcribed = [line for line in lines if line.kind is UsageKind.TRANSCRIBER and line.unit == "ms"]
    return {
        "synthesizer_characters": sum(line.quantity for line in synthesized),
        "synthesizer_model": synthesized[-1].model if synthesized else None,
        "synthesizer_provider": synthesized[-1].provider if synthesized else None,
        "transcriber_duration": _number(sum(line.quantity for line in transcribed), 1000),
        "transcriber_model": transcribed[-1].model if transcribed else None,
        "transcriber_provider": transcribed[-1].provider if transcribed else None,
        "llm_tokens": total,
        "llm_model": tokens,
        "llmTokens": total,
        "llmModel": tokens,
    }
