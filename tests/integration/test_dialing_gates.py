"""Gates: the hint that is never too late, what is locked by whom, stops and rates; on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ringback.dialing.grants import Grant, reserve
from ringback.dialing.taking import Taking
from ringback.executions.lifecycle import Status
from ringback.executions.record import NewExecution
from ringback.store.database import Database, Row
from ringback.store.queries import attempts, executions, gates, queue, rates, trunk_gates
from tests.support.ledgers import Books, open_books

HORIZON_US = 1_000_000
T = 1_795_493_045_000_000


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


async def _offer(books: Books, batch: str | None, due_us: int, seq: int = 100) -> bool:
    async with books.db.transaction() as tx:
        return await gates.offer(tx, books.account_id, "agent", batch, seq=seq, due_us=due_us)


async def _hints(books: Books) -> dict[str, int | None]:
    rows = await books.db.fetch_all("SELECT kind, next_due_at FROM gates ORDER BY kind")
    return {row["kind"]: row["next_due_at"] for row in rows}


async def _due(books: Books, now_us: int, default_calls: int | None = None) -> list[str]:
    return await gates.due_accounts(
        books.db, now_us=now_us, horizon_us=HORIZON_US, default_calls=default_calls, limit=8
    )


async def _reserve(books: Books, now_us: int, default_interval_us: int | None = None) -> Grant:
    async with books.db.transaction() as tx:
        passed = await gates.share(tx, books.account_id, "agent", None, "sip-trunk", default_interval_us)
        return await reserve(tx, books.account_id, "sip-trunk", passed, now=lambda: now_us)


async def _slot(books: Books, since: int | None = T) -> None:
    """Count the newest execution's attempt."""
    async with books.db.transaction() as tx:
        await tx.execute("UPDATE attempts SET slot_since = :since", since=since)


async def test_an_offer_only_lowers_the_hint(books: Books) -> None:
    assert await _offer(books, None, T)
    assert await _hints(books) == {"account": T, "agent": T}
    await _offer(books, None, T + 1)
    assert await _hints(books) == {"account": T, "agent": T}
    await _offer(books, None, T - 1)
    assert await _hints(books) == {"account": T - 1, "agent": T - 1}


async def test_a_batch_wakes_its_account_when_it_opens(books: Books) -> None:
    async with books.db.transaction() as tx:
        await gates.open_at(tx, books.account_id, "batch", gates.NEVER_US)
    assert await _offer(books, "batch", 0)
    assert await _hints(books) == {"account": gates.NEVER_US, "agent": None, "batch": 0}
    assert await _due(books, T) == []
    async with books.db.transaction() as tx:
        await gates.open_at(tx, books.account_id, "batch", T)
    assert await _hints(books) == {"account": T, "agent": None, "batch": 0}
    assert await gates.next_look(books.db, now_us=T - 1, horizon_us=HORIZON_US) == T
    assert await _due(books, T) == [books.account_id]


async def test_a_call_that_is_placed_is_offered(books: Books) -> None:
    call = await books.create()
    [row] = await books.db.fetch_all("SELECT due_at, lane, trunk, seq, agent_id FROM attempts")
    assert row == {
        "due_at": row["due_at"],
        "lane": books.agent_id,
        "trunk": "sip-trunk",
        "seq": call.seq,
        "agent_id": books.agent_id,
    }
    assert await _hints(books) == {"account": row["due_at"], "agent": row["due_at"]}


async def test_nothing_is_offered_to_a_stopped_lane(books: Books) -> None:
    old = await books.create()
    async with books.db.transaction() as tx:
        stopped = await gates.stop_agent(tx, books.account_id, "agent")
    assert stopped == old.seq
    before = await _hints(books)
    assert not await _offer(books, None, 5, seq=old.seq)
    assert not await _offer(books, "batch", 5, seq=old.seq)
    assert await _hints(books) == before
    assert await _offer(books, None, 5, seq=old.seq + 1)


async def test_a_stopped_batch_takes_no_offer_and_never_opens_again(books: Books) -> None:
    await _offer(books, "batch", T)
    async with books.db.transaction() as tx:
        await gates.close(tx, books.account_id, "batch", "batch", how="stopped", why="asked", now_us=T)
        await gates.open_at(tx, books.account_id, "batch", T)
    assert not await _offer(books, "batch", 5)
    [gate] = await books.db.fetch_all("SELECT closed, next_due_at FROM gates WHERE kind = 'batch'")
    assert gate == {"closed": "stopped", "next_due_at": None}


