"""A batch as it is stored and as clients see it (contract 9), and its two webhooks (contract 6)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, Literal

from ringback.executions import counts
from ringback.executions.lifecycle import Status
from ringback.executions.rendering import encode, timestamp
from ringback.store.database import Reader, Row, Transaction
from ringback.store.queries import batches as queries
from ringback.store.queries import webhook_outbox

_TOLD: Final = 100
"""Executions in a webhook, the first of the file; `/batches/{id}/executions` has all."""
_TOLD_BYTES: Final = 1_000_000
_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_POSITIONS: Final = {"processed": 1, "completed": 2}
_WAITING: Final = (Status.PREPARED, Status.SCHEDULED, Status.RESCHEDULED, Status.QUEUED)
_UNDER_WAY: Final = (Status.INITIATED, Status.RINGING, Status.IN_PROGRESS, Status.CALL_DISCONNECTED)


class BatchState(StrEnum):
    """As stored; `BatchView.status` is what clients see."""

    CREATED = "created"
    PROCESSED = "processed"
    SCHEDULED = "scheduled"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Batch:
    """One row of `batches`. Times are microseconds since the epoch."""

    account_id: str
    id: str
    agent_id: str
    state: BatchState
    file_name: str
    from_numbers: tuple[str, ...]
    retry_config: Mapping[str, Any] | None
    webhook_url: str | None
    bypass_guardrails: bool
    dial_once: bool
    scheduled_at: int | None
    processed_at: int | None
    total: int
    """Lines of the file, as far as it was read."""
    valid: int
    duplicates: int
    failure: str | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch as clients see it."""

    batch: Batch
    status: str
    """The state, but for `running`: scheduled, and a call of it was claimed."""
    counts: Mapping[Status, int]
    """Its executions by status, exact."""
    paused_reason: str | None
    """None: it is not paused."""


def batch_of(row: Row) -> Batch:
    values = {field.name: row[field.name] for field in fields(Batch)}
    return Batch(
        **values
        | {
            "state": BatchState(row["state"]),
            "from_numbers": tuple(json.loads(row["from_numbers"])),
            "retry_config": json.loads(row["retry_config"]) if row["retry_config"] else None,
            "bypass_guardrails": bool(row["bypass_guardrails"]),
            "dial_once": bool(row["dial_once"]),
        }
    )


async def view_of(reader: Reader, row: Row) -> BatchView:
    """`row` as `queries.batches.shown` gives it."""
    batch = batch_of(row)
    runs = batch.state is BatchState.SCHEDULED and bool(row["served_at"])
    return BatchView(
        batch=batch,
        status="running" if runs else str(batch.state),
        counts=await counts.of_batch(reader, batch.account_id, batch.agent_id, batch.id),
        paused_reason=row["closed_why"] if row["closed"] == "paused" else None,
    )


def rendered(view: BatchView, now_us: int) -> dict[str, Any]:
    """The batch as GET returns it."""
    batch, by_status = view.batch, view.counts

    def count(*statuses: Status) -> int:
        return sum(by_status.get(status, 0) for status in statuses)

    return {
        "batch_id": batch.id,
        "agent_id": batch.agent_id,
        "humanized_created_at": humanized(batch.created_at, now_us),
        "created_at": timestamp(batch.created_at),
        "updated_at": timestamp(batch.updated_at),
        "status": view.status,
        "state": view.status,
        "scheduled_at": None if batch.scheduled_at is None else timestamp(batch.scheduled_at),
        "from_phone_number": next(iter(batch.from_numbers), None),
        "from_phone_numbers": list(batch.from_numbers),
        "file_name": batch.file_name,
        "total_contacts": batch.total,
        "valid_contacts": batch.valid,
        "duplicate_contacts": batch.duplicates,
        "execution_status": {str(status): n for status, n in by_status.items() if n},
        "queued_count": count(*_WAITING),
        "in_progress_count": count(*_UNDER_WAY),
        "completed_count": count(Status.COMPLETED),
        "failed_count": count(Status.FAILED, Status.ERROR),
        "no_answer_count": count(Status.NO_ANSWER),
        "busy_count": count(Status.BUSY),
        "retry_config": batch.retry_config,
        "webhook_url": batch.webhook_url,
        "bypass_call_guardrails": batch.bypass_guardrails,
        "dial_once": batch.dial_once,
        "paused": view.paused_reason is not None,
        "paused_reason": view.paused_reason,
        "failure": batch.failure,
    }


def humanized(us: int, now_us: int) -> str:
    """How long ago that is, as `5 minutes ago`."""
    seconds = max(0, now_us - us) // 1_000_000
    for unit, length in _UNITS:
        if (count := seconds // length) > 0:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


async def told(
    tx: Transaction, account_id: str, batch_id: str, event: Literal["processed", "completed"], now_us: int
) -> None:
    """Write its webhook: the batch as it is now, with `executions`. Without a URL nothing happens."""
    row = await queries.shown(tx, account_id, batch_id)
    if row is None or not row["webhook_url"]:
        return
    view = await view_of(tx, row)
    bodies = await webhook_outbox.bodies_of_batch(
        tx, account_id, view.batch.agent_id, batch_id, limit=_TOLD + 1
    )
    shown: list[str] = []
    size = 0
    for body in bodies[:_TOLD]:
        size += len(body)
        if size > _TOLD_BYTES:
            break
        shown.append(body)
    head = encode({**rendered(view, now_us), "has_more_executions": len(shown) < len(bodies)}).decode()
    await webhook_outbox.batch(
        tx,
        account_id,
        batch_id,
        position=_POSITIONS[event],
        event=event,
        url=row["webhook_url"],
        payload=f'{head[:-1]},"executions":[{",".join(shown)}]}}',
        now_us=now_us,
    )
