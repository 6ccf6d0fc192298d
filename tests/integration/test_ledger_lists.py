"""The lists on real databases: order, filters, pages, streams beside writers, recordings."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import jsonschema
import pytest

from ringback.executions import counts, cursor, listing
from ringback.executions.counts import Total
from ringback.executions.filters import Filters
from ringback.executions.history import History
from ringback.executions.lifecycle import Status
from ringback.executions.listing import Page, StoredExecution
from ringback.executions.record import Execution, UsageKind, UsageLine
from ringback.store.database import Database
from tests.support.ledgers import Books, open_books
from tests.support.records import SEED_LIST_SCHEMA

BATCH = "baab7cdc833145bf8dd260ff1f0a3f21"


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


async def _end(books: Books, call: Execution, *path: Status, **changes: Any) -> None:
    for to in path:
        await books.ledger.transition(books.account_id, call.id, to, **changes if to is path[-1] else {})


def _ids(page: Page) -> list[str]:
    return [json.loads(item.body)["id"] for item in page.items]


async def test_an_agent_without_executions(books: Books) -> None:
    assert await books.list() == []
    page = await books.listing.page(books.account_id, books.agent_id, 20)
    assert (page.total, page.has_more, page.items) == (Total(0, exact=True), False, [])


async def test_v1_list_is_the_whole_history_newest_first(books: Books) -> None:
    """More than two batches, interleaved with another agent's and another account's."""
    other = await open_books(books.db)
    await books.agent("another")
    ids = []
    for number in range(540):
        ids.append((await books.create(recipient_data={"n": number})).id)
        if number % 100 == 0:
            await books.create(agent_id="another")
            await other.create()
    records = await books.list()
    assert [record["id"] for record in records] == ids[::-1]
    assert len(await books.list("another")) == 6
    jsonschema.validate(records, SEED_LIST_SCHEMA)


@pytest.mark.parametrize("count", [1, 19, 20, 21, 40])
async def test_v1_list_at_the_edges_of_a_batch(books: Books, count: int) -> None:
    ids = [(await books.create()).id for _ in range(count)]
    assert [record["id"] for record in await books.list()] == ids[::-1]


async def test_v1_list_shows_the_statuses_of_v1(books: Books) -> None:
    stopped, failed = await books.create(batch_id=BATCH), await books.create()
    await _end(books, stopped, Status.STOPPED)
    await _end(books, failed, Status.ERROR)
    await books.create(scheduled_at=books.clock.us + 10**9)
    shown = [(record["status"], record["smart_status"]) for record in await books.list()]
    assert shown == [("queued", "scheduled"), ("failed", "error"), ("canceled", "stopped")]
    assert (await books.list())[-1]["batch_run_details"]["status"] == "canceled"
    stored = await books.listing.by_id(books.account_id, stopped.id)
    assert stored is not None
    assert stored.agent_id == books.agent_id
    assert json.loads(stored.body)["status"] == "stopped"
    assert json.loads(stored.v1())["status"] == "canceled"


async def test_filters(books: Books) -> None:
    queued = await books.create(batch_id=BATCH)
    busy = await books.create(provider="twilio")
    await _end(books, busy, Status.INITIATED, Status.BUSY, changes={"answered_by_voice_mail": True})
    stopped = await books.create()
    await _end(books, stopped, Status.STOPPED)

    async def found(**filters: Any) -> list[str]:
        page = await books.listing.page(books.account_id, books.agent_id, 20, Filters(**filters))
        array = json.loads(await books.array(books.agent_id, Filters(**filters)))
        assert [record["id"] for record in array] == _ids(page)
        assert page.total == Total(len(page.items), exact=True)
        return _ids(page)[::-1]

    everyone = [queued.id, busy.id, stopped.id]
    assert await found() == everyone
    assert await found(statuses=frozenset({Status.BUSY})) == [busy.id]
    assert await found(statuses=frozenset({Status.STOPPED, Status.QUEUED})) == [queued.id, stopped.id]
    assert await found(statuses=frozenset({Status.PREPARED})) == []
    assert await found(call_type="outbound") == everyone
    assert await found(call_type="inbound") == []
    assert await found(provider="twilio") == [busy.id]
    assert await found(provider="nobody") == []
    assert await found(answered_by_voice_mail=True) == [busy.id]
    assert await found(answered_by_voice_mail=False) == [queued.id, stopped.id]
    assert await found(batch_id=BATCH) == await found(batch_id=str(UUID(BATCH))) == [queued.id]
    assert await found(batch_id="no id at all") == []
    assert await found(created_from=busy.seq) == [busy.id, stopped.id]
    assert await found(created_to=busy.seq) == [queued.id, busy.id]
    assert await found(created_from=busy.seq, created_to=busy.seq) == [busy.id]
    assert await found(created_from=busy.seq + 1, statuses=frozenset({Status.QUEUED})) == []


async def test_more_filters(books: Books) -> None:
    plain = await books.create(
        to_number="+14155550001", recipient_data={"city": "Pune", "age": 42, "vip": True}
    )
    nested = await books.create(
        to_number="+14155550002",
        from_number="+14155550009",
        recipient_data={"home": {"city": "Pune"}, "age": "42"},
    )
    tricky = await books.create(recipient_data={"note": '"city":"Pune"', "100%_\\": 'a"b', "nul": "\0"})
    live = (Status.INITIATED, Status.IN_PROGRESS)
    await _end(books, plain, *live)
    await _end(
        books,
        plain,
        Status.CALL_DISCONNECTED,
        attempt={"hangup_reason": "Normal Hangup", "conversation_ms": 42_460},
    )
    await _end(books, plain, Status.COMPLETED, changes={"extracted_data": {"interested": True, "slot": None}})

    async def found(**filters: Any) -> list[str]:
        return [json.loads(item.body)["id"] async for item in _all(books, Filters(**filters))][::-1]

    assert await found(to_number="+14155550001") == [plain.id]
    assert await found(from_number="+14155550009") == [nested.id]
    assert await found(hangup_reason="Normal Hangup") == [plain.id]
    assert await found(min_duration_ms=42_500) == await found(min_duration_ms=1) == [plain.id]
    assert await found(min_duration_ms=42_501) == []
    assert await found(max_duration_ms=42_499) == [nested.id, tricky.id]
    assert await found(max_cost=0) == [plain.id, nested.id, tricky.id]
    assert await found(min_cost=1) == []
    assert await found(recipient_data={"city": "Pune"}) == [plain.id, nested.id]
    assert await found(recipient_data={"city": "pune"}) == []
    assert await found(recipient_data={"city": "Pun"}) == []
    assert await found(recipient_data={"age": "42"}) == [plain.id, nested.id]
    assert await found(recipient_data={"age": "4"}) == []
    assert await found(recipient_data={"vip": "true"}) == [plain.id]
    assert await found(recipient_data={"city": "Pune", "age": "42", "vip": "true"}) == [plain.id]
    assert (
        await found(recipient_data={"100%_\\": 'a"b'})
        == await found(recipient_data={"nul": "\0"})
        == [tricky.id]
    )
    assert await found(extracted_data={"interested": "true"}) == [plain.id]
    assert await found(extracted_data={"slot": "null"}) == [plain.id]
    assert await found(extracted_data={"interested": "false"}) == []
    assert await found(extracted_data={"interested": "true"}, call_type="inbound") == []


async def _all(books: Books, filters: Filters) -> AsyncIterator[StoredExecution]:
    async for batch in books.listing.batches(books.account_id, books.agent_id, filters):
        for item in batch:
            yield item


async def test_the_cost_that_is_filtered_by_is_the_one_that_is_shown(books: Books) -> None:
    call = await books.create()
    await _end(books, call, Status.INITIATED, Status.IN_PROGRESS, Status.CALL_DISCONNECTED)
    line = UsageLine(UsageKind.NETWORK, "sip-trunk", "", "ms", 60_000, 12_345)
    await books.ledger.transition(books.account_id, call.id, Status.COMPLETED, usage=[line])
    assert (await books.body(call))["total_cost"] == 1.2345
    for filters, count in ((Filters(min_cost=12_345, max_cost=12_345), 1), (Filters(min_cost=12_346), 0)):
        assert (await books.listing.total(books.account_id, books.agent_id, filters)).count == count


@pytest.mark.parametrize("filters", [Filters(), Filters(statuses=frozenset({Status.STOPPED}))])
async def test_cursors_go_through_everything_once_while_calls_come_in(books: Books, filters: Filters) -> None:
    calls = [await books.create() for _ in range(12)]
    for call in calls[::2]:
        await _end(books, call, Status.STOPPED)
    wanted = [call.id for call in (calls[::2] if filters.statuses else calls)][::-1]
    seen: list[str] = []
    before = None
    while True:
        page = await books.listing.page(books.account_id, books.agent_id, 3, filters, before=before)
        seen += _ids(page)
        await books.create()
        if page.next_cursor is None:
            break
        before = cursor.decode(page.next_cursor)
    assert seen == wanted
    assert not page.has_more


async def test_deep_pages_by_number(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counters lead to the same pages as skipping does, folded or not, with hours of none and of many."""
    monkeypatch.setattr(listing, "_NEAR", 0)
    chance, ids = random.Random(1), []
    for _ in range(60):
        ids.append((await books.create()).id)
        books.clock.us += chance.choice([1_000_000, 1_800_000_000, 20_000_000_000])
        if len(ids) == 40:
            await counts.fold(books.db)
    pages = [
        _ids(await books.listing.page(books.account_id, books.agent_id, 7, number=number))
        for number in range(1, 11)
    ]
    assert [call for page in pages for call in page] == ids[::-1]


