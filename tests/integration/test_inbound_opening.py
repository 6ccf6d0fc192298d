"""The record of a call to us: all or nothing, counted exactly, reserved for, and closed when its worker is lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from ringback.billing.reservation import Reservations
from ringback.dialing.claims import LEASE_S
from ringback.dialing.reaper import Reaper
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, UsageKind, UsageLine
from ringback.inbound.opening import Arrival, Opening, Refused
from ringback.store.database import Database
from ringback.store.queries import gates
from tests.support.ledgers import Books, open_books
from tests.support.reception import CALLER, NUMBER

SECOND = 1_000_000
BALANCE = 100_000
EXTRA = 600


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


def opening(books: Books, extra: int = 0) -> Opening:
    return Opening(books.db, books.ledger, Reservations(books.db, books.clock, extra), "worker", LEASE_S)


def arrival(books: Books, **changes: object) -> Arrival:
    arrived = Arrival(
        account_id=books.account_id,
        execution_id=str(uuid4()),
        agent_id="agent",
        call_id=uuid4().hex,
        caller=CALLER,
        called=NUMBER,
        provider="sip-trunk",
        hosted=False,
        data={},
        limit=None,
        arrived_us=books.clock.us,
    )
    return replace(arrived, **changes)  # type: ignore[arg-type]


def reaper(books: Books) -> Reaper:
    return Reaper(books.db, books.ledger, books.clock, "another")


async def limited(books: Books, balance: int) -> None:
    async with books.db.transaction() as tx:
        await tx.execute(
            "UPDATE wallets SET unlimited = FALSE, balance = :balance WHERE account_id = :account_id",
            balance=balance,
            account_id=books.account_id,
        )


async def wallet(books: Books) -> tuple[int, int]:
    row = await books.db.fetch_one(
        "SELECT balance, reserved FROM wallets WHERE account_id = :account_id", account_id=books.account_id
    )
    assert row is not None
    return row["balance"], row["reserved"]


async def test_the_record_is_there_before_it_rings_and_nobody_dials_it(books: Books) -> None:
    arrived = arrival(books, data={"name": "Ann"}, note="looked up")
    execution = await opening(books).open(arrived)
    assert (execution.id, execution.status, execution.call_type) == (
        arrived.execution_id,
        Status.INITIATED,
        "inbound",
    )
    attempt = await books.ledger.attempt(books.account_id, execution.id)
    assert (attempt.state, attempt.lease_owner, attempt.slot_since) == (
        AttemptState.DIALLING,
        "worker",
        None,
    )
    assert (attempt.call_id, attempt.dialled_at) == (arrived.call_id, arrived.arrived_us)
    assert await gates.get(books.db, books.account_id, "account") is None, "no lane has anything due"
    assert "looked up" in [row["data"] for row in await books.log(execution)]


async def test_a_limit_counts_calls_that_come_at_once_exactly(books: Books) -> None:
    async def tried() -> bool:
        try:
            await opening(books).open(arrival(books, limit=3))
        except Refused:
            return False
        return True

    taken = await asyncio.gather(*(tried() for _ in range(8)))
    assert sum(taken) == 3
    assert len(await books.list()) == 3
    await opening(books).open(arrival(books, limit=3, caller="+14155550124"))
    await opening(books).open(arrival(books, limit=3, agent_id=await books.agent("another")))


async def test_what_a_call_may_cost_is_kept_aside_and_given_back(books: Books) -> None:
    await limited(books, BALANCE)
    execution = await opening(books, EXTRA).open(arrival(books))
    kept = (await books.ledger.attempt(books.account_id, execution.id)).reserved
    assert EXTRA < kept < BALANCE < 2 * kept
    assert await wallet(books) == (BALANCE - kept, kept)
    with pytest.raises(Refused, match="wallet") as refusal:
        await opening(books, EXTRA).open(arrival(books))
    assert refusal.value.status == 480
    [low, first] = await books.list()
    assert (low["status"], first["status"]) == ("balance-low", "initiated")
    assert await wallet(books) == (BALANCE - kept, kept)
    await books.ledger.transition(books.account_id, execution.id, Status.RINGING)
    await books.ledger.transition(
        books.account_id,
        execution.id,
        Status.IN_PROGRESS,
        attempt={"state": AttemptState.LIVE, "answered_at": books.clock.us},
    )
    await books.ledger.transition(books.account_id, execution.id, Status.CALL_DISCONNECTED)
    line = UsageLine(UsageKind.NETWORK, "sip-trunk", "", "ms", 1000, amount=250)
    await books.ledger.transition(books.account_id, execution.id, Status.COMPLETED, usage=[line])
    assert await wallet(books) == (BALANCE - 250, 0)


async def test_a_call_that_rang_at_a_lost_worker_is_over_and_its_reservation_free(books: Books) -> None:
    await limited(books, BALANCE)
    execution = await opening(books, EXTRA).open(arrival(books))
    await books.ledger.transition(books.account_id, execution.id, Status.RINGING)
    await _lose(books)
    record = await books.body(await books.ledger.get(books.account_id, execution.id))
    attempt = await books.ledger.attempt(books.account_id, execution.id)
    assert (record["status"], attempt.state, attempt.lease_until) == ("error", AttemptState.DONE, None)
    assert record["telephony_data"]["hangup_reason"] == "worker lost"
    assert "was lost before it answered" in record["error_message"]
    assert await wallet(books) == (BALANCE, 0)


async def test_a_live_call_of_a_lost_worker_is_completed_by_another(books: Books) -> None:
    execution = await opening(books).open(arrival(books))
    await books.ledger.transition(
        books.account_id,
        execution.id,
        Status.IN_PROGRESS,
        attempt={"state": AttemptState.LIVE, "answered_at": books.clock.us},
    )
    [orphan] = await _lose(books)
    assert orphan.execution_id == execution.id
    found = await books.ledger.get(books.account_id, execution.id)
    assert found.status is Status.CALL_DISCONNECTED
    attempt = await books.ledger.attempt(books.account_id, execution.id)
    assert (attempt.lease_owner, attempt.hangup_by) == ("another", "Error")


async def _lose(books: Books) -> list[object]:
    """The worker gives no sign of life until its lease is over; what was adopted."""
    adopted: list[object] = []
    one = reaper(books)
    for _ in range(4):
        books.clock.us += round(LEASE_S / 3 * SECOND)
        adopted += await one.reap()
    return adopted


async def test_a_deleted_sub_account_takes_no_calls(books: Books) -> None:
    async with books.db.transaction() as tx:
        await tx.execute(
            "UPDATE accounts SET deleted_at = 1 WHERE account_id = :account_id", account_id=books.account_id
        )
    with pytest.raises(Refused) as refusal:
        await opening(books).open(arrival(books))
    assert refusal.value.status == 480
    assert await books.list() == []
