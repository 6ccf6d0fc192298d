"""What the routes need, given to `create_app` by the composition."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request

from ringback.accounts.accounts import Accounts
from ringback.accounts.concurrency import Concurrencies
from ringback.accounts.idempotency import Idempotency
from ringback.accounts.keys import Keys
from ringback.accounts.rate_limits import RateLimits
from ringback.accounts.sub_accounts import SubAccounts
from ringback.accounts.usage import Usages
from ringback.agents.disposition import Disposition
from ringback.agents.dispositions import Dispositions
from ringback.agents.extraction_templates import ExtractionTemplates
from ringback.agents.registry import Agent, Agents
from ringback.billing.wallet import Wallets
from ringback.clock import Clock
from ringback.dialing.batches import Batches
from ringback.dialing.call_events import CallEvents
from ringback.dialing.do_not_call import DoNotCall
from ringback.dialing.queue import CallQueue
from ringback.executions.history import History
from ringback.executions.listing import Listing
from ringback.inbound.callers import Callers
from ringback.inbound.setup import Setup
from ringback.trunks.numbers import Numbers
from ringback.trunks.trunks import Trunks
from ringback.webhooks.deliveries import Deliveries
from ringback.webhooks.endpoints import Endpoints

TryDispositions = Callable[[Agent, Sequence[Disposition], str, int], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True)
class Scrape:
    """What answers GET /metrics."""

    text: Callable[[], Awaitable[bytes]]
    content_type: str
    token: str
    """That a scrape must bear; empty: none."""


@dataclass(frozen=True)
class Services:
    keys: Keys
    agents: Agents
    listing: Listing
    history: History
    calls: CallQueue
    call_events: CallEvents
    do_not_call: DoNotCall
    batches: Batches
    idempotency: Idempotency
    accounts: Accounts
    sub_accounts: SubAccounts
    usages: Usages
    wallets: Wallets
    concurrencies: Concurrencies
    endpoints: Endpoints
    deliveries: Deliveries
    dispositions: Dispositions
    extraction_templates: ExtractionTemplates
    trunks: Trunks
    trunks_changed: Callable[[], Awaitable[None]]
    """Let the workers look at them."""
    numbers: Numbers
    inbound: Setup
    callers: Callers
    try_dispositions: TryDispositions
    """Asks them about a transcript that was said at a time (microseconds), by the agent's own language model."""
    clock: Clock
    recordings: Path
    """The folder that recordings lie in."""
    uploads: Path
    """The folder of batches' files."""
    number_pool: Sequence[str] = ()
    """Numbers of the installation that accounts may take, E.164."""
    max_body_bytes: int = 1_048_576
    max_batch_bytes: int = 268_435_456
    """Of a batch's file."""
    round_minutes: int = 0
    """Schedules of batches are rounded up to a multiple of so many; 0: not at all."""
    strict_date_window: bool = False
    """Refuse v2 lists without `from` and `to`, or over seven days."""
    rate_limits: RateLimits | None = None
    """None: unlimited."""
    scrape: Scrape | None = None
    """None: /metrics is turned off."""
    request_times: Callable[[str, str, int, float], None] | None = None
    """Told the method, route, status and seconds of every request."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process is told to stop."""


async def services(request: Request) -> Services:
    # Dependencies are coroutines even where they wait for nothing: FastAPI sends others through its threads.
    given: Services = request.app.state.services
    return given


ServicesDep = Annotated[Services, Depends(services)]
