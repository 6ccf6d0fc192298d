"""The HTTP application: routes, errors, CORS and the limit of bodies around the services it is given."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from ringback.api import (
    agents,
    batches,
    call_events,
    calls,
    dispositions,
    do_not_call,
    docs,
    errors,
    executions,
    exports,
    extractions,
    health,
    inbound,
    metrics,
    openapi,
    phone_numbers,
    recordings,
    sub_accounts,
    trunks,
    user,
    webhooks,
)
from ringback.api.body import BodyLimit
from ringback.api.idempotency import REPLAYED
from ringback.api.rate_limits import HEADERS, QuotaHeaders
from ringback.api.services import Services

_DESCRIPTION = """
Voice agents on the telephone, on your own machine. Paths, fields and statuses are those of Bolna's API, so
its clients work with another base URL. Every request but `/health`, `/metrics` and links to recordings needs
`Authorization: Bearer <key>`; every error has the same body.
"""

_EXPOSED = ("Retry-After", "Content-Range", "Accept-Ranges", "Content-Disposition")


def create_app(services: Services) -> FastAPI:
    """The application around these services; whoever runs it opens and closes them."""
    app = FastAPI(
        title="Ringback",
        description=_DESCRIPTION,
        version=version("ringback"),
        redirect_slashes=False,  # a redirected POST comes back as GET
        openapi_url=None,  # docs.py has our own; the stock pages load their scripts from a foreign host
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    errors.install(app)
    openapi.install(app)
    for resource in (
        executions,
        exports,
        agents,
        calls,
        call_events,
        batches,
        webhooks,
        dispositions,
        extractions,
        trunks,
        phone_numbers,
        inbound,
        recordings,
        health,
        metrics,
        docs,
    ):
        app.include_router(resource.router)
    app.include_router(do_not_call.router)
    app.include_router(user.router)
    app.include_router(sub_accounts.router)
    # The last one added is the outermost.
    app.add_middleware(errors.Unexpected)
    if services.rate_limits is not None:
        app.add_middleware(QuotaHeaders)
    app.add_middleware(BodyLimit, max_bytes=services.max_body_bytes, by_path=_limits(services))
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["*"],
        expose_headers=[*_EXPOSED, REPLAYED, *HEADERS],
    )
    if services.request_times is not None:
        app.add_middleware(metrics.RequestTimes, tell=services.request_times)
    return app


def _limits(services: Services) -> dict[str, int]:
    """Of bodies, in bytes, where they are not those of all others."""
    # A form is its file, and beside it no more than another body.
    return {"/batches": services.max_batch_bytes + services.max_body_bytes}
