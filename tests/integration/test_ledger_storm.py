"""Everybody writes at once: claims, dials, ends with retries, lost workers, stops, sweeps, totals. Nobody waits in a
circle, nobody is dialled too often, and nothing is left over."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ringback.dialing.claims import Claim, Claims, NotNow, Stopped
from ringback.dialing.queue import CallQueue, NotStoppable
from ringback.dialing.reaper import Reaper
from ringback.dialing.taking import Taking
from ringback.executions import counts
from ringback.executions.bulk import Bulk, Move
from ringback.executions.ledger import LeaseLost, Ledger
from ringback.executions.lifecycle import TERMINAL, IllegalTransition, Status
from ringback.executions.record import AttemptState, Execution, Turn
from ringback.store.database import Database, open_database
from ringback.store.wakeup import open_wakeup
from tests.support.ledgers import PUBLIC_URL, Books, open_books

BATCH = "baab7cdc833145bf8dd260ff1f0a3f21"
CALLS = 40
LEASE_S = 2.0
MOVED_ON = (LeaseLost, IllegalTransition, Stopped)


@pytest.fixture
async def books(database: Database) -> Books:
    return await open_books(database)


class Storm:
    def __init__(self, books: Books, seed: int) -> None:
        self.books = books
        self.chance = random.Random(seed)
        self.calls: list[Execution] = []
        self.dials: Counter[str] = Counter()
        self.lost: list[tuple[Claim, str]] = []
        """Calls whose workers were stopped in their midst, and go on later as if nothing had happened."""

    async def place(self) -> None:
        for number in range(CALLS):
            config: dict[str, Any] = {
                "enabled": number % 4 > 0,
                "max_retries": self.chance.randint(1, 3),
                "retry_on_statuses": ["busy", "failed", "error"],
                "retry_on_voicemail": False,
                "retry_intervals_minutes": [0],  # the API takes no such thing; here nobody waits
            }
            batch = BATCH if number % 2 else None
            self.calls.append(await self.books.create(retry_config=config, batch_id=batch))

    async def over(self) -> bool:
        found = await self.books.db.fetch_all("SELECT status FROM executions")
        return all(row["status"] in TERMINAL for row in found)

    async def work(self, db: Database, name: str) -> None:
        ledger = Ledger(db, self.books.clock, PUBLIC_URL)
        claims = Claims(db, ledger, self.books.clock, name, LEASE_S)
        taking = Taking(db, ledger, self.books.clock, name, lease_s=LEASE_S)
        reaper = Reaper(db, ledger, self.books.clock, name, lease_s=LEASE_S, unknown_s=1)
        while not await self.over():
            taken = await taking.take(4)
            await asyncio.gather(*(self._dial(ledger, claims, claim, name) for claim in taken.claims))
            for orphan in await reaper.reap():
                await self._try(ledger, orphan, name, Status.COMPLETED)
            if len(self.lost) > 5:
                await self._come_back(ledger, *self.lost.pop(0))

    async def _come_back(self, ledger: Ledger, claim: Claim, name: str) -> None:
        await self._say(ledger, claim, name)
        await self._try(ledger, claim, name, self.chance.choice([Status.BUSY, Status.RINGING]))

    async def _say(self, ledger: Ledger, claim: Claim, name: str) -> None:
        """Words that tell which attempt they belong to."""
        said = [Turn(0, "user", f"attempt {claim.number}", 0, 9)]
        with contextlib.suppress(*MOVED_ON):
            await ledger.add_turns(
                claim.account_id, claim.execution_id, said, number=claim.number, lease_owner=name
            )

    async def _dial(self, ledger: Ledger, claims: Claims, claim: Claim, name: str) -> None:
        if self.chance.random() < 0.1:
            return  # killed before the dial
        try:
            await claims.intend(claim, f"{claim.execution_id}-{claim.number}@{name}")
        except NotNow:
            await claims.release(claim)
            return
        except MOVED_ON:
            return
        self.dials[claim.execution_id] += 1
        for to in self._fate():
            await self._try(ledger, claim, name, to)
            await self._say(ledger, claim, name)
            if to in TERMINAL:
                return
        self.lost.append((claim, name))

    def _fate(self) -> Sequence[Status]:
        """What comes of a dial; where the last one is no end, its worker was killed."""
        fate = self.chance.random()
        if fate < 0.15:
            return []
        if fate < 0.75:
            return [self.chance.choice([Status.BUSY, Status.FAILED, Status.NO_ANSWER, Status.ERROR])]
        answered = [Status.RINGING, Status.IN_PROGRESS, Status.CALL_DISCONNECTED, Status.COMPLETED]
        return answered[: self.chance.randint(1, 4)]

    async def _try(self, ledger: Ledger, claim: Claim, name: str, to: Status) -> None:
        with contextlib.suppress(*MOVED_ON):
            await ledger.transition(
                claim.account_id,
                claim.execution_id,
                to,
                attempt={"state": AttemptState.LIVE} if to is Status.IN_PROGRESS else {},
                number=claim.number,
                lease_owner=name,
            )

    async def stop_some(self, queue: CallQueue) -> None:
        for call in self.chance.sample(self.calls, CALLS // 4):
            try:
                await queue.stop(self.books.account_id, call.id)
            except NotStoppable:
                pass
            await asyncio.sleep(0)

    async def sweep_some(self, db: Database) -> None:
        bulk = Bulk(Ledger(db, self.books.clock, PUBLIC_URL))
        for _ in range(3):
            chosen = self.chance.sample(self.calls, CALLS // 8)
            async with db.transaction() as tx:
                moves = [Move(call.id, Status.STOPPED, {}, {"state": AttemptState.DONE}) for call in chosen]
                waiting = await tx.fetch_all("SELECT execution_id FROM attempts WHERE state = 'waiting'")
                ids = {row["execution_id"] for row in waiting}
                await bulk.move(
                    tx, self.books.account_id, [move for move in moves if move.execution_id in ids]
                )
            await asyncio.sleep(0)

    async def fold(self) -> None:
        while not await self.over():
            await counts.fold(self.books.db)


@pytest.mark.parametrize("seed", range(2))
async def test_nobody_is_dialled_too_often_and_nothing_is_left(
    books: Books, database_url: str, tmp_path: Path, seed: int
) -> None:
    storm = Storm(books, seed)
    await storm.place()
    others = [await open_database(database_url) for _ in range(2)]
    wakeup = await open_wakeup(books.db, tmp_path)
    queue = CallQueue(books.db, books.ledger, wakeup, provider="sip-trunk", from_numbers=["+14155550100"])
    try:
        async with asyncio.timeout(60):
            await asyncio.gather(
                *(
                    storm.work(db, f"worker-{number}")
                    for number, db in enumerate([books.db, *others, *others])
                ),
                storm.stop_some(queue),
                storm.sweep_some(others[0]),
                storm.fold(),
            )
    finally:
        await wakeup.close()
        for db in others:
            await db.close()
    await _nothing_is_left(books, storm)


async def _nothing_is_left(books: Books, storm: Storm) -> None:
    for call in storm.calls:
        execution = await books.ledger.get(books.account_id, call.id)
        config = execution.retry_config or {}
        assert execution.status in TERMINAL
        assert storm.dials[call.id] <= 1 + (config["max_retries"] if config["enabled"] else 0)
        attempts = await books.db.fetch_all(
            "SELECT number, state, call_id, dialled_at FROM attempts WHERE execution_id = :id ORDER BY number",
            id=call.id,
        )
        assert [row["number"] for row in attempts] == list(range(1, execution.retry_count + 2))
        assert {row["state"] for row in attempts} <= {"done", "unknown"}
        assert sum(row["call_id"] is not None for row in attempts) == storm.dials[call.id]
    left = await books.db.fetch_all(
        "SELECT state FROM attempts WHERE lease_owner IS NOT NULL OR (slot_since IS NOT NULL AND state <> 'unknown')"
    )
    assert left == []
    for row in await books.db.fetch_all("SELECT attempt, text FROM turns"):
        assert row["text"] == f"attempt {row['attempt']}"
    found = await books.db.fetch_all("SELECT status, COUNT(*) AS n FROM executions GROUP BY status")
    total: Counter[Status] = Counter()
    for row in await books.db.fetch_all(
        "SELECT value, count FROM execution_counts WHERE dimension = 'status'"
    ):
        total[Status(row["value"])] += row["count"]
    for row in await books.db.fetch_all("SELECT status, delta FROM count_changes"):
        total[Status(row["status"])] += row["delta"]
    assert {status: n for status, n in total.items() if n} == {
        Status(row["status"]): row["n"] for row in found
    }
