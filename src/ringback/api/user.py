"""Who the key belongs to (contract 12)."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from ringback.api.auth import AccountId, denied
from ringback.api.errors import responses
from ringback.api.schemas.account import User, UserConcurrency
from ringback.api.services import ServicesDep
from ringback.executions.record import CENT

router = APIRouter(tags=["Account"], responses=responses(401))


@router.get("/user/me")
async def get_user(account: AccountId, services: ServicesDep) -> User:
    """The account, what is in its wallet, and its calls at this moment."""
    found = await services.accounts.get(account)
    if found is None:
        raise denied()  # it was deleted a moment ago
    balance = 0 if found.parent_id else (await services.wallets.get(account)).balance
    calls = await services.concurrencies.of(account)
    return User(
        id=UUID(found.id),
        name=found.name,
        email=found.email,
        wallet=balance / CENT,
        concurrency=UserConcurrency(max=calls.maximum, current=calls.current),
    )
