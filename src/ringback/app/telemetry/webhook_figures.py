"""How long webhooks wait for their receivers, and how many receivers are down."""

from __future__ import annotations

from typing import Final

from ringback.app.telemetry import catalogue
from ringback.app.telemetry.pulse import Sample
from ringback.app.telemetry.telemetry import Telemetry
from ringback.clock import Clock
from ringback.store.database import Database
from ringback.store.queries import webhook_endpoints
from ringback.webhooks.policy import is_down

_LOOKED_AT: Final = 1_000
"""Endpoints for which something waits, those that are due longest."""


def of_webhooks(telemetry: Telemetry, db: Database, clock: Clock) -> Sample:
    async def sample() -> None:
        now = clock.now_us()
        busy = await webhook_endpoints.busy(db, now_us=now, limit=_LOOKED_AT)
        waited = max((now - row["due_at"] for row in busy if row["due_at"] is not None), default=0)
        telemetry.record(catalogue.WEBHOOK_WAIT, max(0, waited) / 1e6)
        telemetry.record(catalogue.WEBHOOKS_DOWN, sum(is_down(row["failures"]) for row in busy))

    return sample
