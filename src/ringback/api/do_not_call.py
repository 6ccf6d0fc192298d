"""The account's do-not-call list. An addition: Bolna has none."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import Field

from ringback.agents.validation import Part, check
from ringback.api.agents import Done
from ringback.api.auth import AccountId
from ringback.api.body import JsonObject, body_of
from ringback.api.calls import PhoneNumber
from ringback.api.errors import ApiError, responses
from ringback.api.schemas.fields import Shape, Timestamp
from ringback.api.services import ServicesDep
from ringback.api.times import iso
from ringback.dialing.do_not_call import Entry, NotListed

router = APIRouter(tags=["Do not call"], responses=responses(400, 401))

_CURSOR: Final = r"^[1-9][0-9]{1,14}$"


class DoNotCallRequest(Part):
    """Body of PUT. Unknown keys are ignored."""

    reason: Annotated[str, Field(max_length=500)] | None = None


class DoNotCallEntry(Shape):
    """A number that is not dialled."""

    number: Annotated[str, Field(description="E.164.")]
    reason: str | None
    """Why, in the client's words."""
    created_at: Timestamp


class DoNotCallPage(Shape):
    """A page of the list, in the order of the numbers."""

    page_size: Annotated[int, Field(ge=1, le=1000)]
    has_more: bool
    next_cursor: Annotated[str, Field(pattern=_CURSOR)] | None
    """Where the list goes on, as `cursor`; null on the last page."""
    data: list[DoNotCallEntry]


@router.get("/do-not-call")
async def list_numbers(
    account: AccountId,
    services: ServicesDep,
    page_size: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(pattern=_CURSOR, description="`next_cursor` of a page.")] = None,
) -> DoNotCallPage:
    """Numbers that the account does not dial, a page at a time; go on while `has_more`."""
    last = f"+{cursor}" if cursor else ""
    entries = await services.do_not_call.after(account, last, page_size + 1)
    shown, has_more = entries[:page_size], len(entries) > page_size
    return DoNotCallPage(
        page_size=page_size,
        has_more=has_more,
        # Without its plus, which a query string would turn into a space.
        next_cursor=shown[-1].number.removeprefix("+") if has_more else None,
        data=[_rendered(entry) for entry in shown],
    )


@router.get("/do-not-call/{number}", responses=responses(404))
async def get_number(number: PhoneNumber, account: AccountId, services: ServicesDep) -> DoNotCallEntry:
    """Whether a number is on the list: 404 if it is not."""
    try:
        return _rendered(await services.do_not_call.get(account, number))
    except NotListed:
        raise _not_listed(number) from None


@router.put("/do-not-call/{number}", responses=responses(413), openapi_extra=body_of("DoNotCallRequest"))
async def put_number(
    number: PhoneNumber, account: AccountId, body: JsonObject, services: ServicesDep
) -> DoNotCallEntry:
    """Put a number on the list, or give it another reason.

    It is not dialled from then on, whatever asks for it: single calls, batches, retries, also with
    `bypass_call_guardrails`. A call to it that waits becomes `stopped` when its turn comes; one that is being dialled
    or is live goes on.
    """
    request = check(DoNotCallRequest, body)
    return _rendered(await services.do_not_call.put(account, number, request.reason))


@router.delete("/do-not-call/{number}", responses=responses(404))
async def delete_number(number: PhoneNumber, account: AccountId, services: ServicesDep) -> Done:
    """Take a number off the list. Calls that were stopped for it stay stopped."""
    try:
        await services.do_not_call.remove(account, number)
    except NotListed:
        raise _not_listed(number) from None
    return Done(message="success", state="deleted")


def _not_listed(number: str) -> ApiError:
    return ApiError(404, f"{number} is not on the do-not-call list")


def _rendered(entry: Entry) -> DoNotCallEntry:
    return DoNotCallEntry(number=entry.number, reason=entry.reason, created_at=iso(entry.created_at))
