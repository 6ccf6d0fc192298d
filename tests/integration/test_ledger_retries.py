"""Another attempt is opened with the end of the last one, in one transaction, and never one too many."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ringback.executions import counts
from ringback.executions.filters import Filters
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import TERMINAL, TRANSITIONS, IllegalTransition, Status
from ringback.executions.record import AttemptState, Execution, Turn, UsageKind, UsageLine
from ringback.store.database import Database
from ringback.store.queries import gates
from tests.support.ledgers import PUBLIC_URL, Books, everything, open_books

MINUTE = 60_000_000
CONFIG: dict[str, Any] = {
    "enabled": True,
    "max_retries": 2,
    "retry_on_statuses": ["no-answer", "busy", "failed", "error"],
    "retry_on_voicemail": True,
    "retry_intervals_minutes": [30, 60],
}
RINGS = (Status.INITIATED, Status.RINGING)
TALKS = (*RINGS, Status.IN_PROGRESS, Status.CALL_DISCONNECTED)
LINE = UsageLine(UsageKind.NETWORK, "sip-trunk", "", "ms", 42_000, 12_000)


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


async def _walk(books: Books, call: Execution, *path: Status) -> Execution:
    for to in path:
        call = await books.ledger.transition(books.account_id, call.id, to)
    return call


async def _again(books: Books, call: Execution) -> Execution:
    """Dial the next attempt."""
    return await _walk(books, call, Status.QUEUED, *RINGS)


async def _attempts(books: Books, call: Execution) -> list[dict[str, Any]]:
    rows = await books.db.fetch_all(
        "SELECT * FROM attempts WHERE execution_id = :id ORDER BY number", id=call.id
    )
    return [dict(row) for row in rows]


async def test_a_call_that_was_stopped_while_it_rang_is_not_dialled_again_however_it_ended(
    books: Books,
) -> None:
    call = await books.create(retry_config=CONFIG)
    await _walk(books, call, *RINGS)
    await books.ledger.update(books.account_id, call.id, attempt={"cancel_requested": True})
    ended = await _walk(books, call, Status.BUSY)
    assert (ended.status, ended.retry_count) == (Status.BUSY, 0)
    assert [row["state"] for row in await _attempts(books, call)] == ["done"]


async def test_a_busy_line_is_dialled_again(books: Books) -> None:
    call = await books.create(retry_config=CONFIG)
    await _walk(books, call, Status.INITIATED)
    await books.ledger.transition(
        books.account_id,
        call.id,
        Status.RINGING,
        attempt={"state": AttemptState.DIALLING, "lease_owner": "w", "lease_until": 5, "slot_since": 5},
    )
    ended = await books.ledger.transition(
        books.account_id,
        call.id,
        Status.BUSY,
        changes={"error_message": "486 Busy Here"},
        attempt={"sip_code": 486, "hangup_reason": "Busy"},
    )
    assert (ended.status, ended.retry_count, ended.error_message) == (Status.SCHEDULED, 1, None)
    assert ended.scheduled_at is not None
    assert 30 * MINUTE <= ended.scheduled_at - books.clock.us + 1_000_000 <= 31 * MINUTE
    assert await books.ledger.get(books.account_id, call.id) == ended
    first, second = await _attempts(books, call)
    assert (first["state"], first["status"], first["sip_code"]) == ("done", "busy", 486)
    assert [first[name] for name in ("lease_owner", "lease_until", "slot_since")] == [None] * 3
    assert (second["number"], second["state"], second["due_at"]) == (2, "waiting", ended.scheduled_at)
    assert [second[name] for name in ("status", "sip_code", "lease_owner", "slot_since", "call_id")] == [
        None
    ] * 5
    assert (second["lane"], second["trunk"], second["seq"]) == ("agent", "sip-trunk", call.seq)
    body = await books.body(call)
    assert (body["status"], body["retry_count"], body["error_message"]) == ("scheduled", 1, None)
    assert [(entry["attempt"], entry["status"]) for entry in body["retry_history"]] == [(1, "busy")]
    assert (body["telephony_data"]["sip_code"], body["telephony_data"]["hangup_reason"]) == (None, None)
    assert [row.data for row in await books.listing.log(books.account_id, call.id)] == [
        "queued",
        "queued -> initiated",
        "initiated -> ringing",
        "ringing -> busy: 486 Busy Here",
        "busy -> scheduled",
    ]


async def test_the_budget_is_one_number(books: Books) -> None:
    call = await books.create(retry_config=CONFIG)
    await _walk(books, call, *RINGS)
    for status in (Status.BUSY, Status.NO_ANSWER):
        assert (await _walk(books, call, status)).status is Status.SCHEDULED
        await _again(books, call)
    last = await _walk(books, call, Status.BUSY)
    assert (last.status, last.retry_count) == (Status.BUSY, 2)
    assert [row["status"] for row in await _attempts(books, call)] == ["busy", "no-answer", "busy"]
    with pytest.raises(IllegalTransition):
        await _walk(books, call, Status.SCHEDULED)


async def test_the_lane_is_looked_at_when_the_attempt_is_due(books: Books) -> None:
    batch = "baab7cdc833145bf8dd260ff1f0a3f21"
    for lane in ({}, {"batch_id": batch}):
        call = await books.create(retry_config=CONFIG, **lane)
        await _walk(books, call, *RINGS)
        kind, key = ("batch", batch) if lane else ("agent", "agent")
        async with books.db.transaction() as tx:
            # As after a claim that emptied the lane.
            for gate in (("account", ""), (kind, key)):
                await tx.execute(
                    "UPDATE gates SET next_due_at = NULL WHERE kind = :kind AND key = :key",
                    kind=gate[0],
                    key=gate[1],
                )
        ended = await _walk(books, call, Status.BUSY)
        for gate in (("account", ""), (kind, key)):
            found = await gates.get(books.db, books.account_id, *gate)
            assert found is not None
            assert found["next_due_at"] == ended.scheduled_at


@pytest.mark.parametrize("stopped", ["agent", "batch"])
async def test_what_is_stopped_is_not_dialled_again(books: Books, stopped: str) -> None:
    batch = "baab7cdc833145bf8dd260ff1f0a3f21"
    call = await books.create(retry_config=CONFIG, batch_id=batch)
    await _walk(books, call, *RINGS)
    async with books.db.transaction() as tx:
        if stopped == "agent":
            await gates.stop_agent(tx, books.account_id, "agent")
        else:
            await gates.close(tx, books.account_id, "batch", batch, how="stopped", why="", now_us=1)
    ended = await _walk(books, call, Status.BUSY)
    assert (ended.status, ended.retry_count, ended.retry_history) == (Status.BUSY, 0, None)
    assert [row["state"] for row in await _attempts(books, call)] == ["done"]


async def test_a_voicemail_is_followed_and_paid(books: Books) -> None:
    call = await books.create(retry_config=CONFIG)
    await _walk(books, call, *TALKS)
    await books.ledger.add_turns(books.account_id, call.id, [Turn(0, "user", "After the tone", 0, 9)])
    await books.ledger.update(books.account_id, call.id, changes={"answered_by_voice_mail": True})
    ended = await books.ledger.transition(books.account_id, call.id, Status.COMPLETED, usage=[LINE])
    assert (ended.status, ended.answered_by_voice_mail, ended.cost.total) == (Status.SCHEDULED, False, 12_000)
    body = await books.body(call)
    assert (body["total_cost"], body["transcript"], body["answered_by_voice_mail"]) == (1.2, "", False)
    await _again(books, call)
    await _walk(books, call, Status.IN_PROGRESS, Status.CALL_DISCONNECTED)
    await books.ledger.add_turns(books.account_id, call.id, [Turn(0, "user", "Hello?", 0, 9)])
    done = await books.ledger.transition(books.account_id, call.id, Status.COMPLETED, usage=[LINE])
    assert (done.status, done.retry_count, done.cost.total) == (Status.COMPLETED, 1, 24_000)
    assert (await books.body(call))["transcript"] == "user: Hello?"


async def test_who_was_talked_to_is_not_called_because_our_own_work_failed(books: Books) -> None:
    call = await books.create(retry_config=CONFIG)
    assert (await _walk(books, call, *TALKS, Status.ERROR)).status is Status.ERROR


async def test_a_lost_dial_keeps_its_slot_and_counts(books: Books) -> None:
    call = await books.create(retry_config=CONFIG | {"max_retries": 1})
    await _walk(books, call, Status.INITIATED)
    lost = await books.ledger.transition(
        books.account_id,
        call.id,
        Status.ERROR,
        attempt={"state": AttemptState.UNKNOWN, "slot_since": 5},
    )
    assert lost.status is Status.SCHEDULED
    first, second = await _attempts(books, call)
    assert (first["state"], first["status"], first["slot_since"]) == ("unknown", "error", 5)
    assert (second["state"], second["slot_since"]) == ("waiting", None)
    await _again(books, call)
    assert (await _walk(books, call, Status.BUSY)).status is Status.BUSY


async def test_the_watchers_are_told_of_both(books: Books) -> None:
    told: list[tuple[str, str | None]] = []
    ledger = Ledger(
        books.db, books.clock, PUBLIC_URL, lambda moved: told.append((moved.status, moved.error_message))
    )
    call = await books.create(retry_config=CONFIG)
    await ledger.transition(books.account_id, call.id, Status.INITIATED)
    await ledger.transition(books.account_id, call.id, Status.BUSY, changes={"error_message": "486"})
    assert told == [("initiated", None), ("busy", "486"), ("scheduled", None)]


async def test_it_happens_whole_or_not_at_all(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    call = await books.create(retry_config=CONFIG)
    await _walk(books, call, *RINGS)
    before = await everything(books.db)

    async def fails(*_: Any) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(counts, "changed", fails)
    with pytest.raises(RuntimeError):
        await _walk(books, call, Status.BUSY)
    assert await everything(books.db) == before


@pytest.mark.parametrize("seed", range(4))
async def test_nobody_is_dialled_more_often_than_configured(books: Books, seed: int) -> None:
    """Any course that the table of transitions allows; totals stay exact beside it."""
    chance = random.Random(seed)
    calls = []
    for _ in range(8):
        config = CONFIG | {
            "enabled": chance.random() < 0.8,
            "max_retries": chance.randint(1, 3),
            "retry_on_statuses": chance.sample(CONFIG["retry_on_statuses"], chance.randint(0, 4)),
        }
        calls.append(await books.create(retry_config=config))
    for call in calls:
        dials = 0
        while call.status not in TERMINAL:
            to = chance.choice(sorted(TRANSITIONS[call.status]))
            dials += to is Status.INITIATED
            if to is Status.COMPLETED:
                voicemail = chance.random() < 0.5
                await books.ledger.update(
                    books.account_id, call.id, changes={"answered_by_voice_mail": voicemail}
                )
            call = await _walk(books, call, to)
        policy = call.retry_config or {}
        assert dials <= 1 + (policy["max_retries"] if policy["enabled"] else 0)
        numbers = [row["number"] for row in await _attempts(books, call)]
        assert numbers == list(range(1, call.retry_count + 2))
        assert len(call.retry_history or ()) == call.retry_count
    for status in Status:
        filters = Filters(statuses=frozenset({status}))
        told = await counts.total(books.db, books.account_id, books.agent_id, filters)
        [row] = await books.db.fetch_all(
            "SELECT COUNT(*) AS n FROM executions WHERE status = :s", s=str(status)
        )
        assert told.count == row["n"]
