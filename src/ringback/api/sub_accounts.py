"""Sub-accounts and what they used (contract 14). Only for keys of the account itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from ringback.accounts import shares
from ringback.accounts.shares import Share
from ringback.accounts.sub_accounts import Details, SubAccount
from ringback.accounts.usage import Usage, Used
from ringback.agents.validation import check
from ringback.api.agents import Done
from ringback.api.auth import AccountId
from ringback.api.body import JsonObject, body_of
from ringback.api.errors import ApiError, responses
from ringback.api.schemas import account as shapes
from ringback.api.services import ServicesDep
from ringback.api.times import iso, parse_iso
from ringback.executions.record import CENT

router = APIRouter(tags=["Sub-accounts"], responses=responses(400, 401, 403))

_DAYS: Final = 32
_DETAILS: Final = ("name", "email", "description", "metadata")
_SHARE: Final = ("allow_concurrent_calls", "min_concurrency", "max_concurrency")


@dataclass(frozen=True)
class Span:
    since_us: int
    until_us: int


async def span(
    services: ServicesDep,
    from_: Annotated[
        str | None,
        Query(alias="from", description="ISO 8601; without it: the beginning of this month, UTC."),
    ] = None,
    to: Annotated[
        str | None, Query(description="ISO 8601, included; without it: the end of today, UTC.")
    ] = None,
) -> Span:
    """Raises ApiError(400)."""
    today = datetime.fromtimestamp(services.clock.now_us() // 1_000_000, UTC).replace(
        hour=0, minute=0, second=0
    )
    since = _moment("from", from_) if from_ else _us(today.replace(day=1))
    until = _moment("to", to) if to else _us(today + timedelta(days=1)) - 1
    if until < since:
        raise ApiError(400, "to must not be before from")
    if until - since > _DAYS * 86_400 * 1_000_000:
        raise ApiError(400, f"from and to may be at most {_DAYS} days apart")
    return Span(since, until)


@router.post("/sub-accounts/create", responses=responses(413), openapi_extra=body_of("SubAccountRequest"))
async def create_sub_account(
    account: AccountId, body: JsonObject, services: ServicesDep
) -> shapes.SubAccountCreated:
    """Make a sub-account: agents, calls and records of its own, paid by this account. Its key is shown this once."""
    request = check(shapes.SubAccountRequest, body)
    details = Details(request.name, request.email, request.description, request.metadata, _share(request))
    made, key = await services.sub_accounts.create(account, details)
    await services.calls.wake()
    return shapes.SubAccountCreated(**_rendered(made), api_key=key)


@router.get("/sub-accounts/all")
async def list_sub_accounts(account: AccountId, services: ServicesDep) -> list[shapes.SubAccount]:
    """All of them, oldest first, without their keys."""
    return [shapes.SubAccount(**_rendered(each)) for each in await services.sub_accounts.all(account)]


@router.get("/sub-accounts/all/usage")
async def usage_of_all(
    account: AccountId, asked: Annotated[Span, Depends(span)], services: ServicesDep
) -> list[shapes.SubAccountUsage]:
    """What each of them used, in at most 32 days; those that were deleted are in it."""
    found = await services.usages.all(account, asked.since_us, asked.until_us)
    return [_used(usage, asked) for usage in found]


@router.get("/sub-accounts/{sub_account_id}/usage", responses=responses(404))
async def usage(
    sub_account_id: UUID, account: AccountId, asked: Annotated[Span, Depends(span)], services: ServicesDep
) -> shapes.SubAccountUsage:
    """What it used, in at most 32 days; also after it was deleted."""
    found = await services.usages.of(account, str(sub_account_id), asked.since_us, asked.until_us)
    return _used(found, asked)


@router.patch(
    "/sub-accounts/{sub_account_id}",
    responses=responses(404, 413),
    openapi_extra=body_of("SubAccountPatch"),
)
async def change_sub_account(
    sub_account_id: UUID, account: AccountId, body: JsonObject, services: ServicesDep
) -> Done:
    """Change what is said of it. A lower share holds from the next call on; calls under way go on."""
    request = check(shapes.SubAccountPatch, body)
    given = request.model_fields_set
    changes: dict[str, Any] = {name: getattr(request, name) for name in _DETAILS if name in given}
    if "name" in changes and request.name is None:
        del changes["name"]
    if not changes and not given.intersection(_SHARE):
        raise ApiError(400, "No valid fields provided")
    await services.sub_accounts.change(
        account, str(sub_account_id), changes, lambda share: _share(request, share)
    )
    await services.calls.wake()
    return Done(message="success", state="updated")


@router.delete("/sub-accounts/{sub_account_id}", responses=responses(404))
async def delete_sub_account(sub_account_id: UUID, account: AccountId, services: ServicesDep) -> Done:
    """Its keys open nothing any more, what waits is stopped and what rings cancelled; a live call goes on. Its records
    and what it used stay."""
    deleted = str(sub_account_id)
    for agent_id in await services.sub_accounts.delete(account, deleted):
        await services.batches.stop_agent(deleted, agent_id)
    await services.calls.wake()
    return Done(message="success", state="deleted")


def _share(request: shapes.SubAccountPatch, now: Share = shares.ELASTIC) -> Share:
    """The share that is asked for, where it is `now`."""
    given, fixed = request.model_fields_set, request.allow_concurrent_calls
    minimum, maximum = (now.minimum, now.maximum) if fixed is None else (fixed, fixed)
    if request.min_concurrency is not None:
        minimum = request.min_concurrency
    if "max_concurrency" in given:
        maximum = request.max_concurrency
    return Share(minimum, maximum)


def _rendered(each: SubAccount) -> dict[str, Any]:
    details = each.details
    return {
        "id": each.id,
        "name": details.name,
        "user_id": each.parent_id,
        "organization_id": each.parent_id,
        "email": details.email,
        "description": details.description,
        "metadata": details.metadata,
        "multi_tenant": False,
        "allow_concurrent_calls": each.calls,
        "min_concurrency": details.share.minimum,
        "max_concurrency": details.share.maximum,
        "created_at": iso(each.created_at),
        "updated_at": iso(each.updated_at),
    }


def _used(usage: Usage, asked: Span) -> shapes.SubAccountUsage:
    return shapes.SubAccountUsage.model_validate(
        {
            "from": iso(asked.since_us),
            "to": iso(asked.until_us),
            "sub_account_id": usage.sub_account_id,
            "sub_account_name": usage.name,
            "total_records": sum(usage.statuses.values()),
            "total_duration": usage.talked_ms / 1000,
            "total_cost": usage.total / CENT,
            "total_platform_cost": usage.platform / CENT,
            "total_telephony_cost": usage.network / CENT,
            "status_map": usage.statuses,
            "synthesizer_cost_map": _by_model(usage.voices, "characters", 1),
            "transcriber_cost_map": _by_model(usage.ears, "duration", 1000),
            "llm_cost_map": {"cost": usage.llm / CENT, "tokens": usage.tokens},
        }
    )


def _by_model(used: dict[tuple[str, str], Used], name: str, unit: int) -> dict[str, dict[str, Any]]:
    shown: dict[str, dict[str, Any]] = {}
    for (provider, model), each in used.items():
        quantity = each.quantity if unit == 1 else each.quantity / unit
        shown.setdefault(provider, {})[model] = {name: quantity, "cost": each.amount / CENT}
    return shown


def _moment(name: str, text: str) -> int:
    try:
        return parse_iso(text)
    except ValueError:
        raise ApiError(400, f"{name} must be a time in ISO 8601, such as 2024-01-23T01:14:37Z") from None


def _us(moment: datetime) -> int:
    return round(moment.timestamp()) * 1_000_000
