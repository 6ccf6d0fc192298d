"""Bearer authentication: which account a request acts for, and whether that has not sent too many."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ringback.api.errors import ApiError
from ringback.api.rate_limits import limit
from ringback.api.services import ServicesDep

_bearer = HTTPBearer(auto_error=False, description="`Authorization: Bearer <key>`")

Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def denied() -> ApiError:
    return ApiError(401, "Access denied", headers={"WWW-Authenticate": "Bearer"})


async def account_id(request: Request, services: ServicesDep, credentials: Credentials) -> str:
    """The account of the key, this request counted. FastAPI asks once a request.

    Raises ApiError: 401 for no key, an unknown or a revoked one; 429 for too many requests.
    """
    if credentials is None:
        raise denied()
    account = await services.keys.account_of(credentials.credentials)
    if account is None:
        raise denied()
    await limit(request, services, account)
    return account


AccountId = Annotated[str, Depends(account_id)]
