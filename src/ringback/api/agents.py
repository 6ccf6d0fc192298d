"""Agents (contract 7). v1 and v2 take and return the same definitions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from ringback.agents import definition
from ringback.agents.registry import Agent
from ringback.api.auth import AccountId
from ringback.api.body import JsonObject, body_of
from ringback.api.errors import responses
from ringback.api.schemas import agent as shapes
from ringback.api.services import ServicesDep
from ringback.api.streamed import array
from ringback.api.times import iso

router = APIRouter(tags=["Agents"], responses=responses(400, 401))


class Created(BaseModel):
    agent_id: UUID
    state: Literal["created"]
    status: Literal["created"]


class Updated(BaseModel):
    agent_id: UUID
    state: Literal["updated"]
    status: Literal["updated"]
    message: Literal["success"]


class Done(BaseModel):
    message: Literal["success"]
    state: Literal["updated", "deleted"]


class Stopped(BaseModel):
    stopped_executions: list[UUID]


def rendered(agent: Agent) -> dict[str, Any]:
    """The agent as GET returns it: the stored definition with what only we know around it."""
    known = {
        "agent_status": agent.status,
        "created_at": iso(agent.created_at),
        "updated_at": iso(agent.updated_at),
        "agent_prompts": agent.definition.prompts,
    }
    return {"id": agent.id} | agent.definition.config | known


@router.post(
    "/agent",
    status_code=200,
    deprecated=True,
    responses=responses(413),
    openapi_extra=body_of("AgentRequest"),
)
@router.post("/v2/agent", status_code=201, responses=responses(413), openapi_extra=body_of("AgentRequest"))
async def create_agent(body: JsonObject, account: AccountId, services: ServicesDep) -> Created:
    """Create an agent. Unknown keys are kept; every bad field is named in `details.problems`."""
    agent = await services.agents.create(account, definition.read(body))
    return Created(agent_id=UUID(agent.id), state="created", status="created")


@router.get("/agent/all", deprecated=True, responses={200: {"model": list[shapes.Agent]}})
@router.get("/v2/agent/all", responses={200: {"model": list[shapes.Agent]}})
async def list_agents(account: AccountId, services: ServicesDep) -> Response:
    """All agents of the account, newest first, as an array."""
    return array(_all(services.agents.all(account)))


async def _all(agents: AsyncIterator[Agent]) -> AsyncIterator[dict[str, Any]]:
    async for agent in agents:
        yield rendered(agent)


@router.get("/agent/{agent_id}", deprecated=True, responses={200: {"model": shapes.Agent}, **responses(404)})
@router.get("/v2/agent/{agent_id}", responses={200: {"model": shapes.Agent}, **responses(404)})
async def get_agent(agent_id: UUID, account: AccountId, services: ServicesDep) -> Response:
    """One agent: the definition that was sent, with its defaults."""
    return JSONResponse(rendered(await services.agents.get(account, str(agent_id))))


@router.put(
    "/agent/{agent_id}", deprecated=True, responses=responses(404, 413), openapi_extra=body_of("AgentRequest")
)
@router.put("/v2/agent/{agent_id}", responses=responses(404, 413), openapi_extra=body_of("AgentRequest"))
async def replace_agent(
    agent_id: UUID, account: AccountId, body: JsonObject, services: ServicesDep
) -> Updated:
    """Replace the whole definition."""
    await services.agents.replace(account, str(agent_id), definition.read(body))
    return Updated(agent_id=agent_id, state="updated", status="updated", message="success")


@router.patch(
    "/agent/{agent_id}",
    deprecated=True,
    responses=responses(404, 413),
    openapi_extra=body_of("AgentPatch"),
)
@router.patch("/v2/agent/{agent_id}", responses=responses(404, 413), openapi_extra=body_of("AgentPatch"))
async def patch_agent(agent_id: UUID, account: AccountId, body: JsonObject, services: ServicesDep) -> Done:
    """Change name, welcome message, webhook, synthesizer, ingest source, telephony provider, guardrails or
    prompts; other keys are ignored."""
    await services.agents.patch(account, str(agent_id), body)
    return Done(message="success", state="updated")


@router.delete("/agent/{agent_id}", deprecated=True, responses=responses(404))
@router.delete("/v2/agent/{agent_id}", responses=responses(404))
async def delete_agent(agent_id: UUID, account: AccountId, services: ServicesDep) -> Done:
    """Delete an agent with its batches, executions and recordings. What waits is not dialled any more, and what rings
    is cancelled; calls in which somebody is talking go on, and are deleted when they are over."""
    await services.batches.delete_agent(account, str(agent_id))
    return Done(message="success", state="deleted")


@router.post("/v2/agent/{agent_id}/stop", responses={200: {"model": Stopped}, **responses(404)})
async def stop_agent(agent_id: UUID, account: AccountId, services: ServicesDep) -> Response:
    """Stop every call of an agent that is queued or scheduled, and its batches, also those that were not scheduled yet.
    What rings is cancelled; calls in which somebody is talking go on; what comes later is dialled."""
    await services.agents.require(account, str(agent_id))
    stopped = await services.batches.stop_agent(account, str(agent_id))
    # Of a large batch they are a million, too many to be checked against the model.
    return Response(json.dumps({"stopped_executions": stopped}), media_type="application/json")
