"""How many calls at a time an account has, and may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ringback.clock import Clock
from ringback.store.database import Database
from ringback.store.queries import concurrency as queries

_SEEN_US: Final = 60_000_000
"""A worker that gave no sign of life for so long is not there."""


@dataclass(frozen=True, slots=True)
class Concurrency:
    maximum: int
    current: int


class Concurrencies:
    def __init__(self, db: Database, clock: Clock, default_calls: int | None = None) -> None:
        """`default_calls`: at a time, of accounts without a limit of their own; None: any number."""
        self._db = db
        self._clock = clock
        self._default_calls = default_calls

    async def of(self, account_id: str) -> Concurrency:
        """Of an account without any limit the maximum is what all workers can hold together."""
        since = self._clock.now_us() - _SEEN_US
        row = await queries.of_account(self._db, account_id, seen_since_us=since)
        bounds = (row["max_calls"], self._default_calls, row["capacity"])
        return Concurrency(next(bound for bound in bounds if bound is not None), row["calls"])
