"""Wallets on both databases: nobody is dialled who cannot be paid for, and every end of an attempt settles it once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ringback.accounts.accounts import Accounts
from ringback.accounts.sub_accounts import Details, SubAccounts
from ringback.billing.price import Price
from ringback.billing.prices import Prices
from ringback.billing.reservation import BalanceLow, Reservations, Reserve
from ringback.billing.wallet import WalletError, Wallets, count
from ringback.calls.call import Attempted
from ringback.dialing.call import Call, Line
from ringback.dialing.claims import Claims, Stopped
from ringback.dialing.queue import CallQueue
from ringback.dialing.reaper import Reaper
from ringback.dialing.taking import Taking
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, UsageKind
from ringback.executions.settlement import Book, Entry, EntryKind, enter
from ringback.media.leg import Ended, EndedBy, Outcome
from ringback.store.database import Database, StoreError
from ringback.store.queries import agents, wallet_entries, wallets
from tests.support.exchange import listener
from tests.support.ledgers import Books, open_books
from tests.support.simulated_carrier import SimulatedCarrier
from tests.support.wallets import OWNER, RESERVED, Till, contradictions

BUSY = Ended(Outcome.BUSY, EndedBy.PEER, "Call recipient was busy", 3010, 486, "The line was busy")
RETRY = {
    "enabled": True,
    "max_retries": 1,
    "retry_on_statuses": ["busy", "error"],
    "retry_intervals_minutes": [0],
}


@pytest.fixture
async def till(database: Database) -> Till:
    return Till(await open_books(database))


@pytest.fixture(autouse=True)
async def _nothing_contradicts_itself(database: Database) -> Any:
    yield
    assert await contradictions(database) == []


class NoWakeup:
    async def notify(self, topic: str) -> None:
        pass

    async def wait(self, topic: str, timeout: float) -> bool:
        raise AssertionError("nobody waits here")

    async def close(self) -> None:
        pass


def _line(till: Till, carrier: SimulatedCarrier) -> Line:
    books = till.books
    store = books.db, books.ledger, books.clock, OWNER

    async def after_call(claim: Attempted) -> None:
        pass

    return Line(
        claims=Claims(*store),
        taking=Taking(*store),
        reaper=Reaper(*store),
        ledger=books.ledger,
        carrier=carrier,
        clock=books.clock,
        prepare=listener,
        after_call=after_call,
        ring_timeout_s=30,
    )


# Reserving.


async def test_who_cannot_pay_is_not_dialled_and_the_record_says_why(till: Till) -> None:
    await till.limited(RESERVED - 1)
    claim = await till.claimed(retry_config=RETRY | {"retry_on_statuses": ["busy", "error", "failed"]})
    carrier = SimulatedCarrier(lambda leg: leg.give(BUSY))
    await Call(claim, _line(till, carrier)).run()
    execution = await till.books.ledger.get(claim.account_id, claim.execution_id)
    attempt = await till.books.ledger.attempt(claim.account_id, claim.execution_id)
    assert carrier.dialled == []
    assert (execution.status, execution.retry_count) == (Status.BALANCE_LOW, 0)
    assert execution.error_message == "The wallet has less than the 6.4 cents that this call may cost"
    assert (attempt.state, attempt.number, attempt.slot_since) == (AttemptState.DONE, 1, None)
    assert await till.entered() == [("top-up", RESERVED - 1)]
    assert (await till.wallet()).balance == RESERVED - 1


async def test_the_last_money_is_enough(till: Till) -> None:
    await till.limited(RESERVED)
    claim = await till.dialled()
    wallet = await till.wallet()
    assert (wallet.balance, wallet.reserved) == (0, RESERVED)
    await till.talked(claim, 30_000, 2_000)
    wallet = await till.wallet()
    assert (wallet.balance, wallet.reserved) == (RESERVED - 32_000, 0)
    assert await till.entered() == [
        ("top-up", RESERVED),
        ("reserve", RESERVED),
        ("release", RESERVED),
        ("charge", 32_000),
    ]


async def test_an_empty_wallet_dials_nobody_even_if_nothing_costs_anything(till: Till) -> None:
    free = "INSERT INTO prices (account_id, id, kind, provider, model, unit, price, per, step, valid_from, created_at)"
    async with till.books.db.transaction() as tx:
        await tx.execute(f"{free} VALUES ('', 'p', 'network', '*', '*', 'ms', '0', 1, 1, 0, 0)")
    await till.limited(0)
    with pytest.raises(BalanceLow):
        await till.dialled()
    await till.wallets.top_up(till.books.account_id, 1)
    claim = await till.dialled()
    assert (await till.wallet()).reserved == 1
    await till.moved(claim, Status.BUSY)


async def test_a_dial_that_is_refused_leaves_nothing(till: Till) -> None:
    await till.limited(0)
    claim = await till.claimed()
    with pytest.raises(BalanceLow):
        await till.claims.intend(claim, "call")
    attempt = await till.books.ledger.attempt(claim.account_id, claim.execution_id)
    assert (attempt.state, attempt.call_id, attempt.reserved) == (AttemptState.CLAIMED, None, 0)
    assert (await till.books.ledger.get(claim.account_id, claim.execution_id)).status is Status.QUEUED


async def test_two_workers_reserve_the_last_money_at_once(till: Till) -> None:
    await till.limited(2 * RESERVED - 1)
    for _ in range(6):
        await till.books.create()
    claims = await till.due()
    assert len(claims) == 6
    done = await asyncio.gather(
        *(till.claims.intend(claim, f"call-{claim.execution_id}") for claim in claims), return_exceptions=True
    )
    assert [type(one) for one in done if isinstance(one, Exception)] == [BalanceLow] * 5
    wallet = await till.wallet()
    assert (wallet.balance, wallet.reserved) == (RESERVED - 1, RESERVED)


async def test_it_is_the_agents_own_longest_call_that_is_reserved(till: Till) -> None:
    books = till.books
    async with books.db.transaction() as tx:
        await agents.update(
            tx,
            account_id=books.account_id,
            agent_id=books.agent_id,
            definition='{"tasks": [{"task_type": "conversation", "task_config": {"call_terminate": 600}}]}',
            prompts="{}",
            webhook_url=None,
            now_us=2,
        )
    await till.limited(320_000)
    await till.dialled()
    assert (await till.wallet()).reserved == 320_000


# Settling.


async def test_what_nobody_answers_is_released_and_a_retry_reserves_anew(till: Till) -> None:
    await till.limited(100_000)
    claim = await till.dialled(retry_config=RETRY)
    await till.moved(claim, Status.BUSY)
    assert (await till.wallet()).balance == 100_000
    [again] = await till.due()
    assert again.number == 2
    await till.claims.intend(again, "again")
    await till.talked(again, 0, 70_000)
    assert await till.entered() == [
        ("top-up", 100_000),
        ("reserve", RESERVED),
        ("release", RESERVED),
        ("reserve", RESERVED),
        ("release", RESERVED),
        ("charge", 70_000),
    ]


async def test_a_retry_that_cannot_be_paid_for_is_the_end(till: Till) -> None:
    await till.limited(RESERVED)
    claim = await till.dialled(retry_config=RETRY)
    other = await till.claimed()
    await till.moved(claim, Status.BUSY)
    await till.claims.intend(other, "other")
    [again] = await till.due()
    carrier = SimulatedCarrier(lambda leg: leg.give(BUSY))
    await Call(again, _line(till, carrier)).run()
    execution = await till.books.ledger.get(claim.account_id, claim.execution_id)
    assert (execution.status, carrier.dialled) == (Status.BALANCE_LOW, [])
    await till.moved(other, Status.FAILED)


async def test_what_a_voicemail_cost_is_charged_to_its_attempt_alone(till: Till) -> None:
    """The second attempt ends without costs, though its execution has some."""
    await till.limited(200_000)
    config = {**RETRY, "retry_on_voicemail": True}
    claim = await till.dialled(retry_config=config)
    await till.moved(claim, Status.IN_PROGRESS)
    await till.moved(claim, Status.CALL_DISCONNECTED, 11_000)
    await till.books.ledger.update(
        claim.account_id, claim.execution_id, changes={"answered_by_voice_mail": True}
    )
    await till.moved(claim, Status.COMPLETED, 1_000)
    [again] = await till.due()
    await till.claims.intend(again, "again")
    await till.moved(again, Status.BUSY)
    assert (await till.entered())[3:] == [("charge", 12_000), ("reserve", RESERVED), ("release", RESERVED)]


async def test_what_exceeds_the_wallet_is_written_off(till: Till) -> None:
    await till.limited(RESERVED + 10)
    claim = await till.dialled()
    await till.talked(claim, 60_000, 5_000)
    assert (await till.wallet()).balance == 0
    assert (await till.entered())[-2:] == [("charge", RESERVED + 10), ("write-off", 990)]


@pytest.mark.parametrize("lost_at", [Status.INITIATED, Status.RINGING])
async def test_a_lost_dial_is_released(till: Till, lost_at: Status) -> None:
    await till.limited(RESERVED)
    claim = await till.dialled()
    if lost_at is Status.RINGING:
        await till.moved(claim, lost_at)
    await till.lost()
    assert (await till.books.ledger.get(claim.account_id, claim.execution_id)).status is Status.ERROR
    wallet = await till.wallet()
    assert (wallet.balance, wallet.reserved) == (RESERVED, 0)


async def test_a_live_call_of_a_lost_worker_stays_reserved_until_it_is_completed(till: Till) -> None:
    await till.limited(RESERVED)
    claim = await till.dialled()
    await till.moved(claim, Status.IN_PROGRESS)
    await till.lost()
    assert (await till.wallet()).reserved == RESERVED
    await till.books.ledger.transition(claim.account_id, claim.execution_id, Status.ERROR)
    assert (await till.wallet()).reserved == 0


async def test_a_call_that_is_stopped_before_its_dial_moves_no_money(till: Till) -> None:
    await till.limited(RESERVED)
    execution = await till.books.create()
    queue = CallQueue(till.books.db, till.books.ledger, NoWakeup(), provider="sip-trunk", from_numbers=["+1"])
    await queue.stop(execution.account_id, execution.id)
    assert await till.entered() == [("top-up", RESERVED)]


async def test_nothing_is_settled_twice(till: Till) -> None:
    """Even if a bug asked for it: the database refuses."""
    await till.limited(2 * RESERVED)
    claim = await till.dialled()
    await till.moved(claim, Status.BUSY)
    release = Entry(EntryKind.RELEASE, Book.RESERVED, Book.WALLET, RESERVED)
    with pytest.raises(StoreError):
        async with till.books.db.transaction() as tx:
            await enter(tx, till.books.account_id, [release], 1, claim.key)
    with pytest.raises(StoreError, match="ck_wallets_reserved"):
        async with till.books.db.transaction() as tx:
            await wallets.change(tx, till.books.account_id, balance=0, reserved=-1)
    with pytest.raises(StoreError, match="ck_wallets_balance"):
        async with till.books.db.transaction() as tx:
            await wallets.change(tx, till.books.account_id, balance=-2 * RESERVED - 1, reserved=0)


# Unlimited ones.


async def test_an_unlimited_wallet_is_metered_and_reserves_nothing(till: Till) -> None:
    for after in (40_000, 0):
        await till.talked(await till.dialled(), 0, after)
    await till.moved(await till.dialled(), Status.BUSY)
    assert await till.entered() == [("charge", 40_000)]
    assert (await till.wallet()).balance == -40_000
    assert await count(till.books.db) == 1
    assert await count(till.books.db) == 0
    wallet = await till.wallet()
    assert (wallet.balance, wallet.reserved, wallet.unlimited) == (-40_000, 0, True)


async def test_what_was_owed_is_struck_off_when_a_wallet_is_limited(till: Till) -> None:
    await till.talked(await till.dialled(), 0, 40_000)
    await till.wallets.top_up(till.books.account_id, 15_000)
    assert (await till.wallet()).balance == -25_000
    wallet = await till.wallets.limit(till.books.account_id)
    assert (wallet.balance, wallet.unlimited) == (0, False)
    assert await till.entered() == [("charge", 40_000), ("top-up", 15_000), ("adjust", 25_000)]
    assert await count(till.books.db) == 0


async def test_limits_change_while_a_call_is_on(till: Till) -> None:
    unreserved = await till.dialled()
    await till.limited(RESERVED + 5)
    reserved = await till.dialled()
    await till.talked(unreserved, 9, 0)
    assert (await till.entered())[-2:] == [("charge", 5), ("write-off", 4)]
    await till.wallets.unlimit(till.books.account_id)
    await till.talked(reserved, RESERVED + 100, 0)
    wallet = await till.wallet()
    assert (wallet.balance, wallet.reserved, wallet.unlimited) == (-100, 0, True)


async def test_many_entries_are_counted_some_at_a_time(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.billing.wallet._COUNTED_AT_ONCE", 2)
    for amount in range(1, 6):
        await till.talked(await till.dialled(), 0, amount)
    assert await count(till.books.db) == 5
    [row] = await till.books.db.fetch_all("SELECT balance FROM wallets")
    assert row["balance"] == -15


async def test_two_processes_count_at_once(till: Till) -> None:
    for amount in range(1, 6):
        await till.talked(await till.dialled(), 0, amount)
    assert sum(await asyncio.gather(*(count(till.books.db) for _ in range(4)))) == 5
    assert (await till.wallet()).balance == -15


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_limit_waits_for_charges_that_are_on_their_way(till: Till) -> None:
    """Else one that is not counted would be left over for a wallet that must not fall below zero."""
    claim = await till.dialled()
    await till.moved(claim, Status.IN_PROGRESS)
    entered, limiting = asyncio.Event(), asyncio.Event()
    charge = wallet_entries.charge_unlimited

    async def charged(*args: Any, **named: Any) -> bool:
        done = await charge(*args, **named)
        entered.set()
        await limiting.wait()
        await asyncio.sleep(0.2)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wallet_entries, "charge_unlimited", charged)

        async def limit() -> None:
            await entered.wait()
            limiting.set()
            await till.wallets.limit(till.books.account_id)

        await till.moved(claim, Status.CALL_DISCONNECTED, 7)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(till.moved(claim, Status.COMPLETED))
            group.create_task(limit())
    wallet = await till.wallet()
    assert (wallet.balance, wallet.unlimited) == (0, False)
    assert await till.entered() == [("charge", 7), ("adjust", 7)]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_charges_of_unlimited_accounts_wait_for_nobody(till: Till) -> None:
    """Neither for each other nor for who counts them."""
    claims = [await till.dialled() for _ in range(2)]
    for claim in claims:
        await till.moved(claim, Status.IN_PROGRESS)
        await till.moved(claim, Status.CALL_DISCONNECTED, 7)
    async with asyncio.timeout(20), till.books.db.transaction() as one:
        await till.books.ledger.transition(
            claims[0].account_id, claims[0].execution_id, Status.COMPLETED, tx=one
        )
        async with till.books.db.transaction() as counting:
            await wallets.lock(counting, till.books.account_id)
            await till.moved(claims[1], Status.COMPLETED)


# Sub-accounts.


async def _sub_account(books: Books) -> Till:
    """Of the books' account, with an agent of its own."""
    made, _ = await SubAccounts(books.db, books.clock).create(books.account_id, Details("branch"))
    async with books.db.transaction() as tx:
        await agents.insert(
            tx,
            account_id=made.id,
            agent_id="theirs",
            definition="{}",
            prompts="{}",
            status="processed",
            now_us=1,
        )
    return Till(replace(books, account_id=made.id, agent_id="theirs"))


