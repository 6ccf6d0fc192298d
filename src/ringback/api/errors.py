"""One envelope for every error: `{"error", "message", "detail", "details"?}` (contract 1)."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ringback.accounts.idempotency import KeyReused
from ringback.accounts.shares import BadShare
from ringback.accounts.sub_accounts import NotAParent, UnknownSubAccount
from ringback.agents.dispositions import ForeignAgent, UnknownDisposition
from ringback.agents.extraction_templates import UnknownTemplate
from ringback.agents.registry import UnknownAgent
from ringback.agents.validation import InvalidInput, Problem, problems_in
from ringback.dialing.batches import UnknownBatch
from ringback.executions.ledger import UnknownExecution
from ringback.store.database import StoreError
from ringback.trunks.numbers import UnknownNumber
from ringback.trunks.secrecy import SecrecyError
from ringback.trunks.trunks import UnknownTrunk

log = logging.getLogger(__name__)


_MOST_PROBLEMS: Final = 100
"""Shown of one request, so that a small bad body never makes a huge answer."""


class ErrorBody(BaseModel):
    """What every refusal looks like."""

    error: int = Field(description="The HTTP status.", examples=[400])
    message: str = Field(description="What is wrong, where, and what to do.", examples=["tasks is required"])
    detail: str = Field(description="The same text, for clients that read this key.")
    details: dict[str, Any] | None = Field(None, description="`problems`: each bad field with its path.")


class ApiError(Exception):
    """A refusal with its HTTP status and a text for the client."""

    def __init__(
        self,
        status: int,
        message: str,
        details: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details
        self.headers = headers

    def response(self) -> JSONResponse:
        body: dict[str, Any] = {"error": self.status, "message": self.message, "detail": self.message}
        if self.details:
            body["details"] = self.details
        return JSONResponse(body, self.status, self.headers)


def invalid(problems: list[Problem], status: int = 400) -> ApiError:
    """For bad fields: the first one is the message, all of them (up to a bound) are the details."""
    listed = [{"path": problem.path, "message": problem.message} for problem in problems[:_MOST_PROBLEMS]]
    return ApiError(status, problems[0].message, {"problems": listed})


class Unprocessable(APIRoute):
    """A route whose bad fields are answered with 422 instead of 400 (contract 1: dispositions)."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except InvalidInput as error:
                raise invalid(error.problems, 422) from None
            except RequestValidationError as error:
                raise invalid(_of_parameters(error), 422) from None

        return handler


def _of_parameters(error: RequestValidationError) -> list[Problem]:
    # The first step of the location is where the parameter was: path, query.
    return problems_in([e | {"loc": e["loc"][1:]} for e in error.errors()])


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route, for the OpenAPI description; 401 is on all but public ones, and brings 429."""
    if 401 in statuses:
        statuses = (*statuses, 429)
    return {status: {"model": ErrorBody, "description": _DESCRIPTIONS[status]} for status in statuses}


_DESCRIPTIONS = {
    400: "A malformed parameter or body, or the business refuses it; `details.problems` names each bad field",
    401: "No key, or one that is unknown or revoked",
    403: "What this key may not do: an agent that the account does not have; sub-accounts of a sub-account",
    404: "Unknown, or another account's",
    409: "The `Idempotency-Key` came with another request of the last 24 hours",
    413: "The body is larger than the installation allows",
    416: "The range lies outside the recording",
    422: "A bad field or parameter; `details.problems` names each",
    429: "Too many requests of the account in this minute; `Retry-After` says in how many seconds the next begins",
}


def install(app: FastAPI) -> None:
    """Answer every exception that a route may raise."""

    @app.exception_handler(ApiError)
    async def _api_error(_: Request, error: ApiError) -> JSONResponse:
        return error.response()

    @app.exception_handler(InvalidInput)
    async def _invalid_input(_: Request, error: InvalidInput) -> JSONResponse:
        return invalid(error.problems).response()

    @app.exception_handler(RequestValidationError)
    async def _invalid_parameter(_: Request, error: RequestValidationError) -> JSONResponse:
        return invalid(_of_parameters(error)).response()

    for unknown in _NAMED:
        app.add_exception_handler(unknown, _not_there)

    @app.exception_handler(NotAParent)
    async def _not_a_parent(_: Request, error: NotAParent) -> JSONResponse:
        return ApiError(403, "Only the account's own keys may do this, not those of a sub-account").response()

    @app.exception_handler(BadShare)
    async def _bad_share(_: Request, error: BadShare) -> JSONResponse:
        return ApiError(400, str(error), error.numbers).response()

    @app.exception_handler(KeyReused)
    async def _key_reused(_: Request, error: KeyReused) -> JSONResponse:
        return ApiError(409, str(error)).response()

    @app.exception_handler(SecrecyError)
    async def _secrecy(_: Request, error: SecrecyError) -> JSONResponse:
        log.error("%s", error)
        return ApiError(500, str(error)).response()

    @app.exception_handler(StoreError)
    async def _store_error(_: Request, error: StoreError) -> JSONResponse:
        log.error("the store failed during a request: %s", error)
        return ApiError(
            503, "The database is not available; try again in a moment", headers={"Retry-After": "5"}
        ).response()

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        texts = {
            404: f"There is no {request.url.path} here",
            405: f"{request.url.path} does not take {request.method}",
        }
        message = texts.get(error.status_code, str(error.detail))
        headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
        return ApiError(error.status_code, message, headers=headers).response()


_NAMED: Final[Mapping[type[Exception], tuple[int, str]]] = {
    UnknownAgent: (404, "There is no agent {}"),
    UnknownExecution: (404, "There is no execution {}"),
    UnknownBatch: (404, "There is no batch {}"),
    UnknownDisposition: (404, "There is no disposition {}"),
    UnknownTemplate: (404, "There is no extraction template {}"),
    UnknownTrunk: (404, "There is no SIP trunk {}"),
    UnknownNumber: (404, "There is no phone number {}"),
    UnknownSubAccount: (404, "There is no sub-account {}"),
    ForeignAgent: (403, "The account has no agent {}"),
}
"""Their text is the id."""


async def _not_there(_: Request, error: Exception) -> JSONResponse:
    status, text = _NAMED[type(error)]
    return ApiError(status, text.format(error)).response()


def _allowed(request: Request) -> str:
    """The methods of this path. Several routes may share it, and the router names those of the first alone."""
    routes = request.app.routes
    return ", ".join(
        method
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    )


class Unexpected:
    """Innermost middleware: what no handler knows becomes a 500 without a trace, inside CORS; what the server cuts off
    because it stops, a 503."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:
            if started or not scope["app"].state.services.stopping.is_set():
                raise
            stopping = ApiError(
                503, "The server is stopping; send the request again", headers={"Retry-After": "10"}
            )
            await stopping.response()(scope, receive, send)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            log.error(
                "a request failed: %s %s: %s in %s, line %s",
                scope.get("method"),
                scope.get("path"),
                type(error).__name__,
                where.filename,
                where.lineno,
            )
            log.debug("its trace", exc_info=True)
            if started:
                return  # too late to answer: the server breaks the connection, which tells the client
            answer = ApiError(500, "Something went wrong on our side; the server's log says what")
            await answer.response()(scope, receive, send)
