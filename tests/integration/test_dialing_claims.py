"""Leases on both databases: a dial is at most once per attempt, and nothing is left behind by a lost worker."""

from __future__ import annotations

import asyncio

import pytest

from ringback.calls.outcomes import WORKER_LOST
from ringback.dialing.claims import LEASE_S, Claim, Claims
from ringback.dialing.reaper import Reaper
from ringback.dialing.taking import Taking
from ringback.executions.ledger import LeaseLost
from ringback.executions.lifecycle import IllegalTransition, Status
from ringback.executions.record import AttemptState, Execution
from ringback.store.database import Database
from tests.support.ledgers import Books, open_books

SECOND = 1_000_000


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


class Worker(Claims):
    """The queue's side of one worker."""

    def __init__(self, books: Books, name: str) -> None:
        self._parts = books.db, books.ledger, books.clock, name
        super().__init__(*self._parts)

    async def take(self, room: int) -> list[Claim]:
        return list((await Taking(*self._parts).take(room)).claims)

    async def next_look_us(self) -> int | None:
        return (await Taking(*self._parts).take(1)).next_look_us

    async def reap(self) -> list[Claim]:
        return await Reaper(*self._parts).reap()


def worker(books: Books, name: str = "one") -> Worker:
    return Worker(books, name)


def lose(books: Books) -> None:
    """More time passes than a lease lasts, and nobody renews it."""
    books.clock.us += round((LEASE_S + 1) * SECOND)


async def status(books: Books, claim: Claim | Execution) -> Status:
    execution_id = claim.execution_id if isinstance(claim, Claim) else claim.id
    return (await books.ledger.get(claim.account_id, execution_id)).status


async def talk(books: Books, claim: Claim) -> None:
    """The person of a dialled claim picks up."""
    await books.ledger.transition(
        claim.account_id,
        claim.execution_id,
        Status.IN_PROGRESS,
        attempt={"state": AttemptState.LIVE, "answered_at": books.clock.now_us()},
    )


async def test_what_is_due_is_claimed_once_and_in_order(books: Books) -> None:
    calls = [await books.create() for _ in range(5)]
    first = await worker(books, "one").take(3)
    second = await worker(books, "two").take(10)
    assert [c.execution_id for c in first + second] == [call.id for call in calls]
    assert await worker(books, "three").take(10) == []


async def test_two_workers_at_the_same_moment_share_the_calls(books: Books) -> None:
    for _ in range(40):
        await books.create()
    taken = await asyncio.gather(*(worker(books, str(n)).take(7) for n in range(8)))
    claims = [claim for share in taken for claim in share]
    assert len(claims) == len(set(claims)) == 40


async def test_a_scheduled_call_waits_for_its_time(books: Books) -> None:
    due = books.clock.us + 60 * SECOND
    call = await books.create(scheduled_at=due)
    one = worker(books)
    assert (await one.take(1), await one.next_look_us(), await status(books, call)) == (
        [],
        due,
        Status.SCHEDULED,
    )
    books.clock.us = due
    [claim] = await one.take(1)
    assert await status(books, claim) is Status.QUEUED


async def test_the_intent_is_committed_with_its_call_id(books: Books) -> None:
    await books.create()
    one = worker(books)
    [claim] = await one.take(1)
    await one.intend(claim, "the-call-id")
    attempt = await books.ledger.attempt(claim.account_id, claim.execution_id)
    assert (attempt.state, attempt.call_id, attempt.lease_owner) == (
        AttemptState.DIALLING,
        "the-call-id",
        "one",
    )
    assert attempt.dialled_at is not None
    with pytest.raises(IllegalTransition):
        await one.intend(claim, "a-second-dial")


async def test_a_worker_that_lost_its_lease_does_not_dial(books: Books) -> None:
    await books.create()
    slow, quick = worker(books, "slow"), worker(books, "quick")
    [claim] = await slow.take(1)
    lose(books)
    assert await quick.reap() == []
    assert await quick.take(1) == [claim]
    with pytest.raises(LeaseLost):
        await slow.intend(claim, "late")
    await quick.intend(claim, "in-time")


async def test_a_call_stopped_after_its_claim_is_not_dialled(books: Books) -> None:
    call = await books.create()
    one = worker(books)
    [claim] = await one.take(1)
    await books.ledger.transition(
        call.account_id, call.id, Status.STOPPED, attempt={"state": AttemptState.DONE}
    )
    with pytest.raises(LeaseLost):
        await one.intend(claim, "never")


async def test_a_renewed_lease_is_kept_and_a_foreign_one_is_not_ours(books: Books) -> None:
    for _ in range(2):
        await books.create()
    one, two = worker(books, "one"), worker(books, "two")
    [mine], [other] = await one.take(1), await two.take(1)
    for _ in range(4):
        books.clock.us += round(LEASE_S * SECOND / 2)
        held = await one.renew([mine])
    assert held.claims == {mine}
    assert await one.reap() == []
    assert await one.take(2) == [other], "the worker that renewed nothing lost its claim"


async def test_a_claim_that_nobody_works_on_runs_out_although_its_worker_lives(books: Books) -> None:
    for _ in range(2):
        await books.create()
    one = worker(books)
    mine, forgotten = await one.take(2)
    for _ in range(3):
        books.clock.us += round(LEASE_S * SECOND / 2)
        held = await one.renew([mine])
    assert held.claims == {mine, forgotten}
    await one.reap()
    assert (await one.held()).claims == {mine}


async def test_a_lost_dial_ends_as_error_and_is_never_dialled_again(books: Books) -> None:
    await books.create()
    one, two = worker(books, "one"), worker(books, "two")
    [claim] = await one.take(1)
    await one.intend(claim, "unknown-outcome")
    lose(books)
    assert await two.reap() == []
    attempt = await books.ledger.attempt(claim.account_id, claim.execution_id)
    assert (attempt.state, attempt.hangup_by, attempt.hangup_reason) == (
        AttemptState.UNKNOWN,
        "Error",
        WORKER_LOST,
    )
    assert await status(books, claim) is Status.ERROR
    assert await two.take(5) == []


async def test_a_lost_live_call_is_disconnected_and_handed_to_who_reaps(books: Books) -> None:
    await books.create()
    one, two = worker(books, "one"), worker(books, "two")
    [claim] = await one.take(1)
    await one.intend(claim, "live")
    await talk(books, claim)
    lose(books)
    assert await two.reap() == [claim]
    body = await books.body(await books.ledger.get(claim.account_id, claim.execution_id))
    assert (body["status"], body["telephony_data"]["hangup_reason"]) == ("call-disconnected", WORKER_LOST)
    assert await two.reap() == [], "it is leased again"
    lose(books)
    assert await one.reap() == [claim], "whoever reaped it was lost too"
    assert await status(books, claim) is Status.CALL_DISCONNECTED


async def test_a_cancellation_is_seen_by_who_holds_the_call(books: Books) -> None:
    await books.create()
    one = worker(books)
    [claim] = await one.take(1)
    await one.intend(claim, "ringing")
    assert (await one.held()).cancelled == frozenset()
    await books.ledger.update(claim.account_id, claim.execution_id, attempt={"cancel_requested": True})
    assert (await one.held()).cancelled == {claim}