async def test_the_parent_pays_for_a_sub_account(till: Till) -> None:
    await till.limited(RESERVED)
    sub = await _sub_account(till.books)
    claim = await sub.dialled()
    assert claim.account_id == sub.books.account_id
    assert (await till.wallet()).reserved == RESERVED
    with pytest.raises(BalanceLow):
        await till.dialled()
    await sub.talked(claim, 1_000, 0)
    assert (await till.wallet()).balance == RESERVED - 1_000
    last = (await till.wallets.latest(till.books.account_id, 1))[0]
    assert (last.spender, last.execution_id, last.attempt) == claim.key
    with pytest.raises(WalletError, match="is a sub-account"):
        await sub.wallet()


async def test_a_sub_account_of_an_unlimited_parent_is_metered_in_the_parents_wallet(till: Till) -> None:
    sub = await _sub_account(till.books)
    await sub.talked(await sub.dialled(), 500, 500)
    assert (await till.wallet()).balance == -1_000
    assert await count(till.books.db) == 1


async def test_a_deleted_sub_account_dials_nobody_any_more(till: Till) -> None:
    sub = await _sub_account(till.books)
    claim, live = await sub.claimed(), await sub.dialled()
    await sub.books.create()
    service = SubAccounts(till.books.db, till.books.clock)
    assert await service.delete(till.books.account_id, sub.books.account_id) == ["theirs"]
    with pytest.raises(Stopped, match=r"^The sub-account was deleted$"):
        await sub.claims.intend(claim, "call")
    assert await sub.due() == ()
    await sub.talked(live, 3, 4)
    assert (await till.wallet()).balance == -7


