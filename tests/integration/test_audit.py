"""The audit of a whole store, on both databases: silent where everything adds up; each break is found by its check."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from ringback.aftercall.audit import CHECKS, Check, Checked, audit_all
from ringback.aftercall.invoices import invoice_of
from ringback.billing.price import EVERY_ACCOUNT, Price
from ringback.billing.prices import Prices
from ringback.executions import counts
from ringback.executions.lifecycle import TERMINAL
from ringback.executions.record import UsageKind
from ringback.store.database import Database
from ringback.store.queries import audit
from tests.support.billed import Billed, billed, break_it, talk

OURS = ("status", "counters", "recordings", "telephone", "costs", "amounts", "prices")
LIST = [
    Price(UsageKind.NETWORK, "ms", Decimal("1.2"), 60_000, 60_000),
    Price(UsageKind.PLATFORM, "ms", Decimal("2"), 60_000, 60_000),
    Price(UsageKind.TRANSCRIBER, "ms", Decimal("0.43"), 60_000, 1_000),
    Price(UsageKind.LLM, "input_tokens", Decimal("0.00005")),
    Price(UsageKind.LLM, "output_tokens", Decimal("60"), 1_000_000),
    Price(UsageKind.SYNTHESIZER, "characters", Decimal("0.000050"), provider="p"),
]


@pytest.fixture
async def store(database: Database) -> Billed:
    return await billed(database)


async def wrong(store: Billed, *names: str, limit: int = 100) -> dict[str, list[dict[str, Any]]]:
    """What the checks found, by their names."""
    checks = [check for check in CHECKS if check.name in (names or OURS)]
    done = await audit_all(store.books.db, limit, checks)
    assert [checked.check for checked in done] == checks
    return {checked.check.name: [dict(row) for row in checked.wrong] for checked in done if checked.wrong}


async def test_a_store_in_which_everything_adds_up(store: Billed) -> None:
    assert await wrong(store) == {}
    await counts.fold(store.books.db)
    assert await wrong(store) == {}


async def test_an_empty_store(database: Database) -> None:
    done = await audit_all(database, 5)
    assert [list(checked.wrong) for checked in done] == [[] for _ in CHECKS]


async def test_prices_that_change_between_and_within_calls(store: Billed) -> None:
    books = store.books
    start = books.clock.us
    loaded = await Prices(books.db).load(EVERY_ACCOUNT, LIST, books.clock)
    books.clock.us = loaded.valid_from - 10_000
    await talk(books, await books.create(), "across the change")
    assert books.clock.us > loaded.valid_from > start
    await talk(books, await books.create(), "after it")
    dear = [Price(price.kind, price.unit, price.price * 2, price.per, price.step) for price in LIST]
    last = await Prices(books.db).load(books.account_id, dear, books.clock)
    books.clock.us = last.valid_from
    await talk(books, await books.create(), "with prices of its own")
    assert await wrong(store) == {}
    amounts = await books.db.fetch_all("SELECT DISTINCT amount FROM usage_lines WHERE model = 'after it'")
    assert {row["amount"] for row in amounts} == {350, 19}


BREAKS: list[tuple[str, set[str]]] = [
    ("UPDATE executions SET status = 'failed' WHERE id = '{completed}'", {"status", "counters"}),
    ("UPDATE attempts SET status = 'failed' WHERE execution_id = '{completed}'", {"status"}),
    ("UPDATE attempts SET status = NULL WHERE execution_id = '{completed}'", {"status"}),
    ("UPDATE attempts SET state = 'live' WHERE execution_id = '{completed}'", {"status"}),
    ("UPDATE attempts SET state = 'waiting' WHERE execution_id = '{retried}' AND number = 1", {"status"}),
    ("UPDATE attempts SET status = NULL WHERE execution_id = '{retried}' AND number = 1", {"status"}),
    ("UPDATE attempts SET status = 'busy' WHERE execution_id = '{waiting}'", {"status"}),
    ("UPDATE executions SET retry_count = 2 WHERE id = '{retried}'", {"status"}),
    ("UPDATE executions SET retry_count = 0 WHERE id = '{retried}'", {"status"}),
    ("DELETE FROM attempts WHERE execution_id = '{waiting}'", {"status"}),
    ("UPDATE count_changes SET delta = delta + 1 WHERE delta = 1 AND status = 'completed'", {"counters"}),
    ("UPDATE executions SET answered_by_voice_mail = TRUE WHERE id = '{completed}'", {"counters"}),
    ("UPDATE executions SET provider = 'x' WHERE id = '{completed}'", {"counters"}),
    ("UPDATE attempts SET recording_ms = 61451 WHERE execution_id = '{completed}'", {"recordings"}),
    ("UPDATE attempts SET recording_ms = NULL WHERE execution_id = '{completed}'", {"recordings"}),
    (
        "UPDATE attempts SET ended_at = ended_at + 1000 WHERE execution_id = '{completed}'",
        {"telephone"},
    ),
    ("UPDATE attempts SET answered_at = NULL WHERE execution_id = '{completed}'", {"telephone"}),
    (
        "UPDATE usage_lines SET kind = 'platform' WHERE execution_id = '{completed}' AND kind = 'network'",
        {"telephone", "costs", "prices"},
    ),
    (
        "DELETE FROM usage_lines WHERE execution_id = '{completed}' AND kind = 'network'",
        {"telephone", "costs"},
    ),
    (
        "DELETE FROM usage_lines WHERE execution_id = '{retried}' AND kind = 'platform'",
        {"telephone", "costs"},
    ),
    (
        "UPDATE usage_lines SET attempt = 1 WHERE execution_id = '{retried}' AND kind = 'network'",
        {"telephone"},
    ),
    (
        "UPDATE usage_lines SET amount = amount + 1 WHERE execution_id = '{completed}' AND kind = 'llm'",
        {"amounts", "costs"},
    ),
    (
        "UPDATE usage_lines SET amount = amount - 1 WHERE execution_id = '{completed}' AND kind = 'network'",
        {"amounts", "costs"},
    ),
    ("UPDATE executions SET cost_llm = cost_llm + 1 WHERE id = '{waiting}'", {"costs"}),
    ("UPDATE executions SET total_cost = total_cost + 1 WHERE id = '{retried}'", {"costs"}),
    ("UPDATE executions SET total_cost = 1 WHERE id = '{waiting}'", {"costs"}),
    (
        "UPDATE usage_lines SET quantity = quantity + 60000 WHERE execution_id = '{completed}' AND kind = 'network'",
        {"amounts", "telephone"},
    ),
    (
        "UPDATE usage_lines SET price = '0.7' WHERE execution_id = '{completed}' AND kind = 'network'",
        {"amounts", "prices"},
    ),
    (
        "UPDATE usage_lines SET price = NULL WHERE execution_id = '{completed}' AND kind = 'network'",
        {"amounts", "prices"},
    ),
    (
        "UPDATE usage_lines SET per = per * 2, price = '2.4' WHERE kind = 'network' AND execution_id = '{completed}'",
        {"prices"},
    ),
    (
        "UPDATE usage_lines SET step = 1000 WHERE kind = 'network' AND execution_id = '{completed}'",
        {"amounts", "prices"},
    ),
    (
        "UPDATE usage_lines SET price = '0', per = 1, step = 1 WHERE kind = 'llm' AND execution_id = '{completed}'",
        {"prices"},
    ),
]


@pytest.mark.parametrize(("statement", "found"), BREAKS)
async def test_each_break_is_found(store: Billed, statement: str, found: set[str]) -> None:
    ids = {name: getattr(store, name).id for name in ("completed", "retried", "waiting")}
    await break_it(store.books.db, statement.format(**ids))
    seen = await wrong(store)
    assert set(seen) == found
    for name, rows in seen.items():
        subjects = {store.books.agent_id} if name == "counters" else set(ids.values())
        assert {row["subject"] for row in rows} <= subjects
        assert {row["account_id"] for row in rows} == {store.books.account_id}


async def test_a_counter_that_was_folded_too_high(store: Billed) -> None:
    db = store.books.db
    await counts.fold(db)
    await break_it(db, "UPDATE execution_counts SET count = count + 3 WHERE dimension = 'hour'")
    [row] = (await wrong(store))["counters"]
    assert (row["dimension"], row["off"]) == ("hour", 3)


async def test_a_line_at_the_price_of_another_moment(store: Billed) -> None:
    """The price is one that held, but not then."""
    books = store.books
    loaded = await Prices(books.db).load(EVERY_ACCOUNT, LIST, books.clock)
    books.clock.us = loaded.valid_from
    late = await books.create()
    await talk(books, late, "late")
    assert await wrong(store) == {}
    await break_it(
        books.db,
        f"UPDATE usage_lines SET at_us = {loaded.valid_from - 1} WHERE execution_id = '{late.id}' AND kind = 'llm'",
    )
    found = await wrong(store)
    assert set(found) == {"prices"}
    assert {row["subject"] for row in found["prices"]} == {late.id}
    assert len(found["prices"]) == 2


@pytest.mark.parametrize("off", [1, -1])
async def test_a_half_that_was_rounded_the_wrong_way(store: Billed, off: int) -> None:
    """Floating point could not tell it apart."""
    books = store.books
    half = Price(UsageKind.LLM, "input_tokens", Decimal("0.00005"))
    loaded = await Prices(books.db).load(EVERY_ACCOUNT, [half], books.clock)
    books.clock.us = loaded.valid_from
    call = await books.create()
    await talk(books, call, "half")
    await break_it(
        books.db,
        f"UPDATE usage_lines SET quantity = 701, amount = 351 + {off} WHERE execution_id = '{call.id}' AND price <> ''",
    )
    [row] = (await wrong(store, "amounts"))["amounts"]
    assert (row["subject"], row["must_be"]) == (call.id, 351)
    await break_it(
        books.db,
        f"UPDATE usage_lines SET amount = 351 WHERE execution_id = '{call.id}' AND price IS NOT NULL",
    )
    assert await wrong(store, "amounts") == {}


async def test_amounts_beyond_what_floating_point_can_tell(store: Billed) -> None:
    books = store.books
    await break_it(
        books.db,
        f"""
        UPDATE usage_lines SET quantity = 90071992547409, price = '1', per = 1, step = 1, amount = 900719925474090001
        WHERE execution_id = '{store.completed.id}' AND kind = 'llm' AND unit = 'input_tokens'
        """,
    )
    [row] = (await wrong(store, "amounts"))["amounts"]
    assert row["must_be"] == 900719925474090000


async def test_no_more_is_listed_than_asked_for(store: Billed) -> None:
    await break_it(
        store.books.db,
        "UPDATE usage_lines SET amount = amount + 7, price = '9'",
        "UPDATE attempts SET recording_ms = 1",
        "UPDATE executions SET status = 'busy', total_cost = 77",
    )
    done = await audit_all(store.books.db, 1)
    assert {checked.check.name for checked in done if len(checked.wrong) == 1} >= set(OURS) - {"telephone"}
    assert all(len(checked.wrong) <= 1 for checked in done)


async def test_lines_of_before_prices_were_kept_need_no_price_of_a_book(store: Billed) -> None:
    """As the migration leaves them."""
    await break_it(
        store.books.db,
        "UPDATE usage_lines SET at_us = 0, price = '2.4000', per = quantity, step = quantity WHERE kind = 'network'",
    )
    assert await wrong(store) == {}


async def test_checks_are_told_as_they_are_done(store: Billed) -> None:
    told: list[Checked] = []
    done = await audit_all(store.books.db, 1, CHECKS[:3], told.append)
    assert told == done
    assert len(told) == 3
    assert all(isinstance(checked.check, Check) and checked.seconds >= 0 for checked in told)


# One execution


async def problems(store: Billed, execution_id: str) -> list[str]:
    invoice = await invoice_of(store.books.db, execution_id)
    assert invoice is not None
    return list(invoice.problems)


async def test_the_invoice_of_an_execution(store: Billed) -> None:
    invoice = await invoice_of(store.books.db, store.retried.id)
    assert invoice is not None
    assert invoice.problems == []
    assert [item.number for item in invoice.items] == [1, 2, 3, 4, 5, 6]
    assert {item.attempt for item in invoice.items} == {2}
    assert invoice.cost.total == invoice.execution.cost.total == 64_000
    assert await problems(store, store.waiting.id) == []
    assert await invoice_of(store.books.db, "nobody") is None


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE usage_lines SET amount = 24001 WHERE kind = 'network'",
            [
                "line 5 amounts to 2.4001, its quantity and price give 2.4000",
                "network: the lines give 2.4001, the execution has 2.4000",
            ],
        ),
        (
            "UPDATE usage_lines SET price = '2', per = 100000 WHERE kind = 'network'",
            ["line 5 has not the price of its moment, which was 1.2 for 60000, by 60000"],
        ),
        (
            "UPDATE usage_lines SET price = '0' WHERE kind = 'llm' AND unit = 'input_tokens'",
            ["line 3 has not the price of its moment, which was none"],
        ),
        (
            "UPDATE executions SET cost_llm = 5",
            [
                "llm: the lines give 0.0000, the execution has 0.0005",
                "llm: the record shows 0, it costs 0.0005",
                "the record shows a total of 6.4, it costs 6.4005",
            ],
        ),
        (
            "UPDATE attempts SET ended_at = ended_at + 1000",
            [
                "network: attempt 1 lasted 61501 ms from the answer to the end, billed are 61500 ms",
                "platform: attempt 1 lasted 61501 ms from the answer to the end, billed are 61500 ms",
            ],
        ),
        (
            "UPDATE usage_lines SET kind = 'network' WHERE kind = 'platform'",
            [
                "network: attempt 1 lasted 61500 ms from the answer to the end, billed are 61500 and 61500 ms",
                "platform: attempt 1 lasted 61500 ms from the answer to the end, billed are 0 ms",
            ],
        ),
        ("UPDATE usage_lines SET purpose = 'transfer' WHERE kind = 'platform'", ["billed are 0 ms"]),
    ],
)
async def test_an_invoice_that_does_not_add_up_says_why(
    store: Billed, statement: str, said: list[str]
) -> None:
    key = "id" if " executions " in statement else "execution_id"
    where = f"{key} = '{store.completed.id}'"
    await break_it(store.books.db, f"{statement} {'AND' if 'WHERE' in statement else 'WHERE'} {where}")
    found = await problems(store, store.completed.id)
    for text in said:
        assert any(text in problem for problem in found), found
    assert await problems(store, store.retried.id) == []


def test_what_the_queries_call_over_and_a_leg_is_what_the_record_does() -> None:
    assert set(re.findall("'([^']*)'", audit.OVER)) == set(TERMINAL)
    assert list(audit.KINDS) == list(UsageKind)