async def test_a_paused_batch_keeps_its_place_and_goes_on(books: Books) -> None:
    await _offer(books, "batch", T)
    async with books.db.transaction() as tx:
        await gates.close(tx, books.account_id, "batch", "batch", how="paused", why="busy", now_us=T)
        assert await gates.lanes_due(tx, books.account_id, now_us=T, limit=9) == []
        await gates.account_served(tx, books.account_id, now_us=T)
    assert (await _hints(books))["account"] is None
    assert await _due(books, T) == []
    assert await _offer(books, "batch", T + 1)
    async with books.db.transaction() as tx:
        await gates.open_at(tx, books.account_id, "batch", 0)
        assert [lane["key"] for lane in await gates.lanes_due(tx, books.account_id, now_us=T, limit=9)] == [
            "batch"
        ]
        await gates.account_served(tx, books.account_id, now_us=T)
    assert (await _hints(books))["account"] == T
    assert await _due(books, T) == [books.account_id]


async def test_lanes_take_turns(books: Books) -> None:
    for batch in (None, "a", "b"):
        await _offer(books, batch, T)
    order = []
    for turn in range(4):
        async with books.db.transaction() as tx:
            [lane] = await gates.lanes_due(tx, books.account_id, now_us=T, limit=1)
            order.append(lane["key"])
            await tx.execute(
                "UPDATE gates SET served_at = :now WHERE key = :key", now=T + 1 + turn, key=lane["key"]
            )
    assert order == ["a", "agent", "b", "a"]


@pytest.mark.parametrize(("own", "default", "free"), [(1, None, 0), (2, 1, 1), (None, 1, 0), (None, None, 1)])
async def test_an_account_without_a_free_slot_is_left_out(
    books: Books, own: int | None, default: int | None, free: int
) -> None:
    await books.create()
    await _slot(books)
    async with books.db.transaction() as tx:
        await gates.set_limits(tx, books.account_id, "account", "", max_calls=own, interval_us=None)
        assert await gates.slots(tx, books.account_id) == [
            {"lane": "agent", "agent_id": "agent", "trunk": "sip-trunk", "state": "waiting", "n": 1}
        ]
        assert await trunk_gates.slots(tx, "sip-trunk") == (1, 0)
    assert await _due(books, books.clock.us + 1, default) == [books.account_id] * free
    await _slot(books, None)
    assert await _due(books, books.clock.us + 1, default) == [books.account_id]


async def test_a_rate_that_is_used_up_is_looked_at_again_in_time(books: Books) -> None:
    await _offer(books, None, T)
    async with books.db.transaction() as tx:
        await rates.set_tat(tx, books.account_id, "sip-trunk", "account", T + 3 * HORIZON_US)
    assert await _due(books, T) == []
    assert await gates.next_look(books.db, now_us=T, horizon_us=HORIZON_US) == T + 2 * HORIZON_US
    assert await _due(books, T + 2 * HORIZON_US) == [books.account_id]


async def test_no_timer_for_what_is_due_and_blocked_by_slots(books: Books) -> None:
    await _offer(books, None, T)
    assert await gates.next_look(books.db, now_us=T, horizon_us=HORIZON_US) is None
    assert await gates.next_look(books.db, now_us=T - 7, horizon_us=HORIZON_US) == T


async def test_grants_of_many_workers_never_lie_closer_than_the_rate(books: Books) -> None:
    async with books.db.transaction() as tx:
        await gates.set_limits(tx, books.account_id, "account", "", max_calls=None, interval_us=100_000)
        await trunk_gates.set_limits(tx, "sip-trunk", max_calls=None, interval_us=70_000)

    async def grant(number: int) -> int:
        return (await _reserve(books, T + 1000 * number)).dial_at_us

    async with asyncio.timeout(20):
        granted = sorted(await asyncio.gather(*[grant(number) for number in range(12)]))
    assert granted == [granted[0] + 100_000 * n for n in range(12)]


async def test_a_rate_of_the_settings_holds_for_accounts_without_their_own(books: Books) -> None:
    await _offer(books, None, T)
    assert await _reserve(books, T) == Grant(T, None)
    assert await _reserve(books, T) == Grant(T, None)
    assert await _reserve(books, T, 500) == Grant(T, 20_000)
    assert await _reserve(books, T, 500) == Grant(T + 500, 20_000)
    async with books.db.transaction() as tx:
        assert await trunk_gates.lock(tx, "sip-trunk") is None
        await trunk_gates.set_limits(tx, "sip-trunk", max_calls=7, interval_us=None)
        assert await trunk_gates.lock(tx, "sip-trunk") == {"max_calls": 7, "interval_us": None, "tat_us": 0}


