"""The query parameters of execution lists (contract 3.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Query

from ringback.api.errors import ApiError
from ringback.api.services import ServicesDep
from ringback.api.times import parse_iso
from ringback.executions.lifecycle import Status
from ringback.executions.listing import Filters

_WEEK_US = 7 * 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class ListQuery:
    filters: Filters
    asked: dict[str, Any]
    """The filters as they were sent, for the envelope."""
    page_number: int | None
    page_size: int | None


def list_query(
    page_number: Annotated[int | None, Query(ge=1, le=1_000_000_000, description="From 1.")] = None,
    page_size: Annotated[
        int | None, Query(ge=1, description="Default 20; more than 50 counts as 50.")
    ] = None,
    status: Annotated[str | None, Query(description="A status, or several with commas.")] = None,
    call_type: Annotated[Literal["inbound", "outbound"] | None, Query()] = None,
    provider: Annotated[str | None, Query(max_length=100, description="E.g. sip-trunk.")] = None,
    answered_by_voice_mail: Annotated[bool | None, Query()] = None,
    batch_id: Annotated[UUID | None, Query(description="With or without dashes.")] = None,
    from_: Annotated[str | None, Query(alias="from", description="ISO 8601; created then or later.")] = None,
    to: Annotated[str | None, Query(description="ISO 8601; created then or earlier.")] = None,
) -> ListQuery:
    """Raises ApiError(400) that names the bad parameter."""
    created_from, created_to = _moment("from", from_), _moment("to", to)
    if created_to is not None and to and not re.search(r"[.,]\d", to):
        created_to += 999_999  # a whole second was meant: records show no fractions
    if created_from is not None and created_to is not None and created_to < created_from:
        raise ApiError(400, "to must not be before from")
    asked = {
        "status": status,
        "call_type": call_type,
        "provider": provider,
        "answered_by_voice_mail": answered_by_voice_mail,
        "batch_id": batch_id.hex if batch_id else None,
        "from": from_,
        "to": to,
    }
    filters = Filters(
        statuses=_statuses(status),
        call_type=call_type,
        provider=provider or None,
        answered_by_voice_mail=answered_by_voice_mail,
        batch_id=batch_id.hex if batch_id else None,
        created_from=created_from,
        created_to=created_to,
    )
    given = {key: value for key, value in asked.items() if value is not None}
    return ListQuery(filters, given, page_number, page_size)


ListQueryDep = Annotated[ListQuery, Depends(list_query)]


def windowed(query: ListQueryDep, services: ServicesDep) -> ListQuery:
    """The same; under the setting `strict_date_window` only with `from` and `to` at most a week apart."""
    if services.strict_date_window:
        start, end = query.filters.created_from, query.filters.created_to
        if start is None or end is None:
            raise ApiError(400, "from and to are required")
        if end - start > _WEEK_US + 999_999:
            raise ApiError(400, "from and to must be at most 7 days apart")
    return query


WindowedQuery = Annotated[ListQuery, Depends(windowed)]


def _moment(name: str, text: str | None) -> int | None:
    if not text:
        return None
    try:
        return parse_iso(text)
    except ValueError:
        raise ApiError(400, f"{name} must be an ISO 8601 time, such as 2026-06-05T16:35:00Z") from None


def _statuses(text: str | None) -> frozenset[Status] | None:
    if not text:
        return None
    try:
        return frozenset(Status(part.strip()) for part in text.split(","))
    except ValueError:
        raise ApiError(400, f"status must be one or more of {', '.join(Status)}, with commas") from None
