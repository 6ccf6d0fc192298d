"""The audit of the whole store: what every row of it says must follow from the others.

A check is a name, what it makes sure of, and a query that gives what contradicts it. Several parts of the product have
some; they are listed in CHECKS.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from ringback.billing.book import PriceBook
from ringback.billing.prices import read_book
from ringback.billing.rating import amount
from ringback.executions import outbox_check
from ringback.store.database import Database, Reader, Row
from ringback.store.queries import audit, wallet_audit

Find = Callable[[Reader, int], Awaitable[Sequence[Row]]]
"""At most so many rows: `account_id`, `subject` (the id of what is wrong), and the columns that contradict another."""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    makes_sure: str
    """A sentence, true of a store that is in order."""
    find: Find


@dataclass(frozen=True, slots=True)
class Checked:
    check: Check
    wrong: Sequence[Row]
    seconds: float


async def amounts(db: Reader, limit: int) -> list[Row]:
    """Lines that do not cost what their own price gives."""
    wrong: list[Row] = []
    for terms in await audit.doubtful_amounts(db):
        price = terms["price"]
        due = 0 if price is None else amount(terms["quantity"], Decimal(price), terms["per"], terms["step"])
        if due != terms["amount"] and len(wrong) < limit:
            found = await audit.lines_of_terms(db, terms, limit - len(wrong))
            wrong.extend({**row, "must_be": due} for row in found)
    return wrong


async def prices(db: Reader, limit: int) -> list[Row]:
    """Lines whose price is not that of the price book at their moment."""
    wrong: list[Row] = []
    books: dict[str, PriceBook] = {}
    for group in await audit.priced(db):
        account_id = group["account_id"]
        if account_id not in books:
            books[account_id] = await read_book(db, account_id)
        spans = list(_mispriced(books[account_id], group))
        if spans and len(wrong) < limit:
            wrong.extend(await audit.lines_priced(db, group, spans, limit - len(wrong)))
    return wrong


def _mispriced(book: PriceBook, group: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """When the book had another price than these lines, between the first and the last of them."""
    used = None if group["price"] is None else (Decimal(group["price"]), group["per"], group["step"])
    first, end = group["first_us"], group["last_us"] + 1
    changes = [first, *(at for at in book.changes if first < at < end), end]
    for since, until in pairwise(changes):
        price = book.price(group["kind"], group["provider"], group["model"], group["unit"], since)
        if (price and price.terms) != used:
            yield since, until


CHECKS: Final = (
    Check("status", "An execution has the one final status of its last attempt.", audit.statuses),
    Check("counters", "The counters of executions are what counting gives.", audit.counters),
    Check("recordings", "A recording is as long as its conversation.", audit.recordings),
    Check("telephone", "Billed is the time from the answer to the end of the call, once.", audit.telephone),
    Check("costs", "An execution costs the sum of its usage lines.", audit.costs),
    Check("amounts", "A usage line amounts to its quantity times its price.", amounts),
    Check("prices", "A usage line has the price of its moment.", prices),
    Check("wallets", "A wallet is the sum of its entries.", wallet_audit.balances),
    Check("reservations", "What is over has nothing reserved.", wallet_audit.reservations),
    Check("charges", "A wallet is charged what the usage lines amount to, once.", wallet_audit.charges),
    Check(
        "webhooks", "A webhook delivered or waiting tells each status of an execution.", outbox_check.untold
    ),
    Check(
        "webhook-order", "No webhook tells a status after one that it cannot follow.", outbox_check.disordered
    ),
)


async def audit_all(
    db: Database,
    limit: int,
    checks: Sequence[Check] = CHECKS,
    told: Callable[[Checked], None] = lambda _: None,
) -> list[Checked]:
    """Run all checks on one and the same moment of the store; at most `limit` rows of each. `told` as they go."""
    done: list[Checked] = []
    async with db.read() as reader:
        for check in checks:
            start = time.monotonic()
            wrong = await check.find(reader, limit)
            done.append(Checked(check, wrong, time.monotonic() - start))
            told(done[-1])
    return done
