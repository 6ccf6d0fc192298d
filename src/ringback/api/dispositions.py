"""Dispositions: questions that are asked about finished calls (contract 13). Bad fields are 422 here, and an agent that
the account does not have is 403."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from ringback.agents import disposition_fields
from ringback.agents.dispositions import MOST_OF_AGENT, Stored, TooMany
from ringback.agents.validation import Problem, check
from ringback.api.auth import AccountId
from ringback.api.body import JsonObject, body_of
from ringback.api.errors import ApiError, Unprocessable, invalid, responses
from ringback.api.schemas.disposition import (
    Disposition,
    DispositionBulkCreate,
    DispositionCopied,
    DispositionCreate,
    DispositionCreated,
    DispositionDeleted,
    DispositionsCreated,
    DispositionTestRequest,
    DispositionTestResult,
    DispositionUpdate,
    DispositionUpdated,
)
from ringback.api.services import ServicesDep
from ringback.api.streamed import array
from ringback.api.times import iso, parse_iso

router = APIRouter(tags=["Dispositions"], route_class=Unprocessable, responses=responses(401, 422))

AgentIdInQuery = Annotated[UUID | None, Query(description="Of this agent only.")]


def rendered(stored: Stored) -> dict[str, Any]:
    """The disposition as GET returns it."""
    return {
        "id": stored.id,
        **stored.fields,
        "agent_ids": list(stored.agent_ids),
        "created_by": stored.account_id,
        "created_at": iso(stored.created_at),
        "updated_at": iso(stored.updated_at),
    }


@router.get("/dispositions/", responses={200: {"model": list[Disposition]}, **responses(403)})
@router.get("/dispositions", include_in_schema=False)
async def list_dispositions(
    account: AccountId, services: ServicesDep, agent_id: AgentIdInQuery = None
) -> Response:
    """All dispositions of the account, or those of one agent, as an array in the order of their creation."""
    if agent_id is not None:
        found = await services.dispositions.linked(account, str(agent_id))
        return JSONResponse([rendered(stored) for stored in found])
    return array(_all(services.dispositions.all(account)))


async def _all(found: AsyncIterator[Stored]) -> AsyncIterator[dict[str, Any]]:
    async for stored in found:
        yield rendered(stored)


@router.post(
    "/dispositions/",
    status_code=201,
    responses={201: {"model": DispositionCreated}, **responses(400, 403, 413)},
    openapi_extra=body_of("DispositionCreate"),
)
@router.post("/dispositions", status_code=201, include_in_schema=False)
async def create_disposition(body: JsonObject, account: AccountId, services: ServicesDep) -> Response:
    """Create a disposition. It is asked after the calls of the agents that are named, or of none yet."""
    new = check(DispositionCreate, body)
    try:
        [stored] = await services.dispositions.create(account, [new], new.agents())
    except TooMany as error:
        raise _too_many(error) from None
    return JSONResponse({"message": "Disposition created successfully", **rendered(stored)}, 201)


@router.post(
    "/dispositions/bulk",
    status_code=201,
    responses={201: {"model": DispositionsCreated}, **responses(400, 403, 413)},
    openapi_extra=body_of("DispositionBulkCreate"),
)
async def create_dispositions(body: JsonObject, account: AccountId, services: ServicesDep) -> Response:
    """Create dispositions for an agent: all of them, or where one is wrong, none."""
    new = check(DispositionBulkCreate, body)
    try:
        made = await services.dispositions.create(account, new.dispositions, new.agents())
    except TooMany as error:
        raise _too_many(error) from None
    ids = [stored.id for stored in made]
    return JSONResponse({"message": "Dispositions created successfully", "ids": ids}, 201)


@router.get("/dispositions/{disposition_id}", responses={200: {"model": Disposition}, **responses(403, 404)})
async def get_disposition(
    disposition_id: UUID, account: AccountId, services: ServicesDep, agent_id: AgentIdInQuery = None
) -> Response:
    """One disposition; with `agent_id` only if that agent has it."""
    agent = None if agent_id is None else str(agent_id)
    return JSONResponse(
        rendered(await services.dispositions.get(account, str(disposition_id), agent_id=agent))
    )


@router.put(
    "/dispositions/{disposition_id}",
    responses={
        200: {"model": DispositionUpdated},
        201: {"model": DispositionCopied, "description": "A copy, with an id of its own"},
        **responses(400, 403, 404, 413),
    },
    openapi_extra=body_of("DispositionUpdate"),
)
async def put_disposition(
    disposition_id: UUID, body: JsonObject, account: AccountId, services: ServicesDep
) -> Response:
    """Change what is named, and leave the rest.

    With `agent_id` in the body it is changed for that agent alone: in place where no other agent has it (200),
    otherwise that agent gets a copy instead of it (201). Without `agent_id` it is changed for all of its agents.
    """
    wanted, id_ = check(DispositionUpdate, body), str(disposition_id)
    changes = {name: body[name] for name in disposition_fields.NAMES if name in body}
    links = wanted.agent_ids if wanted.agent_id is None else None
    if not changes and links is None:
        raise ApiError(400, "No valid fields provided to update")
    try:
        if wanted.agent_id is None:
            stored = await services.dispositions.change(account, id_, changes, agent_ids=links)
        else:
            stored = await services.dispositions.change_for(account, id_, wanted.agent_id, changes)
    except TooMany as error:
        raise _too_many(error) from None
    if stored.id != id_:
        copied = "Disposition copy created and linked to agent"
        return JSONResponse({"message": copied, **rendered(stored)}, 201)
    return JSONResponse({"message": "Disposition updated successfully", **rendered(stored)})


@router.delete(
    "/dispositions/{disposition_id}",
    responses={200: {"model": DispositionDeleted}, **responses(404)},
)
async def delete_disposition(disposition_id: UUID, account: AccountId, services: ServicesDep) -> Response:
    """Delete a disposition, for all of its agents. What calls have found with it stays."""
    await services.dispositions.delete(account, str(disposition_id))
    return JSONResponse({"message": "Disposition deleted successfully", "id": str(disposition_id)})


@router.post(
    "/v2/agent/{agent_id}/dispositions/test",
    responses={200: {"model": DispositionTestResult}, **responses(400, 404, 413)},
    openapi_extra=body_of("DispositionTestRequest"),
)
async def test_dispositions(
    agent_id: UUID, body: JsonObject, account: AccountId, services: ServicesDep
) -> Response:
    """Ask all dispositions of an agent about a transcript, as after a call. Nothing is kept, and nothing is charged."""
    asked = check(DispositionTestRequest, body)
    agent = await services.agents.get(account, str(agent_id))
    found = await services.dispositions.of_agent(account, agent.id)
    at_us = services.clock.now_us() if asked.call_date is None else parse_iso(asked.call_date)
    return JSONResponse(
        {"extracted_data": await services.try_dispositions(agent, found, asked.transcript, at_us)}
    )


def _too_many(error: TooMany) -> ApiError:
    return invalid(
        [
            Problem(
                "agent_id", f"agent_id: the agent {error} would have more than {MOST_OF_AGENT} dispositions"
            )
        ],
        422,
    )
