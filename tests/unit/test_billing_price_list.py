"""Price lists: what a file may say, what is said of one that is wrong, and that what is written is read again."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.billing.price import Price, PriceError
from ringback.billing.price_list import default, read, write
from ringback.executions.record import UsageKind

GOOD = '[[prices]]\nkind = "llm"\nunit = "input_tokens"\nprice = "0.25"\n'
UNITS = {
    "network": ["ms"],
    "platform": ["ms"],
    "transcriber": ["ms"],
    "synthesizer": ["characters"],
    "llm": ["input_tokens", "output_tokens"],
}


def test_what_is_left_out_is_every_provider_every_model_and_one() -> None:
    [price] = read(GOOD)
    assert price == Price(UsageKind.LLM, "input_tokens", Decimal("0.25"), 1, 1, "*", "*", "", 0, None)


@pytest.mark.parametrize("written", ["0.1", '"0.1"'])
def test_a_price_is_taken_as_it_is_written_not_as_a_binary_fraction(written: str) -> None:
    [price] = read(GOOD.replace('"0.25"', written))
    assert price.price == Decimal("0.1")


def test_whole_cents_without_quotes() -> None:
    assert read(GOOD.replace('"0.25"', "3"))[0].price == 3


def test_the_default_is_an_example_of_a_telephone_minute_and_ours() -> None:
    assert [(price.kind, price.unit, price.price, price.per, price.step) for price in default()] == [
        ("network", "ms", Decimal("1.2"), 60_000, 60_000),
        ("platform", "ms", Decimal("2"), 60_000, 60_000),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prices = 3", "made of [[prices]]"),
        ("prices = [3]", "made of [[prices]]"),
        ("[network]\nprice = 1", "made of [[prices]]"),
        ("[[prices]", "no TOML"),
        (GOOD + "cents = 3\n", "number 1: cents is not known"),
        (GOOD + GOOD, "number 2: there are two of it: price of llm input_tokens (provider *, model *)"),
        (GOOD.replace("llm", "words"), "kind must be one of llm, network"),
        (GOOD.replace('"llm"', "[]"), "kind must be one of"),
        (GOOD.replace("input_tokens", "ms"), "unit of llm must be input_tokens or output_tokens, not 'ms'"),
        (GOOD.replace("0.25", "free"), "price must be a number of cents, not 'free'"),
        (GOOD.replace('"0.25"', "true"), "price must be a number of cents, not True"),
        (GOOD.replace("0.25", "-1"), "at least zero cents, not -1"),
        (GOOD.replace("0.25", "NaN"), "at least zero cents, not NaN"),
        (GOOD.replace('"0.25"', "inf"), "at least zero cents, not Infinity"),
        (GOOD.replace("0.25", "Infinity"), "at least zero cents"),
        (GOOD.replace('price = "0.25"', ""), "price must be a number of cents, not None"),
        (GOOD + "per = 0\n", "per must be a whole number of at least 1, not 0"),
        (GOOD + "per = 9007199254740993\n", "per must be"),
        (GOOD + "step = 1.5\n", "step must be a whole number"),
        (GOOD + "step = true\n", "step must be a whole number"),
        (GOOD + "provider = 3\n", "provider must be a text without control characters, not 3"),
        (GOOD + 'provider = "\\u0000"\n', "provider must be a text without"),
        (GOOD + "model = []\n", "model must be a text"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(PriceError) as caught:
        read(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prices = 3", "a price list is made of [[prices]] and nothing else"),
        (
            GOOD + "cents = 3\n",
            "[[prices]] number 1: cents is not known; there are kind, model, per, price, provider, step, unit",
        ),
    ],
)
def test_what_there_is_to_be_said(text: str, said: str) -> None:
    with pytest.raises(PriceError) as caught:
        read(text)
    assert str(caught.value) == said


@pytest.mark.parametrize(("per", "step"), [(0, 1), (1, 0)])
def test_a_price_for_nothing_is_none(per: int, step: int) -> None:
    with pytest.raises(PriceError, match="per and step must be at least 1"):
        Price(UsageKind.LLM, "input_tokens", Decimal(1), per, step)


kinds = st.sampled_from(UsageKind).flatmap(
    lambda kind: st.tuples(st.just(kind), st.sampled_from(UNITS[kind]))
)
names = st.text(st.characters(codec="utf-8")).filter(str.isprintable)
prices = st.builds(
    lambda kind, *rest: Price(*kind, *rest),
    kinds,
    st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False),
    st.integers(1, 2**53),
    st.integers(1, 2**53),
    names,
    names,
)


@given(st.lists(prices, unique_by=lambda price: price.key, max_size=4))
def test_what_is_written_is_read_again(listed: list[Price]) -> None:
    assert read(write(listed)) == listed
