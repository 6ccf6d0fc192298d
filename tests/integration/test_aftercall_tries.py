"""After-call work that fails is tried again, ever later, and not for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ringback.aftercall import completion as module
from ringback.aftercall.completion import Completion
from ringback.billing.prices import PriceBook
from ringback.dialing.reaper import Reaper
from ringback.executions.lifecycle import Status
from ringback.executions.record import MOST_AFTER_CALL_TRIES, AttemptState, Execution
from ringback.store.database import Database
from tests.support.ledgers import Books, open_books

LEASE_US = 30_000_000
OWNER = "worker"
RETRIED: dict[str, Any] = {
    "enabled": True,
    "max_retries": 3,
    "retry_on_statuses": ["busy", "no-answer", "failed", "error"],
    "retry_on_voicemail": True,
    "retry_intervals_minutes": [30],
}


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


@pytest.fixture
def completion(books: Books, tmp_path: Path) -> Completion:
    return Completion(books.ledger, tmp_path, PriceBook())


async def _disconnected(books: Books, tries: int = 0) -> Execution:
    call = await books.create(retry_config=RETRIED)
    now = books.clock.now_us()
    where = books.account_id, call.id
    await books.ledger.transition(*where, Status.INITIATED, attempt={"state": AttemptState.DIALLING})
    await books.ledger.transition(
        *where,
        Status.IN_PROGRESS,
        attempt={
            "state": AttemptState.LIVE,
            "answered_at": now,
            "lease_owner": OWNER,
            "lease_until": now + LEASE_US,
            "tries": tries,
        },
    )
    return await books.ledger.transition(
        *where, Status.CALL_DISCONNECTED, attempt={"ended_at": now + 61_000_000}
    )


class Broken(Exception):
    pass


def _break(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_: Path) -> None:
        raise Broken

    monkeypatch.setattr(module, "finish", fails)


@pytest.mark.parametrize("tries", range(MOST_AFTER_CALL_TRIES))
async def test_what_failed_is_left_to_the_next_try(
    books: Books, completion: Completion, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    call = await _disconnected(books, tries)
    _break(monkeypatch)
    with pytest.raises(Broken):
        await completion.complete(books.account_id, call.id, 1, OWNER)
    assert await books.ledger.get(books.account_id, call.id) == call


async def test_the_last_try_closes_the_record_and_the_call_is_paid_for(
    books: Books, completion: Completion, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await _disconnected(books, MOST_AFTER_CALL_TRIES)
    _break(monkeypatch)
    await completion.complete(books.account_id, call.id, 1, OWNER)
    body = await books.body(call)
    assert (body["status"], body["total_cost"]) == ("error", 6.4)
    assert body["error_message"] == "post-processing failed: the worker's log says why"
    attempt = await books.ledger.attempt(books.account_id, call.id)
    assert (attempt.number, attempt.state, attempt.lease_owner) == (1, AttemptState.DONE, None)
    # Whoever looks at it again changes nothing.
    await completion.complete(books.account_id, call.id, 1, OWNER)
    assert await books.body(call) == body


async def test_a_last_try_that_works_completes(books: Books, completion: Completion) -> None:
    call = await _disconnected(books, MOST_AFTER_CALL_TRIES)
    await completion.complete(books.account_id, call.id, 1, OWNER)
    body = await books.body(call)
    assert (body["status"], body["total_cost"], body["error_message"]) == ("completed", 6.4, None)


async def test_tries_come_ever_later_and_end(
    books: Books, completion: Completion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one lost lease to the next."""
    call = await _disconnected(books)
    _break(monkeypatch)
    reaper = Reaper(books.db, books.ledger, books.clock, OWNER, lease_s=LEASE_US / 1_000_000)
    waits: list[int] = []
    with pytest.raises(Broken):
        await completion.complete(books.account_id, call.id, 1, OWNER)
    while (await books.ledger.get(books.account_id, call.id)).status is Status.CALL_DISCONNECTED:
        attempt = await books.ledger.attempt(books.account_id, call.id)
        assert attempt.lease_until is not None
        waits.append(round((attempt.lease_until - books.clock.us) / LEASE_US))
        books.clock.us = attempt.lease_until + 1
        await reaper.reap()  # it looks so late that it leaves this round out
        [claim] = await reaper.reap()
        try:
            await completion.complete(claim.account_id, claim.execution_id, claim.number, OWNER)
        except Broken:
            continue
    assert waits == [1, 2, 4, 8, 16]
    assert (await books.body(call))["status"] == "error"
    books.clock.us += 10 * LEASE_US
    await reaper.reap()
    assert await reaper.reap() == []