async def test_pages(books: Books) -> None:
    seven = Total(7, exact=True)
    ids = [(await books.create()).id for _ in range(7)][::-1]

    async def page(number: int, size: int) -> Page:
        return await books.listing.page(books.account_id, books.agent_id, size, number=number)

    first, last, beyond = await page(1, 3), await page(3, 3), await page(10**18, 3)
    assert (_ids(first), first.total, first.has_more) == (ids[:3], seven, True)
    assert (_ids(last), last.total, last.has_more) == (ids[6:], seven, False)
    assert (_ids(beyond), beyond.total, beyond.has_more) == ([], seven, False)
    exact = await page(1, 7)
    assert (_ids(exact), exact.has_more) == (ids, False)
    assert (await page(1, 1000)).size == 50
    with pytest.raises(ValueError, match="count from 1"):
        await page(0, 3)


async def test_a_stream_beside_writers_misses_and_doubles_nothing(books: Books) -> None:
    """Four writers change, stop and add while the list is read slowly, chunk after chunk."""
    old = [(await books.create(recipient_data={"n": n})) for n in range(600)]
    done = asyncio.Event()

    async def write(mine: list[Execution]) -> None:
        for call in mine:
            if done.is_set():
                return
            await books.ledger.transition(books.account_id, call.id, Status.STOPPED)
            await books.create()

    writers = [asyncio.create_task(write(old[n::4])) for n in range(4)]
    try:
        for _ in range(3):
            chunks = []
            async for chunk in History(books.db).v1_array(books.account_id, books.agent_id):
                chunks.append(chunk)
                await asyncio.sleep(0)
            records = json.loads(b"".join(chunks))
            ids = [record["id"] for record in records]
            assert len(ids) == len(set(ids))
            assert {call.id for call in old} <= set(ids)
            created = [record["created_at"] for record in records]
            assert created == sorted(created, reverse=True)
    finally:
        done.set()
        await asyncio.gather(*writers)


