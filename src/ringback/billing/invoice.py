"""The invoice of one execution: its usage lines, and whether they add up to what the record says. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ringback.billing.book import PriceBook
from ringback.billing.rating import amount_of
from ringback.executions.record import CENT, Attempt, Execution, UsageKind, UsageLine, cost_of
from ringback.executions.rendering import shown_cost


@dataclass(frozen=True, slots=True)
class Item:
    """A usage line on an invoice."""

    number: int
    """From 1, in the order of their writing."""
    attempt: int
    line: UsageLine


def problems(
    execution: Execution,
    attempts: Sequence[Attempt],
    body: Mapping[str, Any],
    items: Sequence[Item],
    book: PriceBook,
) -> list[str]:
    """What does not add up, a sentence each; nothing where all does. `body` is the record as clients get it."""
    return [
        *_lines(items, book),
        *_sums(execution, body, [item.line for item in items]),
        *(problem for attempt in attempts for problem in _telephone(attempt, items)),
    ]


def _lines(items: Sequence[Item], book: PriceBook) -> Iterator[str]:
    for item in items:
        line = item.line
        due = amount_of(line)
        if line.amount != due:
            yield f"line {item.number} amounts to {cents(line.amount)}, its quantity and price give {cents(due)}"
        price = book.price(line.kind, line.provider, line.model, line.unit, line.at_us)
        terms = None if line.price is None else (line.price, line.per, line.step)
        if line.at_us and (price and price.terms) != terms:
            held = f"{price.price} for {price.per}, by {price.step}" if price else "none"
            yield f"line {item.number} has not the price of its moment, which was {held}"


def _sums(execution: Execution, body: Mapping[str, Any], lines: Sequence[UsageLine]) -> Iterator[str]:
    due, shown = cost_of(lines), shown_cost(execution)
    for kind in UsageKind:
        kept, owed = getattr(execution.cost, kind), getattr(due, kind)
        if kept != owed:
            yield f"{kind}: the lines give {cents(owed)}, the execution has {cents(kept)}"
        told = body["cost_breakdown"][kind]
        if round(told * CENT) != getattr(shown, kind):
            yield f"{kind}: the record shows {told}, it costs {cents(getattr(shown, kind))}"
    if round(body["total_cost"] * CENT) != shown.total:
        yield f"the record shows a total of {body['total_cost']}, it costs {cents(shown.total)}"


def _telephone(attempt: Attempt, items: Sequence[Item]) -> Iterator[str]:
    """The telephone leg of an attempt that is over is billed once by the carrier and once by the platform."""
    if attempt.status is None:
        return
    due = attempt.leg_ms
    for kind in (UsageKind.NETWORK, UsageKind.PLATFORM):
        billed = [
            item.line.quantity
            for item in items
            if item.attempt == attempt.number
            and item.line.kind is kind
            and item.line.purpose == "conversation"
            and item.line.quantity
        ]
        if billed != ([due] if due else []):
            yield (
                f"{kind}: attempt {attempt.number} lasted {due} ms from the answer to the end, "
                f"billed are {' and '.join(map(str, billed)) or 0} ms"
            )


def cents(amount: int) -> str:
    """An amount as cents with all four decimals."""
    sign, (whole, part) = "-" * (amount < 0), divmod(abs(amount), CENT)
    return f"{sign}{whole}.{part:04}"
