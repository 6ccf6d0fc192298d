"""Only who holds the current attempt writes: neither a worker that was lost and came back, nor one that waited."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from ringback.app.journal import Journal
from ringback.conversation.transcript import Turn as SpokenTurn
from ringback.executions import rows
from ringback.executions.ledger import LeaseLost
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, Execution, LogRow, Turn
from ringback.store.database import Database, Transaction
from ringback.store.queries import attempts
from tests.support.after_call import pipeline
from tests.support.ledgers import Books, everything, open_books


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


async def _dial_again(
    books: Books, call: Execution, tx: Transaction, status: Status = Status.SCHEDULED
) -> None:
    """A second attempt, as the retry policy opens one."""
    first = await books.ledger.attempt(books.account_id, call.id, tx=tx)
    await attempts.update(
        tx, books.account_id, call.id, 1, {"state": AttemptState.DONE, "status": Status.BUSY}
    )
    second = replace(first, number=2, state=AttemptState.WAITING, lease_owner=None, status=None)
    await attempts.insert(tx, rows.columns_of(second))
    await tx.execute(
        "UPDATE executions SET status = :status, retry_count = 1 WHERE account_id = :account AND id = :id",
        status=status,
        account=books.account_id,
        id=call.id,
    )


async def _attempts(books: Books, call: Execution) -> list[tuple[int, str, str | None]]:
    found = await books.db.fetch_all(
        "SELECT number, state, status FROM attempts WHERE execution_id = :id ORDER BY number", id=call.id
    )
    return [(row["number"], row["state"], row["status"]) for row in found]


async def _waits(books: Books) -> None:
    """Until a transaction waits for a lock."""
    while not await books.db.fetch_one("SELECT pid FROM pg_sleep(0.01), pg_locks WHERE NOT granted"):
        pass


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_who_waited_for_an_attempt_that_was_followed_by_another_holds_the_new_one(books: Books) -> None:
    call = await books.create()
    await books.ledger.transition(books.account_id, call.id, Status.INITIATED)
    async with asyncio.timeout(20):
        async with books.db.transaction() as tx:
            await attempts.lock_current(tx, books.account_id, call.id)
            stop = asyncio.create_task(books.ledger.transition(books.account_id, call.id, Status.STOPPED))
            await _waits(books)
            await _dial_again(books, call, tx)
        await stop
    assert await _attempts(books, call) == [(1, "done", "busy"), (2, "done", "stopped")]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_worker_that_waited_for_its_attempt_finds_it_over(books: Books) -> None:
    call = await books.create()
    await books.ledger.transition(books.account_id, call.id, Status.INITIATED)
    async with asyncio.timeout(20):
        async with books.db.transaction() as tx:
            await attempts.lock_current(tx, books.account_id, call.id)
            late = asyncio.create_task(
                books.ledger.transition(books.account_id, call.id, Status.RINGING, number=1)
            )
            await _waits(books)
            await _dial_again(books, call, tx)
        with pytest.raises(LeaseLost, match=f"attempt 1 of {call.id} is over: 2 is current"):
            await late
    assert await _attempts(books, call) == [(1, "done", "busy"), (2, "waiting", None)]


async def _zombie_s(books: Books) -> Execution:
    call = await books.create()
    await books.ledger.transition(
        books.account_id,
        call.id,
        Status.INITIATED,
        attempt={"state": AttemptState.DIALLING, "lease_owner": "zombie", "lease_until": 1},
    )
    await books.ledger.transition(
        books.account_id, call.id, Status.IN_PROGRESS, attempt={"state": AttemptState.LIVE}
    )
    return await books.ledger.transition(books.account_id, call.id, Status.CALL_DISCONNECTED)


async def _write_all(books: Books, call: Execution, folder: Path) -> None:
    """Everything that a worker writes of its call."""
    ledger, where = books.ledger, (books.account_id, call.id)
    said = [Turn(0, "user", "Who?", 0, 900)]
    after = pipeline(books.db, ledger, folder)
    with pytest.raises(LeaseLost):
        await ledger.transition(*where, Status.COMPLETED, number=1, lease_owner="zombie")
    with pytest.raises(LeaseLost):
        await ledger.update(*where, changes={"summary": "x"}, number=1, lease_owner="zombie")
    with pytest.raises(LeaseLost):
        await ledger.add_turns(*where, said, number=1, lease_owner="zombie")
    with pytest.raises(LeaseLost):
        await after.complete(*where, 1, "zombie")
    journal = Journal(ledger, books.clock, *where, number=1, lease_owner="zombie")
    journal.turn(SpokenTurn("user", "Who?", 0, 900))
    await journal.finish()


async def test_a_worker_that_was_taken_over_writes_nothing_more(books: Books, tmp_path: Path) -> None:
    call = await _zombie_s(books)
    await books.ledger.update(books.account_id, call.id, attempt={"lease_owner": "another"})
    before = await everything(books.db)
    await _write_all(books, call, tmp_path)
    assert await everything(books.db) == before


async def test_a_worker_whose_call_is_dialled_again_writes_nothing_into_the_new_attempt(
    books: Books, tmp_path: Path
) -> None:
    call = await _zombie_s(books)
    async with books.db.transaction() as tx:
        await _dial_again(books, call, tx, Status.CALL_DISCONNECTED)
    # Even if the lease of the new one happened to be its own.
    await books.ledger.update(books.account_id, call.id, attempt={"lease_owner": "zombie"})
    before = await everything(books.db)
    await _write_all(books, call, tmp_path)
    assert await everything(books.db) == before


async def test_the_owner_writes(books: Books, tmp_path: Path) -> None:
    call = await _zombie_s(books)
    journal = Journal(books.ledger, books.clock, books.account_id, call.id, number=1, lease_owner="zombie")
    journal.turn(SpokenTurn("user", "Who?", 0, 900))
    await journal.finish()
    await pipeline(books.db, books.ledger, tmp_path).complete(books.account_id, call.id, 1, "zombie")
    body = await books.body(call)
    assert (body["status"], body["transcript"]) == ("completed", "user: Who?")


async def test_a_row_of_the_log_tells_what_happened_whoever_writes_it(books: Books) -> None:
    call = await _zombie_s(books)
    await books.ledger.add_log(books.account_id, call.id, [LogRow(1, "event", "system", data="late")])
    assert "late" in [row.data for row in await books.listing.log(books.account_id, call.id)]
