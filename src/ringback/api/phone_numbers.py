"""Telephone numbers of an account (contract 11). What can be bought are the installation's own (setting trunk.pool):
whoever asks first has it, for nothing."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import phonenumbers
from fastapi import APIRouter, Query

from ringback.agents.validation import check
from ringback.api.auth import AccountId
from ringback.api.body import JsonObject, body_of
from ringback.api.errors import ApiError, responses
from ringback.api.schemas.phone_number import (
    AvailableNumber,
    BoughtNumber,
    BuyRequest,
    Country,
    NumberDeleted,
    PhoneNumber,
)
from ringback.api.services import ServicesDep
from ringback.api.times import iso
from ringback.dialing.batch_record import humanized
from ringback.executions.record import CENT
from ringback.trunks.number import Number
from ringback.trunks.numbers import NewNumber, NumberTaken

router = APIRouter(tags=["Phone numbers"], responses=responses(400, 401))

Pattern = Annotated[
    str | None,
    Query(pattern=r"^[0-9]{1,15}$", description="How the number begins, after the country's code."),
]


@router.get("/phone-numbers/all", responses={200: {"model": list[PhoneNumber]}})
async def list_phone_numbers(account: AccountId, services: ServicesDep) -> list[PhoneNumber]:
    """All numbers of the account, on its trunks and taken, as an array in the order in which they came."""
    now = services.clock.now_us()
    return [_shown(number, now) for number in await services.numbers.all(account)]


@router.get("/phone-numbers/search", responses={200: {"model": list[AvailableNumber]}})
async def search_phone_numbers(
    account: AccountId,
    services: ServicesDep,
    country: Annotated[Country, Query()],
    pattern: Pattern = None,
    provider: Annotated[
        str | None, Query(description="Ignored: all are of the installation's trunk.")
    ] = None,
) -> list[AvailableNumber]:
    """The installation's numbers that nobody has taken yet: often none."""
    free = await services.numbers.free(services.number_pool)
    return [
        AvailableNumber(
            region=country.upper(),
            friendly_name=None,
            locality=None,
            phone_number=number,
            provider="sip-trunk",
            price=0.0,
        )
        for number in free
        if _matches(number, country, pattern)
    ]


@router.post(
    "/phone-numbers/buy",
    responses={200: {"model": BoughtNumber}, **responses(413)},
    openapi_extra=body_of("BuyRequest"),
)
async def buy_phone_number(body: JsonObject, account: AccountId, services: ServicesDep) -> BoughtNumber:
    """Take one of the installation's numbers that nobody has. It costs nothing."""
    wanted = check(BuyRequest, body)
    number = wanted.phone_number
    if number not in services.number_pool or not _matches(number, wanted.country, None):
        raise ApiError(
            400,
            f"{number} cannot be bought here; GET /phone-numbers/search lists what can, and numbers of your own carrier"
            " are added to a SIP trunk (POST /sip-trunks/trunks)",
        )
    try:
        bought = await services.numbers.take(account, NewNumber(number))
    except NumberTaken as error:
        raise ApiError(400, str(error)) from None
    return BoughtNumber(
        id=UUID(bought.id),
        agent_id=None,
        bolna_owned=True,
        deleted=False,
        renewal=False,
        payment_uuid=UUID(bought.id),
        phone_number=bought.phone_number,
        price=bought.price / CENT,
        telephony_provider="sip-trunk",
        telephony_sid=bought.digits,
        created_at=iso(bought.created_at),
        updated_at=iso(bought.updated_at),
    )


@router.delete(
    "/phone-numbers/{phone_number_id}", responses={200: {"model": NumberDeleted}, **responses(404)}
)
async def delete_phone_number(
    phone_number_id: UUID, account: AccountId, services: ServicesDep
) -> NumberDeleted:
    """Give a number back, or remove it from its trunk; nobody answers it any more."""
    await services.numbers.remove(account, str(phone_number_id))
    return NumberDeleted(message="The phone number has been removed from your account", state="deleted")


def _matches(number: str, country: str, pattern: str | None) -> bool:
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return False
    in_country = phonenumbers.country_code_for_region(country.upper()) == parsed.country_code
    return in_country and str(parsed.national_number).startswith(pattern or "")


def _shown(number: Number, now_us: int) -> PhoneNumber:
    return PhoneNumber(
        id=UUID(number.id),
        humanized_created_at=humanized(number.created_at, now_us),
        created_at=iso(number.created_at),
        humanized_updated_at=humanized(number.updated_at, now_us),
        updated_at=iso(number.updated_at),
        renewal_at="",
        phone_number=number.phone_number,
        agent_id=UUID(number.agent_id) if number.agent_id else None,
        price=f"${number.price / (100 * CENT):.1f}",
        telephony_provider="sip-trunk",
        rented=number.trunk_id is None,
        byot_trunk_id=UUID(number.trunk_id) if number.trunk_id else None,
        name=number.name,
    )
