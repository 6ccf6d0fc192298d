"""The record of calls and its lists (contract 3). Bodies are served as the database holds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from ringback.api.auth import AccountId
from ringback.api.encoding import EncodingDep, Streamed, encoded
from ringback.api.errors import ApiError, responses
from ringback.api.filters import BY_MEMBER, CursorDep, ListQuery, ListQueryDep, WindowedQuery
from ringback.api.schemas.execution import Execution, ExecutionV1
from ringback.api.schemas.lists import ExecutionLog, ExecutionPage
from ringback.api.services import Services, ServicesDep
from ringback.api.times import iso
from ringback.executions.frames import Frame
from ringback.executions.history import json_array
from ringback.executions.ledger import UnknownExecution
from ringback.executions.listing import Page, StoredExecution
from ringback.executions.record import LogRow

router = APIRouter(tags=["Executions"], responses=responses(400, 401, 404))

_JSON: Final = "application/json"
_PAGE_SIZE: Final = 20
_NOT_MODIFIED: Final[dict[str, Any]] = {"description": "Still as `If-None-Match` says"}


@router.get(
    "/agent/{agent_id}/executions",
    response_description="List of all executions by an agent sorted by last run",
    responses={200: {"model": list[ExecutionV1]}},
    openapi_extra=BY_MEMBER,
)
async def list_executions(
    agent_id: UUID, account: AccountId, query: ListQueryDep, encoding: EncodingDep, services: ServicesDep
) -> Response:
    """List of all executions by an agent sorted by last run: an array, newest first.

    The filters and pages of the v2 list may be given; the answer stays an array.
    """
    await services.agents.require(account, str(agent_id))
    if not query.paged:
        return Streamed(services.history.v1_array(account, str(agent_id), query.filters), encoding, _JSON)
    page = await _page(services, account, str(agent_id), query, with_total=False)
    return encoded(b"[" + b",".join(item.v1() for item in page.items) + b"]", encoding, _JSON)


@router.get(
    "/v2/agent/{agent_id}/executions",
    response_description="A page of executions",
    responses={200: {"model": ExecutionPage}},
    openapi_extra=BY_MEMBER,
)
async def page_executions(
    agent_id: UUID,
    account: AccountId,
    query: WindowedQuery,
    encoding: EncodingDep,
    services: ServicesDep,
    cursor: CursorDep,
    include_total: Annotated[bool, Query(description="false: `total` is null, and costs nothing.")] = True,
) -> Response:
    """A page of an agent's executions, newest first; go on while `has_more`.

    `next_cursor`, given as `cursor`, is where the list goes on: it stays there while new executions come in, and
    is as fast at any depth. `total` is exact unless `total_exact` is false: then there are more than `total`.
    """
    await services.agents.require(account, str(agent_id))
    page = await _page(services, account, str(agent_id), query, cursor, with_total=include_total)
    return encoded(_envelope(page, query, cursor), encoding, _JSON)


@router.get("/batch/{batch_id}/executions", include_in_schema=False)
@router.get(
    "/batches/{batch_id}/executions",
    response_description="The executions of the batch",
    responses={200: {"model": list[Execution] | ExecutionPage}},
    openapi_extra=BY_MEMBER,
)
async def list_batch_executions(
    batch_id: UUID, account: AccountId, query: ListQueryDep, encoding: EncodingDep, services: ServicesDep
) -> Response:
    """All executions of a batch as an array, newest first; with `page_number` or `page_size` a page of them, as the
    v2 list has it."""
    agent_id = await services.batches.agent_of(account, batch_id.hex)
    query = replace(query, filters=replace(query.filters, batch_id=batch_id.hex))
    if query.paged:
        page = await _page(services, account, agent_id, query, with_total=True)
        return encoded(_envelope(page, query, None), encoding, _JSON)
    batches = services.listing.batches(account, agent_id, query.filters)
    bodies: AsyncGenerator[bytes | Frame] = (
        b",".join(item.body for item in batch) async for batch in batches
    )
    return Streamed(json_array(bodies), encoding, _JSON)


async def _page(
    services: Services,
    account: str,
    agent_id: str,
    query: ListQuery,
    cursor: int | None = None,
    *,
    with_total: bool,
) -> Page:
    if cursor is not None and query.page_number is not None:
        raise ApiError(400, "give either cursor or page_number")
    return await services.listing.page(
        account,
        agent_id,
        query.page_size or _PAGE_SIZE,
        query.filters,
        number=query.page_number or 1,
        before=cursor,
        with_total=with_total,
    )


def _envelope(page: Page, query: ListQuery, cursor: int | None) -> bytes:
    number = None if cursor is not None else query.page_number or 1
    around = {
        "page_number": number,
        "page": number,
        "page_size": page.size,
        "total": page.total.count if page.total else None,
        "total_exact": page.total.exact if page.total else None,
        "has_more": page.has_more,
        "next_cursor": page.next_cursor,
        "filters": query.asked,
        "sorts": [{"field": "created_at", "order": "desc"}],
    }
    data = b",".join(item.body for item in page.items)
    return json.dumps(around).encode()[:-1] + b', "data": [' + data + b"]}"


@router.get(
    "/agent/{agent_id}/execution/{execution_id}",
    deprecated=True,
    response_description="The execution",
    responses={200: {"model": ExecutionV1}, 304: _NOT_MODIFIED},
)
async def get_agent_execution(
    agent_id: UUID, execution_id: UUID, account: AccountId, request: Request, services: ServicesDep
) -> Response:
    """One execution of an agent, with the statuses of v1."""
    stored = await _stored(services, account, execution_id)
    if stored.agent_id != str(agent_id):
        raise UnknownExecution(str(execution_id))
    return _unless_known(request, stored.v1())


@router.get(
    "/executions/{execution_id}",
    response_description="The execution",
    responses={200: {"model": Execution}, 304: _NOT_MODIFIED},
)
async def get_execution(
    execution_id: UUID, account: AccountId, request: Request, services: ServicesDep
) -> Response:
    """One execution. Its `ETag`, sent back in `If-None-Match`, is answered 304 while nothing has changed."""
    stored = await _stored(services, account, execution_id)
    return _unless_known(request, stored.body)


@router.get(
    "/executions/{execution_id}/log",
    response_description="The rows of the log",
    responses={200: {"model": ExecutionLog}},
)
async def get_execution_log(execution_id: UUID, account: AccountId, services: ServicesDep) -> Response:
    """What happened during an execution, in time order: what each component was asked and answered."""
    await _stored(services, account, execution_id)
    rows = await services.listing.log(account, str(execution_id))
    return JSONResponse(
        {"status": "success", "execution_id": str(execution_id), "data": [_log_row(row) for row in rows]}
    )


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


def _unless_known(request: Request, body: bytes) -> Response:
    """304 where the client's copy is this one (RFC 9110 section 13.1.2)."""
    tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or tag in {part.strip().removeprefix("W/") for part in known.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=_JSON, headers=headers)


async def _stored(services: Services, account: str, execution_id: UUID) -> StoredExecution:
    stored = await services.listing.by_id(account, str(execution_id))
    if stored is None:
        raise UnknownExecution(str(execution_id))
    return stored
