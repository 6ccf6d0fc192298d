"""Rating: the contract's rounding rules, exactly, whatever the price; and an invoice that adds up or says why not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.billing.book import PriceBook
from ringback.billing.price import Price
from ringback.billing.price_list import default
from ringback.billing.rating import amount, amount_of, charged, telephone_lines
from ringback.executions.record import CENT, UsageKind, UsageLine, cost_of

quantities = st.integers(0, 10**9)
money = st.decimals(min_value=0, max_value=100_000, places=9)
pers = st.sampled_from([1, 7, 1000, 60_000, 1_000_000])
steps = st.sampled_from([1, 3, 1000, 60_000])


@pytest.mark.parametrize(
    ("duration_ms", "minutes"), [(1, 1), (59_999, 1), (60_000, 1), (60_001, 2), (3_600_000, 60)]
)
def test_telephone_minutes_are_charged_when_they_start(duration_ms: int, minutes: int) -> None:
    network, platform = map(PriceBook(default()).rated, telephone_lines(duration_ms, "sip-trunk", 7))
    assert (network.kind, network.provider, network.amount) == ("network", "sip-trunk", minutes * 12_000)
    assert (platform.kind, platform.provider, platform.amount) == ("platform", "ringback", minutes * 20_000)
    assert network.quantity == platform.quantity == duration_ms
    assert network.at_us == platform.at_us == 7
    assert (network.unit, network.model, network.purpose, network.turn) == ("ms", "", "conversation", None)


@pytest.mark.parametrize("duration_ms", [0, -1])
def test_a_call_that_was_not_answered_has_no_telephone_leg(duration_ms: int) -> None:
    assert telephone_lines(duration_ms, "sip-trunk", 7) == []


@pytest.mark.parametrize(
    ("quantity", "step", "units"),
    [(0, 1, 0), (5, 1, 5), (0, 1000, 0), (1, 1000, 1000), (1000, 1000, 1000), (1001, 1000, 2000)],
)
def test_a_started_step_is_charged(quantity: int, step: int, units: int) -> None:
    assert charged(quantity, step) == units


@pytest.mark.parametrize(
    ("quantity", "price", "per", "step", "cost"),
    [
        (0, "5", 1, 1, 0),
        (1000, "3", 1000, 1, 3 * CENT),
        (1001, "0.75", 60_000, 1000, 250),  # two seconds at three quarters of a cent a minute
        (10_000, "15", 1_000_000, 1, 1500),
        (1, "0.00005", 1, 1, 1),  # a half goes up
        (1, "0.000049999999", 1, 1, 0),
        (3, "0.00005", 1, 1, 2),
        (1, "10000000000", 1, 1, 10**14),
        (1, "1E+3", 1, 1, 10**7),
    ],
)
def test_amounts(quantity: int, price: str, per: int, step: int, cost: int) -> None:
    assert amount(quantity, Decimal(price), per, step) == cost


@given(quantities, money, pers, steps)
def test_an_amount_is_the_nearest_ten_thousandth_of_a_cent_half_up(
    quantity: int, price: Decimal, per: int, step: int
) -> None:
    exact = Fraction(charged(quantity, step)) * Fraction(price) * CENT / per
    assert Fraction(-1, 2) < amount(quantity, price, per, step) - exact <= Fraction(1, 2)


@given(quantities, steps)
def test_charged_is_the_least_whole_number_of_steps_that_covers_the_quantity(
    quantity: int, step: int
) -> None:
    units = charged(quantity, step)
    assert units % step == 0
    assert quantity <= units < quantity + step


@given(quantities, quantities, money, pers)
def test_rounding_never_moves_a_sum_by_more_than_half_a_unit_a_line(
    one: int, other: int, price: Decimal, per: int
) -> None:
    apart = amount(one, price, per, 1) + amount(other, price, per, 1)
    assert abs(apart - amount(one + other, price, per, 1)) <= 1


@given(quantities, quantities, money, pers, steps)
def test_more_never_costs_less(one: int, more: int, price: Decimal, per: int, step: int) -> None:
    assert amount(one, price, per, step) <= amount(one + more, price, per, step)


lines = st.builds(
    UsageLine,
    st.sampled_from(UsageKind),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["", "m"]),
    st.sampled_from(["ms", "characters", "input_tokens", "output_tokens"]),
    quantities,
    at_us=st.integers(0, 100),
)
prices = st.builds(
    Price,
    st.sampled_from(UsageKind),
    st.sampled_from(["ms", "characters", "input_tokens", "output_tokens"]),
    money,
    per=pers,
    step=steps,
    provider=st.sampled_from(["*", "a", "b"]),
    model=st.sampled_from(["*", "m"]),
    account_id=st.sampled_from(["", "parent", "own"]),
    valid_from=st.integers(0, 100),
    valid_until=st.none() | st.integers(0, 100),
)


@given(lines, st.lists(prices, max_size=12))
def test_a_rated_line_tells_its_own_amount_at_the_most_specific_price_of_its_moment(
    line: UsageLine, listed: list[Price]
) -> None:
    rated = PriceBook(listed, "own").rated(line)
    assert rated.amount == amount_of(rated)
    assert replace(rated, amount=0, price=None, per=1, step=1) == line
    fitting = [
        price
        for price in listed
        if (price.kind, price.unit) == (line.kind, line.unit)
        and price.provider in ("*", line.provider)
        and price.model in ("*", line.model)
        and price.valid_from <= line.at_us
        and (price.valid_until is None or line.at_us < price.valid_until)
    ]
    order = {"own": 2, "parent": 1, "": 0}
    ranks = [(order[price.account_id], price.provider != "*", price.model != "*") for price in fitting]
    best = [price.terms for price, rank in zip(fitting, ranks, strict=True) if rank == max(ranks)]
    assert (rated.price is None) == (not fitting)
    assert not fitting or (rated.price, rated.per, rated.step) in best


SPECIFIC = [
    (account, provider, model)
    for account in ("", "parent", "own")
    for provider in ("*", "p")
    for model in ("*", "m")
]
"""From the least to the most specific."""


@pytest.mark.parametrize(("less", "more"), list(combinations(range(len(SPECIFIC)), 2)))
def test_the_account_comes_before_the_provider_and_that_before_the_model(less: int, more: int) -> None:
    def price(place: int) -> Price:
        account, provider, model = SPECIFIC[place]
        return Price(UsageKind.LLM, "input_tokens", Decimal(place), 1, 1, provider, model, account)

    line = UsageLine(UsageKind.LLM, "p", "m", "input_tokens", 1)
    for listed in ([price(less), price(more)], [price(more), price(less)]):
        assert PriceBook(listed, "own").rated(line).price == more


def test_what_has_no_price_costs_nothing() -> None:
    line = UsageLine(
        UsageKind.TRANSCRIBER, "local", "", "ms", 600_000, amount=5, price=Decimal(1), per=2, step=3
    )
    assert PriceBook(default()).rated(line) == replace(line, amount=0, price=None, per=1, step=1)


def test_the_price_of_an_account_that_is_neither_its_own_nor_its_parents_does_not_count_as_its_own() -> None:
    own, parents = (
        Price(UsageKind.LLM, "input_tokens", Decimal(number), account_id=account)
        for number, account in ((1, "own"), (2, "parent"))
    )
    line = UsageLine(UsageKind.LLM, "p", "m", "input_tokens", 1)
    for listed in ([own, parents], [parents, own]):
        assert PriceBook(listed, "own").rated(line).price == 1
        assert PriceBook(listed, "sub").rated(line).price in (1, 2)


@given(st.lists(lines, max_size=8), st.integers(0, 100))
def test_a_price_that_changes_within_a_call_holds_for_what_is_used_from_then_on(
    used: list[UsageLine], change: int
) -> None:
    """Each line has the price of its own moment: the sum is that of two calls, one before the change and one after."""
    kinds = [
        (kind, unit) for kind in UsageKind for unit in ("ms", "characters", "input_tokens", "output_tokens")
    ]
    before = [Price(kind, unit, Decimal("0.7"), valid_until=change) for kind, unit in kinds]  # type: ignore[arg-type]
    after = [Price(kind, unit, Decimal("1.3"), valid_from=change) for kind, unit in kinds]  # type: ignore[arg-type]
    rated = list(map(PriceBook([*before, *after]).rated, used))
    earlier = [line for line in rated if line.at_us < change]
    later = [line for line in rated if line.at_us >= change]
    assert {line.price for line in earlier} <= {Decimal("0.7")}
    assert {line.price for line in later} <= {Decimal("1.3")}
    assert cost_of(rated).total == cost_of(earlier).total + cost_of(later).total
    assert cost_of(rated).total == sum(
        amount(line.quantity, Decimal("0.7" if line.at_us < change else "1.3"), 1, 1) for line in used
    )


def test_the_telephone_has_the_price_of_the_answer_however_long_it_lasts() -> None:
    answered, change = 1_000_000, 2_000_000
    cheap = Price(UsageKind.NETWORK, "ms", Decimal(1), 60_000, 60_000, valid_until=change)
    dear = Price(UsageKind.NETWORK, "ms", Decimal(9), 60_000, 60_000, valid_from=change)
    network, platform = map(PriceBook([dear, cheap]).rated, telephone_lines(600_000, "t", answered))
    assert (network.amount, platform.amount) == (10 * CENT, 0)


def test_when_prices_change_is_known_in_order() -> None:
    listed = [
        Price(UsageKind.LLM, "input_tokens", Decimal(1), valid_from=30),
        Price(UsageKind.LLM, "input_tokens", Decimal(2), valid_from=10, valid_until=30),
    ]
    assert PriceBook(listed).changes == [10, 30]
