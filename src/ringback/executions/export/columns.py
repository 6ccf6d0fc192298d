"""The one flat table behind CSV and Parquet: which members of an execution become which columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final


class Kind(Enum):
    """What a column holds; None is allowed in each."""

    TEXT = auto()
    FLAG = auto()
    WHOLE = auto()
    NUMBER = auto()
    CENTS = auto()
    """With at most four decimals."""
    TIME = auto()
    """`2024-01-23T01:14:37Z`."""
    JSON = auto()
    """An object or array, as JSON text."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    """The path in the execution, with a dot."""
    kind: Kind


COLUMNS: Final = (
    Column("id", Kind.TEXT),
    Column("agent_id", Kind.TEXT),
    Column("batch_id", Kind.TEXT),
    Column("created_at", Kind.TIME),
    Column("updated_at", Kind.TIME),
    Column("scheduled_at", Kind.TIME),
    Column("rescheduled_at", Kind.TIME),
    Column("initiated_at", Kind.TIME),
    Column("status", Kind.TEXT),
    Column("error_message", Kind.TEXT),
    Column("termination_reason", Kind.TEXT),
    Column("answered_by_voice_mail", Kind.FLAG),
    Column("user_number", Kind.TEXT),
    Column("agent_number", Kind.TEXT),
    Column("conversation_time", Kind.NUMBER),
    Column("total_cost", Kind.CENTS),
    Column("cost_breakdown.llm", Kind.CENTS),
    Column("cost_breakdown.network", Kind.CENTS),
    Column("cost_breakdown.platform", Kind.CENTS),
    Column("cost_breakdown.synthesizer", Kind.CENTS),
    Column("cost_breakdown.transcriber", Kind.CENTS),
    Column("cost_breakdown.transfer_cost", Kind.CENTS),
    Column("cost_breakdown.llm_breakdown", Kind.JSON),
    Column("cost_breakdown.synthesizer_breakdown", Kind.JSON),
    Column("cost_breakdown.transcriber_breakdown", Kind.JSON),
    Column("telephony_data.call_type", Kind.TEXT),
    Column("telephony_data.provider", Kind.TEXT),
    Column("telephony_data.to_number", Kind.TEXT),
    Column("telephony_data.from_number", Kind.TEXT),
    Column("telephony_data.duration", Kind.WHOLE),
    Column("telephony_data.ring_duration", Kind.WHOLE),
    Column("telephony_data.post_dial_delay", Kind.WHOLE),
    Column("telephony_data.hangup_by", Kind.TEXT),
    Column("telephony_data.hangup_reason", Kind.TEXT),
    Column("telephony_data.hangup_provider_code", Kind.WHOLE),
    Column("telephony_data.sip_code", Kind.WHOLE),
    Column("telephony_data.provider_call_id", Kind.TEXT),
    Column("telephony_data.hosted_telephony", Kind.FLAG),
    Column("telephony_data.to_number_carrier", Kind.TEXT),
    Column("telephony_data.recording_url", Kind.TEXT),
    Column("transfer_call_data.status", Kind.TEXT),
    Column("transfer_call_data.to_number", Kind.TEXT),
    Column("transfer_call_data.from_number", Kind.TEXT),
    Column("transfer_call_data.duration", Kind.NUMBER),
    Column("transfer_call_data.cost", Kind.CENTS),
    Column("transfer_call_data.hangup_by", Kind.TEXT),
    Column("transfer_call_data.hangup_reason", Kind.TEXT),
    Column("transfer_call_data.hangup_provider_code", Kind.WHOLE),
    Column("transfer_call_data.provider_call_id", Kind.TEXT),
    Column("transfer_call_data.recording_url", Kind.TEXT),
    Column("transfer_call_data.sip_code", Kind.WHOLE),
    Column("transfer_call_data.transfer_type", Kind.TEXT),
    Column("transfer_call_data.termination_reason", Kind.TEXT),
    Column("batch_run_details.retried", Kind.WHOLE),
    Column("retry_count", Kind.WHOLE),
    Column("retry_config", Kind.JSON),
    Column("retry_history", Kind.JSON),
    Column("usage_breakdown.llm_tokens", Kind.WHOLE),
    Column("usage_breakdown.llm_model", Kind.JSON),
    Column("usage_breakdown.synthesizer_characters", Kind.WHOLE),
    Column("usage_breakdown.synthesizer_provider", Kind.TEXT),
    Column("usage_breakdown.synthesizer_model", Kind.TEXT),
    Column("usage_breakdown.transcriber_duration", Kind.NUMBER),
    Column("usage_breakdown.transcriber_provider", Kind.TEXT),
    Column("usage_breakdown.transcriber_model", Kind.TEXT),
    Column("latency_data", Kind.JSON),
    Column("context_details.recipient_data", Kind.JSON),
    Column("context_details.context_data", Kind.JSON),
    Column("extracted_data", Kind.JSON),
    Column("summary", Kind.TEXT),
    Column("extraction_webhook_status", Kind.FLAG),
    Column("transcript", Kind.TEXT),
)

_PLACES: Final = tuple(tuple(column.name.rpartition(".")[::2]) for column in COLUMNS)
_NOTHING: Final[Mapping[str, Any]] = {}


def cells(bodies: Sequence[bytes]) -> list[list[Any]]:
    """For each of COLUMNS the values of these executions; those of `Kind.JSON` as text."""
    records = [json.loads(body) for body in bodies]
    within = {"": records}
    found = []
    for (parent, name), column in zip(_PLACES, COLUMNS, strict=True):
        if parent not in within:
            within[parent] = [record.get(parent) or _NOTHING for record in records]
        values = [record.get(name) for record in within[parent]]
        if column.kind is Kind.JSON:
            values = [None if value is None else _json_text(value) for value in values]
        found.append(values)
    return found


def utf8(text: str) -> bytes:
    """Half a surrogate pair, which only JSON text can hold, becomes its escape again."""
    return text.encode("utf-8", "backslashreplace")


_json_text: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
