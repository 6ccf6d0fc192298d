"""Accounts: whose agents, calls and keys they are."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from ringback.accounts.keys import insert_key
from ringback.clock import Clock
from ringback.store.database import Database, Row
from ringback.store.queries import accounts as queries

FIRST_ACCOUNT_ID: Final = "00000000-0000-4000-8000-000000000001"
"""The same everywhere, so that of several processes that start on an empty store only one can insert it."""


@dataclass(frozen=True, slots=True)
class Account:
    id: str
    name: str
    created_at: int
    """Microseconds since the epoch, UTC."""
    email: str | None = None
    parent_id: str | None = None
    """Of a sub-account: who made it, and pays for it."""


class Accounts:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def create(self, name: str, email: str | None = None) -> Account:
        account = Account(str(uuid.uuid4()), name, self._clock.now_us(), email)
        async with self._db.transaction() as tx:
            await queries.insert(tx, account_id=account.id, name=name, now_us=account.created_at, email=email)
        return account

    async def get(self, account_id: str) -> Account | None:
        row = await queries.get(self._db, account_id)
        return None if row is None else _account(row)

    async def every(self) -> list[Account]:
        """Oldest first."""
        return [_account(row) for row in await queries.every(self._db)]


async def ensure_first_account(db: Database, clock: Clock) -> str | None:
    """In a store without accounts create one with a key. The key, which is shown only now; None if there was one."""
    now = clock.now_us()
    async with db.transaction() as tx:
        if not await queries.insert_first(tx, account_id=FIRST_ACCOUNT_ID, name="default", now_us=now):
            return None
        _, key = await insert_key(tx, FIRST_ACCOUNT_ID, "first key", now)
    return key


def _account(row: Row) -> Account:
    return Account(row["account_id"], row["name"], row["created_at"], row["email"], row["parent_id"])