# By hand.


async def test_who_has_no_wallet(till: Till) -> None:
    for change in (till.wallets.limit, till.wallets.unlimit, till.wallets.get):
        with pytest.raises(WalletError, match="there is no account nobody"):
            await change("nobody")
    with pytest.raises(WalletError, match="there is no account nobody"):
        await till.wallets.top_up("nobody", 1)


async def test_every_account_has_one(till: Till) -> None:
    other = await Accounts(till.books.db, till.books.clock).create("other")
    found = {wallet.account_id: wallet for wallet in await Wallets(till.books.db, till.books.clock).every()}
    assert found.keys() == {other.id, till.books.account_id}
    assert all(wallet.unlimited and not wallet.balance for wallet in found.values())


async def test_entries_are_shown_as_they_were_made(till: Till) -> None:
    books = till.books
    await till.limited(RESERVED)
    before = books.clock.us
    await till.wallets.top_up(books.account_id, 7, "invoice 9")
    [entered] = await till.wallets.latest(books.account_id, 1)
    assert before < entered.at_us <= books.clock.us
    assert entered.entry == Entry(EntryKind.TOP_UP, Book.CASH, Book.WALLET, 7, "invoice 9")
    assert (entered.spender, entered.execution_id, entered.attempt) == (None, None, None)
    claim = await till.dialled()
    [entered] = await till.wallets.latest(books.account_id, 1)
    assert entered.entry == Entry(EntryKind.RESERVE, Book.WALLET, Book.RESERVED, RESERVED)
    assert (entered.spender, entered.execution_id) == (books.account_id, claim.execution_id)
    assert entered.attempt == 1


async def test_a_reservation_is_at_the_accounts_own_price_of_that_carrier_and_something_more(
    till: Till,
) -> None:
    books = till.books
    await till.limited(RESERVED)
    own = [Price(UsageKind.NETWORK, "ms", Decimal(3), 60_000, 60_000, provider="sip-trunk")]
    loaded = await Prices(books.db).load(books.account_id, own, books.clock)
    books.clock.us = loaded.valid_from
    reservations = Reservations(books.db, books.clock, 7)
    assert await reservations.wanted(books.account_id, books.agent_id, "sip-trunk") == Reserve(
        books.account_id, 60_000 + 40_000 + 7
    )
    assert await reservations.wanted(books.account_id, "deleted", "another") == Reserve(
        books.account_id, RESERVED + 7
    )
