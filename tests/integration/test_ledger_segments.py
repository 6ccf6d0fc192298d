"""Sealed segments: the list is the same with and without them, whatever changes."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from ringback.app.upkeep import LedgerUpkeep
from ringback.executions import segments
from ringback.executions.filters import Filters
from ringback.executions.frames import Frame, decompress
from ringback.executions.history import History
from ringback.executions.lifecycle import Status
from ringback.executions.record import Execution
from ringback.store.database import Database
from ringback.store.queries import segments as queries
from tests.support.ledgers import Books, open_books


@pytest.fixture
async def books(database: Database, monkeypatch: pytest.MonkeyPatch) -> Books:
    monkeypatch.setattr(segments, "ROWS", 10)
    return await open_books(database)


async def _stopped(books: Books, count: int) -> list[Execution]:
    calls = [await books.create() for _ in range(count)]
    for call in calls:
        await books.ledger.transition(books.account_id, call.id, Status.STOPPED)
    return calls


async def _from_rows(books: Books) -> list[dict[str, Any]]:
    """The list without any segment's help."""
    batches = books.listing.batches(books.account_id, books.agent_id)
    return [json.loads(item.v1()) async for batch in batches for item in batch]


async def _frames(books: Books) -> list[bool]:
    """Of each segment, oldest first, whether it is sealed."""
    rows = await books.db.fetch_all("SELECT frame FROM segments ORDER BY last_seq")
    return [row["frame"] is not None for row in rows]


async def test_whole_segments_are_cut_and_sealed(books: Books) -> None:
    await _stopped(books, 25)
    await books.create()
    await LedgerUpkeep(books.db)()
    assert await _frames(books) == [True, True]
    chunks = [chunk async for chunk in History(books.db).v1_array(books.account_id, books.agent_id)]
    assert sum(isinstance(chunk, Frame) for chunk in chunks) == 2
    listed = await books.list()
    assert len(listed) == 26
    assert listed == await _from_rows(books)
    assert {record["status"] for record in listed} == {"queued", "canceled"}


async def test_a_segment_waits_for_its_last_call(books: Books) -> None:
    calls = await _stopped(books, 9)
    calls.append(await books.create())
    await _stopped(books, 10)
    upkeep = LedgerUpkeep(books.db)
    await upkeep()
    assert await _frames(books) == [False, True]
    assert await books.list() == await _from_rows(books)
    await books.ledger.transition(books.account_id, calls[-1].id, Status.STOPPED)
    await upkeep()
    assert await _frames(books) == [True, True]
    assert await books.list() == await _from_rows(books)


