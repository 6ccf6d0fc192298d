"""The database, and the workers that show themselves in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ringback.app.doctor import faults
from ringback.app.doctor.finding import Faulty, Finding
from ringback.app.settings import Settings
from ringback.clock import Clock
from ringback.store.database import Row, StoreError, open_database
from ringback.store.queries import workers
from ringback.store.version import require_newest

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
        raise Faulty(faults.DATABASE, error=_sentence(error)) from error
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
