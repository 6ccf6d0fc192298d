"""Batches in an api process: what the API does with them, and the jobs that read and sweep them."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ringback.app.core import PROVIDER, Core
from ringback.app.settings import Settings
from ringback.dialing.batches import Batches
from ringback.dialing.intake import Intake
from ringback.dialing.jobs import Jobs
from ringback.dialing.sweep import Sweep
from ringback.dialing.uploads import name_of
from ringback.executions.bulk import Bulk
from ringback.executions.retention import Retention

logger = logging.getLogger(__name__)


@asynccontextmanager
async def batching(settings: Settings, core: Core) -> AsyncIterator[Batches]:
    """The jobs run within the block; what is under way at its end is taken up again by the next process."""
    bulk, machine = Bulk(core.ledger), await asyncio.to_thread(_machine, settings.uploads)
    retention = Retention(core.db, core.ledger, core.clock, settings.recordings)
    sweep = Sweep(core.db, bulk, core.clock, retention.agent)
    batches = Batches(core.db, core.clock, core.wakeup, core.queue, sweep, machine)
    intake = Intake(core.db, bulk, core.clock, provider=PROVIDER, max_lines=settings.batches.max_lines)
    jobs = Jobs(
        core.db,
        core.clock,
        core.wakeup,
        intake,
        sweep,
        batches.settle_all,
        machine=machine,
        uploads=settings.uploads,
    )
    running = asyncio.create_task(jobs.run())
    try:
        yield batches
    finally:
        running.cancel()
        await asyncio.wait({running})


def _machine(uploads: Path) -> str:
    """Where files cannot be kept the rest works all the same, and every upload is told."""
    try:
        return name_of(uploads)
    except OSError as error:
        logger.error("files of batches cannot be kept in %s: %s", uploads, error.strerror)
        return socket.gethostname()
