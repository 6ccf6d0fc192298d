"""Calls to the account's numbers (contract 10): which agent answers, and the files that callers are looked up in."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path

from ringback.agents.validation import check
from ringback.api.agents import Done
from ringback.api.auth import AccountId
from ringback.api.body import JsonObject, body_of
from ringback.api.errors import ApiError, responses
from ringback.api.schemas.inbound import (
    CallerSource,
    CallersRequest,
    InboundLinked,
    InboundSetup,
    InboundUnlink,
)
from ringback.api.services import ServicesDep
from ringback.api.times import iso
from ringback.inbound.callers import BadCallers, Source

router = APIRouter(tags=["Inbound"], responses=responses(400, 401))

SourceName = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00/]+$")]


@router.post(
    "/inbound/setup",
    responses={200: {"model": InboundLinked}, **responses(404, 413)},
    openapi_extra=body_of("InboundSetup"),
)
async def setup_inbound(body: JsonObject, account: AccountId, services: ServicesDep) -> InboundLinked:
    """Let an agent answer at a number, instead of whoever did before; with `ivr_config`, menus come first."""
    wanted = check(InboundSetup, body)
    setup, number_id = services.inbound, wanted.phone_number_id
    menus = wanted.ivr_config.model_dump(mode="json") if wanted.ivr_config is not None else None
    number = await setup.link(account, number_id, wanted.agent_id, menus)
    query = urlencode({"agent_id": wanted.agent_id, "user_id": account})
    return InboundLinked(
        message=f"The agent answers at {number}",
        url=f"{setup.public_url}/inbound_call?{query}",
        phone_number=number,
        id=number_id,
    )


@router.post(
    "/inbound/unlink",
    responses={200: {"model": InboundLinked}, **responses(404, 413)},
    openapi_extra=body_of("InboundUnlink"),
)
async def unlink_inbound(body: JsonObject, account: AccountId, services: ServicesDep) -> InboundLinked:
    """Let nobody answer at a number: its callers are told that it is not available."""
    number_id = check(InboundUnlink, body).phone_number_id
    number = await services.inbound.unlink(account, number_id)
    return InboundLinked(message=f"Nobody answers at {number}", url=None, phone_number=number, id=number_id)


@router.get("/inbound/callers", responses={200: {"model": list[CallerSource]}})
async def list_caller_sources(account: AccountId, services: ServicesDep) -> list[CallerSource]:
    """The files that agents look callers up in, by name."""
    return [_shown(source) for source in await services.callers.all(account)]


@router.put(
    "/inbound/callers/{source_name}",
    responses={200: {"model": CallerSource}, **responses(413)},
    openapi_extra=body_of("CallersRequest"),
)
async def put_caller_source(
    source_name: SourceName, body: JsonObject, account: AccountId, services: ServicesDep
) -> CallerSource:
    """Send a file, or replace it. Agents whose `ingest_source_config` has `source_type` csv and this `source_name` know
    the callers in it, from the next call on."""
    csv = check(CallersRequest, body).csv
    try:
        return _shown(await services.callers.put(account, source_name, csv.encode()))
    except BadCallers as error:
        raise ApiError(400, f"csv: {error}") from None


@router.delete("/inbound/callers/{source_name}", responses={200: {"model": Done}, **responses(404)})
async def delete_caller_source(source_name: SourceName, account: AccountId, services: ServicesDep) -> Done:
    """Delete a file. Its callers are unknown from then on."""
    if not await services.callers.remove(account, source_name):
        raise ApiError(404, f"There is no file of callers named {source_name}")
    return Done(message="success", state="deleted")


def _shown(source: Source) -> CallerSource:
    return CallerSource(source_name=source.name, callers=source.lines, created_at=iso(source.created_at))
