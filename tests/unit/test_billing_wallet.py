"""Cents as a person writes them, and what a call may cost at its longest."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ringback.billing.book import PriceBook
from ringback.billing.price import Price
from ringback.billing.price_list import default
from ringback.billing.reservation import BalanceLow, Reservations, Reserve, longest
from ringback.billing.wallet import MOST_CENTS, WalletError, read_cents
from ringback.executions.record import CENT, UsageKind

EARS = Price(UsageKind.TRANSCRIBER, "ms", Decimal("0.6"), per=60_000, step=1_000, provider="deepgram")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        (str(MOST_CENTS), MOST_CENTS * CENT),
        ("1", 10_000),
        ("12.5", 125_000),
        ("0.0001", 1),
        (" 7 ", 70_000),
        ("1e3", 10_000_000),
    ],
)
def test_cents(text: str, amount: int) -> None:
    assert read_cents(text) == amount


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is not a number of cents"),
        ("ten", "'ten' is not a number of cents"),
        ("1,5", "'1,5' is not a number of cents"),
        ("0.00001", "'0.00001' is not a number of cents with at most four decimals"),
        ("NaN", "'NaN' is not a number of cents with at most four decimals"),
        ("Infinity", "'Infinity' is not a number of cents with at most four decimals"),
        ("0", "0 cents: a top-up is more than nothing and at most 1000000000000 cents"),
        ("-5", "-5 cents: a top-up is more than nothing and at most 1000000000000 cents"),
        (
            str(MOST_CENTS + 1),
            "1000000000001 cents: a top-up is more than nothing and at most 1000000000000 cents",
        ),
    ],
)
def test_what_is_no_sum_of_money(text: str, said: str) -> None:
    with pytest.raises(WalletError) as refused:
        read_cents(text)
    assert str(refused.value) == said


def definition(call_terminate: float | None, transcriber: str = "local") -> dict[str, Any]:
    task = {
        "task_type": "conversation",
        "task_config": None if call_terminate is None else {"call_terminate": call_terminate},
        "tools_config": {"transcriber": {"provider": transcriber, "model": "nova-2"}},
    }
    return {"tasks": [{"task_type": "extraction"}, task]}


@pytest.mark.parametrize(
    ("agent", "amount"),
    [
        (definition(60), 32_000),
        (definition(60.5), 64_000),
        (definition(90), 64_000),
        (definition(None), 64_000),
        ({}, 64_000),
        (definition(90, "deepgram"), 64_000 + 9_000),
        (definition(90.5, "deepgram"), 64_000 + 9_100),
    ],
)
def test_the_telephone_and_the_transcriber_until_call_terminate(agent: dict[str, Any], amount: int) -> None:
    assert longest(PriceBook([*default(), EARS]), agent, "sip-trunk", 1) == amount


def test_the_prices_of_that_moment_and_that_carrier() -> None:
    dear = Price(UsageKind.NETWORK, "ms", Decimal(10), 60_000, 60_000, provider="gold", valid_from=5)
    book = PriceBook([dear])
    assert [longest(book, definition(60), *of) for of in (("gold", 5), ("gold", 4), ("sip-trunk", 5))] == [
        100_000,
        0,
        0,
    ]


@pytest.mark.parametrize(
    ("kind", "provider", "model", "amount"),
    [
        (UsageKind.NETWORK, "gold", "*", 10_000),
        (UsageKind.NETWORK, "gold", "", 10_000),
        (UsageKind.NETWORK, "iron", "*", 0),
        (UsageKind.PLATFORM, "ringback", "*", 10_000),
        (UsageKind.PLATFORM, "ringback", "", 10_000),
        (UsageKind.PLATFORM, "other", "*", 0),
        (UsageKind.TRANSCRIBER, "deepgram", "nova-2", 10_000),
        (UsageKind.TRANSCRIBER, "deepgram", "nova-3", 0),
        (UsageKind.TRANSCRIBER, "other", "nova-2", 0),
    ],
)
@pytest.mark.parametrize("ends_at", [7, 8])
def test_each_part_has_its_own_price_of_the_moment(
    kind: UsageKind, provider: str, model: str, amount: int, ends_at: int
) -> None:
    price = Price(kind, "ms", Decimal(1), 60_000, 60_000, provider, model, valid_from=7, valid_until=ends_at)
    cost = longest(PriceBook([price]), definition(60, "deepgram"), "gold", 7)
    assert cost == (amount if ends_at > 7 else 0)


def test_an_agent_that_names_no_transcriber_has_that_of_no_name() -> None:
    named = Price(UsageKind.TRANSCRIBER, "ms", Decimal(1), 60_000, 60_000, provider="", model="")
    agent = {
        "tasks": [{"task_type": "conversation", "task_config": {"call_terminate": 60}, "tools_config": None}]
    }
    assert longest(PriceBook([named]), agent, "gold", 7) == 10_000


class Off:
    def now_us(self) -> int:
        raise AssertionError("nothing is entered")

    def monotonic(self) -> float:
        raise AssertionError("nobody waits")

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(1, "0.0001"), (64_000, "6.4"), (100_000, "10"), (1_000_000, "100"), (1_230_500, "123.05")],
)
async def test_what_a_wallet_lacks_is_said_in_cents(
    monkeypatch: pytest.MonkeyPatch, amount: int, shown: str
) -> None:
    async def refused(*of: object) -> bool:
        return False

    monkeypatch.setattr("ringback.store.queries.wallets.reserve", refused)
    nothing: Any = None
    with pytest.raises(BalanceLow) as low:
        await Reservations(nothing, Off()).make(nothing, Reserve("payer", amount), nothing)
    assert str(low.value) == f"The wallet has less than the {shown} cents that this call may cost"
