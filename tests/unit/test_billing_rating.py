"""Rating: the contract's rounding rules, and sums that always add up."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.billing.prices import PriceBook, PriceError, cents
from ringback.billing.rating import amount, rated, telephone_lines
from ringback.executions.record import CENT, UsageKind, UsageLine

BOOK = PriceBook(
    network_per_minute=Decimal("1.2"),
    platform_per_minute=Decimal("2"),
    units={
        (UsageKind.TRANSCRIBER, "ears"): Decimal("0.0125"),
        (UsageKind.SYNTHESIZER, "mouth"): Decimal("0.003"),
        (UsageKind.LLM, "model"): Decimal("0.000015"),
    },
)


def line(kind: UsageKind, provider: str, unit: str, quantity: int) -> UsageLine:
    return UsageLine(kind, provider, "", unit, quantity, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("duration_ms", "minutes"), [(0, 0), (1, 1), (59_999, 1), (60_000, 1), (60_001, 2), (3_600_000, 60)]
)
def test_telephone_minutes_are_charged_when_they_start(duration_ms: int, minutes: int) -> None:
    network, platform = telephone_lines(duration_ms, "sip-trunk", BOOK)
    assert (network.kind, network.amount) == (UsageKind.NETWORK, minutes * 12_000)
    assert (platform.kind, platform.amount) == (UsageKind.PLATFORM, minutes * 20_000)
    assert network.quantity == platform.quantity == duration_ms


@pytest.mark.parametrize(("ms", "seconds"), [(0, 0), (1, 1), (1000, 1), (1001, 2)])
def test_a_transcriber_is_charged_by_the_started_second(ms: int, seconds: int) -> None:
    [billed] = rated([line(UsageKind.TRANSCRIBER, "ears", "ms", ms)], BOOK)
    assert billed.amount == seconds * 125


def test_characters_and_tokens_are_charged_by_the_unit() -> None:
    speech, tokens = rated(
        [
            line(UsageKind.SYNTHESIZER, "mouth", "characters", 1000),
            line(UsageKind.LLM, "model", "input_tokens", 10_000),
        ],
        BOOK,
    )
    assert (speech.amount, tokens.amount) == (3 * CENT, 1500)


def test_what_has_no_price_costs_nothing() -> None:
    [local] = rated([line(UsageKind.TRANSCRIBER, "local", "ms", 600_000)], BOOK)
    assert local.amount == 0


@given(st.decimals(min_value=0, max_value=10_000, places=6))
def test_an_amount_is_the_nearest_ten_thousandth_of_a_cent(price: Decimal) -> None:
    assert abs(Decimal(amount(price)) / CENT - price) <= Decimal("0.00005")


@pytest.mark.parametrize("text", ["", "free", "-1", "NaN", "Infinity"])
def test_a_price_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(PriceError, match=r"prices\.network"):
        cents(text, "prices.network")
