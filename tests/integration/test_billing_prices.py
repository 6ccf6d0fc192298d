"""Prices in the store: lists follow one another, the past stays as it was, and an account's own come first."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from ringback.billing.price import EVERY_ACCOUNT, Price, PriceError
from ringback.billing.price_list import default
from ringback.billing.prices import NOTICE_US, Prices
from ringback.executions.record import UsageKind
from ringback.store.database import Database, StoreError
from ringback.store.queries import prices as price_rows
from tests.support.ledgers import Books, open_books

MINUTE = 60_000_000
NOW = 1_800_000_000_000_000


class Clock:
    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def now_us(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1e6

    async def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1e6)


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


def tokens(price: str, **parts: str) -> Price:
    return Price(UsageKind.LLM, "input_tokens", Decimal(price), per=1000, **parts)  # type: ignore[arg-type]


async def price_at(books: Books, at: int, provider: str = "openai", model: str = "gpt") -> Decimal | None:
    book = await Prices(books.db).book(books.account_id)
    price = book.price(UsageKind.LLM, provider, model, "input_tokens", at)
    return price and price.price


async def test_before_anything_was_loaded_the_default_holds(books: Books) -> None:
    prices = Prices(books.db)
    book = await prices.book(books.account_id)
    assert book.price(UsageKind.NETWORK, "sip-trunk", "", "ms", NOW) == default()[0]
    assert await prices.valid(EVERY_ACCOUNT, NOW) == list(default())
    assert await prices.valid(books.account_id, NOW) == []


async def test_a_list_holds_from_the_next_full_minute_and_what_was_before_stays(books: Books) -> None:
    prices, clock = Prices(books.db), Clock(NOW + 1)
    loaded = await prices.load(EVERY_ACCOUNT, [tokens("2")], clock)
    assert loaded.valid_from == NOW + MINUTE
    assert [price.kind for price in loaded.ended] == ["network", "platform"]
    assert [price.price for price in loaded.added] == [2]
    assert await price_at(books, NOW + MINUTE - 1) is None
    assert await price_at(books, NOW + MINUTE) == 2
    book = await prices.book(books.account_id)
    assert book.price(UsageKind.NETWORK, "x", "", "ms", 1) is not None, "as it was before any list"
    assert book.price(UsageKind.NETWORK, "x", "", "ms", NOW + MINUTE) is None, "the new list has none"
    assert await prices.valid(EVERY_ACCOUNT, NOW) == [
        price.__class__(**{**_values(price), "valid_until": NOW + MINUTE}) for price in default()
    ]


def _values(price: Price) -> dict[str, object]:
    return {name: getattr(price, name) for name in price.__dataclass_fields__}


async def test_notice_of_ten_seconds_is_given(books: Books) -> None:
    """Whoever rates what is used from then on has read the list."""
    prices = Prices(books.db)
    late = Clock(NOW + MINUTE - NOTICE_US)
    assert (await prices.load(EVERY_ACCOUNT, [tokens("1")], late)).valid_from == NOW + MINUTE
    assert (
        await prices.load(EVERY_ACCOUNT, [tokens("2")], Clock(late.now + 1))
    ).valid_from == NOW + 2 * MINUTE
    at = NOW + NOTICE_US
    with pytest.raises(PriceError) as refused:
        await prices.load(EVERY_ACCOUNT, [tokens("3")], Clock(), at - 1)
    assert str(refused.value) == (
        "prices hold from 10 seconds after now at the earliest: what was used until then is rated already"
    )
    assert (await prices.load(EVERY_ACCOUNT, [tokens("3")], Clock(), at)).valid_from == at


async def test_what_goes_on_unchanged_is_left_alone(books: Books) -> None:
    prices, clock = Prices(books.db), Clock()
    first = [tokens("2"), tokens("3", provider="openai"), tokens("4", provider="openai", model="gpt")]
    await prices.load(EVERY_ACCOUNT, first, clock)
    clock.now += 10 * MINUTE
    second = [tokens("2.0"), tokens("5", provider="openai"), tokens("6", provider="other")]
    loaded = await prices.load(EVERY_ACCOUNT, second, clock)
    assert loaded.kept == 1
    assert sorted(price.price for price in loaded.ended) == [3, 4]
    assert sorted(price.price for price in loaded.added) == [5, 6]
    rows = await price_rows.of_account(books.db, EVERY_ACCOUNT)
    assert len(rows) == 2 + 3 + 2
    assert await price_at(books, clock.now) == 4
    assert await price_at(books, loaded.valid_from) == 5
    assert await price_at(books, loaded.valid_from, "nobody") == 2


async def test_a_list_takes_the_place_of_those_that_were_to_come(books: Books) -> None:
    prices, clock = Prices(books.db), Clock()
    await prices.load(EVERY_ACCOUNT, [tokens("1")], clock, NOW + MINUTE)
    await prices.load(EVERY_ACCOUNT, [tokens("9")], clock, NOW + 100 * MINUTE)
    assert await price_at(books, NOW + 100 * MINUTE) == 9
    await prices.load(EVERY_ACCOUNT, [tokens("1")], clock, NOW + 50 * MINUTE)
    assert await price_at(books, NOW + 49 * MINUTE) == 1
    assert await price_at(books, NOW + 50 * MINUTE) == 1
    assert await price_at(books, NOW + 100 * MINUTE) == 1
    assert await price_at(books, NOW + 10_000 * MINUTE) == 1


async def test_a_list_for_the_same_moment_takes_the_place_of_the_one_before(books: Books) -> None:
    prices, clock = Prices(books.db), Clock()
    await prices.load(EVERY_ACCOUNT, [tokens("1")], clock, NOW + MINUTE)
    again = await prices.load(EVERY_ACCOUNT, [tokens("2")], clock, NOW + MINUTE)
    assert [price.price for price in again.ended] == [1], "what ended then ends no second time"
    assert await price_at(books, NOW + MINUTE) == 2
    same = await prices.load(EVERY_ACCOUNT, [tokens("2"), tokens("3", provider="x")], clock, NOW + MINUTE)
    assert (len(same.added), len(same.ended), same.kept) == (1, 0, 1)
    same = await prices.load(EVERY_ACCOUNT, [tokens("2"), tokens("3", provider="x")], clock, NOW + MINUTE)
    assert (len(same.added), len(same.ended), same.kept) == (0, 0, 2)


async def test_an_empty_list_makes_everything_free_and_is_no_default(books: Books) -> None:
    prices = Prices(books.db)
    loaded = await prices.load(EVERY_ACCOUNT, [], Clock())
    assert len(loaded.ended) == 2
    book = await prices.book(books.account_id)
    assert book.price(UsageKind.NETWORK, "x", "", "ms", loaded.valid_from) is None
    assert await prices.valid(EVERY_ACCOUNT, loaded.valid_from) == []


async def test_an_accounts_own_prices_come_before_those_of_all(books: Books) -> None:
    prices, clock = Prices(books.db), Clock()
    await prices.load(EVERY_ACCOUNT, [tokens("1", provider="openai", model="gpt")], clock)
    loaded = await prices.load(books.account_id, [tokens("5")], clock)
    assert await price_at(books, loaded.valid_from) == 5
    assert [price.price for price in await prices.valid(books.account_id, loaded.valid_from)] == [5]
    other = await prices.book("somebody else")
    price = other.price(UsageKind.LLM, "openai", "gpt", "input_tokens", loaded.valid_from)
    assert price is not None
    assert price.price == 1


async def test_a_parents_prices_hold_for_its_sub_accounts(books: Books) -> None:
    prices = Prices(books.db)
    async with books.db.transaction() as tx:
        await tx.execute(
            "INSERT INTO accounts (account_id, name, last_seq, created_at, parent_id) VALUES ('s', 's', 0, 1, :p)",
            p=books.account_id,
        )
    loaded = await prices.load(books.account_id, [tokens("5")], Clock())
    book = await prices.book("s")
    price = book.price(UsageKind.LLM, "x", "y", "input_tokens", loaded.valid_from)
    assert price is not None
    assert price.price == 5
    await prices.load("s", [tokens("7")], Clock())
    price = (await prices.book("s")).price(UsageKind.LLM, "x", "y", "input_tokens", loaded.valid_from)
    assert price is not None
    assert price.price == 7


async def test_an_unknown_account_gets_no_prices(books: Books) -> None:
    with pytest.raises(PriceError, match="there is no account nobody"):
        await Prices(books.db).load("nobody", [tokens("5")], Clock())
    assert await price_rows.of_account(books.db, EVERY_ACCOUNT) == []


async def test_a_price_comes_back_as_it_was_written(books: Books) -> None:
    written = tokens("0.00000000000000000000123456789012345678901234567890")
    loaded = await Prices(books.db).load(EVERY_ACCOUNT, [written], Clock())
    assert await price_at(books, loaded.valid_from) == written.price


@pytest.mark.parametrize("first", [True, False])
async def test_lists_that_are_loaded_at_once_come_one_after_the_other(books: Books, first: bool) -> None:
    """Of the very first ones all but one may be refused: each would write down the default."""
    prices = Prices(books.db)
    if not first:
        await prices.load(EVERY_ACCOUNT, [tokens("1")], Clock(NOW - 10 * MINUTE))
    loads = [prices.load(EVERY_ACCOUNT, [tokens(str(number))], Clock()) for number in range(2, 6)]
    done = await asyncio.gather(*loads, return_exceptions=True)
    refused = [result for result in done if isinstance(result, BaseException)]
    assert all(isinstance(result, StoreError) for result in refused)
    assert len(refused) <= (3 if first else 0)
    assert len(await prices.valid(EVERY_ACCOUNT, NOW + MINUTE)) == 1
    assert len(await prices.valid(EVERY_ACCOUNT, NOW - 11 * MINUTE)) == 2
