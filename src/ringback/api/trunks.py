"""SIP trunks of an account and the numbers on them (contract 11). Bad fields are 422 here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from ringback.agents.validation import InvalidInput, Problem, check
from ringback.api.auth import AccountId
from ringback.api.body import JsonObject, body_of
from ringback.api.errors import ApiError, Unprocessable, responses
from ringback.api.schemas.trunk import (
    Trunk,
    TrunkDeleted,
    TrunkNumber,
    TrunkNumberDeleted,
    TrunkNumberRequest,
    TrunkPatch,
    TrunkRequest,
)
from ringback.api.services import ServicesDep
from ringback.api.times import iso
from ringback.trunks.gateway import Gateway, Qualified
from ringback.trunks.number import BadNumber, Number
from ringback.trunks.numbers import NumberTaken
from ringback.trunks.trunk import NAMES, BadTrunk, Registration
from ringback.trunks.trunk import Trunk as Stored
from ringback.trunks.trunks import NameTaken, NoMoreTrunks, UnknownTrunk

router = APIRouter(tags=["SIP trunks"], route_class=Unprocessable, responses=responses(401, 422))

_APART = frozenset({"gateways", "ip_identifiers", "auth_password"})


def rendered(trunk: Stored, numbers: Sequence[Number], now_us: int) -> dict[str, Any]:
    """The trunk as GET returns it."""
    fields = trunk.fields
    gateways = zip(fields.gateways, trunk.qualified, strict=True)
    return {
        "id": trunk.id,
        **{name: getattr(fields, name) for name in NAMES if name not in _APART},
        "gateways": [_gateway(gateway, qualified) for gateway, qualified in gateways],
        "ip_identifiers": [{"ip_address": text} for text in fields.ip_identifiers],
        "phone_numbers": [rendered_number(number) for number in numbers],
        "registration": _registration(trunk.registration, now_us),
        "created_at": iso(trunk.created_at),
        "updated_at": iso(trunk.updated_at),
    }


def rendered_number(number: Number) -> dict[str, Any]:
    return {
        "id": number.id,
        "phone_number": number.phone_number,
        "name": number.name,
        "byot_trunk_id": number.trunk_id,
        "telephony_provider": "sip-trunk",
        "deleted": False,
        "e164_check_enabled": number.e164_check_enabled,
        "agent_id": number.agent_id,
        "created_at": iso(number.created_at),
        "updated_at": iso(number.updated_at),
    }


@router.post(
    "/sip-trunks/trunks",
    status_code=201,
    responses={201: {"model": Trunk}, **responses(400, 413)},
    openapi_extra=body_of("TrunkRequest"),
)
async def create_trunk(body: JsonObject, account: AccountId, services: ServicesDep) -> Response:
    """Add a SIP trunk, with these numbers or not at all. A worker registers it and asks its gateways how they are."""
    new = check(TrunkRequest, body)
    with _refusals("phone_numbers"):
        numbers = [number.plain() for number in new.phone_numbers]
        trunk = await services.trunks.create(account, new.plain(), numbers)
    await services.trunks_changed()
    return JSONResponse(await _whole(services, trunk), 201)


@router.get("/sip-trunks/trunks", responses={200: {"model": list[Trunk]}})
async def list_trunks(
    account: AccountId,
    services: ServicesDep,
    is_active: Annotated[bool | None, Query(description="Only those that are, or are not.")] = None,
) -> Response:
    """All trunks of the account as an array, in the order of their creation."""
    trunks = await services.trunks.all(account, is_active=is_active)
    numbers, now = await services.numbers.all(account), services.clock.now_us()
    return JSONResponse(
        [rendered(trunk, [one for one in numbers if one.trunk_id == trunk.id], now) for trunk in trunks]
    )


@router.get("/sip-trunks/trunks/{trunk_id}", responses={200: {"model": Trunk}, **responses(404)})
async def get_trunk(trunk_id: UUID, account: AccountId, services: ServicesDep) -> Response:
    """One trunk: what was configured, and how its registration and its gateways do."""
    return JSONResponse(await _whole(services, await services.trunks.get(account, str(trunk_id))))


@router.patch(
    "/sip-trunks/trunks/{trunk_id}",
    responses={200: {"model": Trunk}, **responses(400, 404, 413)},
    openapi_extra=body_of("TrunkPatch"),
)
async def patch_trunk(
    trunk_id: UUID, body: JsonObject, account: AccountId, services: ServicesDep
) -> Response:
    """Change what is named. `gateways` and `ip_identifiers` are replaced whole. Calls under way go on as they are."""
    changes = check(TrunkPatch, body).changes()
    with _refusals():
        trunk = await services.trunks.change(account, str(trunk_id), changes)
    await services.trunks_changed()
    return JSONResponse(await _whole(services, trunk))


@router.delete("/sip-trunks/trunks/{trunk_id}", responses={200: {"model": TrunkDeleted}, **responses(404)})
async def delete_trunk(trunk_id: UUID, account: AccountId, services: ServicesDep) -> TrunkDeleted:
    """Delete a trunk with its numbers. Calls under way go on; those that wait for it fail and say so."""
    removed = await services.trunks.delete(account, str(trunk_id))
    await services.trunks_changed()
    return TrunkDeleted(message=f"Trunk deleted successfully. {removed} phone number(s) removed.")


@router.post(
    "/sip-trunks/trunks/{trunk_id}/numbers",
    status_code=201,
    responses={201: {"model": TrunkNumber}, **responses(400, 404, 413)},
    openapi_extra=body_of("TrunkNumberRequest"),
)
async def add_number(trunk_id: UUID, body: JsonObject, account: AccountId, services: ServicesDep) -> Response:
    """Add a number to a trunk: calls can be made from it, and an agent can answer it (POST /inbound/setup)."""
    new = check(TrunkNumberRequest, body)
    with _refusals("phone_number"):
        number = await services.numbers.add(account, str(trunk_id), new.plain())
    if number is None:
        raise UnknownTrunk(str(trunk_id))
    return JSONResponse(rendered_number(number), 201)


@router.get(
    "/sip-trunks/trunks/{trunk_id}/numbers", responses={200: {"model": list[TrunkNumber]}, **responses(404)}
)
async def list_numbers(trunk_id: UUID, account: AccountId, services: ServicesDep) -> Response:
    """The numbers on a trunk, in the order in which they came."""
    await services.trunks.get(account, str(trunk_id))
    numbers = await services.numbers.of_trunk(account, str(trunk_id))
    return JSONResponse([rendered_number(number) for number in numbers])


@router.delete(
    "/sip-trunks/trunks/{trunk_id}/numbers/{phone_number_id}",
    responses={200: {"model": TrunkNumberDeleted}, **responses(404)},
)
async def remove_number(
    trunk_id: UUID, phone_number_id: UUID, account: AccountId, services: ServicesDep
) -> TrunkNumberDeleted:
    """Remove a number from its trunk, and its agent from the number."""
    await services.numbers.remove(account, str(phone_number_id), trunk_id=str(trunk_id))
    return TrunkNumberDeleted(message="Phone number removed successfully")


@contextmanager
def _refusals(number_path: str = "phone_number") -> Iterator[None]:
    """What the store refuses, as answers: 422 for a field, 400 for what is there already."""
    try:
        yield
    except BadTrunk as error:
        raise InvalidInput(
            [Problem(problem.path, f"{problem.path} {problem.message}") for problem in error.problems]
        ) from None
    except BadNumber as error:
        raise InvalidInput([Problem(number_path, f"{number_path} {error}")]) from None
    except (NameTaken, NoMoreTrunks, NumberTaken) as error:
        raise ApiError(400, str(error)) from None


async def _whole(services: ServicesDep, trunk: Stored) -> dict[str, Any]:
    numbers = await services.numbers.of_trunk(trunk.account_id, trunk.id)
    return rendered(trunk, numbers, services.clock.now_us())


def _gateway(gateway: Gateway, qualified: Qualified) -> dict[str, Any]:
    return {
        "gateway_address": gateway.address,
        "port": gateway.port,
        "priority": gateway.priority,
        "state": qualified.state,
        "checked_at": None if qualified.asked_at is None else iso(qualified.asked_at),
        "answer_ms": None if qualified.answer_us is None else qualified.answer_us / 1000,
        "code": qualified.code,
        "error": qualified.error,
    }


def _registration(registration: Registration, now_us: int) -> dict[str, Any]:
    until, registered = registration.until, registration.state == "registered"
    if registered and until is not None and until < now_us:
        registration = replace(registration, state="failing", error="it ran out: no worker renews it")
    return {
        "state": registration.state,
        "expires_at": None if registration.until is None else iso(registration.until),
        "contact": registration.contact,
        "code": registration.code,
        "error": registration.error,
    }
