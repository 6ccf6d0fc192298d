"""Numbers that an account must not dial, whoever asks it to. The claim and the intent look them up."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from ringback.clock import Clock
from ringback.store.database import Database, Row
from ringback.store.queries import do_not_call as queries

_PAGE: Final = 1000
_E164: Final = re.compile(r"\+[1-9][0-9]{1,14}")


class NotListed(LookupError):
    """The number is not on the account's list."""


@dataclass(frozen=True, slots=True)
class Entry:
    number: str
    reason: str | None
    created_at: int
    """Microseconds since the epoch, UTC."""


class DoNotCall:
    """The lists; every method sees that of one account. Numbers are E.164, as calls have them."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def put(self, account_id: str, number: str, reason: str | None) -> Entry:
        """The number is not dialled from now on; what is just being dialled goes on. An entry gets the new reason."""
        async with self._db.transaction() as tx:
            return _entry(
                await queries.put(
                    tx, account_id=account_id, number=number, reason=reason, now_us=self._clock.now_us()
                )
            )

    async def add(self, account_id: str, numbers: Sequence[str], reason: str | None) -> None:
        """Many at once: all or none. Those that are listed stay as they are."""
        async with self._db.transaction() as tx:
            await queries.add(
                tx, account_id=account_id, numbers=numbers, reason=reason, now_us=self._clock.now_us()
            )

    async def get(self, account_id: str, number: str) -> Entry:
        """Raises NotListed."""
        row = await queries.get(self._db, account_id, number)
        if row is None:
            raise NotListed(number)
        return _entry(row)

    async def after(self, account_id: str, number: str, limit: int) -> list[Entry]:
        """A page of the list, which is in the order of the numbers; '' comes before all."""
        return [_entry(row) for row in await queries.after(self._db, account_id, number, limit=limit)]

    async def every(self, account_id: str) -> AsyncIterator[Entry]:
        """The whole list, read in pages."""
        last = ""
        while page := await self.after(account_id, last, _PAGE):
            for entry in page:
                yield entry
            last = page[-1].number

    async def remove(self, account_id: str, number: str) -> None:
        """It may be dialled again; calls that were stopped for it stay so. Raises NotListed."""
        async with self._db.transaction() as tx:
            if not await queries.remove(tx, account_id, number):
                raise NotListed(number)


def is_number(text: str) -> bool:
    """Is it E.164, such as +14155550123?"""
    return _E164.fullmatch(text) is not None


def _entry(row: Row) -> Entry:
    return Entry(row["number"], row["reason"], row["created_at"])
