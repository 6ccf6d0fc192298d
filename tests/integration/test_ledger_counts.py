"""Totals: the counters say what counting says, at any moment, whoever writes."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from ringback.executions import counts
from ringback.executions.counts import Total
from ringback.executions.filters import Filters
from ringback.executions.lifecycle import TRANSITIONS, Status
from ringback.executions.record import Execution
from ringback.store.database import Database
from ringback.store.queries import counts as queries
from ringback.store.queries import execution_lists
from tests.support.ledgers import Books, open_books

BATCHES = ("baab7cdc833145bf8dd260ff1f0a3f21", "baab7cdc833145bf8dd260ff1f0a3f22")
SINGLE = (
    Filters(),
    *(Filters(statuses=frozenset({status})) for status in Status),
    *(Filters(call_type=way) for way in ("inbound", "outbound")),
    *(Filters(provider=name) for name in ("sip-trunk", "twilio", "nobody")),
    *(Filters(batch_id=batch) for batch in BATCHES),
    *(Filters(answered_by_voice_mail=flag) for flag in (True, False)),
)


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


async def _assert_totals_are_right(books: Books) -> None:
    for filters in SINGLE:
        async with books.db.read() as reader:
            told = await counts.total(reader, books.account_id, books.agent_id, filters)
            counted = await execution_lists.count(
                reader, books.account_id, books.agent_id, filters.columns(), bound=10**9
            )
        assert told == Total(counted, exact=True), filters
    for batch in BATCHES:
        async with books.db.read() as reader:
            rows = await reader.fetch_all(
                "SELECT status, COUNT(*) AS n FROM executions WHERE batch_id = :id GROUP BY status", id=batch
            )
            shown = await counts.of_batch(reader, books.account_id, books.agent_id, batch)
        assert shown == {row["status"]: row["n"] for row in rows}


async def _change(books: Books, random: random.Random, call: Execution) -> Execution:
    """The next step of a call, or a verdict about who answered."""
    if random.random() < 0.3:
        return await books.ledger.update(
            books.account_id,
            call.id,
            changes={
                "answered_by_voice_mail": random.random() < 0.5,
                "provider": random.choice(["twilio", "sip-trunk"]),
            },
        )
    # The way back out of an end is the retry policy's.
    open_to = sorted(TRANSITIONS[call.status])
    if not open_to or open_to == [Status.SCHEDULED]:
        return call
    return await books.ledger.transition(books.account_id, call.id, random.choice(open_to))


async def _create(books: Books, random: random.Random) -> Execution:
    new: dict[str, Any] = {
        "provider": random.choice(["sip-trunk", "twilio"]),
        "batch_id": random.choice([None, *BATCHES]),
    }
    return await books.create(**new)


@pytest.mark.parametrize("seed", range(3))
async def test_totals_after_random_work(books: Books, seed: int) -> None:
    chance, calls = random.Random(seed), []
    for step in range(60):
        if not calls or chance.random() < 0.4:
            calls.append(await _create(books, chance))
        else:
            number = chance.randrange(len(calls))
            calls[number] = await _change(books, chance, calls[number])
        if chance.random() < 0.1:
            await counts.fold(books.db)
        if step % 20 == 19:
            await _assert_totals_are_right(books)
    assert await counts.fold(books.db) == {(books.account_id, books.agent_id)}
    assert await counts.fold(books.db) == set()
    assert await books.db.fetch_all("SELECT id FROM count_changes") == []
    await _assert_totals_are_right(books)


async def test_totals_beside_writers(books: Books) -> None:
    done = asyncio.Event()

    async def write(seed: int) -> None:
        chance = random.Random(seed)
        call = await _create(books, chance)
        while not done.is_set():
            call = await _change(books, chance, call)
            if chance.random() < 0.3:
                call = await _create(books, chance)

    async def fold() -> None:
        while not done.is_set():
            await counts.fold(books.db)

    work = [asyncio.create_task(write(seed)) for seed in range(4)]
    work += [asyncio.create_task(fold()) for _ in range(2)]
    try:
        for _ in range(3):
            await _assert_totals_are_right(books)
    finally:
        done.set()
        await asyncio.gather(*work)
    await _assert_totals_are_right(books)


async def test_a_change_that_is_taken_back_changes_no_total(books: Books) -> None:
    call = await books.create()

    async def stop_and_fail() -> None:
        async with books.db.transaction() as tx:
            await books.ledger.transition(books.account_id, call.id, Status.STOPPED, tx=tx)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await stop_and_fail()
    await _assert_totals_are_right(books)


async def test_other_filters_are_counted_up_to_a_bound(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        await books.create()
    both = Filters(call_type="outbound", provider="sip-trunk")
    monkeypatch.setattr(counts, "BOUND", 5)
    assert await books.listing.total(books.account_id, books.agent_id, both) == Total(5, exact=True)
    monkeypatch.setattr(counts, "BOUND", 4)
    assert await books.listing.total(books.account_id, books.agent_id, both) == Total(4, exact=False)
    several = Filters(statuses=frozenset({Status.QUEUED, Status.BUSY}))
    assert (await books.listing.total(books.account_id, books.agent_id, several)).exact is False


async def test_the_hour_of_a_rank(books: Books) -> None:
    created = []
    for _ in range(40):
        created.append((await books.create()).seq)
        books.clock.us += 600_000_000
        if len(created) == 25:
            await counts.fold(books.db)
    newest_first = created[::-1]
    for rank, seq in enumerate(newest_first):
        found = await queries.hour_of_rank(books.db, books.account_id, books.agent_id, rank)
        assert found is not None
        hour = seq // queries.HOUR_US
        assert (found["hour"], found["newer"]) == (hour, sum(s // queries.HOUR_US > hour for s in created))
    assert await queries.hour_of_rank(books.db, books.account_id, books.agent_id, 40) is None
