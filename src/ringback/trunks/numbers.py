"""The telephone numbers of each account: on its trunks, or taken from the installation's own (contract 11)."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ringback.clock import Clock
from ringback.store.database import Database, Row, Transaction
from ringback.store.queries import phone_numbers as queries
from ringback.store.queries import trunks
from ringback.trunks.number import Number, checked, digits_of

MOST_OF_ACCOUNT: Final = 10_000


class UnknownNumber(LookupError):
    """The account has no such number."""


class NumberTaken(ValueError):
    """The account has the number already, or another one has; the message names it."""


@dataclass(frozen=True, slots=True)
class NewNumber:
    phone_number: str
    name: str | None = None
    e164_check_enabled: bool = False


class Numbers:
    """Keeps them; every method but `called` without a trunk, and `free`, sees one account only."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def all(self, account_id: str) -> list[Number]:
        """In the order in which they came."""
        return [_number(row) for row in await queries.of_account(self._db, account_id)]

    async def of_trunk(self, account_id: str, trunk_id: str) -> list[Number]:
        return [_number(row) for row in await queries.of_trunk(self._db, account_id, trunk_id)]

    async def get(self, account_id: str, number_id: str) -> Number:
        """Raises UnknownNumber."""
        return _found(await queries.get(self._db, account_id, number_id), number_id)

    async def add(self, account_id: str, trunk_id: str, number: NewNumber) -> Number | None:
        """To a trunk of the account; None: there is no such trunk. Raises BadNumber, NumberTaken."""
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            if await trunks.lock(tx, account_id, trunk_id) is None:
                return None
            return await add(tx, account_id, trunk_id, number, now_us=now)

    async def take(self, account_id: str, number: NewNumber, *, price: int = 0) -> Number:
        """One of the installation's, on the trunk of the settings; `price` a month, in 1e-4 cents.

        Raises BadNumber, NumberTaken.
        """
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            return await add(tx, account_id, None, number, price=price, now_us=now)

    async def free(self, numbers: Collection[str]) -> list[str]:
        """Those of the installation's numbers that no account has taken, in their order."""
        taken = await queries.taken(self._db, [digits_of(number) for number in numbers])
        return [number for number in numbers if digits_of(number) not in taken]

    async def owned(self, account_id: str, number: str) -> Number | None:
        """The account's number of this spelling or the other, on whichever trunk; None: it has none."""
        row = await queries.owned(self._db, account_id, digits_of(number))
        return _number(row) if row else None

    async def called(self, number: str, *, trunk: tuple[str, str] | None = None) -> Number | None:
        """Whose number was called through a trunk, (account, id), or through that of the settings (None), and which
        agent answers there; None: nobody's."""
        digits = digits_of(number)
        if trunk is None:
            row = await queries.called_here(self._db, digits)
        else:
            row = await queries.called(self._db, *trunk, digits)
        return _number(row) if row else None

    async def link(self, account_id: str, number_id: str, agent_id: str | None) -> Number:
        """Let this agent answer there, or nobody. Raises UnknownNumber."""
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            if not await queries.link(tx, account_id, number_id, agent_id, now_us=now):
                raise UnknownNumber(number_id)
            return _found(await queries.get(tx, account_id, number_id), number_id)

    async def remove(self, account_id: str, number_id: str, *, trunk_id: str | None = None) -> None:
        """With its link to an agent. Raises UnknownNumber, also where it is not on the trunk that is named."""
        async with self._db.transaction() as tx:
            number = _found(await queries.get(tx, account_id, number_id), number_id)
            if trunk_id is not None and number.trunk_id != trunk_id:
                raise UnknownNumber(number_id)
            await queries.delete(tx, account_id, number_id)


async def add(
    tx: Transaction, account_id: str, trunk_id: str | None, new: NewNumber, *, price: int = 0, now_us: int
) -> Number:
    """Raises BadNumber, NumberTaken."""
    text = checked(new.phone_number, e164=new.e164_check_enabled)
    if await queries.count(tx, account_id) >= MOST_OF_ACCOUNT:
        raise NumberTaken(f"An account may have at most {MOST_OF_ACCOUNT} numbers; delete one first")
    number = Number(
        account_id, str(uuid.uuid4()), trunk_id, text, new.name, new.e164_check_enabled, None, price, now_us, now_us
    )  # fmt: skip
    inserted = await queries.insert(
        tx,
        account_id,
        number.id,
        trunk_id=trunk_id,
        phone_number=text,
        digits=number.digits,
        name=new.name,
        e164_check_enabled=new.e164_check_enabled,
        price=price,
        now_us=now_us,
    )
    if not inserted:
        raise NumberTaken(f"{text} has been added already")
    return number


def _found(row: Row | None, number_id: str) -> Number:
    if row is None:
        raise UnknownNumber(number_id)
    return _number(row)


def _number(row: Row) -> Number:
    """SQLite gives booleans as numbers."""
    return Number(
        account_id=row["account_id"],
        id=row["id"],
        trunk_id=row["trunk_id"],
        phone_number=row["phone_number"],
        name=row["name"],
        e164_check_enabled=bool(row["e164_check_enabled"]),
        agent_id=row["agent_id"],
        price=row["price"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
