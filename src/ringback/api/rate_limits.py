"""Which limit a request falls under, the refusal, and what answers tell about it (contract 1)."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ringback.accounts.rate_limits import Bucket, Quota
from ringback.api.errors import ApiError
from ringback.api.services import Services

NAMED: Final = {
    "/v2/agent/{agent_id}": Bucket.AGENT,
    "/v2/agent/{agent_id}/executions": Bucket.EXECUTIONS,
    "/call": Bucket.CALL,
}
"""By the path of the route: each a bucket of its own, all methods together. Every other path is `OTHER`."""

HEADERS: Final = ("RateLimit", "RateLimit-Policy")


async def limit(request: Request, services: Services, account_id: str) -> None:
    """Count a request of the account. Raises ApiError(429) for one too many, StoreError."""
    if services.rate_limits is None:
        return
    path = request.scope["route"].path
    quota = await services.rate_limits.count(account_id, NAMED.get(path, Bucket.OTHER))
    request.state.quota = quota
    if quota is not None and quota.exceeded:
        raise _refusal(quota, path)


def _refusal(quota: Quota, path: str) -> ApiError:
    what = path if path in NAMED else "most paths together"
    return ApiError(
        429,
        f"Too many requests: an account may send {quota.limit} a minute to {what}; "
        f"the next minute begins in {quota.reset_s} s",
        headers={"Retry-After": str(quota.reset_s)},
    )


class QuotaHeaders:
    """ASGI middleware: what is left of the quota, on every answer to a request that was counted.

    The fields of draft-ietf-httpapi-ratelimit-headers: quota, window, remaining, seconds until it is renewed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def telling(message: Message) -> None:
            quota: Quota | None = scope.get("state", {}).get("quota")
            if quota is not None and message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_fields(quota)]}
            await send(message)

        await self._app(scope, receive, telling)


def _fields(quota: Quota) -> list[tuple[bytes, bytes]]:
    return [
        (b"ratelimit-policy", f'"{quota.bucket}";q={quota.limit};w=60'.encode()),
        (b"ratelimit", f'"{quota.bucket}";r={quota.remaining};t={quota.reset_s}'.encode()),
    ]
