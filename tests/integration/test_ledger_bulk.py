"""Many executions at once: the rows that the ledger would have written one by one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from ringback.executions import counts, rows
from ringback.executions.bulk import BatchTemplate, Bulk, LaneStopped, Move
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import TERMINAL, TRANSITIONS, Status
from ringback.executions.record import AttemptState, Execution
from ringback.executions.rendering import shown
from ringback.executions.stencil import Line
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


WAITING = (Status.PREPARED, Status.SCHEDULED, Status.RESCHEDULED, Status.QUEUED)
RETRIED: dict[str, Any] = {
    "enabled": True,
    "max_retries": 2,
    "retry_on_statuses": ["busy", "error"],
    "retry_on_voicemail": False,
    "retry_intervals_minutes": [30],
}


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


def _template(books: Books, **changes: Any) -> BatchTemplate:
    values: dict[str, Any] = {
        "account_id": books.account_id,
        "agent_id": books.agent_id,
        "batch_id": BATCH,
        "provider": "sip-trunk",
        "from_numbers": ("+14155550100", "+14155550101"),
        "retry_config": {"enabled": True, "note": "100 % sure"},
    }
    return BatchTemplate(**(values | changes))


def _lines(count: int, first: int = 2) -> list[Line]:
    return [Line(first + n, f"+1415555{n:04}", WILD[n % len(WILD)], end_byte=100 * n) for n in range(count)]


async def _create(books: Books, template: BatchTemplate, lines: list[Line]) -> list[Execution]:
    bulk = Bulk(books.ledger)
    async with books.db.transaction() as tx:
        await bulk.create(tx, bulk.stencil(template).draw(lines))
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
        hosted_telephony=True,
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


# Moving.


async def _at(books: Books, *statuses: Status, **changes: Any) -> list[Execution]:
    """Executions with these statuses, that never rang."""
    made = []
    for status in statuses:
        call = await books.create(**changes)
        if status is not Status.QUEUED:
            async with books.db.transaction() as tx:
                await tx.execute(
                    "UPDATE executions SET status = :status WHERE id = :id", status=status, id=call.id
                )
        made.append(await books.ledger.get(books.account_id, call.id))
    return made


async def _rows(books: Books, call: Execution) -> dict[str, Any]:
    """Everything that is stored of an execution, but for what names it."""
    stored: dict[str, Any] = {}
    for table, column in (
        ("executions", "id"),
        ("attempts", "execution_id"),
        ("execution_log", "execution_id"),
    ):
        order = "position" if table == "execution_log" else "1"
        found = await books.db.fetch_all(
            f"SELECT * FROM {table} WHERE {column} = :id ORDER BY {order}", id=call.id
        )
        stored[table] = [
            {
                name: value.replace(call.id, "ID") if isinstance(value, str) else value
                for name, value in row.items()
                if name not in ("seq", "updated_at")  # counted, where the clock stands still
            }
            for row in found
        ]
    return stored


def _move(call: Execution, to: Status, **changes: Any) -> Move:
    values: dict[str, Any] = {"changes": {}, "attempt": {}}
    return Move(call.id, to, **(values | changes))


async def _moved(books: Books, moves: list[Move]) -> list[Execution]:
    async with books.db.transaction() as tx:
        return await Bulk(books.ledger).move(tx, books.account_id, moves)


def _stopped_clock(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    now = books.clock.now_us() + 5_000_000
    monkeypatch.setattr(books.clock, "now_us", lambda: now)


@pytest.mark.parametrize("before", WAITING)
async def test_a_move_writes_what_a_transition_writes(
    books: Books, monkeypatch: pytest.MonkeyPatch, before: Status
) -> None:
    ends = sorted(TRANSITIONS[before])
    _stopped_clock(books, monkeypatch)
    bulk, single = await _at(books, *[before] * len(ends)), await _at(books, *[before] * len(ends))
    details: dict[str, Any] = {
        "changes": {"error_message": "not now", "rescheduled_at": 5},
        "attempt": {"due_at": 7, "lease_owner": None},
        "why": "outside of its hours",
    }
    moved = await _moved(books, [_move(call, to, **details) for call, to in zip(bulk, ends, strict=True)])
    assert {call.id: call.status for call in moved} == {
        call.id: to for call, to in zip(bulk, ends, strict=True)
    }
    for one, other, to in zip(bulk, single, ends, strict=True):
        await books.ledger.transition(books.account_id, other.id, to, **details)
        assert await _rows(books, one) == await _rows(books, other)
        assert await books.ledger.get(books.account_id, one.id) in moved
    told = await books.db.fetch_all(
        "SELECT status, SUM(delta) AS n FROM count_changes GROUP BY status ORDER BY status"
    )
    counted = {row["status"]: row["n"] for row in told if row["n"] and row["status"] not in WAITING}
    assert counted == {to: 2 for to in ends if to not in WAITING}


@pytest.mark.parametrize("to", [Status.RESCHEDULED, Status.ERROR])
async def test_the_step_over_queued_is_left_out(books: Books, to: Status) -> None:
    calls = await _at(books, *WAITING)
    moved = await _moved(books, [_move(call, to, why="late") for call in calls])
    assert {call.status for call in moved} == {to}
    assert len(moved) == 4
    for call in calls:
        log = [row.data for row in await books.listing.log(books.account_id, call.id)]
        assert log[1:] == [f"{call.status} -> {to}: late"]


async def test_who_may_not_move_is_left_out(books: Books) -> None:
    waiting = await _at(books, Status.QUEUED)
    others = await _at(
        books, Status.RINGING, Status.IN_PROGRESS, Status.BUSY, Status.STOPPED, Status.COMPLETED
    )
    before = {call.id: await _rows(books, call) for call in others}
    moves = [_move(call, Status.STOPPED) for call in [*others, *waiting]]
    assert [call.id for call in await _moved(books, moves)] == [waiting[0].id]
    assert {call.id: await _rows(books, call) for call in others} == before
    unknown = Move("no such", Status.STOPPED, {}, {})
    assert await _moved(books, [unknown]) == []
    assert await _moved(books, []) == []


async def test_another_s_call_is_unknown(books: Books) -> None:
    [call] = await _at(books, Status.QUEUED)
    async with books.db.transaction() as tx:
        moved = await Bulk(books.ledger).move(tx, "another", [_move(call, Status.STOPPED)])
    assert moved == []
    assert (await books.ledger.get(books.account_id, call.id)).status is Status.QUEUED


async def test_a_move_that_the_retry_policy_follows(books: Books) -> None:
    """An error is dialled again where that is configured, from `prepared` too; and a second attempt that is stopped
    still shows what the first one cost."""
    calls = await _at(books, Status.PREPARED, Status.QUEUED, retry_config=RETRIED)
    moved = await _moved(books, [_move(call, Status.ERROR, why="no such voice") for call in calls])
    assert {(call.status, call.retry_count) for call in moved} == {(Status.SCHEDULED, 1)}
    stopped = await _moved(books, [_move(call, Status.STOPPED) for call in calls])
    assert {(call.status, call.retry_count) for call in stopped} == {(Status.STOPPED, 1)}
    for call in calls:
        numbers = [row["number"] for row in (await _rows(books, call))["attempts"]]
        assert numbers == [1, 2]


async def test_a_ringing_call_moves_as_the_ledger_moves_it(books: Books) -> None:
    [call] = await _at(books, Status.RINGING, retry_config=RETRIED)
    [moved] = await _moved(books, [_move(call, Status.BUSY)])
    assert moved.status is Status.SCHEDULED


async def test_watchers_are_told_of_each(books: Books) -> None:
    told: list[tuple[str, Status]] = []
    ledger = Ledger(books.db, books.clock, PUBLIC_URL, lambda moved: told.append((moved.id, moved.status)))
    calls = await _at(books, Status.QUEUED, Status.PREPARED)
    async with books.db.transaction() as tx:
        await Bulk(ledger).move(tx, books.account_id, [_move(call, Status.STOPPED) for call in calls])
    assert sorted(told) == sorted((call.id, Status.STOPPED) for call in calls)


async def test_moves_of_many_sizes(books: Books) -> None:
    """Lists are short, and filled up to a power of two."""
    calls = await _at(books, *[Status.QUEUED] * 75)
    for size in (1, 2, 3, 69):
        together, calls = calls[:size], calls[size:]
        moved = await _moved(books, [_move(call, Status.STOPPED) for call in together])
        assert [call.id for call in moved] == sorted(call.id for call in together)


async def test_two_movers_and_a_stopper_at_once(books: Books) -> None:
    """In whatever order they ask; everybody moves once, nobody waits in a circle."""
    calls = await _at(books, *[Status.QUEUED] * 20)
    async with asyncio.timeout(30):
        results = await asyncio.gather(
            _moved(books, [_move(call, Status.STOPPED) for call in calls]),
            _moved(books, [_move(call, Status.CANCELED) for call in reversed(calls)]),
            *(books.ledger.transition(books.account_id, call.id, Status.ERROR) for call in calls[::3]),
            return_exceptions=True,
        )
    lists = [result for result in results if isinstance(result, list)]
    singles = [result for result in results if isinstance(result, Execution)]
    assert len(lists) == 2
    ended = [call.id for moved in lists for call in moved] + [call.id for call in singles]
    assert sorted(ended) == sorted(call.id for call in calls)
    for call in calls:
        assert (await books.ledger.get(books.account_id, call.id)).status in TERMINAL


async def test_a_person_is_always_called_from_the_same_number(books: Books) -> None:
    template = _template(books, from_numbers=("+14155550100", "+14155550101", "+14155550102"), trunk_id="one")
    await _create(books, template, _lines(12))
    made = await _create(books, template, _lines(12, first=50))
    of = {(one.to_number, one.from_number) for one in made}
    assert (len(made), len(of)) == (24, 12)
    assert len({one.from_number for one in made}) == 3
    attempt = await books.ledger.attempt(books.account_id, made[0].id)
    assert (made[0].trunk_id, made[0].hosted_telephony, attempt.trunk) == ("one", False, "one")