async def test_segments_whose_calls_wait_cost_nothing(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait: the process looks every few seconds."""
    await _stopped(books, 10)
    waiting = [await books.create() for _ in range(20)]
    looked_at: list[int] = []
    original = segments._seal_one

    async def seal_one(db: Database, account_id: str, agent_id: str, first_seq: int, last_seq: int) -> bool:
        looked_at.append(first_seq)
        return await original(db, account_id, agent_id, first_seq, last_seq)

    monkeypatch.setattr(segments, "_seal_one", seal_one)
    await LedgerUpkeep(books.db)()
    assert await _frames(books) == [True, False, False]
    assert len(looked_at) == 1
    for call in waiting[10:]:
        await books.ledger.transition(books.account_id, call.id, Status.STOPPED)
    await LedgerUpkeep(books.db)()
    assert await _frames(books) == [True, False, True]
    assert looked_at[1:] == [waiting[10].seq]


@pytest.mark.parametrize("number", [0, 9, 10, 19])
async def test_a_change_opens_the_segment_of_its_row_alone(books: Books, number: int) -> None:
    calls = await _stopped(books, 20)
    upkeep = LedgerUpkeep(books.db)
    await upkeep()
    call = calls[number]
    await books.ledger.update(books.account_id, call.id, changes={"summary": "afterwards"})
    assert await _frames(books) == [number >= 10, number < 10]
    assert [r["summary"] for r in await books.list() if r["id"] == call.id] == ["afterwards"]
    await upkeep()
    assert await _frames(books) == [True, True]
    assert [r["summary"] for r in await books.list() if r["id"] == call.id] == ["afterwards"]
    assert await books.list() == await _from_rows(books)


async def test_a_copy_that_was_overtaken_is_not_stored(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """The change comes between the reading of the rows and the storing of their copy."""
    [call, *_] = await _stopped(books, 10)
    await segments.cut(books.db, await segments.every_agent(books.db))
    original, loop = segments.compress, asyncio.get_running_loop()

    def slow(raw: bytes) -> Frame:
        change = books.ledger.update(books.account_id, call.id, changes={"summary": "newer"})
        asyncio.run_coroutine_threadsafe(change, loop).result(10)
        return original(raw)

    monkeypatch.setattr(segments, "compress", slow)
    assert await segments.seal(books.db) == 0
    assert await _frames(books) == [False]
    monkeypatch.setattr(segments, "compress", original)
    assert await segments.seal(books.db) == 1
    assert [r["summary"] for r in await books.list() if r["id"] == call.id] == ["newer"]


async def test_agents_do_not_mix(books: Books) -> None:
    other = await books.agent("other")
    for _ in range(10):
        for agent in (books.agent_id, other):
            call = await books.create(agent_id=agent)
            await books.ledger.transition(books.account_id, call.id, Status.STOPPED)
    await LedgerUpkeep(books.db)()
    assert await _frames(books) == [True, True]
    assert {record["agent_id"] for record in await books.list(other)} == {other}
    assert len(await books.list(other)) == len(await books.list()) == 10


async def test_a_segment_that_lost_all_its_rows_goes(books: Books) -> None:
    calls = await _stopped(books, 20)
    await LedgerUpkeep(books.db)()
    async with books.db.transaction() as tx:
        for call in calls[:10]:
            await tx.execute(
                "DELETE FROM executions WHERE account_id = :account_id AND id = :id",
                account_id=books.account_id,
                id=call.id,
            )
        await queries.reopen(tx, books.account_id, books.agent_id, [call.seq for call in calls[:10]])
    assert len(await books.list()) == 10
    await segments.seal(books.db)
    assert await _frames(books) == [True]
    assert len(await books.list()) == 10


async def test_filters_and_frames(books: Books) -> None:
    calls = await _stopped(books, 20)
    await LedgerUpkeep(books.db)()
    newer = Filters(created_from=calls[5].seq)
    assert len(json.loads(await books.array(books.agent_id, newer))) == 15


async def test_a_stream_beside_writers_and_upkeep(books: Books) -> None:
    """Four writers create, stop and change, two upkeeps cut and seal, and every array that is read meanwhile is
    whole: nothing missing, nothing twice, in order."""
    old = await _stopped(books, 60)
    await LedgerUpkeep(books.db)()
    done = asyncio.Event()

    async def write(seed: int) -> None:
        chance, calls = random.Random(seed), old[30:]
        while not done.is_set():
            new = await books.create()
            await books.ledger.transition(books.account_id, new.id, Status.STOPPED)
            calls.append(new)
            some = chance.choice(calls)
            await books.ledger.update(books.account_id, some.id, changes={"summary": str(seed)})

    async def keep_up() -> None:
        upkeep = LedgerUpkeep(books.db)
        while not done.is_set():
            await upkeep()

    work = [asyncio.create_task(write(seed)) for seed in range(4)]
    work += [asyncio.create_task(keep_up()) for _ in range(2)]
    frames = 0
    try:
        for _ in range(10):
            before = {call.id for call in old}
            chunks: list[bytes] = []
            async for chunk in History(books.db).v1_array(books.account_id, books.agent_id):
                frames += isinstance(chunk, Frame)
                chunks.append(decompress(chunk) if isinstance(chunk, Frame) else chunk)
                await asyncio.sleep(0)
            records = json.loads(b"".join(chunks))
            ids = [record["id"] for record in records]
            assert len(ids) == len(set(ids))
            assert before <= set(ids)
            assert [r["created_at"] for r in records] == sorted(
                (r["created_at"] for r in records), reverse=True
            )
    finally:
        done.set()
        await asyncio.gather(*work)
    assert frames > 0
    await LedgerUpkeep(books.db)()
    assert await books.list() == await _from_rows(books)
