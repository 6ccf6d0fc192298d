"""The api process: the HTTP application over the store."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from functools import partial

import uvicorn

from ringback.accounts.accounts import Accounts
from ringback.accounts.concurrency import Concurrencies
from ringback.accounts.idempotency import Idempotency
from ringback.accounts.keys import Keys
from ringback.accounts.rate_limits import RateLimits, windows
from ringback.accounts.sub_accounts import SubAccounts
from ringback.accounts.usage import Usages
from ringback.agents.dispositions import Dispositions
from ringback.agents.extraction_templates import ExtractionTemplates
from ringback.api.app import create_app
from ringback.api.services import Scrape, Services
from ringback.app.batching import batching
from ringback.app.core import Core, opened
from ringback.app.lifespan import say_ready, stop_event
from ringback.app.meaning import TriedDispositions
from ringback.app.providers import Providers
from ringback.app.settings import Settings, SettingsError
from ringback.app.telemetry.opening import API, Watched, watched
from ringback.app.telemetry.queue_figures import of_queue
from ringback.app.telemetry.webhook_figures import of_webhooks
from ringback.app.upkeep import upkeep
from ringback.app.webhooks import delivering
from ringback.billing.wallet import Wallets
from ringback.dialing.call_events import CallEvents
from ringback.dialing.do_not_call import DoNotCall
from ringback.dialing.uploads import Leftovers
from ringback.executions.history import History
from ringback.executions.listing import Listing
from ringback.executions.retention import Retention
from ringback.inbound.callers import Callers
from ringback.inbound.setup import Setup
from ringback.store.wakeup import TRUNKS
from ringback.webhooks.deliveries import Deliveries
from ringback.webhooks.endpoints import Endpoints

_DRAIN_S = 10
"""How long requests under way may take after the stop."""
_TICK_S = 1
"""How often the server renews the date of its answers."""


async def run(settings: Settings) -> None:
    """Serve until told to stop. Raises SettingsError where the address cannot be used."""
    stopping = stop_event()
    listener = _listen(settings)
    async with (
        watched(settings, API) as watching,
        opened(settings, watching.telemetry.moved) as core,
        _upkeep(settings, core),
        batching(settings, core) as batches,
        delivering(settings, core, watching.telemetry),
        watching.pulse(
            core.clock,
            of_queue(watching.telemetry, core.db, core.clock),
            of_webhooks(watching.telemetry, core.db, core.clock),
        ),
    ):
        default_calls = settings.dialling.account_calls or None
        services = Services(
            keys=Keys(core.db, core.clock),
            agents=core.agents,
            listing=Listing(core.db),
            history=History(core.db),
            calls=core.queue,
            call_events=CallEvents(core.db, core.clock, core.wakeup),
            do_not_call=DoNotCall(core.db, core.clock),
            batches=batches,
            idempotency=Idempotency(core.db, core.clock),
            accounts=Accounts(core.db, core.clock),
            sub_accounts=SubAccounts(core.db, core.clock, default_calls),
            usages=Usages(core.db),
            wallets=Wallets(core.db, core.clock),
            concurrencies=Concurrencies(core.db, core.clock, default_calls),
            endpoints=Endpoints(core.db, core.clock, core.wakeup),
            deliveries=Deliveries(core.db, core.clock, core.wakeup),
            dispositions=Dispositions(core.db, core.clock),
            extraction_templates=ExtractionTemplates(core.db, core.clock),
            trunks=core.trunks,
            trunks_changed=partial(core.wakeup.notify, TRUNKS),
            numbers=core.numbers,
            number_pool=settings.trunk.pool,
            inbound=Setup(core.db, core.clock, settings.base_url),
            callers=Callers(core.db, core.clock),
            try_dispositions=TriedDispositions(Providers(settings)),
            clock=core.clock,
            recordings=settings.recordings,
            uploads=settings.uploads,
            max_body_bytes=settings.max_body_bytes,
            max_batch_bytes=settings.batches.max_bytes,
            round_minutes=settings.batches.round_minutes,
            strict_date_window=settings.strict_date_window,
            rate_limits=_rate_limits(settings, core),
            scrape=scrape(settings, watching),
            request_times=watching.telemetry.request,
            stopping=stopping,
        )
        config = uvicorn.Config(
            create_app(services),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_DRAIN_S,
        )
        say_ready()
        await _Server(config, stopping).serve(sockets=[listener])


def _upkeep(settings: Settings, core: Core) -> AbstractAsyncContextManager[None]:
    retention = Retention(core.db, core.ledger, core.clock, settings.recordings)
    leftovers = Leftovers(core.db, core.clock, settings.uploads)
    return upkeep(core.db, core.clock, retention, leftovers, Deliveries(core.db, core.clock))


def _rate_limits(settings: Settings, core: Core) -> RateLimits | None:
    limits = settings.rate_limits
    if not (limits.named_per_minute or limits.other_per_minute):
        return None
    return RateLimits(windows(core.db), core.clock, **limits.model_dump())


def scrape(settings: Settings, watching: Watched) -> Scrape | None:
    """What answers GET /metrics; None where metrics are turned off."""
    if (prometheus := watching.prometheus) is None:
        return None

    async def text() -> bytes:
        return await asyncio.to_thread(prometheus.text)

    return Scrape(text, prometheus.content_type, settings.metrics.token.get_secret_value())


class _Server(uvicorn.Server):
    """Signals are the role's business (lifespan.py), not uvicorn's; and it looks at its clock once a second instead of
    ten times, so that it sleeps when nobody asks for anything."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def main_loop(self) -> None:
        while not (self._stopping.is_set() or await self.on_tick(0)):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _TICK_S)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(settings: Settings) -> socket.socket:
    """Listening already: whoever connects from here on is answered."""
    try:
        listener = socket.create_server((settings.host, settings.port), backlog=2048, reuse_port=False)
    except OSError as error:
        raise SettingsError(
            f"The API cannot listen on {settings.host}:{settings.port}: {error.strerror} (settings host, port)"
        ) from None
    # asyncio does so only for sockets made with the protocol TCP by name. Connections inherit it; without it the
    # body of an answer waits 40 ms for the acknowledgement of its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
