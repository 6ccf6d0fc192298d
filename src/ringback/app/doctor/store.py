"""The database, and the workers that show themselves in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ringback.app.doctor import faults
from ringback.app.doctor.finding import Faulty, Finding
from ringback.app.doctor.way import Way, ways_of
from ringback.app.settings import Settings
from ringback.clock import Clock
from ringback.store.database import Row, StoreError, open_database
from ringback.store.queries import trunks as trunk_rows
from ringback.store.queries import workers
from ringback.store.version import require_newest
from ringback.trunks.numbers import Numbers
from ringback.trunks.secrecy import Secrecy, SecrecyError
from ringback.trunks.trunks import Trunks

_SEEN_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Workforce:
    """The workers that were seen lately."""

    workers: tuple[Row, ...] = ()

    @property
    def addresses(self) -> list[str]:
        """host:port of their SIP."""
        return [row["address"] for row in self.workers if row["address"]]

    @property
    def calls(self) -> int:
        return sum(row["calls"] for row in self.workers)


async def workforce(settings: Settings, clock: Clock) -> Workforce:
    """Raises Faulty where the store cannot be used."""
    try:
        db = await open_database(settings.store_url)
        await db.close()
    except StoreError as error:
        raise Faulty(faults.DATABASE, error=_sentence(error).partition(": the folder")[0]) from error
    try:
        await require_newest(settings.store_url)
        db = await open_database(settings.store_url)
        try:
            rows = await workers.everyone(db)
        finally:
            await db.close()
    except StoreError as error:
        raise Faulty(faults.TABLES, error=_sentence(error)) from error
    since = clock.now_us() - round(_SEEN_S * 1e6)
    return Workforce(tuple(row for row in rows if row["seen_at"] >= since))


async def trunks(settings: Settings, clock: Clock) -> list[Way]:
    """Those of all accounts that calls go through. Raises Faulty where their passwords cannot be read."""
    db = await open_database(settings.store_url)
    try:
        if not await trunk_rows.active(db):
            return []  # without any there may be no key, and it is not for us to make one
        kept = Trunks(db, clock, _secrecy(settings))
        ways: list[Way] = []
        for trunk in await kept.active():
            if trunk.unreadable:
                raise SecrecyError(trunk.unreadable)
            numbers = await Numbers(db, clock).of_trunk(trunk.account_id, trunk.id)
            ways += ways_of(trunk, numbers[0].e164 if numbers else "")
        return ways
    except SecrecyError as error:
        raise Faulty(faults.SECRET_KEY, error=str(error).partition(". ")[0]) from error
    finally:
        await db.close()


def _secrecy(settings: Settings) -> Secrecy:
    key = settings.secret_key.get_secret_value()
    return Secrecy.of_key(key) if key else Secrecy.of_folder(settings.data)


def at_work(settings: Settings, found: Workforce) -> list[Finding]:
    """Whether workers are there and their audio in time."""
    if not found.workers:
        return [Finding.of("workers", faults.NO_WORKER, seconds=f"{_SEEN_S:g}")]
    late = [row for row in found.workers if row["lateness_us"] / 1000 > settings.lateness_limit_ms]
    if not late:
        return [Finding.ok("workers", f"{len(found.workers)} workers hold {found.calls} calls in time.")]
    return [
        Finding.of(
            "workers", faults.LATE_AUDIO, number=row["number"], late=f"{row['lateness_us'] / 1000:.0f}"
        )
        for row in late
    ]


def _sentence(error: Exception) -> str:
    return str(error).strip().rstrip(".")