async def test_an_open_stream_holds_no_connection(books: Books) -> None:
    for _ in range(25):
        await books.create()
    streams = [History(books.db).v1_array(books.account_id, books.agent_id) for _ in range(30)]
    for stream in streams:
        await anext(stream)
    async with asyncio.timeout(5):
        await books.create()
        assert len(await books.list()) == 26
    for stream in streams:
        assert [chunk async for chunk in stream][-1] == b"]"


async def test_recordings(books: Books) -> None:
    call, other = await books.create(), await open_books(books.db)
    live = (Status.INITIATED, Status.IN_PROGRESS, Status.CALL_DISCONNECTED)
    kept = {"recording_path": "a/b.wav", "recording_token": "the token"}
    await _end(books, call, *live, attempt=kept)
    recording = books.listing.recording
    assert await recording(call.id, token="the token") is None
    await _end(books, call, Status.COMPLETED)

    for found in (
        await recording(call.id, token="the token"),
        await recording(call.id, account_id=books.account_id),
    ):
        assert found is not None
        assert (found.account_id, found.path) == (books.account_id, "a/b.wav")
    assert await recording(call.id, token="another token") is None
    assert await recording(call.id, account_id=other.account_id) is None
    assert await recording("another", token="the token") is None
    assert await recording(call.id) is None
    silent = await books.create()
    await _end(books, silent, *live, Status.COMPLETED)
    assert await recording(silent.id, account_id=books.account_id) is None


async def test_deleting_an_agent_deletes_its_executions(books: Books) -> None:
    call = await books.create()
    async with books.db.transaction() as tx:
        await tx.execute(
            "DELETE FROM agents WHERE account_id = :account_id AND id = :id",
            account_id=books.account_id,
            id=books.agent_id,
        )
    assert await books.listing.by_id(books.account_id, call.id) is None
    assert await books.listing.log(books.account_id, call.id) == []
