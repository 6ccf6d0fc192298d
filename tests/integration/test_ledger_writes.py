"""The ledger on real databases: what it writes, in which order, whole or not at all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import jsonschema
import pytest

from ringback.executions.ledger import LeaseLost, Ledger, UnknownExecution
from ringback.executions.lifecycle import TERMINAL, TRANSITIONS, IllegalTransition, Status
from ringback.executions.record import AttemptState, CostBreakdown, LogRow, Turn, UsageKind, UsageLine
from ringback.store.database import Database, Row, StoreError, Transaction, open_database
from tests.support.ledgers import PUBLIC_URL, Books, everything, open_books
from tests.support.records import SEED_LIST_SCHEMA

BILL = [
    UsageLine(UsageKind.NETWORK, "sip-trunk", "", "ms", 42_000, 12_000, detail="1 started min"),
    UsageLine(UsageKind.PLATFORM, "ringback", "", "ms", 42_000, 20_000),
    UsageLine(UsageKind.LLM, "openai", "gpt", "input_tokens", 1000, 4_211),
    UsageLine(UsageKind.LLM, "openai", "gpt", "output_tokens", 10, 1),
]


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


async def _walk(books: Books, execution_id: str, *path: Status) -> None:
    for to in path:
        await books.ledger.transition(books.account_id, execution_id, to)


UP_TO_THE_END = (Status.INITIATED, Status.RINGING, Status.IN_PROGRESS, Status.CALL_DISCONNECTED)


async def test_create(books: Books) -> None:
    created = await books.create(recipient_data={"name": "Ana \0 \ud83d"}, retry_config={"enabled": False})
    assert created.status is Status.QUEUED
    assert await books.ledger.get(books.account_id, created.id) == created
    attempt = await books.ledger.attempt(books.account_id, created.id)
    assert (attempt.number, attempt.state, attempt.status) == (1, AttemptState.WAITING, None)
    assert attempt.due_at <= books.clock.us
    body = await books.body(created)
    assert body["context_details"]["recipient_data"] == {"name": "Ana \0 \ud83d"}
    assert body["retry_config"] == {"enabled": False}
    assert [row.data for row in await books.listing.log(books.account_id, created.id)] == ["queued"]


async def test_a_call_for_later_is_scheduled_and_due_then(books: Books) -> None:
    later = books.clock.us + 3_600_000_000
    created = await books.create(scheduled_at=later)
    assert created.status is Status.SCHEDULED
    assert (await books.ledger.attempt(books.account_id, created.id)).due_at == later
    body = await books.body(created)
    assert body["status"] == "scheduled"
    assert body["scheduled_at"] == "2026-11-24T05:04:05Z"
    past = await books.create(scheduled_at=1)
    assert past.status is Status.QUEUED
    assert (await books.ledger.attempt(books.account_id, past.id)).due_at > 1


async def test_unknown_account_and_agent(books: Books) -> None:
    before = await everything(books.db)
    with pytest.raises(LookupError, match="there is no account nobody"):
        await books.create(account_id="nobody")
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        await books.create(agent_id="nobody")
    with pytest.raises(ValueError, match="JSON"):
        await books.create(recipient_data={"x": float("inf")})
    assert await everything(books.db) == before


async def test_seq_is_unique_and_rises_in_the_account_whatever_the_clock_does(books: Books) -> None:
    seqs = [(await books.create()).seq]
    books.clock.us -= 60_000_000
    seqs += [(await books.create()).seq for _ in range(3)]
    assert [after - before for before, after in pairwise(seqs)] == [1, 1, 1]
    created = await asyncio.gather(*(books.create() for _ in range(20)))
    assert len({execution.seq for execution in created}) == 20
    assert min(execution.seq for execution in created) > seqs[-1]


async def test_a_whole_call(books: Books) -> None:
    call = await books.create(batch_id="baab7cdc833145bf8dd260ff1f0a3f21")
    where = (books.account_id, call.id)
    start = books.clock.us
    await books.ledger.transition(
        *where,
        Status.INITIATED,
        changes={"initiated_at": start},
        attempt={"state": AttemptState.DIALLING, "call_id": "abc@host", "dialled_at": start},
        number=1,
    )
    await books.ledger.transition(*where, Status.RINGING, attempt={"ringing_at": start + 1_000_000})
    await books.ledger.transition(
        *where, Status.IN_PROGRESS, attempt={"state": AttemptState.LIVE, "answered_at": start + 3_000_000}
    )
    await books.ledger.add_turns(*where, [Turn(0, "assistant", "Hello, I am", 0, 900)])
    assert (await books.body(call))["transcript"] == ""
    heard = [Turn(0, "assistant", "Hello, I", 0, 700, interrupted=True), Turn(1, "user", "Who?", 650, 900)]
    await books.ledger.add_turns(*where, heard)
    await books.ledger.add_log(
        *where,
        [
            LogRow(books.clock.now_us(), "request", "llm", "openai", "Who?"),
            LogRow(books.clock.now_us(), "response", "llm", "openai", "Ana.", reasoning_content="a name"),
        ],
    )
    await books.ledger.transition(
        *where,
        Status.CALL_DISCONNECTED,
        changes={"extracted_data": {"confirmed": True}, "context_data": {"node": "end"}},
        attempt={
            "ended_at": start + 45_000_000,
            "conversation_ms": 41_980,
            "hangup_by": "Callee",
            "hangup_reason": "Normal Hangup",
            "hangup_provider_code": 4000,
        },
        usage=BILL[2:],
    )
    assert (await books.body(call))["transcript"] == "assistant: Hello, I —\nuser: Who?"
    assert (await books.body(call))["total_cost"] == 0
    done = await books.ledger.transition(
        *where,
        Status.COMPLETED,
        attempt={"recording_path": "x/y.wav", "recording_token": "token", "recording_ms": 42_000},
        usage=BILL[:2],
    )

    assert done.cost == CostBreakdown(llm=4_212, network=12_000, platform=20_000)
    assert await books.ledger.get(*where) == done
    assert await books.ledger.turns(*where) == heard
    attempt = await books.ledger.attempt(*where)
    assert (attempt.status, attempt.state) == (Status.COMPLETED, AttemptState.DONE)
    body = await books.body(call)
    jsonschema.validate([body], SEED_LIST_SCHEMA)
    expected = {
        "status": "completed",
        "conversation_time": 42,
        "total_cost": 3.6212,
        "cost_breakdown": {
            "llm": 0.4212,
            "network": 1.2,
            "platform": 2,
            "synthesizer": 0,
            "transcriber": 0,
            "llm_breakdown": {"conversation": 0.4212}
            | dict.fromkeys(("extraction", "summarization", "analytics", "hangup", "voicemail"), 0),
            "synthesizer_breakdown": {"conversation": 0, "welcome_message": 0},
            "transcriber_breakdown": {"conversation": 0, "analytics": 0},
            "transfer_cost": 0,
        },
        "extracted_data": {"confirmed": True},
        "batch_id": "baab7cdc833145bf8dd260ff1f0a3f21",
        "initiated_at": "2026-11-24T04:04:05Z",
    }
    assert {key: body[key] for key in expected} == expected
    assert body["telephony_data"]["duration"] == 42
    assert body["telephony_data"]["provider_call_id"] == "abc@host"
    assert body["telephony_data"]["recording_url"] == f"{PUBLIC_URL}/recordings/call/{call.id}?token=token"
    assert body["usage_breakdown"]["llm_model"] == {"gpt": {"input": 1000, "output": 10}}
    log = await books.listing.log(*where)
    assert [row.data for row in log] == [
        "queued",
        "queued -> initiated",
        "initiated -> ringing",
        "ringing -> in-progress",
        "Who?",
        "Ana.",
        "in-progress -> call-disconnected",
        "call-disconnected -> completed",
    ]
    assert log[5].reasoning_content == "a name"


async def test_turns_that_come_after_the_end_are_in_the_body(books: Books) -> None:
    call = await books.create()
    await _walk(books, call.id, *UP_TO_THE_END)
    await books.ledger.add_turns(books.account_id, call.id, [Turn(0, "user", "late \0 \ud83d", 0, 1)])
    assert (await books.body(call))["transcript"] == "user: late  ?"


async def test_a_stopped_call_leaves_the_queue(books: Books) -> None:
    call = await books.create()
    await books.ledger.transition(books.account_id, call.id, Status.STOPPED)
    attempt = await books.ledger.attempt(books.account_id, call.id)
    assert (attempt.state, attempt.status) == (AttemptState.DONE, Status.STOPPED)


async def test_a_lost_worker_may_leave_an_unknown_attempt(books: Books) -> None:
    call = await books.create()
    await _walk(books, call.id, Status.INITIATED)
    await books.ledger.transition(
        books.account_id,
        call.id,
        Status.ERROR,
        changes={"error_message": "The worker was lost"},
        attempt={"state": AttemptState.UNKNOWN},
    )
    attempt = await books.ledger.attempt(books.account_id, call.id)
    assert (attempt.state, attempt.status) == (AttemptState.UNKNOWN, Status.ERROR)
    log = await books.listing.log(books.account_id, call.id)
    assert log[-1].data == "initiated -> error: The worker was lost"


async def test_update_changes_anything_but_the_status(books: Books) -> None:
    call = await books.create()
    changed = await books.ledger.update(
        books.account_id,
        call.id,
        changes={"summary": "short", "answered_by_voice_mail": True},
        attempt={"cancel_requested": True},
    )
    assert changed.status is Status.QUEUED
    assert changed.updated_at > call.updated_at
    assert (await books.ledger.attempt(books.account_id, call.id)).cancel_requested is True
    body = await books.body(call)
    assert (body["summary"], body["answered_by_voice_mail"]) == ("short", True)


async def test_no_sequence_of_transitions_breaks_the_life_cycle(books: Books) -> None:
    """Random wishes against the table: the ledger takes exactly those that may follow, and never leaves an end."""
    wishes = random.Random(45)
    for _ in range(15):
        call = await books.create()
        status = call.status
        walked = [status]
        for to in wishes.choices(list(Status), k=30):
            legal = to in TRANSITIONS[status] and status not in TERMINAL
            try:
                await books.ledger.transition(books.account_id, call.id, to)
                assert legal, (status, to)
                status = to
                walked.append(to)
            except IllegalTransition:
                assert not legal, (status, to)
        assert (await books.ledger.get(books.account_id, call.id)).status is status
        assert (await books.body(call))["status"] == status
        log = [row.data for row in await books.listing.log(books.account_id, call.id)]
        assert log == [walked[0], *(f"{before} -> {after}" for before, after in pairwise(walked))]


async def test_what_is_not_ours_or_not_there(books: Books) -> None:
    call = await books.create()
    other = await open_books(books.db)
    before = await everything(books.db)
    for account_id, execution_id in ((other.account_id, call.id), (books.account_id, "nowhere")):
        with pytest.raises(UnknownExecution):
            await books.ledger.get(account_id, execution_id)
        with pytest.raises(UnknownExecution):
            await books.ledger.attempt(account_id, execution_id)
        with pytest.raises(UnknownExecution):
            await books.ledger.transition(account_id, execution_id, Status.STOPPED)
        with pytest.raises(UnknownExecution):
            await books.ledger.update(account_id, execution_id, changes={"summary": "x"})
        with pytest.raises(UnknownExecution):
            await books.ledger.add_turns(account_id, execution_id, [Turn(0, "user", "x", 0, 1)])
        with pytest.raises(UnknownExecution):
            await books.ledger.add_log(account_id, execution_id, [LogRow(1, "event", "system")])
        assert await books.listing.by_id(account_id, execution_id) is None
    assert await everything(books.db) == before


async def test_a_lost_lease_writes_nothing(books: Books) -> None:
    call = await books.create()
    await books.ledger.update(books.account_id, call.id, attempt={"lease_owner": "worker-2"})
    before = await everything(books.db)
    for expected in ({"lease_owner": "worker-1"}, {"number": 2}):
        arguments: dict[str, Any] = expected
        with pytest.raises(LeaseLost):
            await books.ledger.transition(books.account_id, call.id, Status.INITIATED, **arguments)
        with pytest.raises(LeaseLost):
            await books.ledger.update(books.account_id, call.id, changes={"summary": "x"}, **arguments)
    assert await everything(books.db) == before
    await books.ledger.transition(
        books.account_id, call.id, Status.INITIATED, number=1, lease_owner="worker-2"
    )


async def test_two_writers_of_one_transition_one_wins(books: Books, database_url: str) -> None:
    """Two processes' worth of connections; the loser sees the winner's status."""
    other = await open_database(database_url)
    ledgers = [books.ledger, Ledger(other, books.clock, PUBLIC_URL)]
    try:
        for _ in range(10):
            call = await books.create()
            results = await asyncio.gather(
                *(
                    ledger.transition(books.account_id, call.id, Status.INITIATED)
                    for ledger in ledgers
                    for _ in range(3)
                ),
                return_exceptions=True,
            )
            assert sum(not isinstance(result, BaseException) for result in results) == 1
            refusals = [result for result in results if isinstance(result, IllegalTransition)]
            assert [refusal.current for refusal in refusals] == [Status.INITIATED] * 5
    finally:
        await other.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_claim_and_a_stop_at_once_do_not_deadlock(books: Books) -> None:
    """A claim locks an attempt and then writes through the ledger, while the API stops the same call."""
    call = await books.create()
    async with asyncio.timeout(20):
        async with books.db.transaction() as tx:
            await tx.fetch_all("SELECT number FROM attempts FOR UPDATE SKIP LOCKED")
            stop = asyncio.create_task(books.ledger.transition(books.account_id, call.id, Status.BALANCE_LOW))
            while not await books.db.fetch_one("SELECT pid FROM pg_sleep(0.01), pg_locks WHERE NOT granted"):
                pass
            await books.ledger.transition(books.account_id, call.id, Status.INITIATED, tx=tx)
        with pytest.raises(IllegalTransition):
            await stop


async def test_log_lines_of_many_writers_are_all_there(books: Books) -> None:
    call = await books.create()
    writers = [
        books.ledger.add_log(
            books.account_id, call.id, [LogRow(n, "event", "system", data=f"{n}.{m}") for m in range(3)]
        )
        for n in range(10)
    ]
    await asyncio.gather(*writers)
    log = [row.data for row in await books.listing.log(books.account_id, call.id)]
    assert log[:-1] == [f"{n}.{m}" for n in range(10) for m in range(3)]


class _Failing:
    """A transaction whose n-th statement fails."""

    def __init__(self, tx: Transaction, countdown: int) -> None:
        self._tx = tx
        self._countdown = countdown

    def _count(self) -> None:
        self._countdown -= 1
        if self._countdown < 0:
            raise StoreError("the disk is full")

    async def fetch_one(self, sql: str, **params: object) -> Row | None:
        self._count()
        return await self._tx.fetch_one(sql, **params)

    async def fetch_all(self, sql: str, **params: object) -> list[Row]:
        self._count()
        return await self._tx.fetch_all(sql, **params)

    async def execute(self, sql: str, **params: object) -> int:
        self._count()
        return await self._tx.execute(sql, **params)

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]]) -> None:
        self._count()
        await self._tx.execute_many(sql, rows)

    async def insert_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        self._count()
        await self._tx.insert_rows(table, columns, rows)


class _FailingDatabase:
    """Delegates to a real one, but for the statements of its transactions."""

    def __init__(self, db: Database, countdown: int) -> None:
        self._db = db
        self._countdown = countdown

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._db.transaction() as tx:
            yield _Failing(tx, self._countdown)


async def test_whichever_statement_fails_nothing_is_half_written(books: Books) -> None:
    call = await books.create()
    await _walk(books, call.id, *UP_TO_THE_END)
    await books.ledger.add_turns(books.account_id, call.id, [Turn(0, "user", "hello", 0, 1)])
    before = await everything(books.db)

    async def complete(failing_statement: int) -> bool:
        failing: Any = _FailingDatabase(books.db, failing_statement)
        try:
            await Ledger(failing, books.clock, PUBLIC_URL).transition(
                books.account_id, call.id, Status.COMPLETED, changes={"summary": "x"}, usage=BILL
            )
        except StoreError:
            return False
        return True

    statement = 0
    while not await complete(statement):
        assert await everything(books.db) == before
        statement += 1
    assert statement >= 6
    assert (await books.body(call))["total_cost"] == 3.6212
