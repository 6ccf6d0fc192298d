"""Between rows of the database and the values of `record`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any, Final

from ringback.executions.lifecycle import Status
from ringback.executions.record import (
    Attempt,
    AttemptState,
    CostBreakdown,
    Execution,
    LogRow,
    Turn,
    UsageKind,
    UsageLine,
)
from ringback.executions.transfer import Transfer, from_json, to_json
from ringback.store.database import Row

_ENCODER: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":"))

_JSON: Final = frozenset(
    {
        "recipient_data",
        "agent_data",
        "context_data",
        "extracted_data",
        "retry_config",
        "retry_history",
        "latency_data",
    }
)
_FLAGS: Final = frozenset(
    {
        "hosted_telephony",
        "answered_by_voice_mail",
        "cancel_requested",
        "interrupted",
        "bypass_guardrails",
        "extraction_webhook_status",
    }
)


def to_columns(values: Mapping[str, Any]) -> dict[str, object]:
    """Columns of changes by field name. Raises ValueError for what JSON can't hold (NaN, infinity)."""
    columns = {name: _to_column(name, value) for name, value in values.items() if name != "cost"}
    if "cost" in values:
        columns |= {f"cost_{kind}": getattr(values["cost"], kind) for kind in UsageKind}
    return columns


def columns_of(record: Execution | Attempt | LogRow | UsageLine) -> dict[str, object]:
    """As `to_columns`, every one."""
    return to_columns({field.name: getattr(record, field.name) for field in fields(record)})


def json_column(value: object) -> str:
    """ASCII, so that any string a client sent can be stored, also NUL and halves of surrogate pairs."""
    return _ENCODER.encode(value)


def turn_columns(turn: Turn) -> dict[str, object]:
    return {
        "position": turn.index,
        "role": turn.role,
        "text": clean(turn.text),
        "start_ms": turn.start_ms,
        "end_ms": turn.end_ms,
        "interrupted": turn.interrupted,
    }


def clean(text: str) -> str:
    """The text without what PostgreSQL can't store: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def to_execution(row: Row) -> Execution:
    values = {name: _from_column(name, value) for name, value in row.items() if not name.startswith("cost_")}
    values["status"] = Status(row["status"])
    values["cost"] = CostBreakdown(**{kind: row[f"cost_{kind}"] for kind in UsageKind})
    return Execution(**values)


def to_attempt(row: Row) -> Attempt:
    values = {name: _from_column(name, value) for name, value in row.items()}
    values["metered"] = [to_usage_line(line) for line in json.loads(row["metered"] or "[]")]
    values["state"] = AttemptState(row["state"])
    values["status"] = None if row["status"] is None else Status(row["status"])
    return Attempt(**values)


def transfers_of(row: Row) -> tuple[Transfer, ...]:
    """Of a row with the attempt's column `transfers`."""
    found: tuple[Transfer, ...] = _from_column("transfers", row["transfers"])
    return found


def to_turn(row: Row) -> Turn:
    return Turn(
        index=row["position"],
        role=row["role"],
        text=row["text"],
        start_ms=row["start_ms"],
        end_ms=row["end_ms"],
        interrupted=bool(row["interrupted"]),
    )


def to_log_row(row: Row) -> LogRow:
    return LogRow(**row)


def to_usage_line(row: Row) -> UsageLine:
    price = None if row["price"] is None else Decimal(row["price"])
    return UsageLine(**{**row, "kind": UsageKind(row["kind"]), "price": price})


def _to_column(name: str, value: Any) -> object:
    if name == "transfers":
        return json_column(to_json(value)) if value else None
    if name == "metered":
        return json_column([columns_of(line) for line in value]) if value else None
    if name in _JSON:
        return None if value is None else json_column(value)
    if name in _FLAGS:
        return None if value is None else bool(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return clean(value) if isinstance(value, str) else value


def _from_column(name: str, value: Any) -> Any:
    if name == "transfers":
        return from_json(json.loads(value)) if value else ()
    if value is None:
        return None
    if name in _JSON:
        return json.loads(value)
    return bool(value) if name in _FLAGS else value
