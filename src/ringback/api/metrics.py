"""Metrics for Prometheus: /metrics, without an account's key, and how long each request took."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ringback.api.auth import Credentials, denied
from ringback.api.errors import ApiError
from ringback.api.services import ServicesDep

router = APIRouter()

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ELSEWHERE: Final = "(none)"
"""The route of a request that no route answers, whatever its path: strangers choose those."""


@router.get("/metrics", include_in_schema=False)
async def metrics(services: ServicesDep, credentials: Credentials) -> Response:
    """The values of all processes of this machine, in Prometheus' text format."""
    scrape = services.scrape
    if scrape is None:
        raise ApiError(404, "Metrics are turned off (setting metrics.enabled)")
    given = credentials.credentials if credentials else ""
    if scrape.token and not hmac.compare_digest(given.encode(), scrape.token.encode()):
        raise denied()
    return Response(await scrape.text(), media_type=scrape.content_type)


class RequestTimes:
    """ASGI middleware, the outermost: tells the method, route, status and seconds of every request."""

    def __init__(self, app: ASGIApp, tell: Callable[[str, str, int, float], None]) -> None:
        self._app = app
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path", _ELSEWHERE)
            self._tell(method, route, status, time.perf_counter() - start)
