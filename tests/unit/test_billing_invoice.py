"""An invoice that does not add up says why: every figure of it is reckoned again from the ones below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.billing.book import PriceBook
from ringback.billing.invoice import Item, cents, problems
from ringback.billing.price import Price
from ringback.billing.price_list import default
from ringback.billing.rating import telephone_lines
from ringback.executions.lifecycle import Status
from ringback.executions.record import Attempt, CostBreakdown, UsageKind, UsageLine, cost_of
from ringback.executions.rendering import shown_cost
from tests.support.records import an_attempt, an_execution

ANSWERED, ENDED = 1_000_000, 62_500_000
OWN = Price(
    UsageKind.LLM, "input_tokens", Decimal("0.25"), provider="openai", model="gpt", valid_until=ANSWERED + 9
)
BOOK = PriceBook([*default(), OWN])
TOKENS = UsageLine(UsageKind.LLM, "openai", "gpt", "input_tokens", 100, at_us=ANSWERED)
LINES = [BOOK.rated(line) for line in (TOKENS, *telephone_lines(61_500, "sip-trunk", ANSWERED))]


def items(lines: Sequence[UsageLine], attempt: int = 1) -> list[Item]:
    return [Item(number, attempt, line) for number, line in enumerate(lines, 1)]


def attempt(**changes: Any) -> Attempt:
    values = {"answered_at": ANSWERED, "ended_at": ENDED, "status": Status.COMPLETED}
    return an_attempt(**{**values, **changes})


def found(
    lines: Sequence[UsageLine] = LINES,
    *,
    cost: CostBreakdown | None = None,
    shown: dict[str, float] | None = None,
    total: float | None = None,
    attempts: Sequence[Attempt] | None = None,
    status: Status = Status.COMPLETED,
    attempt_number: int = 1,
) -> list[str]:
    execution = an_execution(status=status, cost=cost or cost_of(lines))
    legs = {kind: getattr(shown_cost(execution), kind) / 10_000 for kind in UsageKind}
    body = {
        "cost_breakdown": {**legs, **(shown or {})},
        "total_cost": shown_cost(execution).total / 10_000 if total is None else total,
    }
    tried = [attempt()] if attempts is None else attempts
    return problems(execution, tried, body, items(lines, attempt_number), BOOK)


def test_one_that_adds_up() -> None:
    assert [line.amount for line in LINES] == [250_000, 24_000, 40_000]
    assert found() == []
    free = BOOK.rated(replace(TOKENS, provider="embedded"))
    assert (free.price, found([free, *LINES])) == (None, [])
    assert found(status=Status.CALL_DISCONNECTED, attempts=[attempt(status=None)]) == []


def test_a_line_that_does_not_cost_what_its_price_gives() -> None:
    wrong = [replace(LINES[0], amount=250_001), *LINES[1:]]
    assert found(wrong) == ["line 1 amounts to 25.0001, its quantity and price give 25.0000"]


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({"model": "big"}, "none"),
        ({"provider": "other"}, "none"),
        ({"at_us": ANSWERED + 9}, "none"),
        ({"price": None, "per": 1, "step": 1, "amount": 0}, "0.25 for 1, by 1"),
        ({"price": Decimal("0.5"), "per": 2}, "0.25 for 1, by 1"),
        ({"step": 50}, "0.25 for 1, by 1"),
    ],
)
def test_a_line_whose_price_is_not_that_of_its_moment(changes: dict[str, Any], held: str) -> None:
    wrong = [replace(LINES[0], **changes), *LINES[1:]]
    assert found(wrong) == [f"line 1 has not the price of its moment, which was {held}"]


def test_a_line_without_a_moment_is_of_before_and_has_its_own_price() -> None:
    assert found([replace(LINES[0], at_us=0, price=Decimal(25), per=100, step=100), *LINES[1:]]) == []


def test_a_cost_that_is_not_the_sum_of_the_lines() -> None:
    cost = replace(cost_of(LINES), llm=250_003)
    assert found(cost=cost) == ["llm: the lines give 25.0000, the execution has 25.0003"]


def test_a_record_that_shows_something_else() -> None:
    assert found(shown={"network": 2.4001}, total=31.5) == [
        "network: the record shows 2.4001, it costs 2.4000",
        "the record shows a total of 31.5, it costs 31.4000",
    ]


@pytest.mark.parametrize(
    ("kind", "lines", "billed"),
    [
        ("network", [LINES[0], LINES[2]], "0"),
        ("platform", LINES[:2], "0"),
        ("network", [LINES[0], LINES[1], LINES[1], LINES[2]], "61500 and 61500"),
        ("network", [LINES[0], replace(LINES[1], quantity=61_499), LINES[2]], "61499"),
        ("network", [LINES[0], replace(LINES[1], purpose="transfer"), LINES[2]], "0"),
    ],
)
def test_a_telephone_leg_that_is_not_billed_once(kind: str, lines: list[UsageLine], billed: str) -> None:
    assert found(lines) == [
        f"{kind}: attempt 1 lasted 61500 ms from the answer to the end, billed are {billed} ms"
    ]


def test_lines_of_another_attempt_are_not_those_of_this_one() -> None:
    both = [attempt(number=1), attempt(number=2, answered_at=None)]
    assert found(attempts=both) == []
    assert len(found(attempts=both, attempt_number=2)) == 4


def test_an_attempt_that_nobody_answered_is_not_billed() -> None:
    nobody = attempt(answered_at=None, status=Status.NO_ANSWER)
    assert found(LINES[:1], attempts=[nobody]) == []
    free = replace(LINES[1], quantity=0, amount=0)
    assert found([LINES[0], free], attempts=[nobody]) == []
    assert len(found(attempts=[nobody])) == 2


@pytest.mark.parametrize(
    ("answered", "ended", "length"),
    [
        (None, None, 0),
        (5, None, 0),
        (None, 5, 0),
        (1_000, 2_999, 1),
        (1_000, 3_000, 2),
        (5_000_000, 1, 0),
        (1, 1, 0),
    ],
)
def test_the_length_of_the_telephone_leg(answered: int | None, ended: int | None, length: int) -> None:
    assert an_attempt(answered_at=answered, ended_at=ended).leg_ms == length


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "0.0000"), (1, "0.0001"), (10_000, "1.0000"), (123_456_789, "12345.6789"), (-1, "-0.0001")],
)
def test_cents_have_all_four_decimals(amount: int, shown: str) -> None:
    assert cents(amount) == shown


@given(st.integers(-(10**18), 10**18))
def test_cents_are_exact(amount: int) -> None:
    assert Decimal(cents(amount)) * 10_000 == amount
