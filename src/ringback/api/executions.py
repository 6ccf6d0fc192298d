"""The record of calls and its lists (contract 3). Bodies are served as the database holds them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from ringback.api.auth import AccountId
from ringback.api.errors import responses
from ringback.api.filters import ListQueryDep, WindowedQuery
from ringback.api.services import Services, ServicesDep
from ringback.api.times import iso
from ringback.executions.ledger import UnknownExecution
from ringback.executions.listing import Page, StoredExecution
from ringback.executions.record import LogRow

router = APIRouter(tags=["Executions"], responses=responses(400, 401, 404))

_JSON = "application/json"


@router.get(
    "/agent/{agent_id}/executions",
    response_description="List of all executions by an agent sorted by last run",
)
async def list_executions(
    agent_id: UUID, account: AccountId, query: ListQueryDep, services: ServicesDep
) -> Response:
    """List of all executions by an agent sorted by last run: an array, newest first.

    The filters and pages of the v2 list may be given; the answer stays an array.
    """
    await services.agents.require(account, str(agent_id))
    if query.page_number is None and query.page_size is None:
        chunks = services.listing.stream_v1(account, str(agent_id), query.filters)
        return StreamingResponse(chunks, media_type=_JSON)
    page = await services.listing.page(
        account, str(agent_id), query.page_number or 1, query.page_size or 20, query.filters
    )
    return Response(b"[" + b",".join(item.v1() for item in page.items) + b"]", media_type=_JSON)


@router.get("/v2/agent/{agent_id}/executions", response_description="A page of executions")
async def page_executions(
    agent_id: UUID, account: AccountId, query: WindowedQuery, services: ServicesDep
) -> Response:
    """A page of an agent's executions, newest first; go on while `has_more`."""
    await services.agents.require(account, str(agent_id))
    page = await services.listing.page(
        account, str(agent_id), query.page_number or 1, query.page_size or 20, query.filters
    )
    return Response(_envelope(page, query.asked), media_type=_JSON)


def _envelope(page: Page, asked: dict[str, Any]) -> bytes:
    around = {
        "page_number": page.number,
        "page": page.number,
        "page_size": page.size,
        "total": page.total,
        "has_more": page.has_more,
        "filters": asked,
        "sorts": [{"field": "created_at", "order": "desc"}],
    }
    data = b",".join(item.body for item in page.items)
    return json.dumps(around).encode()[:-1] + b', "data": [' + data + b"]}"


@router.get(
    "/agent/{agent_id}/execution/{execution_id}", deprecated=True, response_description="The execution"
)
async def get_agent_execution(
    agent_id: UUID, execution_id: UUID, account: AccountId, services: ServicesDep
) -> Response:
    """One execution of an agent, with the statuses of v1."""
    stored = await _stored(services, account, execution_id)
    if stored.agent_id != str(agent_id):
        raise UnknownExecution(str(execution_id))
    return Response(stored.v1(), media_type=_JSON)


@router.get("/executions/{execution_id}", response_description="The execution")
async def get_execution(execution_id: UUID, account: AccountId, services: ServicesDep) -> Response:
    """One execution."""
    stored = await _stored(services, account, execution_id)
    return Response(stored.body, media_type=_JSON)


@router.get("/executions/{execution_id}/log", response_description="The rows of the log")
async def get_execution_log(execution_id: UUID, account: AccountId, services: ServicesDep) -> dict[str, Any]:
    """What happened during an execution, in time order: what each component was asked and answered."""
    await _stored(services, account, execution_id)
    rows = await services.listing.log(account, str(execution_id))
    return {
        "status": "success",
        "execution_id": str(execution_id),
        "data": [_log_row(row) for row in rows],
    }


def _log_row(row: LogRow) -> dict[str, Any]:
    at = iso(row.at_us)
    shown = {
        "created_at": at,
        "timestamp": at,
        "type": row.type,
        "component": row.component,
        "provider": row.provider,
        "data": row.data,
    }
    if row.tool_name is not None:
        shown["tool_name"] = row.tool_name
    if row.reasoning_content is not None:
        shown["reasoning_content"] = row.reasoning_content
    return shown


async def _stored(services: Services, account: str, execution_id: UUID) -> StoredExecution:
    stored = await services.listing.by_id(account, str(execution_id))
    if stored is None:
        raise UnknownExecution(str(execution_id))
    return stored
