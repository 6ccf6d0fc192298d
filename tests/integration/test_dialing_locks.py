"""What workers lock, and who waits for whom: no circle, and nobody for long. PostgreSQL's: SQLite has one writer."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ringback.clock import SystemClock
from ringback.dialing.claims import LEASE_S, Claim, Claims
from ringback.dialing.reaper import Reaper
from ringback.dialing.taking import Taking
from ringback.executions.ledger import LeaseLost, Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState
from ringback.store.database import Database
from ringback.store.queries import gates
from tests.support.frozen_worker import OWNER
from tests.support.ledgers import Books, open_books

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

RETRY = {
    "enabled": True,
    "max_retries": 1,
    "retry_on_statuses": ["error"],
    "retry_intervals_minutes": [5],
}


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


async def _claimed(books: Books, **changes: Any) -> Claim:
    await books.create(**changes)
    [claim] = (await Taking(books.db, books.ledger, books.clock, OWNER).take(1)).claims
    return claim


async def _lost(books: Books) -> Reaper:
    """Somebody else, when all leases have run out."""
    books.clock.us += round((LEASE_S + 1) * 1_000_000)
    return Reaper(books.db, books.ledger, books.clock, "another")


async def _refuses(books: Books, claim: Claim) -> None:
    """As a worker that cannot make the agent ready; the policy of the call opens another attempt."""
    await books.ledger.transition(
        claim.account_id, claim.execution_id, Status.ERROR, number=claim.number, lease_owner=OWNER
    )


async def _intends(books: Books, claim: Claim) -> None:
    with pytest.raises(LeaseLost):
        await Claims(books.db, books.ledger, books.clock, OWNER).intend(claim, "call")


@pytest.mark.parametrize(("late", "number"), [(_refuses, 2), (_intends, 1)])
async def test_a_claim_is_given_back_while_its_worker_comes_back(
    books: Books,
    monkeypatch: pytest.MonkeyPatch,
    late: Callable[[Books, Claim], Awaitable[None]],
    number: int,
) -> None:
    """The reaper has the gates; the worker has its attempt and wants the gates, or wants both one after the other."""
    claim = await _claimed(books, retry_config=RETRY)
    reaper = await _lost(books)
    offer, share = gates.offer, gates.share
    reaping, coming = asyncio.Event(), asyncio.Event()

    async def offered(*args: Any, **named: Any) -> bool:
        if reaping.is_set():
            coming.set()
            return await offer(*args, **named)
        done = await offer(*args, **named)
        reaping.set()
        await coming.wait()
        return done

    async def shared(*args: Any) -> Any:
        coming.set()
        return await share(*args)

    monkeypatch.setattr(gates, "offer", offered)
    monkeypatch.setattr(gates, "share", shared)

    async def back() -> None:
        await reaping.wait()
        await late(books, claim)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(reaper.reap())
        group.create_task(back())
    attempt = await books.ledger.attempt(claim.account_id, claim.execution_id)
    assert (attempt.number, attempt.state, attempt.slot_since) == (number, AttemptState.WAITING, None)


async def test_what_a_reaper_left_locked_it_gives_back_the_next_time(books: Books) -> None:
    claim = await _claimed(books)
    reaper = await _lost(books)
    async with books.db.transaction() as tx:
        await books.ledger.update(claim.account_id, claim.execution_id, attempt={"tries": 0}, tx=tx)
        assert await reaper.reap() == []
    assert (await books.ledger.attempt(claim.account_id, claim.execution_id)).state is AttemptState.CLAIMED
    await reaper.reap()
    assert (await books.ledger.attempt(claim.account_id, claim.execution_id)).state is AttemptState.WAITING


@asynccontextmanager
async def _stopped(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker that has stopped itself."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.frozen_worker", *arguments), stdout=asyncio.subprocess.PIPE
    )
    try:
        what = os.WSTOPPED | os.WEXITED | os.WNOWAIT
        state = await asyncio.to_thread(os.waitid, os.P_PID, process.pid, what)
        assert state is not None
        assert state.si_code == os.CLD_STOPPED
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("during", ["a claim", "an intent"])
async def test_a_worker_that_is_stopped_midway_does_not_stop_its_account(
    books: Books, database_url: str, during: str
) -> None:
    clock = SystemClock()
    first = await _claimed(books) if during == "an intent" else None
    await books.create()
    who = (first.execution_id, str(first.number)) if first else ("", "")
    taking = Taking(books.db, Ledger(books.db, clock, ""), clock, "another")
    async with _stopped(database_url, books.account_id, *who) as process:
        async with asyncio.timeout(60):
            if first is not None:
                # Whoever stops waits for the gate that the intent has shared.
                async with books.db.transaction() as tx:
                    await gates.stop_agent(tx, books.account_id, "agent")
                await books.create(to_number="+14155550124")
            claims = (await taking.take(1)).claims
        assert len(claims) == 1
        os.kill(process.pid, signal.SIGCONT)
        said, _ = await process.communicate()
    assert said.startswith(b"refused: ")
    if first is not None:
        attempt = await books.ledger.attempt(first.account_id, first.execution_id)
        assert (attempt.state, attempt.dialled_at) == (AttemptState.CLAIMED, None)
