"""What the api and the workers share: the open store and the ledger over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ringback.agents.registry import Agents
from ringback.app.bell import Bell
from ringback.app.settings import Settings, SettingsError
from ringback.clock import Clock, SystemClock
from ringback.dialing.queue import CallQueue
from ringback.executions.ledger import Ledger
from ringback.executions.record import Execution
from ringback.store.database import Database, open_database
from ringback.store.wakeup import WEBHOOKS, Wakeup, open_wakeup
from ringback.trunks.numbers import Numbers
from ringback.trunks.secrecy import Secrecy, SecrecyError
from ringback.trunks.trunks import Trunks

PROVIDER = "sip-trunk"
"""`telephony_data.provider` of the calls that go out through the trunk of the settings."""


@dataclass(frozen=True, slots=True)
class Core:
    db: Database
    clock: Clock
    wakeup: Wakeup
    ledger: Ledger
    agents: Agents
    queue: CallQueue
    trunks: Trunks
    numbers: Numbers


@asynccontextmanager
async def opened(
    settings: Settings, moved: Callable[[Execution], None] = lambda execution: None
) -> AsyncIterator[Core]:
    """Open the store of an installation; its tables must exist (see `store.migrate`). Raises StoreError, SettingsError.

    `moved` is told of every execution that this process gives a new status.
    """
    clock, secrecy = SystemClock(), _secrecy(settings)
    db = await open_database(settings.store_url)
    try:
        wakeup = await open_wakeup(db, settings.data)
        try:
            bell = Bell(wakeup, clock, WEBHOOKS)
            ledger = Ledger(db, clock, settings.base_url, moved, bell.ring)
            queue = CallQueue(db, ledger, wakeup, provider=PROVIDER, from_numbers=settings.trunk.from_numbers)
            async with bell.heard():
                trunks = Trunks(db, clock, secrecy)
                yield Core(db, clock, wakeup, ledger, Agents(db, clock), queue, trunks, Numbers(db, clock))
        finally:
            await wakeup.close()
    finally:
        await db.close()


def _secrecy(settings: Settings) -> Secrecy:
    key = settings.secret_key.get_secret_value()
    try:
        return Secrecy.of_key(key) if key else Secrecy.of_folder(settings.data)
    except SecrecyError as error:
        raise SettingsError(str(error)) from None
