"""Webhooks in an api process: what the API does with them, and their delivery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ringback.app.core import Core
from ringback.app.providers import allowed
from ringback.app.settings import Settings
from ringback.app.telemetry.telemetry import Telemetry
from ringback.net.client import GuardedClient
from ringback.webhooks.deliverer import Deliverer


@asynccontextmanager
async def delivering(settings: Settings, core: Core, telemetry: Telemetry) -> AsyncIterator[None]:
    """Within the block. Raises SettingsError for a bad `outbound.allow`."""
    client = GuardedClient(allowed(settings))
    deliverer = Deliverer(core.db, core.clock, core.wakeup, client, told=telemetry.webhook)
    task = asyncio.create_task(deliverer.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        await client.close()
