"""The query parameters of execution lists (contract 3.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import Field
from starlette.datastructures import QueryParams

from ringback.api.errors import ApiError
from ringback.api.services import Services, ServicesDep
from ringback.api.times import parse_iso
from ringback.executions.cursor import decode
from ringback.executions.filters import Filters
from ringback.executions.lifecycle import Status
from ringback.executions.record import CENT

_WEEK_US = 7 * 86_400 * 1_000_000
_MOST_MEMBERS = 8
_FILTERS = frozenset(
    {
        "status",
        "call_type",
        "provider",
        "answered_by_voice_mail",
        "batch_id",
        "from",
        "to",
        "to_number",
        "from_number",
        "hangup_reason",
        "min_duration",
        "max_duration",
        "min_cost",
        "max_cost",
        "recipient_data",
        "extracted_data",
    }
)


@dataclass(frozen=True)
class FilterQuery:
    filters: Filters
    asked: dict[str, Any]
    """The filters as they were sent, for the envelope."""


@dataclass(frozen=True)
class ListQuery(FilterQuery):
    page_number: int | None
    page_size: int | None

    @property
    def paged(self) -> bool:
        return self.page_number is not None or self.page_size is not None


def _by_member(name: str, of: str) -> dict[str, Any]:
    members = {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": _MOST_MEMBERS}
    about = f"`{name}[key]=value`: {of} has this value there."
    shape = {"style": "deepObject", "explode": True, "schema": members}
    return {"name": name, "in": "query", "description": about, **shape}


BY_MEMBER: Final = {
    "parameters": [
        _by_member("recipient_data", "`context_details.recipient_data`"),
        _by_member("extracted_data", "`extracted_data`"),
    ]
}
"""`openapi_extra` of lists: what `filter_query` reads itself."""

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Count = Annotated[int | None, Query(ge=1, le=1_000_000_000)]
Amount = Annotated[float | None, Query(ge=0, le=1_000_000_000, allow_inf_nan=False)]
PhoneNumber = Annotated[str | None, Query(max_length=40, description="E.164, e.g. +14155550123.")]


async def filter_query(
    request: Request,
    status: Annotated[str | None, Query(description="A status, or several with commas.")] = None,
    call_type: Annotated[Literal["inbound", "outbound"] | None, Query()] = None,
    provider: Annotated[str | None, Query(max_length=100, description="E.g. sip-trunk.")] = None,
    answered_by_voice_mail: Annotated[bool | None, Query()] = None,
    batch: Annotated[UUID | None, Query(alias="batch_id", description="With or without dashes.")] = None,
    from_: Annotated[
        Moment | None, Query(alias="from", description="ISO 8601; created then or later.")
    ] = None,
    to: Annotated[Moment | None, Query(description="ISO 8601; created then or earlier.")] = None,
    to_number: PhoneNumber = None,
    from_number: PhoneNumber = None,
    hangup_reason: Annotated[str | None, Query(max_length=200, description="As the record shows it.")] = None,
    min_duration: Annotated[Amount, Query(description="Least `conversation_duration`, seconds.")] = None,
    max_duration: Annotated[Amount, Query(description="Greatest `conversation_duration`, seconds.")] = None,
    min_cost: Annotated[Amount, Query(description="Least `total_cost`, cents.")] = None,
    max_cost: Annotated[Amount, Query(description="Greatest `total_cost`, cents.")] = None,
) -> FilterQuery:
    """Raises ApiError(400) that names the bad parameter."""
    created_from, created_to = _moment("from", from_), _moment("to", to)
    if created_to is not None and to and not re.search(r"[.,]\d", to):
        created_to += 999_999  # a whole second was meant: records show no fractions
    _check_range("from", created_from, "to", created_to)
    _check_range("min_duration", min_duration, "max_duration", max_duration)
    _check_range("min_cost", min_cost, "max_cost", max_cost)
    filters = Filters(
        statuses=_statuses(status),
        call_type=call_type,
        provider=provider or None,
        answered_by_voice_mail=answered_by_voice_mail,
        batch_id=batch.hex if batch else None,
        to_number=_number(to_number),
        from_number=_number(from_number),
        hangup_reason=hangup_reason or None,
        min_duration_ms=_scaled(min_duration, 1000),
        max_duration_ms=_scaled(max_duration, 1000),
        min_cost=_scaled(min_cost, CENT),
        max_cost=_scaled(max_cost, CENT),
        created_from=created_from,
        created_to=created_to,
        recipient_data=_members(request.query_params, "recipient_data"),
        extracted_data=_members(request.query_params, "extracted_data"),
    )
    return FilterQuery(filters, _asked(request.query_params))


FilterQueryDep = Annotated[FilterQuery, Depends(filter_query)]


async def list_query(
    query: FilterQueryDep,
    page_number: Annotated[Count, Query(description="From 1.")] = None,
    page_size: Annotated[Count, Query(description="Default 20; more than 50 counts as 50.")] = None,
) -> ListQuery:
    return ListQuery(query.filters, query.asked, page_number, page_size)


ListQueryDep = Annotated[ListQuery, Depends(list_query)]


async def cursor_query(
    cursor: Annotated[str | None, Query(max_length=100, description="`next_cursor` of a page.")] = None,
) -> int | None:
    """The sequence number that the list goes on after. Raises ApiError(400)."""
    try:
        return decode(cursor) if cursor else None
    except ValueError:
        raise ApiError(400, "cursor must be the next_cursor of a page") from None


CursorDep = Annotated[int | None, Depends(cursor_query)]


async def windowed(query: ListQueryDep, services: ServicesDep) -> ListQuery:
    """The same; under the setting `strict_date_window` only with `from` and `to` at most a week apart."""
    _check_window(query.filters, services)
    return query


WindowedQuery = Annotated[ListQuery, Depends(windowed)]


async def windowed_filters(query: FilterQueryDep, services: ServicesDep) -> Filters:
    """The filters alone, as `windowed`."""
    _check_window(query.filters, services)
    return query.filters


WindowedFilters = Annotated[Filters, Depends(windowed_filters)]


def _check_window(filters: Filters, services: Services) -> None:
    if services.strict_date_window:
        start, end = filters.created_from, filters.created_to
        if start is None or end is None:
            raise ApiError(400, "from and to are required")
        if end - start > _WEEK_US + 999_999:
            raise ApiError(400, "from and to must be at most 7 days apart")


def _asked(params: QueryParams) -> dict[str, Any]:
    """What filters, as it was sent."""
    return {name: value for name, value in params.items() if value and name.partition("[")[0] in _FILTERS}


def _members(params: QueryParams, name: str) -> dict[str, str]:
    """`name[key]=value` for each key. Raises ApiError(400) for too many."""
    found = {
        key.removeprefix(f"{name}[").removesuffix("]"): value
        for key, value in params.items()
        if key.startswith(f"{name}[") and key.endswith("]")
    }
    if len(found) > _MOST_MEMBERS:
        raise ApiError(400, f"{name} may be filtered by at most {_MOST_MEMBERS} keys")
    return found


def _number(text: str | None) -> str | None:
    """A plus sign that was not encoded arrives as a space."""
    return f"+{text.strip()}" if text and text.startswith(" ") else text or None


def _scaled(value: float | None, unit: int) -> int | None:
    return None if value is None else round(value * unit)


def _check_range(low_name: str, low: float | None, high_name: str, high: float | None) -> None:
    if low is not None and high is not None and high < low:
        raise ApiError(
            400, f"{high_name} must not be {'before' if low_name == 'from' else 'less than'} {low_name}"
        )


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
