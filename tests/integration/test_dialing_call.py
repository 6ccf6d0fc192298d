"""From the claim to the packet and past the loss of the lease, on both databases: nobody is dialled too late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ringback.calls.call import Attempted
from ringback.dialing.call import Call, Line
from ringback.dialing.claims import LEASE_S, Claim, Claims, Intent
from ringback.dialing.limits import Defaults
from ringback.dialing.queue import CallQueue, NotStoppable
from ringback.dialing.reaper import Reaper
from ringback.dialing.taking import Taking
from ringback.executions.ledger import LeaseLost
from ringback.executions.lifecycle import Status
from ringback.executions.record import Attempt, AttemptState
from ringback.media.leg import Answered, Ended, EndedBy, HangupCause, Outcome, Ringing
from ringback.store.database import Database
from ringback.store.queries import gates, trunk_gates
from tests.support.exchange import listener
from tests.support.ledgers import Books, open_books
from tests.support.simulated_carrier import SimulatedCarrier, SimulatedLeg

SECOND = 1_000_000
BUSY = Ended(Outcome.BUSY, EndedBy.PEER, "Call recipient was busy", 3010, 486, "The line was busy")
RATE = Defaults(account_interval_us=100_000)


class Wakeup:
    """Counts the wake-ups."""

    def __init__(self) -> None:
        self.notified = 0

    async def notify(self, topic: str) -> None:
        self.notified += 1

    async def wait(self, topic: str, timeout: float) -> bool:
        raise AssertionError("nobody waits here")

    async def close(self) -> None:
        pass


@dataclass
class World:
    """One worker without a loop of its own, under the clock of the books."""

    books: Books
    carrier: SimulatedCarrier
    claims: Claims
    line: Line
    wakeup: Wakeup

    async def claimed(self, **changes: Any) -> Claim:
        await self.books.create(**changes)
        [claim] = (await self.line.taking.take(1)).claims
        return claim

    async def attempt(self, claim: Claim) -> Attempt:
        return await self.books.ledger.attempt(claim.account_id, claim.execution_id)

    async def status(self, claim: Claim) -> Status:
        return (await self.books.ledger.get(claim.account_id, claim.execution_id)).status

    def after_intent(self, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Awaitable[None]]) -> None:
        """Between the commit of the first intent and the packet."""
        intend = self.claims.intend

        async def intended(claim: Claim, call_id: str) -> Intent:
            intent = await intend(claim, call_id)
            await happens()
            return intent

        monkeypatch.setattr(self.claims, "intend", intended)

    async def lose(self) -> None:
        """The lease of everybody runs out, and another worker closes what is left."""
        self.books.clock.us += round((LEASE_S + 1) * SECOND)
        await self.reaper("another").reap()

    def reaper(self, name: str, **how: Any) -> Reaper:
        books = self.books
        return Reaper(books.db, books.ledger, books.clock, name, wakeup=self.wakeup, **how)

    @property
    def queue(self) -> CallQueue:
        return CallQueue(
            self.books.db, self.books.ledger, self.wakeup, provider="sip-trunk", from_numbers=["+14155550100"]
        )


def _world(books: Books, on_dial: Callable[[SimulatedLeg], None], defaults: Defaults) -> World:
    carrier, wakeup = SimulatedCarrier(on_dial), Wakeup()
    store = books.db, books.ledger, books.clock, "one"
    claims = Claims(*store, defaults=defaults)

    async def after_call(claim: Attempted) -> None:
        pass

    line = Line(
        claims=claims,
        taking=Taking(*store, defaults=defaults),
        reaper=Reaper(*store, wakeup=wakeup),
        ledger=books.ledger,
        carrier=carrier,
        clock=books.clock,
        prepare=listener,
        after_call=after_call,
        ring_timeout_s=30,
    )
    return World(books, carrier, claims, line, wakeup)


@pytest.fixture
async def world(database: Database) -> World:
    return _world(await open_books(database), lambda leg: leg.give(BUSY), Defaults())


async def test_who_was_held_up_for_longer_than_the_lease_dials_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await world.claimed()

    async def stopped() -> None:
        world.books.clock.us += round((LEASE_S - 6) * SECOND)

    world.after_intent(monkeypatch, stopped)
    await Call(claim, world.line).run()
    attempt = await world.attempt(claim)
    assert (world.carrier.dialled, await world.status(claim)) == ([], Status.ERROR)
    assert (attempt.state, attempt.slot_since, attempt.lease_until) == (AttemptState.UNKNOWN, None, None)


async def test_who_was_taken_for_lost_before_the_packet_dials_nobody_and_frees_the_slot(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await world.claimed()
    slots = []

    async def lost() -> None:
        await world.lose()
        slots.append((await world.attempt(claim)).slot_since)

    world.after_intent(monkeypatch, lost)
    with pytest.raises(LeaseLost):
        await Call(claim, world.line).run()
    assert slots[0] is not None, "nobody knows yet whether the call went out"
    assert (await world.attempt(claim)).slot_since is None
    assert (world.carrier.dialled, await world.status(claim)) == ([], Status.ERROR)


async def test_a_lost_worker_that_comes_back_frees_the_slot_when_its_leg_is_over(world: World) -> None:
    dialled = asyncio.Event()
    world = _world(world.books, lambda leg: dialled.set(), Defaults(account_calls=9))
    claim = await world.claimed()
    freed: list[int] = []
    call = Call(claim, world.line, lambda: freed.append(1))
    running = asyncio.create_task(call.run())
    async with asyncio.timeout(15):
        await dialled.wait()
        await world.lose()
        assert (await world.attempt(claim)).slot_since is not None
        world.carrier.legs[0].give(BUSY)
        with pytest.raises(LeaseLost):
            await running
    attempt = await world.attempt(claim)
    assert (attempt.slot_since, attempt.sip_code, attempt.state) == (None, 486, AttemptState.UNKNOWN)
    assert (await world.status(claim), freed) == (Status.ERROR, [1])


async def test_a_lost_worker_does_not_answer_a_call_that_is_closed(world: World) -> None:
    dialled = asyncio.Event()
    world = _world(world.books, lambda leg: dialled.set(), Defaults())
    claim = await world.claimed()
    running = asyncio.create_task(Call(claim, world.line).run())
    async with asyncio.timeout(15):
        await dialled.wait()
        await world.lose()
        world.carrier.legs[0].give(Answered())
        with pytest.raises(LeaseLost):
            await running
    assert world.carrier.legs[0].hangups[0] is HangupCause.ERROR
    assert await world.status(claim) is Status.ERROR
    assert (await world.attempt(claim)).slot_since is None


async def test_a_dial_waits_for_its_grant_and_one_that_comes_too_late_gets_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    at: list[int] = []

    def busy(leg: SimulatedLeg) -> None:
        at.append(world.books.clock.us)
        leg.give(BUSY)

    world = _world(world.books, busy, RATE)
    first, second, third = [await world.claimed() for _ in range(3)]
    await Call(first, world.line).run()
    await Call(second, world.line).run()

    async def late() -> None:
        monkeypatch.undo()
        world.books.clock.us += 300_000

    world.after_intent(monkeypatch, late)
    await Call(third, world.line).run()
    granted = [(await world.attempt(claim)).dial_at or 0 for claim in (first, second, third)]
    assert granted[1] - granted[0] >= 100_000
    assert granted[2] - granted[1] >= 300_000
    assert all(0 <= sent - grant <= 50_000 for sent, grant in zip(at, granted, strict=True))
    assert (await world.attempt(third)).dialled_at == granted[2]


async def test_the_next_grant_is_as_far_ahead_as_the_last_one_was_missed(world: World) -> None:
    world = _world(world.books, lambda leg: None, RATE)
    claim = await world.claimed()
    await world.claims.intend(claim, "call")
    for late_us, ahead_us in ((300_000, 300_000), (60 * SECOND, SECOND)):
        before_us = world.books.clock.us
        grant = await world.claims.regrant(claim, late_us)
        assert ahead_us <= grant.dial_at_us - before_us <= ahead_us + 200_000
        assert (await world.attempt(claim)).dial_at == grant.dial_at_us


async def test_a_cancellation_between_the_intent_and_the_packet_is_heard(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await world.claimed()
    call = Call(claim, world.line)

    async def cancelled() -> None:
        await world.queue.stop(claim.account_id, claim.execution_id)
        assert (await world.claims.held()).cancelled == {claim}
        await call.hang_up(HangupCause.CANCELED)

    world.after_intent(monkeypatch, cancelled)
    await call.run()
    assert (world.carrier.dialled, await world.status(claim)) == ([], Status.CANCELED)
    assert (await world.attempt(claim)).slot_since is None


async def test_a_call_that_is_given_up_before_its_intent_waits_again(world: World) -> None:
    claim = await world.claimed()
    call = Call(claim, world.line)
    await call.hang_up(HangupCause.CANCELED)
    await call.run()
    assert (world.carrier.dialled, await world.status(claim)) == ([], Status.QUEUED)
    assert (await world.line.taking.take(1)).claims == (claim,)


@pytest.mark.parametrize("how", ["paused", "not open yet", "hours over"])
async def test_what_may_not_be_dialled_any_more_waits_again(world: World, how: str) -> None:
    books = world.books
    claim = await world.claimed(batch_id="batch")
    if how == "hours over":
        claim = replace(claim, closes_us=books.clock.us)
    else:
        async with books.db.transaction() as tx:
            if how == "paused":
                await gates.close(tx, books.account_id, "batch", "batch", how="paused", why="", now_us=1)
            else:
                await gates.open_at(tx, books.account_id, "batch", gates.NEVER_US)
    freed: list[int] = []
    await Call(claim, world.line, lambda: freed.append(1)).run()
    attempt = await world.attempt(claim)
    assert (world.carrier.dialled, attempt.state, attempt.slot_since) == ([], AttemptState.WAITING, None)
    assert (attempt.dialled_at, attempt.lease_owner, freed) == (None, None, [1])


@pytest.mark.parametrize("what", ["agent", "batch", "number"])
async def test_what_was_stopped_after_its_claim_is_not_dialled_and_ends(world: World, what: str) -> None:
    books = world.books
    claim = await world.claimed(batch_id="batch" if what == "batch" else None)
    async with books.db.transaction() as tx:
        if what == "agent":
            await gates.stop_agent(tx, books.account_id, "agent")
        elif what == "batch":
            await gates.close(tx, books.account_id, "batch", "batch", how="stopped", why="", now_us=1)
        else:
            await tx.execute(
                "INSERT INTO do_not_call (account_id, number, created_at) VALUES (:account_id, '+14155550123', 1)",
                account_id=books.account_id,
            )
    await Call(claim, world.line).run()
    attempt = await world.attempt(claim)
    assert (world.carrier.dialled, await world.status(claim)) == ([], Status.STOPPED)
    assert (attempt.state, attempt.slot_since, attempt.dialled_at) == (AttemptState.DONE, None, None)


async def test_a_rate_is_not_used_up_by_who_may_not_dial(world: World) -> None:
    world = _world(world.books, lambda leg: leg.give(BUSY), RATE)
    claim = await world.claimed()
    async with world.books.db.transaction() as tx:
        await gates.stop_agent(tx, world.books.account_id, "agent")
    await Call(claim, world.line).run()
    assert [row["tat_us"] for row in await world.books.db.fetch_all("SELECT tat_us FROM gates")] == [0, 0]


async def test_a_stop_that_races_the_answer_leaves_the_live_call_alone(world: World) -> None:
    """T17: what is decided is decided with the call locked."""
    world = _world(world.books, lambda leg: leg.give(Ringing()), Defaults())
    claim = await world.claimed()
    await world.claims.intend(claim, "call")
    async with asyncio.timeout(15):
        async with world.books.db.transaction() as tx:
            await world.books.ledger.transition(
                claim.account_id,
                claim.execution_id,
                Status.IN_PROGRESS,
                attempt={"state": AttemptState.LIVE, "answered_at": world.books.clock.now_us()},
                tx=tx,
            )
            stop = asyncio.create_task(world.queue.stop(claim.account_id, claim.execution_id))
            await asyncio.wait([stop], timeout=0.1)
            assert not stop.done()
        with pytest.raises(NotStoppable, match="in-progress"):
            await stop
    assert (await world.claims.held()).cancelled == frozenset()


@pytest.mark.parametrize("kind", ["account", "agent", "batch", "trunk", "none", "retry"])
async def test_an_end_wakes_who_may_wait_for_the_slot_or_the_next_attempt_and_nobody_else(
    world: World, kind: str
) -> None:
    books = world.books
    async with books.db.transaction() as tx:
        if kind == "trunk":
            await trunk_gates.set_limits(tx, "sip-trunk", max_calls=5, interval_us=None)
        elif kind in ("account", "agent", "batch"):
            key = "" if kind == "account" else kind
            await gates.set_limits(tx, books.account_id, kind, key, max_calls=5, interval_us=None)
    retry = {"enabled": True, "max_retries": 1, "retry_on_statuses": ["busy"], "retry_intervals_minutes": [5]}
    claim = await world.claimed(batch_id="batch", retry_config=retry if kind == "retry" else None)
    freed: list[int] = []
    await Call(claim, world.line, lambda: freed.append(1)).run()
    assert await world.status(claim) is (Status.SCHEDULED if kind == "retry" else Status.BUSY)
    assert freed == ([] if kind == "none" else [1])


async def test_a_stopped_claim_frees_its_slot_at_once(world: World) -> None:
    claim = await world.claimed()
    await world.queue.stop(claim.account_id, claim.execution_id)
    attempt = await world.attempt(claim)
    assert (attempt.state, attempt.slot_since, attempt.lease_owner) == (AttemptState.DONE, None, None)
    assert world.wakeup.notified == 1


# What the reaper does.


async def test_a_lost_dial_counts_until_it_must_be_over(world: World) -> None:
    claim = await world.claimed()
    await world.claims.intend(claim, "call")
    dialled = (await world.attempt(claim)).dialled_at
    assert dialled is not None
    await world.lose()
    assert await world.status(claim) is Status.ERROR
    books, reaper = world.books, world.reaper("another", unknown_s=240.0)
    books.clock.us = dialled + 239 * SECOND
    await world.reaper("another").reap()
    assert (await world.attempt(claim)).slot_since is not None
    books.clock.us = dialled + 241 * SECOND
    notified = world.wakeup.notified
    await reaper.reap()
    assert (await world.attempt(claim)).slot_since is None
    assert world.wakeup.notified == notified + 1
    rows = await books.listing.log(claim.account_id, claim.execution_id)
    assert sum("no longer" in row.data for row in rows) == 1


async def test_a_reaper_that_was_held_up_lets_the_owners_renew_first(world: World) -> None:
    """Where nobody could write for longer than a lease, every lease is over, and nobody is lost."""
    claim = await world.claimed()
    await world.claims.intend(claim, "call")
    reaper = world.reaper("another")
    world.books.clock.us += round((LEASE_S + 1) * SECOND)
    assert await reaper.reap() == []
    assert (await world.claims.renew([claim])).claims == {claim}
    assert await reaper.reap() == []
    assert await world.status(claim) is Status.INITIATED
    for _ in range(4):
        world.books.clock.us += round(LEASE_S / 3 * SECOND)
        await reaper.reap()
    assert await world.status(claim) is Status.ERROR, "and who is lost is found all the same"


async def test_a_lost_claim_of_a_stopped_batch_ends(world: World) -> None:
    books = world.books
    claim = await world.claimed(batch_id="batch")
    async with books.db.transaction() as tx:
        await gates.close(tx, books.account_id, "batch", "batch", how="stopped", why="", now_us=1)
    await world.lose()
    attempt = await world.attempt(claim)
    assert (await world.status(claim), attempt.state, attempt.slot_since) == (
        Status.STOPPED,
        AttemptState.DONE,
        None,
    )


async def test_after_call_work_that_always_fails_is_given_up(world: World) -> None:
    claim, began = await world.claimed(), world.books.clock.us
    await world.claims.intend(claim, "call")
    await world.books.ledger.transition(
        claim.account_id,
        claim.execution_id,
        Status.IN_PROGRESS,
        attempt={"state": AttemptState.LIVE, "answered_at": world.books.clock.now_us()},
    )
    waits, adopted = [], 0
    for _ in range(30):
        attempt = await world.attempt(claim)
        if attempt.lease_until is None:
            break
        waits.append(attempt.lease_until - world.books.clock.us)
        world.books.clock.us = attempt.lease_until + 1
        adopted += len(await world.reaper("another").reap())
    assert (adopted > 6, await world.status(claim)) == (True, Status.ERROR)
    assert 1 < (world.books.clock.us - began) / (3600 * SECOND) < 2
    assert waits[1:] == sorted(waits[1:])
    assert waits[-1] > 8 * waits[1]
    assert (await world.attempt(claim)).slot_since is None
