"""Sub-accounts: accounts of an account, each with its own agents, calls and key. The parent pays, and shares out how
many calls they may have at a time."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ringback.accounts.keys import insert_key, sub_account_key
from ringback.accounts.shares import ELASTIC, Share, allowed, check
from ringback.clock import Clock
from ringback.store.database import Database, Reader, Row, Transaction
from ringback.store.queries import gates
from ringback.store.queries import sub_accounts as queries


class NotAParent(Exception):
    """A sub-account has no sub-accounts."""


class UnknownSubAccount(LookupError):
    """The account has no such sub-account."""


@dataclass(frozen=True, slots=True)
class Details:
    """What a client says of a sub-account."""

    name: str
    email: str | None = None
    description: str | None = None
    metadata: Mapping[str, Any] | None = None
    share: Share = ELASTIC


@dataclass(frozen=True, slots=True)
class SubAccount:
    id: str
    parent_id: str
    details: Details
    calls: int | None
    """At a time, of its share at this moment; None: any number."""
    created_at: int
    updated_at: int


class SubAccounts:
    """Every method is asked by the account that may be a parent, and raises NotAParent if it is a sub-account."""

    def __init__(self, db: Database, clock: Clock, default_calls: int | None = None) -> None:
        """`default_calls`: at a time, of accounts without a limit of their own; None: any number."""
        self._db = db
        self._clock = clock
        self._default_calls = default_calls

    async def create(self, parent_id: str, details: Details) -> tuple[SubAccount, str]:
        """A sub-account and its key, which cannot be had again. Raises BadShare."""
        now, made = self._clock.now_us(), str(uuid.uuid4())
        async with self._db.transaction() as tx:
            others = await self._lock(tx, parent_id)
            await self._check(tx, parent_id, made, details.share, others)
            await queries.insert(tx, _columns(made, parent_id, details, now))
            _, key = await insert_key(tx, made, "first key", now, sub_account_key())
            bounds = await self._share_out(tx, parent_id)
        return SubAccount(made, parent_id, details, bounds[made], now, now), key

    async def all(self, parent_id: str) -> list[SubAccount]:
        """Oldest first."""
        async with self._db.read() as reader:
            await self._require_parent(reader, parent_id)
            rows = await queries.of_account(reader, parent_id)
            bounds = allowed(_shares(rows), await self._limit(reader, parent_id))
        return [_sub_account(row, bounds[row["account_id"]]) for row in rows]

    async def change(
        self,
        parent_id: str,
        sub_account_id: str,
        changes: Mapping[str, Any],
        share: Callable[[Share], Share] = lambda share: share,
    ) -> None:
        """`changes` are fields of Details; `share` is given the one it has, and gives the new one.

        Raises UnknownSubAccount, BadShare.
        """
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            others = await self._lock(tx, parent_id)
            found = await self._get(tx, parent_id, sub_account_id)
            details = replace(_details(found), **changes, share=share(_share(found)))
            if details.share != _share(found):
                await self._check(tx, parent_id, sub_account_id, details.share, others)
            columns = _columns(sub_account_id, parent_id, details, now)
            kept = ("account_id", "parent_id", "created_at")
            changed = {name: value for name, value in columns.items() if name not in kept}
            await queries.update(tx, parent_id, sub_account_id, changed)
            await self._share_out(tx, parent_id)

    async def delete(self, parent_id: str, sub_account_id: str) -> list[str]:
        """Its keys open nothing any more, and nothing of it is claimed; its records stay. Its agents, whose calls are
        to be stopped. Raises UnknownSubAccount."""
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            await self._lock(tx, parent_id)
            await self._get(tx, parent_id, sub_account_id)
            await queries.update(tx, parent_id, sub_account_id, {"deleted_at": now})
            await self._share_out(tx, parent_id)
            why = "The sub-account was deleted"
            await gates.close(tx, sub_account_id, "account", "", how="stopped", why=why, now_us=now)
            return await queries.agents_of(tx, sub_account_id)

    async def share_out(self, account_id: str) -> None:
        """Let the shares follow a limit of the account that was changed; a sub-account has none to give."""
        async with self._db.transaction() as tx:
            await queries.lock_parent(tx, account_id)
            await self._share_out(tx, account_id)

    async def _lock(self, tx: Transaction, parent_id: str) -> dict[str, Share]:
        """What the sub-accounts have; nobody else shares anything out until the transaction ends."""
        row = await queries.lock_parent(tx, parent_id)
        if row is None or row["parent_id"] is not None:
            raise NotAParent
        return _shares(await queries.of_account(tx, parent_id))

    async def _require_parent(self, db: Reader, account_id: str) -> None:
        if await queries.is_sub_account(db, account_id):
            raise NotAParent

    async def _get(self, db: Reader, parent_id: str, sub_account_id: str) -> Row:
        row = await queries.get(db, parent_id, sub_account_id)
        if row is None:
            raise UnknownSubAccount(sub_account_id)
        return row

    async def _check(
        self, tx: Transaction, parent_id: str, key: str, share: Share, shares: Mapping[str, Share]
    ) -> None:
        others = {other: theirs for other, theirs in shares.items() if other != key}
        check(share, others, await self._limit(tx, parent_id))

    async def _limit(self, db: Reader, parent_id: str) -> int | None:
        gate = await gates.get(db, parent_id, "account")
        return self._default_calls if gate is None or gate["max_calls"] is None else gate["max_calls"]

    async def _share_out(self, tx: Transaction, parent_id: str) -> dict[str, int | None]:
        """Write into the gates, at which claims look, what each may have now."""
        shares = _shares(await queries.of_account(tx, parent_id))
        bounds = allowed(shares, await self._limit(tx, parent_id))
        for key in sorted(bounds):
            gate = await gates.get(tx, key, "account")
            if gate is None or gate["max_calls"] != bounds[key]:
                interval = gate["interval_us"] if gate else None
                await gates.set_limits(tx, key, "account", "", max_calls=bounds[key], interval_us=interval)
        return bounds


def _columns(key: str, parent_id: str, details: Details, now_us: int) -> dict[str, object]:
    return {
        "account_id": key,
        "parent_id": parent_id,
        "name": details.name,
        "email": details.email,
        "description": details.description,
        "metadata": None if details.metadata is None else json.dumps(details.metadata),
        "min_concurrency": details.share.minimum,
        "max_concurrency": details.share.maximum,
        "created_at": now_us,
        "updated_at": now_us,
    }


def _shares(rows: list[Row]) -> dict[str, Share]:
    return {row["account_id"]: _share(row) for row in rows}


def _share(row: Row) -> Share:
    return Share(row["min_concurrency"] or 0, row["max_concurrency"])


def _details(row: Row) -> Details:
    metadata = None if row["metadata"] is None else json.loads(row["metadata"])
    return Details(row["name"], row["email"], row["description"], metadata, _share(row))


def _sub_account(row: Row, calls: int | None) -> SubAccount:
    changed = row["updated_at"] or row["created_at"]
    return SubAccount(row["account_id"], row["parent_id"], _details(row), calls, row["created_at"], changed)
