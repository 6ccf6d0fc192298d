"""What an execution must be to be in a list (contract 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID

from ringback.executions.lifecycle import Status


@dataclass(frozen=True, slots=True)
class Filters:
    """All that is given must hold; None does not filter."""

    statuses: frozenset[Status] | None = None
    call_type: str | None = None
    provider: str | None = None
    answered_by_voice_mail: bool | None = None
    batch_id: str | None = None
    """With or without dashes."""
    to_number: str | None = None
    from_number: str | None = None
    hangup_reason: str | None = None
    min_duration_ms: int | None = None
    """Of `conversation_duration`, inclusive."""
    max_duration_ms: int | None = None
    min_cost: int | None = None
    """Of `total_cost` in 1e-4 cents, inclusive."""
    max_cost: int | None = None
    created_from: int | None = None
    """Microseconds, inclusive."""
    created_to: int | None = None
    """Microseconds, inclusive. Records show whole seconds: give the last microsecond of the second meant."""
    recipient_data: Mapping[str, str] = field(default_factory=dict)
    """Members that must be in it, at any depth; a text also finds the number or the constant that it spells."""
    extracted_data: Mapping[str, str] = field(default_factory=dict)

    def columns(self) -> dict[str, Any]:
        """What `store.queries.execution_lists` filters by; without those that don't filter."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        given = {name: value for name, value in columns.items() if value is not None and value != {}}
        if self.statuses is not None:
            given["statuses"] = sorted(self.statuses)
        if self.batch_id is not None:
            given["batch_id"] = _hex(self.batch_id)
        return given


def _hex(batch_id: str) -> str:
    """32 hex digits; what is no UUID stays as it is and matches nothing."""
    try:
        return UUID(batch_id).hex
    except ValueError:
        return batch_id
