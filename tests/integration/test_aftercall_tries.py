"""After-call work that fails is tried again, ever later, and not for ever; the call is completed without it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ringback.aftercall.pipeline import NotYet, Pipeline
from ringback.aftercall.stage import FinishedCall, Outcome, StageError
from ringback.aftercall.telephone import TelephoneStage
from ringback.agents.followup import FollowUps
from ringback.agents.registry import Agents
from ringback.app.after_call import CompiledFollowUps
from ringback.billing.prices import Prices
from ringback.dialing.reaper import Reaper
from ringback.executions.ledger import LeaseLost, Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.record import MOST_AFTER_CALL_TRIES, AttemptState, ExecutionChanges
from ringback.store.database import Database, StoreError
from ringback.store.queries import agents
from ringback.store.queries import stages as stage_rows
from tests.support.after_call import OWNER, disconnected, pipeline
from tests.support.ledgers import Books, everything, open_books

LEASE_US = 30_000_000
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


@dataclass
class Summary:
    """A stage that fails as long as it is told to."""

    error: Exception | None = None
    name: str = "summary"
    tries: int = 3
    runs: list[FinishedCall] = field(default_factory=list)

    async def run(self, call: FinishedCall) -> Outcome:
        self.runs.append(call)
        if self.error is not None:
            raise self.error
        return Outcome({"words": 2}, ExecutionChanges(summary="They talked."), note="2 words")


class Deadly(Summary):
    """Its process is no more."""

    async def run(self, call: FinishedCall) -> Outcome:
        await super().run(call)
        raise SystemExit


async def _goes(books: Books, work: Pipeline, call_id: str) -> list[int]:
    """Complete it, from one lost lease to the next; the lengths of the leases."""
    reaper = Reaper(books.db, books.ledger, books.clock, OWNER, lease_s=LEASE_US / 1_000_000)
    waits: list[int] = []
    while True:
        attempt = await books.ledger.attempt(books.account_id, call_id)
        assert attempt.lease_until is not None
        waits.append(round((attempt.lease_until - books.clock.us) / LEASE_US))
        try:
            await work.complete(books.account_id, call_id, 1, OWNER)
            break
        except NotYet:
            books.clock.us = attempt.lease_until + 1
            await reaper.reap()  # it looks so late that it leaves this round out
            await reaper.reap()
    return waits


async def test_a_stage_that_works_again_leaves_no_trace_but_in_the_log(books: Books, tmp_path: Path) -> None:
    call = await disconnected(books)
    summary = Summary(StageError("the model is overloaded"))
    work = pipeline(books.db, books.ledger, tmp_path, summary)
    with pytest.raises(NotYet, match="the model is overloaded"):
        await work.complete(books.account_id, call.id, 1, OWNER)
    assert (await books.body(call))["status"] == "call-disconnected"
    summary.error = None
    await work.complete(books.account_id, call.id, 1, OWNER)
    body = await books.body(call)
    assert (body["status"], body["summary"], body["error_message"]) == ("completed", "They talked.", None)
    assert await _stages(books, call.id) == [("summary", "done", 2), ("rating", "done", 1)]
    log = [row["data"] for row in await books.log(call)]
    assert "summary failed and is tried again: the model is overloaded" in log
    assert "summary: 2 words" in log


async def test_a_stage_that_never_works_fails_and_the_call_is_completed(books: Books, tmp_path: Path) -> None:
    call = await disconnected(books, retry_config=RETRIED)
    summary, last = Summary(StageError("no answer")), Summary(name="webhook")
    work = pipeline(books.db, books.ledger, tmp_path, summary, last)
    assert await _goes(books, work, call.id) == [1, 2, 4]
    body = await books.body(call)
    assert (body["status"], body["error_message"]) == ("completed", "summary failed: no answer")
    assert body["total_cost"] == 6.4
    assert len(summary.runs) == summary.tries
    assert len(last.runs) == 1
    assert "summary" not in last.runs[0].results
    assert (await _stages(books, call.id))[-3:] == [
        ("summary", "failed", 3), ("webhook", "done", 1), ("rating", "done", 1),
    ]  # fmt: skip
    # Whoever looks at it again changes nothing.
    before = await everything(books.db)
    await work.complete(books.account_id, call.id, 1, OWNER)
    assert await everything(books.db) == before


async def test_of_several_failures_the_first_is_told_behind_what_went_wrong_before(
    books: Books, tmp_path: Path
) -> None:
    call = await disconnected(books, error_message="The voice broke off")
    failing = [Summary(StageError(name), name, tries=1) for name in ("extraction", "summary")]
    await pipeline(books.db, books.ledger, tmp_path, *failing).complete(books.account_id, call.id, 1, OWNER)
    assert (await books.body(call))["error_message"] == "The voice broke off; extraction failed: extraction"


async def test_what_a_bug_says_is_for_the_log_only(
    books: Books, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    call = await disconnected(books)
    work = pipeline(books.db, books.ledger, tmp_path, Summary(KeyError("sk-secret"), tries=1))
    await work.complete(books.account_id, call.id, 1, OWNER)
    assert (await books.body(call))["error_message"] == "summary failed: the worker's log says why"
    assert "sk-secret" in caplog.text


async def test_what_cannot_be_written_is_its_stages_fault_alone(books: Books, tmp_path: Path) -> None:
    class Broken:
        name = "extraction"
        tries = 1

        async def run(self, call: FinishedCall) -> Outcome:
            return Outcome({}, ExecutionChanges(extracted_data={"age": float("nan")}))

    call = await disconnected(books)
    await pipeline(books.db, books.ledger, tmp_path, Broken()).complete(books.account_id, call.id, 1, OWNER)
    body = await books.body(call)
    assert (body["status"], body["extracted_data"], body["total_cost"]) == ("completed", None, 6.4)
    assert body["error_message"].startswith("extraction failed")


async def test_a_database_that_is_away_is_nobodys_fault(books: Books, tmp_path: Path) -> None:
    call = await disconnected(books)
    before = await everything(books.db)
    work = pipeline(books.db, books.ledger, tmp_path, Summary(StoreError("it is away")))
    with pytest.raises(StoreError):
        await work.complete(books.account_id, call.id, 1, OWNER)
    assert await everything(books.db) == before


async def test_what_was_found_outlasts_a_moment_without_the_database(
    books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = iter([True, True, False, True, False])
    insert = stage_rows.insert

    async def refusing(*values: Any) -> None:
        if next(refused):
            raise StoreError("it is away")
        await insert(*values)

    monkeypatch.setattr(stage_rows, "insert", refusing)
    call, slow = await disconnected(books), SlowSummary(books)
    await pipeline(books.db, books.ledger, tmp_path, slow).complete(books.account_id, call.id, 1, OWNER)
    body = await books.body(call)
    assert (body["status"], body["summary"], body["total_cost"]) == ("completed", "They talked.", 6.4)
    assert len(slow.runs) == 1


async def test_an_agent_that_cannot_be_understood_any_more_keeps_no_call_from_its_end(
    books: Books, tmp_path: Path
) -> None:
    async def broken(account_id: str, agent_id: str) -> FollowUps:
        raise KeyError(agent_id)

    call = await disconnected(books)
    work = Pipeline(books.db, books.ledger, [TelephoneStage(Prices(books.db))], broken)
    await work.complete(books.account_id, call.id, 1, OWNER)
    body = await books.body(call)
    assert (body["status"], body["total_cost"]) == ("completed", 6.4)
    assert body["error_message"] == "extraction failed: the worker's log says why"


async def test_a_deleted_agents_calls_are_completed(books: Books, tmp_path: Path) -> None:
    call = await disconnected(books)
    async with books.db.transaction() as tx:
        await agents.hide(tx, books.account_id, books.agent_id, now_us=books.clock.now_us())
    follow_ups = CompiledFollowUps(Agents(books.db, books.clock)).of
    work = Pipeline(books.db, books.ledger, [TelephoneStage(Prices(books.db))], follow_ups)
    await work.complete(books.account_id, call.id, 1, OWNER)
    body = await books.body(call)
    assert (body["status"], body["error_message"]) == ("completed", None)


async def test_a_lease_that_is_lost_in_between_refuses_the_write(books: Books, tmp_path: Path) -> None:
    class Slow(Summary):
        async def run(self, call: FinishedCall) -> Outcome:
            found = await super().run(call)
            await books.ledger.update(books.account_id, call.execution.id, attempt={"lease_owner": "another"})
            return found

    call = await disconnected(books)
    slow = Slow()
    with pytest.raises(LeaseLost):
        await pipeline(books.db, books.ledger, tmp_path, slow).complete(books.account_id, call.id, 1, OWNER)
    assert await _stages(books, call.id) == []
    assert (await books.body(call))["summary"] is None
    with pytest.raises(LeaseLost):  # at once this time: nothing is asked in vain
        await pipeline(books.db, books.ledger, tmp_path, slow).complete(books.account_id, call.id, 1, OWNER)
    assert len(slow.runs) == 1


async def test_two_at_once_have_one_effect(books: Books, tmp_path: Path) -> None:
    """Without a lease to tell them apart."""
    call = await disconnected(books)

    class Overtaken(Summary):
        async def run(self, call: FinishedCall) -> Outcome:
            failing = Summary(StageError("no answer"), "webhook")
            other = pipeline(books.db, books.ledger, tmp_path, SlowSummary(books), failing)
            if not self.runs:
                self.runs.append(call)
                with pytest.raises(NotYet):
                    await other.complete(books.account_id, call.execution.id, 1)
            return Outcome({"words": 9}, ExecutionChanges(summary="Something else."))

    with pytest.raises(StoreError):
        await pipeline(books.db, books.ledger, tmp_path, Overtaken()).complete(books.account_id, call.id, 1)
    assert (await books.body(call))["summary"] == "They talked."


class SlowSummary(Summary):
    """Written before the stage that follows it fails."""

    def __init__(self, books: Books) -> None:
        super().__init__()
        self._books = books

    async def run(self, call: FinishedCall) -> Outcome:
        self._books.clock.us += 1_000_000
        return await super().run(call)


async def test_a_stage_that_kills_its_worker_is_given_up(books: Books, tmp_path: Path) -> None:
    call = await disconnected(books)
    deadly, last = Deadly(name="extraction"), Summary(name="summary")
    work = pipeline(books.db, books.ledger, tmp_path, deadly, last)
    for tries in range(MOST_AFTER_CALL_TRIES):
        await books.ledger.update(books.account_id, call.id, attempt={"tries": tries})
        with pytest.raises(SystemExit):
            await work.complete(books.account_id, call.id, 1, OWNER)
    await books.ledger.update(books.account_id, call.id, attempt={"tries": MOST_AFTER_CALL_TRIES})
    await work.complete(books.account_id, call.id, 1, OWNER)
    assert (len(deadly.runs), len(last.runs)) == (MOST_AFTER_CALL_TRIES, 1)
    body = await books.body(call)
    assert (body["status"], body["total_cost"], body["summary"]) == ("completed", 6.4, "They talked.")
    assert body["error_message"] == "extraction failed: the worker was lost again and again while it ran"


async def test_workers_lost_within_an_hour_are_nobodys_fault(books: Books) -> None:
    """Whoever loses them again and again within minutes has another trouble than this call."""
    call = await disconnected(books)
    ended_at = books.clock.us
    reaper = Reaper(books.db, books.ledger, books.clock, OWNER, lease_s=LEASE_US / 1_000_000)
    tries = []
    while not tries or tries[-1] < MOST_AFTER_CALL_TRIES:
        attempt = await books.ledger.attempt(books.account_id, call.id)
        assert attempt.lease_until is not None
        books.clock.us = attempt.lease_until + 1
        await reaper.reap()  # it looks so late that it leaves this round out
        await reaper.reap()
        tries.append((await books.ledger.attempt(books.account_id, call.id)).tries)
    last_but_one = MOST_AFTER_CALL_TRIES - 1
    assert tries[:last_but_one] == list(range(1, MOST_AFTER_CALL_TRIES))
    assert set(tries[last_but_one:-1]) == {last_but_one}
    an_hour = 3_600_000_000
    assert an_hour <= books.clock.us - ended_at < an_hour + 2**MOST_AFTER_CALL_TRIES * LEASE_US


async def test_after_a_loss_every_stage_is_written_for_itself(books: Books, tmp_path: Path) -> None:
    """So that the one that kills can be told from those before it."""
    call = await disconnected(books, tries=1)

    work = pipeline(books.db, books.ledger, tmp_path, Summary(name="first"), Deadly())
    with pytest.raises(SystemExit):
        await work.complete(books.account_id, call.id, 1, OWNER)
    attempt = await books.ledger.attempt(books.account_id, call.id)
    assert attempt.tries == 0  # it came further than the last one
    names = [name for name, *_ in await _stages(books, call.id)]
    assert names == ["recording", "transfer", "transcript", "first"]


async def test_a_record_that_cannot_be_completed_ends_as_an_error_and_is_paid_for(
    books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transition = Ledger.transition

    async def broken(self: Ledger, account_id: str, execution_id: str, to: Status, **named: Any) -> Any:
        if to is Status.COMPLETED:
            raise RuntimeError
        return await transition(self, account_id, execution_id, to, **named)

    monkeypatch.setattr(Ledger, "transition", broken)
    call = await disconnected(books, retry_config=RETRIED)
    work = pipeline(books.db, books.ledger, tmp_path)
    for tries in range(MOST_AFTER_CALL_TRIES):
        await books.ledger.update(books.account_id, call.id, attempt={"tries": tries})
        with pytest.raises(RuntimeError):
            await work.complete(books.account_id, call.id, 1, OWNER)
    await books.ledger.update(books.account_id, call.id, attempt={"tries": MOST_AFTER_CALL_TRIES})
    await work.complete(books.account_id, call.id, 1, OWNER)
    body = await books.body(call)
    assert (body["status"], body["total_cost"]) == ("error", 6.4)
    attempt = await books.ledger.attempt(books.account_id, call.id)
    assert (attempt.number, attempt.state, attempt.lease_owner) == (1, AttemptState.DONE, None)


async def test_a_stage_that_finds_nothing_leaves_nothing(books: Books, tmp_path: Path) -> None:
    class Nothing:
        name = "extraction"
        tries = 1

        async def run(self, call: FinishedCall) -> Outcome:
            return Outcome()

    call = await disconnected(books)
    await pipeline(books.db, books.ledger, tmp_path, Nothing()).complete(books.account_id, call.id, 1, OWNER)
    assert await _stages(books, call.id) == [("rating", "done", 1)]


async def _stages(books: Books, execution_id: str) -> list[tuple[str, str, int]]:
    found = await stage_rows.of_attempt(books.db, books.account_id, execution_id, 1)
    return [(row["name"], row["state"], row["tries"]) for row in found]
