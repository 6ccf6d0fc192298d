"""The SIP trunks of each account (contract 11)."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ringback.clock import Clock
from ringback.store.database import Database, Reader, Row, Transaction
from ringback.store.queries import phone_numbers, trunk_gates
from ringback.store.queries import trunks as queries
from ringback.trunks.gateway import Gateway, Qualified
from ringback.trunks.numbers import NewNumber, add
from ringback.trunks.secrecy import Secrecy, SecrecyError
from ringback.trunks.trunk import NAMES, Registration, Trunk, TrunkFields

MOST_OF_ACCOUNT: Final = 100
_FLAGS: Final = (
    "direct_media",
    "rtp_symmetric",
    "force_rport",
    "media_encryption_optimistic",
    "inbound_enabled",
    "outbound_leading_plus_enabled",
    "is_active",
)
_PLAIN: Final = tuple(name for name in NAMES if name not in ("gateways", "calls_per_second"))
"""Columns of their own."""


class UnknownTrunk(LookupError):
    """The account has no such trunk."""


class NameTaken(ValueError):
    """The account has a trunk of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a trunk named {name!r} already; a trunk's name must be unique")


class NoMoreTrunks(ValueError):
    """The account has as many as it may have; the message says so."""


class Trunks:
    """Keeps them; every method but `active` sees one account only."""

    def __init__(self, db: Database, clock: Clock, secrecy: Secrecy) -> None:
        self._db = db
        self._clock = clock
        self._secrecy = secrecy

    async def create(self, account_id: str, fields: TrunkFields, numbers: Sequence[NewNumber] = ()) -> Trunk:
        """With these numbers, or not at all. Raises BadTrunk, NameTaken, NoMoreTrunks, BadNumber, NumberTaken."""
        fields.checked()
        now, trunk_id = self._clock.now_us(), str(uuid.uuid4())
        async with self._db.transaction() as tx:
            if await queries.count(tx, account_id) >= MOST_OF_ACCOUNT:
                raise NoMoreTrunks(f"An account may have at most {MOST_OF_ACCOUNT} trunks; delete one first")
            columns = self._columns(fields)
            if not await queries.insert(tx, account_id, trunk_id, columns, now_us=now):
                raise NameTaken(fields.name)
            await _set_gateways(tx, account_id, trunk_id, fields.gateways)
            await _set_limits(tx, trunk_id, fields)
            for number in numbers:
                await add(tx, account_id, trunk_id, number, now_us=now)
        unasked = tuple(Qualified() for _ in fields.gateways)
        return Trunk(account_id, trunk_id, fields, unasked, Registration(), now, now)

    async def get(self, account_id: str, trunk_id: str) -> Trunk:
        """Raises UnknownTrunk."""
        async with self._db.read() as db:
            row = await queries.get(db, account_id, trunk_id)
            return await self._found(db, row, trunk_id)

    async def all(self, account_id: str, *, is_active: bool | None = None) -> list[Trunk]:
        """In the order of their creation."""
        async with self._db.read() as db:
            rows = await queries.of_account(db, account_id)
            rows = [row for row in rows if is_active is None or bool(row["is_active"]) == is_active]
            gateways = await queries.gateways_of(db, account_id, [row["id"] for row in rows]) if rows else []
        return self._trunks(rows, gateways)

    async def active(self) -> list[Trunk]:
        """Those of all accounts that calls go through: for workers."""
        async with self._db.read() as db:
            rows, gateways = await queries.active(db), await queries.gateways(db)
        return self._trunks(rows, gateways)

    async def change(self, account_id: str, trunk_id: str, changes: Mapping[str, Any]) -> Trunk:
        """Change these fields (`TrunkFields`), and leave the rest.

        Raises UnknownTrunk, BadTrunk, NameTaken, SecrecyError.
        """
        async with self._db.transaction() as tx:
            stored = await self._found(tx, await queries.lock(tx, account_id, trunk_id), trunk_id)
            if stored.unreadable and not changes.get("auth_password"):
                raise SecrecyError(stored.unreadable)
            fields = replace(stored.fields, **{k: v for k, v in changes.items() if k in NAMES}).checked()
            if fields == stored.fields:
                return stored
            if await queries.named(tx, account_id, fields.name) not in (None, trunk_id):
                raise NameTaken(fields.name)
            now = max(self._clock.now_us(), stored.updated_at + 1)
            await queries.update(tx, account_id, trunk_id, self._columns(fields), now_us=now)
            await _set_limits(tx, trunk_id, fields)
            qualified = stored.qualified
            if fields.gateways != stored.fields.gateways:
                await _set_gateways(tx, account_id, trunk_id, fields.gateways)
                qualified = tuple(Qualified() for _ in fields.gateways)
            return replace(
                stored,
                fields=fields,
                qualified=qualified,
                registration=Registration(),
                updated_at=now,
                unreadable=None,
            )

    async def delete(self, account_id: str, trunk_id: str) -> int:
        """With its numbers; how many there were. Calls under way go on. Raises UnknownTrunk."""
        async with self._db.transaction() as tx:
            if await queries.lock(tx, account_id, trunk_id) is None:
                raise UnknownTrunk(trunk_id)
            numbers = await phone_numbers.count_of_trunk(tx, account_id, trunk_id)
            await queries.delete(tx, account_id, trunk_id)
            await trunk_gates.remove(tx, trunk_id)
        return numbers

    # What workers write down: how it does.

    async def keep(self, owner: str, lease_s: float, most: int) -> list[tuple[str, str]]:
        """(account, id) of the active trunks that this worker keeps until its lease ends: those it had,
        and up to `most` in all of those that nobody keeps."""
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            until = now + round(lease_s * 1_000_000)
            rows = await queries.keep(tx, owner=owner, until_us=until, now_us=now, most=most)
        return [(row["account_id"], row["id"]) for row in rows]

    async def leave(self, owner: str) -> None:
        """This worker keeps none any more."""
        async with self._db.transaction() as tx:
            await queries.leave(tx, owner=owner)

    async def qualified(
        self, account_id: str, trunk_id: str, position: int, address: str, port: int, how: Qualified
    ) -> None:
        """How a gateway, by its place from 1, answered. Nothing, if another one is there by now."""
        assert how.asked_at is not None
        async with self._db.transaction(durable=False) as tx:
            await queries.qualified(
                tx,
                account_id,
                trunk_id,
                position,
                address=address,
                port=port,
                state=how.state,
                asked_at=how.asked_at,
                answer_us=how.answer_us,
                code=how.code,
                error=how.error,
            )

    async def registered(self, trunk: Trunk, owner: str, how: Registration) -> None:
        """How the registration of `trunk` went; nothing, if it was changed meanwhile or another worker keeps it."""
        async with self._db.transaction(durable=False) as tx:
            await queries.registered(
                tx,
                trunk.account_id,
                trunk.id,
                owner=owner,
                version=trunk.updated_at,
                registration=how.state,
                until_us=how.until,
                contact=how.contact,
                code=how.code,
                error=how.error,
            )

    async def _found(self, db: Reader, row: Row | None, trunk_id: str) -> Trunk:
        if row is None:
            raise UnknownTrunk(trunk_id)
        gateways = await queries.gateways_of(db, row["account_id"], [trunk_id])
        return self._trunks([row], gateways)[0]

    def _columns(self, fields: TrunkFields) -> dict[str, Any]:
        columns = {name: getattr(fields, name) for name in _PLAIN}
        columns["interval_us"] = fields.interval_us
        columns["ip_identifiers"] = json.dumps(fields.ip_identifiers)
        if fields.auth_password is not None:
            columns["auth_password"] = self._secrecy.seal(fields.auth_password)
        return columns

    def _trunks(self, rows: Sequence[Row], gateways: Sequence[Row]) -> list[Trunk]:
        of: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
        for gateway in gateways:
            of[gateway["account_id"], gateway["trunk_id"]].append(gateway)
        return [self._trunk(row, of[row["account_id"], row["id"]]) for row in rows]

    def _trunk(self, row: Row, gateways: Sequence[Row]) -> Trunk:
        """SQLite gives booleans as numbers."""
        fields = {name: row[name] for name in _PLAIN}
        if row["interval_us"] is not None:
            fields["calls_per_second"] = round(1_000_000 / row["interval_us"], 3)
        fields |= {name: bool(row[name]) for name in _FLAGS}
        fields["ip_identifiers"] = tuple(json.loads(row["ip_identifiers"]))
        fields["gateways"] = tuple(Gateway(one["address"], one["port"], one["priority"]) for one in gateways)
        unreadable = None
        try:
            if row["auth_password"] is not None:
                fields["auth_password"] = self._secrecy.open(row["auth_password"], f"trunk {row['id']}")
        except SecrecyError as error:
            fields["auth_password"], unreadable = None, str(error)
        return Trunk(
            account_id=row["account_id"],
            id=row["id"],
            fields=TrunkFields(**fields),
            qualified=tuple(
                Qualified(one["state"], one["asked_at"], one["answer_us"], one["code"], one["error"])
                for one in gateways
            ),
            registration=Registration(
                row["registration"],
                row["registered_until"],
                row["contact"],
                row["registration_code"],
                row["registration_error"],
            ),
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            unreadable=unreadable,
        )


async def _set_gateways(tx: Transaction, account_id: str, trunk_id: str, gateways: Sequence[Gateway]) -> None:
    rows = [(gateway.address, gateway.port, gateway.priority) for gateway in gateways]
    await queries.set_gateways(tx, account_id, trunk_id, rows)


async def _set_limits(tx: Transaction, trunk_id: str, fields: TrunkFields) -> None:
    """Where the queue looks: under the trunk's id, which is unique among all accounts'."""
    await trunk_gates.set_limits(tx, trunk_id, max_calls=fields.max_calls, interval_us=fields.interval_us)
