"""API keys: shown once when they are made, kept as a SHA-256 only, revoked for good."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from typing import Final

from ringback.clock import Clock
from ringback.store.database import Database, Row, Transaction
from ringback.store.queries import accounts as account_queries
from ringback.store.queries import api_keys as queries

_PREFIX: Final = "bn-"
_SHOWN: Final = 8
_SHORTEST: Final = 16
"""Characters of a key that was brought along; shorter ones can be guessed."""


class UnknownAccount(LookupError):
    """There is no such account."""


class BadKey(ValueError):
    """A key that was brought along can't be taken; the message says why."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    account_id: str
    id: str
    name: str
    prefix: str
    """The first characters, to tell keys apart."""
    created_at: int
    revoked_at: int | None
    """Microseconds since the epoch, UTC; None while it is valid."""


class Keys:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def account_of(self, key: str) -> str | None:
        """The id of the account that the bearer of this key acts for; None for an unknown or a revoked key."""
        row = await queries.owner(self._db, _hash(key))
        return None if row is None else str(row["account_id"])

    async def create(self, account_id: str, name: str, key: str | None = None) -> tuple[ApiKey, str]:
        """A new key and its text, which can't be had again; `key` brings an existing one along, whatever its form.

        Raises UnknownAccount, BadKey.
        """
        if key is not None and (
            len(key) < _SHORTEST or not key.isascii() or not key.isprintable() or " " in key
        ):
            raise BadKey(f"a key must have at least {_SHORTEST} printable ASCII characters and no spaces")
        async with self._db.transaction() as tx:
            account = await account_queries.get(tx, account_id)
            if account is None:
                raise UnknownAccount(f"there is no account {account_id}")
            if key is None and account["parent_id"] is not None:
                key = sub_account_key()
            return await insert_key(tx, account_id, name, self._clock.now_us(), key)

    async def list(self, account_id: str) -> list[ApiKey]:
        """Oldest first, revoked ones too."""
        return [_api_key(row) for row in await queries.of_account(self._db, account_id)]

    async def revoke(self, account_id: str, key_id: str) -> bool:
        """From now on the key opens nothing. False: the account has no such key, or it is revoked already."""
        async with self._db.transaction() as tx:
            return await queries.revoke(tx, account_id=account_id, key_id=key_id, now_us=self._clock.now_us())


async def insert_key(
    tx: Transaction, account_id: str, name: str, now_us: int, key: str | None = None
) -> tuple[ApiKey, str]:
    """Write a key, a fresh one unless it is given. Raises BadKey for one that is stored already."""
    key = key or _PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(account_id, str(uuid.uuid4()), name, key[:_SHOWN], now_us, None)
    fresh = await queries.insert(
        tx,
        account_id=account_id,
        key_id=row.id,
        name=name,
        key_hash=_hash(key),
        prefix=row.prefix,
        now_us=now_us,
    )
    if not fresh:
        raise BadKey("this key is stored already")
    return row, key


def sub_account_key() -> str:
    """In the form that clients know those of sub-accounts by."""
    return f"sa-{secrets.token_hex(16)}"


def _hash(key: str) -> str:
    # No salt and no stretching: a key has at least 128 random bits, and the look-up needs the same hash every time.
    return hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()


def _api_key(row: Row) -> ApiKey:
    return ApiKey(**row)
