"""Rate limits: at most so many requests of an account in each minute of the clock, UTC (contract 1)."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from ringback.clock import Clock
from ringback.store.database import Database
from ringback.store.postgresql import PostgresqlDatabase
from ringback.store.queries import rate_windows as queries

_MINUTE_US: Final = 60_000_000


class Bucket(StrEnum):
    """What is counted together. The values stand in the database and in what clients are told."""

    AGENT = "agent"
    EXECUTIONS = "executions"
    CALL = "call"
    OTHER = "other"


class Quota(NamedTuple):
    """Where an account stands in a bucket, this request counted."""

    bucket: Bucket
    limit: int
    """Requests a minute."""
    remaining: int
    reset_s: int
    """Whole seconds until the next minute, at least 1."""
    exceeded: bool
    """This request is one too many."""


class Window(NamedTuple):
    minute: int
    """Minutes since the epoch, UTC."""
    requests: int


class Windows(Protocol):
    """The counts of the minute under way."""

    async def add(self, account_id: str, bucket: str, minute: int) -> Window:
        """Count one request, in the next minute if another process has begun that. Raises StoreError."""
        ...


class StoredWindows:
    """Counts that all API processes on one PostgreSQL share."""

    def __init__(self, db: PostgresqlDatabase) -> None:
        self._db = db

    async def add(self, account_id: str, bucket: str, minute: int) -> Window:
        row = await queries.add(self._db, account_id=account_id, bucket=bucket, minute=minute)
        return Window(row["minute"], row["requests"])


class MemoryWindows:
    """Counts of this process alone: on SQLite there is one API process. Only one minute is kept."""

    def __init__(self) -> None:
        self._minute = 0
        self._requests: Counter[tuple[str, str]] = Counter()

    async def add(self, account_id: str, bucket: str, minute: int) -> Window:
        if not _current(self._minute, minute):
            self._minute = minute
            self._requests.clear()
        self._requests[account_id, bucket] += 1
        return Window(self._minute, self._requests[account_id, bucket])


def windows(db: Database) -> Windows:
    """The counts that go with the database."""
    return StoredWindows(db) if isinstance(db, PostgresqlDatabase) else MemoryWindows()


class RateLimits:
    """The limits of an installation; 0 is unlimited and costs nothing."""

    def __init__(
        self, windows: Windows, clock: Clock, *, named_per_minute: int, other_per_minute: int
    ) -> None:
        self._windows = windows
        self._clock = clock
        self._limits = dict.fromkeys(Bucket, named_per_minute) | {Bucket.OTHER: other_per_minute}
        self._spent: dict[tuple[str, Bucket], int] = {}
        """The minute in which a bucket of an account was found spent; until its end it costs no database."""

    async def count(self, account_id: str, bucket: Bucket) -> Quota | None:
        """Count one request; None where there is no limit. Raises StoreError."""
        limit = self._limits[bucket]
        if limit == 0:
            return None
        now = self._clock.now_us()
        minute = now // _MINUTE_US
        spent = self._spent.get((account_id, bucket))
        if spent is not None and _current(spent, minute):
            return Quota(bucket, limit, 0, _seconds_left(spent, now), exceeded=True)
        window = await self._windows.add(account_id, bucket, minute)
        if window.requests >= limit:
            self._spent = {key: at for key, at in self._spent.items() if _current(at, minute)}
            self._spent[account_id, bucket] = window.minute
        return Quota(
            bucket,
            limit,
            max(0, limit - window.requests),
            _seconds_left(window.minute, now),
            exceeded=window.requests > limit,
        )


def _current(counted: int, minute: int) -> bool:
    """Whether the minute that was counted in is under way: ours, or the next where a clock is ahead of ours."""
    return minute <= counted <= minute + 1


def _seconds_left(minute: int, now_us: int) -> int:
    return -((now_us - (minute + 1) * _MINUTE_US) // 1_000_000)
