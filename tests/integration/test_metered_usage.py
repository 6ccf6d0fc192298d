"""What providers did in a call is billed once, whether its worker lives to the end of it or not, on both databases."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from ringback.app.journal import Journal
from ringback.billing.price import EVERY_ACCOUNT, Price
from ringback.billing.prices import Prices
from ringback.conversation.transcript import Turn
from ringback.dialing.reaper import Reaper
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, Execution, UsageKind, UsageLine
from ringback.store.database import Database
from tests.support.after_call import OWNER, pipeline
from tests.support.ledgers import Books, open_books

OTHER = "another worker"


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


def tokens(quantity: int, at_us: int = 1) -> UsageLine:
    return UsageLine(UsageKind.LLM, "openai", "m", "input_tokens", quantity, turn=0, at_us=at_us)


async def answered(books: Books) -> Execution:
    call = await books.create()
    where, now = (books.account_id, call.id), books.clock.now_us()
    await books.ledger.transition(*where, Status.INITIATED, attempt={"state": AttemptState.DIALLING})
    return await books.ledger.transition(
        *where,
        Status.IN_PROGRESS,
        attempt={
            "state": AttemptState.LIVE,
            "answered_at": now,
            "lease_owner": OWNER,
            "lease_until": now + 30_000_000,
        },
    )


async def journalled(books: Books, call: Execution, *turns: list[UsageLine]) -> None:
    """A turn each, with what providers had done by then."""
    metered: list[UsageLine] = []
    journal = Journal(
        books.ledger,
        books.clock,
        books.account_id,
        call.id,
        number=1,
        lease_owner=OWNER,
        metered=lambda: metered,
    )
    for start_ms, lines in enumerate(turns):
        metered[:] = lines
        journal.turn(Turn("assistant", "Hello.", start_ms, start_ms + 900))
        await journal.finish()


async def taken_over(books: Books) -> None:
    books.clock.us += 31_000_000
    reaper = Reaper(books.db, books.ledger, books.clock, OTHER)
    await reaper.reap()  # it looks so late that it leaves this round out
    await reaper.reap()


async def test_a_lost_call_is_billed_up_to_its_last_turn(books: Books, tmp_path: Path) -> None:
    call = await answered(books)
    price = Price(UsageKind.LLM, "input_tokens", Decimal("0.01"))
    rises = (await Prices(books.db).load(EVERY_ACCOUNT, [price], books.clock)).valid_from
    await journalled(books, call, [tokens(100)], [tokens(150), tokens(100, rises)])
    await taken_over(books)
    await pipeline(books.db, books.ledger, tmp_path).complete(books.account_id, call.id, 1, OTHER)
    body = await books.body(call)
    assert (body["status"], body["cost_breakdown"]["llm"]) == ("completed", 1.0)
    assert body["usage_breakdown"]["llm_tokens"] == 250
    assert (await books.ledger.attempt(books.account_id, call.id)).metered == []


async def test_who_hangs_up_bills_the_whole_and_what_was_metered_is_gone(
    books: Books, tmp_path: Path
) -> None:
    call = await answered(books)
    await journalled(books, call, [tokens(100)])
    assert (await books.ledger.attempt(books.account_id, call.id)).metered == [tokens(100)]
    await books.ledger.transition(
        books.account_id,
        call.id,
        Status.CALL_DISCONNECTED,
        attempt={"ended_at": books.clock.now_us(), "metered": ()},
        usage=[tokens(180)],
    )
    await pipeline(books.db, books.ledger, tmp_path).complete(books.account_id, call.id, 1, OWNER)
    assert (await books.body(call))["usage_breakdown"]["llm_tokens"] == 180


async def test_who_comes_again_bills_nothing_twice(books: Books, tmp_path: Path) -> None:
    call = await answered(books)
    await journalled(books, call, [tokens(100)])
    await taken_over(books)
    work = pipeline(books.db, books.ledger, tmp_path)
    await work.complete(books.account_id, call.id, 1, OTHER)
    await work.complete(books.account_id, call.id, 1, OTHER)
    assert (await books.body(call))["usage_breakdown"]["llm_tokens"] == 100