async def test_what_waits_is_found_again_for_repair(books: Books) -> None:
    first = await books.create()
    second = await books.ledger.create(
        NewExecution(books.account_id, "agent", "+14155550123", None, "sip-trunk", batch_id="b")
    )
    assert await queue.late_lanes(books.db) == []
    moments = await books.db.fetch_all("SELECT due_at FROM attempts ORDER BY seq")
    late = moments[0]["due_at"] + 1_000_000_000
    for spoilt, missed in (
        ("next_due_at = NULL WHERE kind = 'account'", ["agent", "b"]),
        (f"next_due_at = {late} WHERE kind = 'agent'", ["agent"]),
        (f"next_due_at = {late} WHERE kind = 'account'", ["agent", "b"]),
        ("next_due_at = NULL WHERE kind = 'batch'", ["b"]),
        ("next_due_at = NULL, closed = 'paused' WHERE kind = 'batch'", []),
    ):
        before = await books.db.fetch_all("SELECT kind, key, next_due_at FROM gates")
        async with books.db.transaction() as tx:
            await tx.execute(f"UPDATE gates SET {spoilt}")
        assert sorted(row["lane"] for row in await queue.late_lanes(books.db)) == missed
        async with books.db.transaction() as tx:
            for row in before:
                await tx.execute(
                    "UPDATE gates SET next_due_at = :next_due_at, closed = NULL WHERE kind = :kind AND key = :key",
                    **row,
                )
    async with books.db.transaction() as tx:
        found = [await queue.first_waiting(tx, books.account_id, lane) for lane in ("agent", "b", "none")]
    assert found == [
        {"agent_id": "agent", "batch_id": None, "seq": first.seq, "due_at": moments[0]["due_at"]},
        {"agent_id": "agent", "batch_id": "b", "seq": second.seq, "due_at": moments[1]["due_at"]},
        None,
    ]


Waiter = Callable[[Books], Coroutine[Any, Any, Any]]


async def _intent(books: Books) -> list[Row]:
    async with books.db.transaction() as tx:
        return await gates.share(tx, books.account_id, "agent", None, "sip-trunk", None)


@pytest.mark.parametrize(
    "waiter", [lambda books: _offer(books, None, 1, seq=T * 2), _intent], ids=["an offer", "an intent"]
)
async def test_others_wait_for_who_holds_a_gate(books: Books, waiter: Waiter) -> None:
    """T21: a claim raises the hint, and the offer that came meanwhile lowers it again; an intent sees the stop."""
    call = await books.create()
    async with asyncio.timeout(20):
        async with books.db.transaction() as tx:
            await gates.lock(tx, books.account_id, "account")
            await gates.stop_agent(tx, books.account_id, "agent")
            await gates.lane_served(tx, books.account_id, "agent", "agent", now_us=T)
            assert (await gates.get(tx, books.account_id, "agent", "agent") or {})["next_due_at"] is None
            waiting = asyncio.create_task(waiter(books))
            await asyncio.wait([waiting], timeout=0.1)
            assert not waiting.done()
        result = await waiting
    if result is True:
        assert (await _hints(books))["agent"] == 1
    else:
        [gate] = result
        assert (gate["kind"], gate["stopped_seq"]) == ("agent", call.seq)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_an_intent_keeps_nobody_waiting_but_a_stop(books: Books) -> None:
    """On SQLite there is one writer. Else a stream of intents would keep out the claims, whose gate they share."""
    await books.create()
    async with asyncio.timeout(20):
        async with books.db.transaction() as tx:
            await gates.share(tx, books.account_id, "agent", None, "sip-trunk", None)
            async with books.db.transaction() as other:
                [lane] = await gates.lanes_due(other, books.account_id, now_us=T * 2, limit=9)
                await gates.lane_served(other, books.account_id, "agent", lane["key"], now_us=T)
            assert await _offer(books, None, 1, seq=T * 2)
            assert len(await _intent(books)) == 1
            stop = asyncio.create_task(_stop(books))
            await asyncio.wait([stop], timeout=0.1)
            assert not stop.done()
        await stop


async def _stop(books: Books) -> int:
    async with books.db.transaction() as tx:
        return await gates.stop_agent(tx, books.account_id, "agent")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_claim_does_not_wait_in_a_circle_with_a_worker_that_was_taken_for_lost(books: Books) -> None:
    """It has its old attempt and wants the execution; the claim has the attempt that followed."""
    retry = {"enabled": True, "max_retries": 1, "retry_on_statuses": ["busy"], "retry_intervals_minutes": [0]}
    call = await books.create(retry_config=retry)
    where = call.account_id, call.id
    await books.ledger.transition(*where, Status.INITIATED)
    assert (await books.ledger.transition(*where, Status.BUSY)).status is Status.SCHEDULED
    async with asyncio.timeout(20):
        async with books.db.transaction() as tx:
            await attempts.lock(tx, *where, 1)
            claiming = asyncio.create_task(Taking(books.db, books.ledger, books.clock, "one").take(1))
            await asyncio.wait([claiming], timeout=0.3)
            await executions.lock(tx, *where)
        assert [claim.number for claim in (await claiming).claims] == [2]
