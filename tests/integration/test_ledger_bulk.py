"""Many executions at once: the rows that the ledger would have written one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ringback.executions import counts, rows
from ringback.executions.bulk import BatchTemplate, Bulk, LaneStopped, Line
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, Execution
from ringback.executions.rendering import shown
from ringback.store.database import Database
from ringback.store.queries import gates
from ringback.store.queries.counts import HOUR_US
from tests.support.ledgers import PUBLIC_URL, Books, everything, open_books

BATCH = "baab7cdc833145bf8dd260ff1f0a3f21"
WILD: list[dict[str, str]] = [
    {},
    {"name": "Ada", "when": "Monday, 10 %s %(id)s %"},
    {"name": 'Zoë "Z" O\'Neill\n\t\\', "note": "日本 \U0001f600"},
    {"nul \0": "half \ud83d of it", "": " "},
    {"status": "prepared", "batch_run_details": "}", "id": "x"},
]


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


def _template(books: Books, **changes: Any) -> BatchTemplate:
    values: dict[str, Any] = {
        "account_id": books.account_id,
        "agent_id": books.agent_id,
        "batch_id": BATCH,
        "trunk": "sip-trunk",
        "from_numbers": ("+14155550100", "+14155550101"),
        "retry_config": {"enabled": True, "note": "100 % sure"},
    }
    return BatchTemplate(**(values | changes))


def _lines(count: int, first: int = 2) -> list[Line]:
    return [Line(first + n, f"+1415555{n:04}", WILD[n % len(WILD)], end_byte=100 * n) for n in range(count)]


async def _create(books: Books, template: BatchTemplate, lines: list[Line]) -> list[Execution]:
    async with books.db.transaction() as tx:
        await Bulk(books.ledger).create(tx, template, lines)
    ids = await books.db.fetch_all("SELECT id FROM executions WHERE batch_id = :id ORDER BY seq", id=BATCH)
    return [await books.ledger.get(books.account_id, row["id"]) for row in ids]


async def _assert_rendered(books: Books, executions: list[Execution]) -> None:
    """The columns of what is shown are what rendering makes of the other columns, byte for byte."""
    for execution in executions:
        attempt = await books.ledger.attempt(books.account_id, execution.id)
        row = await books.db.fetch_one(
            "SELECT body, conversation_ms, total_cost, hangup_reason FROM executions WHERE id = :id",
            id=execution.id,
        )
        assert row is not None
        assert dict(row) == shown(execution, attempt, (), (), PUBLIC_URL)


@pytest.mark.parametrize("from_numbers", [(), ("+14155550100",), ("+14155550100", "+14155550101")])
async def test_lines_become_prepared_executions(books: Books, from_numbers: tuple[str, ...]) -> None:
    made = await _create(books, _template(books, from_numbers=from_numbers), _lines(12))
    assert [execution.line for execution in made] == list(range(2, 14))
    assert [execution.recipient_data for execution in made] == [WILD[n % len(WILD)] for n in range(12)]
    assert [execution.to_number for execution in made] == [f"+1415555{n:04}" for n in range(12)]
    assert {execution.from_number for execution in made} == set(from_numbers or [None])
    assert {execution.status for execution in made} == {Status.PREPARED}
    assert len({execution.id for execution in made}) == 12
    assert [made[0].seq + n for n in range(12)] == [execution.seq for execution in made]
    assert made[0].retry_config == {"enabled": True, "note": "100 % sure"}
    for execution in made:
        attempt = await books.ledger.attempt(books.account_id, execution.id)
        assert (attempt.number, attempt.state, attempt.due_at) == (1, AttemptState.WAITING, 0)
        assert (attempt.seq, attempt.lane, attempt.batch_id) == (execution.seq, BATCH, BATCH)
        assert (attempt.agent_id, attempt.trunk) == (books.agent_id, "sip-trunk")
    await _assert_rendered(books, made)


async def test_it_is_the_record_that_the_ledger_writes(books: Books) -> None:
    """But for its status, and the moment that it is due."""
    [line] = _lines(1)
    [bulk] = await _create(books, _template(books), [line])
    [config, number] = [bulk.retry_config, bulk.from_number]
    single = await books.create(
        batch_id=BATCH,
        recipient_data=line.data,
        to_number=line.number,
        from_number=number,
        retry_config=config,
    )
    one, other = await books.body(bulk), await books.body(single)
    differ = {key for key in one if one[key] != other[key]}
    # The clock ticks between them.
    assert differ <= {"id", "execution_id", "status", "smart_status", "batch_run_details"}
    assert list(one) == list(other)
    bulk_row, single_row = [
        rows.columns_of(await books.ledger.attempt(books.account_id, call.id)) for call in (bulk, single)
    ]
    assert {k for k in bulk_row if bulk_row[k] != single_row[k]} == {"execution_id", "due_at", "seq"}


async def test_a_chunk_may_begin_in_one_second_and_hour_and_end_in_the_next(books: Books) -> None:
    books.clock.us = (books.clock.us // HOUR_US + 1) * HOUR_US - 1_000 - 5
    made = await _create(books, _template(books), _lines(12))
    assert len({execution.seq // HOUR_US for execution in made}) == 2
    await _assert_rendered(books, made)
    await counts.fold(books.db)
    hours = await books.db.fetch_all(
        "SELECT count FROM execution_counts WHERE dimension = 'hour' ORDER BY value"
    )
    assert [row["count"] for row in hours] == [5, 7]


async def test_a_chunk_is_counted_in_one_row(books: Books) -> None:
    await _create(books, _template(books), _lines(12))
    [change] = await books.db.fetch_all("SELECT delta, status FROM count_changes")
    assert (change["delta"], change["status"]) == (12, "prepared")
    shown_counts = await counts.of_batch(books.db, books.account_id, books.agent_id, BATCH)
    assert shown_counts == {Status.PREPARED: 12}


async def test_its_lane_waits_from_the_first_moment(books: Books) -> None:
    await _create(books, _template(books), _lines(2))
    gate = await gates.get(books.db, books.account_id, "batch", BATCH)
    assert gate is not None
    assert gate["next_due_at"] == 0


async def test_numbers_go_on_after_a_chunk(books: Books) -> None:
    books.clock.us -= 60_000_000  # so that numbers are counted, not read off the clock
    await books.create()
    books.clock.us -= 60_000_000
    first = await _create(books, _template(books), _lines(5))
    after = await books.create()
    assert [execution.seq for execution in first] == list(range(first[0].seq, first[0].seq + 5))
    assert after.seq == first[-1].seq + 1


async def test_nothing_is_written_of_a_stopped_batch_or_of_nobody_s(books: Books) -> None:
    async with books.db.transaction() as tx:
        await gates.close(tx, books.account_id, "batch", BATCH, how="stopped", why="", now_us=1)
    before = await everything(books.db)
    with pytest.raises(LaneStopped):
        await _create(books, _template(books), _lines(3))
    with pytest.raises(LookupError):
        await _create(books, _template(books, account_id="nobody"), _lines(3))
    await _create(books, _template(books), [])
    assert await everything(books.db) == before


async def test_a_list_shows_them(books: Books) -> None:
    await _create(books, _template(books), _lines(5))
    listed = await books.list()
    assert {json.dumps(record["context_details"]["recipient_data"]) for record in listed} == {
        json.dumps(data) for data in WILD
    }
    assert {record["status"] for record in listed} == {"queued"}
