"""What the store needs now and then: counters folded, segments sealed, old data, keys of requests, webhooks and files
of uploads removed.

It runs in every api process; the statements see to it that several do no harm to each other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from ringback.accounts.idempotency import Idempotency
from ringback.billing import wallet
from ringback.clock import Clock
from ringback.dialing.uploads import Leftovers
from ringback.executions import counts, segments
from ringback.executions.retention import Retention
from ringback.store.database import Database, StoreError
from ringback.webhooks.deliveries import Deliveries

logger = logging.getLogger(__name__)

_LEDGER_EVERY_S: Final = 5.0
_RETENTION_EVERY_S: Final = 3600.0
_KEYS_EVERY_S: Final = 600.0
_UPLOADS_EVERY_S: Final = 600.0
_WEBHOOKS_EVERY_S: Final = 3600.0


@asynccontextmanager
async def upkeep(
    db: Database, clock: Clock, retention: Retention, leftovers: Leftovers, deliveries: Deliveries
) -> AsyncIterator[None]:
    """Keep the store up within the block."""
    forget = Idempotency(db, clock).forget
    tasks = [
        asyncio.create_task(_regularly("upkeep of the ledger", LedgerUpkeep(db), clock, _LEDGER_EVERY_S)),
        asyncio.create_task(_regularly("retention", retention.apply, clock, _RETENTION_EVERY_S)),
        asyncio.create_task(_regularly("removal of idempotency keys", forget, clock, _KEYS_EVERY_S)),
        asyncio.create_task(_regularly("removal of uploads", leftovers.remove, clock, _UPLOADS_EVERY_S)),
        asyncio.create_task(_regularly("removal of webhooks", deliveries.clean, clock, _WEBHOOKS_EVERY_S)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


class LedgerUpkeep:
    """Call it again and again: each time it goes on from where the last one ended."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._looked_at_all = False

    async def __call__(self) -> None:
        """Raises StoreError."""
        agents = await counts.fold(self._db)
        if not self._looked_at_all:
            # A process that died between folding and cutting has left agents that nobody will name again.
            agents.update(await segments.every_agent(self._db))
        await segments.cut(self._db, agents)
        self._looked_at_all = True
        await segments.seal(self._db)
        await wallet.count(self._db)


async def _regularly(name: str, work: Callable[[], Awaitable[object]], clock: Clock, every_s: float) -> None:
    while True:
        try:
            await work()
        except StoreError as error:
            logger.warning("%s failed, next time in %.0f s: %s", name, every_s, error)
        except Exception:
            logger.exception("%s failed, next time in %.0f s", name, every_s)
        await clock.sleep(every_s)
