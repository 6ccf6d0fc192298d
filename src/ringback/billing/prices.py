"""The prices of an installation: what holds for an account, and new ones. The past is never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Final
from uuid import uuid4

from ringback.billing import price_list
from ringback.billing.book import PriceBook
from ringback.billing.price import EVERY_ACCOUNT, Price, PriceError
from ringback.clock import Clock
from ringback.executions.record import UsageKind
from ringback.store.database import Database, Reader, Row, Transaction
from ringback.store.queries import accounts
from ringback.store.queries import prices as price_rows

NOTICE_US: Final = 10_000_000
"""So much earlier than they hold prices are written: whoever rates a line of that moment, on any machine, has them."""
_MINUTE_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a new list changed."""

    valid_from: int
    added: Sequence[Price]
    ended: Sequence[Price]
    kept: int


async def read_book(db: Reader, account_id: str) -> PriceBook:
    """The prices of an account, of its parent and of all accounts, at any time."""
    prices = [_price(row) for row in await price_rows.that_hold(db, account_id)]
    if not any(price.account_id == EVERY_ACCOUNT for price in prices):
        prices.extend(price_list.default())
    return PriceBook(prices, account_id)


class Prices:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def book(self, account_id: str, *, tx: Reader | None = None) -> PriceBook:
        """The prices of an account. One query."""
        return await read_book(tx or self._db, account_id)

    async def valid(self, account_id: str, at_us: int) -> list[Price]:
        """The account's own prices at a moment, with EVERY_ACCOUNT those of all."""
        prices = [_price(row) for row in await price_rows.of_account(self._db, account_id)]
        if not prices and account_id == EVERY_ACCOUNT:
            prices = list(price_list.default())
        return [price for price in prices if price.holds_at(at_us)]

    async def load(
        self, account_id: str, prices: Sequence[Price], clock: Clock, valid_from: int | None = None
    ) -> Loaded:
        """Make `prices` the whole list of the account (EVERY_ACCOUNT: of all) from a moment on.

        What the list does not hold any more ends then; what it holds already goes on as it is. Without `valid_from` it
        is the next full minute. Raises PriceError for a moment that is too early, or an unknown account.
        """
        async with self._db.transaction() as tx:
            now = clock.now_us()
            if valid_from is None:
                valid_from = -(-(now + NOTICE_US) // _MINUTE_US) * _MINUTE_US
            if valid_from < now + NOTICE_US:
                raise PriceError(
                    f"prices hold from {NOTICE_US // 1_000_000} seconds after now at the earliest: "
                    "what was used until then is rated already"
                )
            if account_id != EVERY_ACCOUNT and await accounts.get(tx, account_id) is None:
                raise PriceError(f"there is no account {account_id}")
            if not await price_rows.of_account(tx, EVERY_ACCOUNT, lock=True):
                await _keep_default(tx, now)
            rows = await price_rows.of_account(tx, account_id, lock=True)
            wanted = {price.key: replace(price, account_id=account_id) for price in prices}
            kept, ended = 0, []
            for row in rows:
                price = _price(row)
                same = wanted.get(price.key)
                if (
                    same
                    and price.valid_until is None
                    and price.holds_at(valid_from)
                    and same.terms == price.terms
                ):
                    del wanted[price.key]
                    kept += 1
                elif price.valid_until is None or price.valid_until > valid_from:
                    # One that would have begun later ends before it begins.
                    await price_rows.close(tx, account_id, row["id"], max(valid_from, price.valid_from))
                    ended.append(price)
            added = [replace(price, valid_from=valid_from) for price in wanted.values()]
            await price_rows.insert(tx, [_row(price, uuid4().hex, now) for price in added])
        return Loaded(valid_from, added, ended, kept)


async def _keep_default(tx: Transaction, now: int) -> None:
    """What held until now without being in the table stays known. Two first loads at once collide on the ids."""
    await price_rows.insert(
        tx, [_row(price, f"default-{place}", now) for place, price in enumerate(price_list.default())]
    )


def _price(row: Row) -> Price:
    values = {field.name: row[field.name] for field in fields(Price)}
    return Price(**{**values, "kind": UsageKind(row["kind"]), "price": Decimal(row["price"])})


def _row(price: Price, price_id: str, created_at: int) -> dict[str, object]:
    values = {field.name: getattr(price, field.name) for field in fields(Price)}
    return {**values, "price": f"{price.price:f}", "id": price_id, "created_at": created_at}
