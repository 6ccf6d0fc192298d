"""Who is served, on both databases: fairness, every limit under four claimers, hours, and the look that comes next."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace

import pytest

from ringback.accounts.accounts import Accounts
from ringback.dialing.claims import Claim, Claims
from ringback.dialing.limits import Defaults
from ringback.dialing.taking import Taken, Taking
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState
from ringback.store.database import Database
from ringback.store.queries import agents, gates, rates, trunk_gates
from tests.support.ledgers import Books, open_books

SECOND = 1_000_000
HOUR = 3600 * SECOND
MORNING = 1_795_500_000_000_000 // (24 * HOUR) * 24 * HOUR + 8 * HOUR
"""08:00 UTC."""


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


def taking(books: Books, owner: str = "one", **defaults: int) -> Taking:
    return Taking(books.db, books.ledger, books.clock, owner, defaults=Defaults(**defaults))


def claims(books: Books, owner: str = "one", **defaults: int) -> Claims:
    return Claims(books.db, books.ledger, books.clock, owner, defaults=Defaults(**defaults))


async def another_account(books: Books, name: str) -> Books:
    account = await Accounts(books.db, books.clock).create(name)
    other = replace(books, account_id=account.id, agent_id="theirs")
    await other.agent("theirs")
    return other


async def limit(
    books: Books, kind: str, key: str = "", calls: int | None = None, interval_us: int | None = None
) -> None:
    async with books.db.transaction() as tx:
        await gates.set_limits(tx, books.account_id, kind, key, max_calls=calls, interval_us=interval_us)


async def many(books: Books, count: int, batch: str, agent: str = "agent") -> None:
    """A batch of queued calls that are due with their lane."""
    first = await books.create(batch_id=batch, agent_id=agent, recipient_data={"timezone": "UTC"})
    async with books.db.transaction() as tx:
        for table, key in (("executions", "id"), ("attempts", "execution_id")):
            row = await tx.fetch_one(
                f"SELECT * FROM {table} WHERE account_id = :account_id AND {key} = :id",
                account_id=books.account_id,
                id=first.id,
            )
            assert row is not None
            numbered = (
                {
                    **row,
                    key: f"{first.id}-{n}",
                    "seq": first.seq + n,
                    **({"due_at": 0} if key != "id" else {}),
                }
                for n in range(1, count)
            )
            await tx.insert_rows(table, list(row), [list(changed.values()) for changed in numbered])
        await tx.execute("UPDATE attempts SET due_at = 0 WHERE execution_id = :id", id=first.id)
    books.clock.us += count * 1000


async def over(books: Books, claim: Claim) -> None:
    await books.ledger.transition(
        claim.account_id,
        claim.execution_id,
        Status.STOPPED,
        attempt={"state": AttemptState.DONE, "slot_since": None, "lease_owner": None, "lease_until": None},
    )


async def test_a_great_batch_keeps_nobody_waiting(books: Books) -> None:
    await many(books, 2000, "great")
    others = [await another_account(books, str(n)) for n in range(20)]
    for other in others:
        for _ in range(3):
            await other.create()
    one, shares = taking(books), Counter[str]()
    for _ in range(3):
        shares.update(claim.account_id for claim in (await one.take(21)).claims)
    assert shares == {books.account_id: 3} | {other.account_id: 3 for other in others}
    assert len((await one.take(100)).claims) == 100, "what the others leave is the batch's"


async def test_lanes_of_an_account_share_and_leave_nothing(books: Books) -> None:
    await many(books, 30, "a")
    await many(books, 3, "b")
    for _ in range(5):
        await books.create()
    lanes = Counter[str]()
    taken = (await taking(books).take(20)).claims
    for claim in taken:
        attempt = await books.ledger.attempt(claim.account_id, claim.execution_id)
        lanes[attempt.lane] += 1
    assert lanes == {"a": 12, "b": 3, "agent": 5}


async def test_a_retry_does_not_wait_behind_its_batch(books: Books) -> None:
    await many(books, 50, "batch")
    retried = await books.create(batch_id="batch")
    [claim] = (await taking(books).take(1)).claims
    assert claim.execution_id == retried.id, "it has a moment of its own"


@pytest.mark.parametrize("kind", ["account", "default", "agent", "batch", "trunk"])
async def test_four_claimers_never_go_over_a_limit_and_use_it_up(books: Books, kind: str) -> None:
    await many(books, 30, "batch")
    if kind in ("account", "agent", "batch"):
        await limit(books, kind, {"agent": "agent", "batch": "batch"}.get(kind, ""), calls=5)
    if kind == "trunk":
        async with books.db.transaction() as tx:
            await trunk_gates.set_limits(tx, "sip-trunk", max_calls=5, interval_us=None)
    workers = [taking(books, str(n), **({"account_calls": 5} if kind == "default" else {})) for n in range(4)]
    dialled = set[Claim]()
    while len(dialled) < 30:
        async with asyncio.timeout(20):
            taken = await asyncio.gather(*(worker.take(4) for worker in workers))
        got = [claim for one in taken for claim in one.claims]
        assert len(got) == min(5, 30 - len(dialled))
        assert all(one.next_look_us is None for one in taken), "a free slot wakes, no timer"
        assert not any([(await worker.take(1)).claims for worker in workers])
        for claim in got:
            assert claim not in dialled
            dialled.add(claim)
            await over(books, claim)


async def test_an_agents_limit_holds_over_its_batches_and_its_single_calls(books: Books) -> None:
    await many(books, 10, "batch")
    for _ in range(10):
        await books.create()
    await limit(books, "agent", "agent", calls=3)
    assert len((await taking(books).take(10)).claims) == 3


async def test_more_full_lanes_than_are_looked_at_keep_nobody_waiting(books: Books) -> None:
    for n in range(70):
        await books.create(agent_id=await books.agent(f"full-{n:02}"))
        await limit(books, "agent", f"full-{n:02}", calls=0)
    free = await books.create(agent_id=await books.agent("zz-free"))
    [claim] = (await taking(books).take(5)).claims
    assert claim.execution_id == free.id


async def test_no_more_is_claimed_than_the_rate_lets_out_in_a_second(books: Books) -> None:
    await many(books, 40, "batch")
    one, two = (taking(books, name, account_interval_us=100_000) for name in ("one", "two"))
    taken = await one.take(40)
    assert len(taken.claims) == 11
    taken = replace(await one.take(29), claims=taken.claims)
    assert taken.next_look_us is not None
    assert books.clock.us < taken.next_look_us <= books.clock.us + 200_000
    assert (await two.take(40)).claims == ()
    async with books.db.transaction() as tx:
        await rates.set_tat(tx, books.account_id, "sip-trunk", "account", books.clock.us + 5 * SECOND)
    for claim in taken.claims:
        await over(books, claim)
    blocked = await two.take(40)
    assert blocked.claims == ()
    assert blocked.next_look_us is not None
    books.clock.us = blocked.next_look_us
    assert (await two.take(40)).claims != ()


async def test_a_clock_that_was_ahead_keeps_no_account_waiting(books: Books) -> None:
    """T28."""
    await books.create()
    await limit(books, "account", interval_us=100_000)
    async with books.db.transaction() as tx:
        await rates.set_tat(tx, books.account_id, "sip-trunk", "account", books.clock.us + HOUR)
    assert len((await taking(books).take(5)).claims) == 1


async def test_the_next_look_is_when_something_will_be_due(books: Books) -> None:
    due = books.clock.us + 60 * SECOND
    call = await books.create(scheduled_at=due)
    assert await taking(books).take(5) == Taken((), due)
    books.clock.us = due
    [claim] = (await taking(books).take(5)).claims
    assert claim.execution_id == call.id
    assert await taking(books).take(5) == Taken((), None)


async def _hours(books: Books, agent_id: str, start: int, end: int) -> None:
    rails = {"calling_guardrails": {"call_start_hour": start, "call_end_hour": end}}
    async with books.db.transaction() as tx:
        await agents.update(
            tx,
            account_id=books.account_id,
            agent_id=agent_id,
            definition=json.dumps(rails),
            prompts="{}",
            webhook_url=None,
            now_us=books.clock.now_us(),
        )


async def test_outside_the_calling_hours_a_call_is_put_off_to_their_start(books: Books) -> None:
    books.clock.us = MORNING
    await _hours(books, "agent", 9, 17)
    call = await books.create(recipient_data={"timezone": "UTC"})
    at_once = await books.create(recipient_data={"timezone": "UTC"}, bypass_guardrails=True)
    opens = MORNING + HOUR
    taken = await taking(books).take(5)
    assert [claim.execution_id for claim in taken.claims] == [at_once.id]
    assert await taking(books).take(5) == Taken((), opens)
    put_off = await books.ledger.get(call.account_id, call.id)
    assert (put_off.status, put_off.rescheduled_at) == (Status.RESCHEDULED, opens)
    await _hours(books, "agent", 10, 17)
    books.clock.us = opens
    assert await taking(books).take(5) == Taken((), opens + HOUR), "the agent changed: put off again"
    books.clock.us = opens + HOUR
    [claim] = (await taking(books).take(5)).claims
    assert (claim.execution_id, claim.closes_us) == (call.id, MORNING + 9 * HOUR)
    assert (await books.ledger.get(call.account_id, call.id)).status is Status.QUEUED


async def test_a_batch_whose_hours_are_over_is_put_off_by_the_hundred(books: Books) -> None:
    """T24: and who may be called all the same does not wait behind those who may not."""
    books.clock.us = MORNING
    await _hours(books, "agent", 9, 17)
    await many(books, 1200, "batch")
    late = await books.create(batch_id="batch", bypass_guardrails=True)
    async with books.db.transaction() as tx:
        await tx.execute("UPDATE attempts SET due_at = 0 WHERE execution_id = :id", id=late.id)
    one, claimed, looks = taking(books), list[Claim](), 0
    while (taken := await one.take(3)).next_look_us != MORNING + HOUR:
        claimed += taken.claims
        looks += 1
        if not taken.claims:
            assert taken.next_look_us is not None
            assert taken.next_look_us <= books.clock.us, "there is more to put off: at once again"
    assert 1 <= looks <= 4
    assert [claim.execution_id for claim in (*claimed, *taken.claims)] == [late.id]
    [left] = await books.db.fetch_all(
        "SELECT COUNT(*) AS n FROM executions WHERE status = 'rescheduled' AND rescheduled_at = :opens",
        opens=MORNING + HOUR,
    )
    assert left["n"] == 1200


async def test_who_must_not_be_called_is_not(books: Books) -> None:
    call = await books.create(bypass_guardrails=True)
    async with books.db.transaction() as tx:
        await tx.execute(
            "INSERT INTO do_not_call (account_id, number, created_at) VALUES (:account_id, :number, 1)",
            account_id=books.account_id,
            number=call.to_number,
        )
    assert await taking(books).take(5) == Taken((), None)
    stopped = await books.ledger.get(call.account_id, call.id)
    assert stopped.status is Status.STOPPED
    assert "do-not-call" in (stopped.error_message or "")


async def test_a_paused_or_stopped_lane_gives_nothing_and_a_stopped_agent_only_what_is_newer(
    books: Books,
) -> None:
    await many(books, 3, "batch")
    await books.create()
    async with books.db.transaction() as tx:
        await gates.close(tx, books.account_id, "batch", "batch", how="paused", why="", now_us=1)
        await gates.stop_agent(tx, books.account_id, "agent")
    newer = await books.create()
    taken = (await taking(books).take(9)).claims
    assert [claim.execution_id for claim in taken] == [newer.id]


async def _ended(books: Books, claim: Claim, status: Status) -> None:
    """Its call went so."""
    where = claim.account_id, claim.execution_id
    await books.ledger.transition(*where, Status.INITIATED)
    await books.ledger.transition(
        *where, status, attempt={"ended_at": books.clock.now_us(), "slot_since": None}
    )


async def test_a_batch_whose_calls_fail_is_paused_until_it_is_scheduled_again(books: Books) -> None:
    await many(books, 60, "bad")
    await many(books, 60, "good")
    one = taking(books)
    while claims := (await one.take(4)).claims:
        for claim in claims:
            attempt = await books.ledger.attempt(claim.account_id, claim.execution_id)
            await _ended(books, claim, Status.FAILED if attempt.lane == "bad" else Status.BUSY)
    gate = await gates.get(books.db, books.account_id, "batch", "bad")
    assert gate is not None
    assert (gate["closed"], "20 of the last 20" in gate["closed_why"]) == ("paused", True)
    ends = Counter(
        row["lane"]
        for row in await books.db.fetch_all("SELECT lane FROM attempts WHERE ended_at IS NOT NULL")
    )
    assert ends["good"] == 60
    assert 20 <= ends["bad"] < 24
    async with books.db.transaction() as tx:
        await gates.open_at(tx, books.account_id, "bad", books.clock.now_us())
    assert len((await one.take(4)).claims) == 4


async def test_a_hint_that_is_too_late_is_repaired(books: Books) -> None:
    call = await books.create()
    async with books.db.transaction() as tx:
        await tx.execute("UPDATE gates SET next_due_at = NULL")
    assert (await taking(books).take(1)).claims == ()
    await taking(books).repair()
    [claim] = (await taking(books).take(1)).claims
    assert claim.execution_id == call.id


async def test_what_is_placed_while_others_claim_is_never_overlooked(books: Books) -> None:
    """T21: hints are raised by claims and lowered by new calls at the same time."""
    workers = [taking(books, str(n)) for n in range(3)]
    placed: list[str] = []
    got: list[str] = []
    async with asyncio.timeout(40):
        for _ in range(15):
            taken, one, two = await asyncio.gather(
                asyncio.gather(*(worker.take(5) for worker in workers)), books.create(), books.create()
            )
            placed += [one.id, two.id]
            got += [claim.execution_id for each in taken for claim in each.claims]
            assert not await _too_late(books)
        while rest := (await workers[0].take(50)).claims:
            got += [claim.execution_id for claim in rest]
    assert sorted(got) == sorted(placed)


async def _too_late(books: Books) -> list[object]:
    """Lanes with something that waits and a hint later than it (I5)."""
    return list(
        await books.db.fetch_all(
            """
            SELECT a.lane, g.next_due_at, a.due_at FROM attempts a LEFT JOIN gates g
              ON g.account_id = a.account_id AND g.key IN ('', a.lane)
            WHERE a.state = 'waiting' AND (g.next_due_at IS NULL OR g.next_due_at > a.due_at)
            """
        )
    )


async def test_an_attempt_that_a_bug_left_waiting_does_not_hold_up_its_lane(books: Books) -> None:
    broken, call = await books.create(), await books.create()
    async with books.db.transaction() as tx:
        await tx.execute("UPDATE executions SET status = 'completed' WHERE id = :id", id=broken.id)
    [claim] = (await taking(books).take(5)).claims
    assert claim.execution_id == call.id
    assert (await books.ledger.attempt(broken.account_id, broken.id)).state is AttemptState.DONE
