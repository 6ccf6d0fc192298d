"""Finished calls of any age, with recordings on disk, and the retention that removes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ringback.accounts.retention import Policies
from ringback.executions import counts
from ringback.executions.filters import Filters
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, Execution, LogRow, Turn, UsageKind, UsageLine
from ringback.executions.recording_files import place
from ringback.executions.retention import DAY_US, Removed, Retention
from ringback.executions.rows import columns_of
from ringback.store.database import Database
from ringback.store.queries import attempts, executions
from tests.support.ledgers import Books, open_books

BILL = (UsageLine(UsageKind.NETWORK, "sip-trunk", "", "ms", 42_000, 12_000),)
SAID = "my card ends in 4711"


@dataclass(frozen=True)
class Archive:
    books: Books
    folder: Path
    now: int
    """Where the clock stands but for its ticks; ages count back from here."""

    @property
    def retention(self) -> Retention:
        return Retention(self.books.db, self.books.ledger, self.books.clock, self.folder)

    async def keep(self, **days: int | None) -> None:
        await Policies(self.books.db).change(self.books.account_id, days)

    async def apply(self) -> Removed | None:
        """What a pass removed of this account."""
        done = [
            removed for removed in await self.retention.apply() if removed.account_id == self.books.account_id
        ]
        return done[0] if done else None

    async def call(self, days: float, *, recorded: bool = True, said: bool = True, **new: Any) -> Execution:
        """A completed call that was created and ended so many days ago; create the oldest first."""
        self.go_back(days)
        call = await self.books.create(**new)
        await self.answer(call, said=said)
        call = await self.complete(call, recorded=recorded)
        self.go_back(0)
        return call

    def go_back(self, days: float) -> None:
        """Set the clock to so many days ago."""
        self.books.clock.us = self.now - round(days * DAY_US)

    async def answer(self, call: Execution, *, said: bool = True) -> None:
        """Up to the end of the talk."""
        ledger, where, now = self.books.ledger, (call.account_id, call.id), self.books.clock.now_us
        dialled = {"state": AttemptState.DIALLING, "dialled_at": now()}
        await ledger.transition(*where, Status.INITIATED, attempt=dialled)  # type: ignore[arg-type]
        await ledger.transition(
            *where, Status.IN_PROGRESS, attempt={"state": AttemptState.LIVE, "answered_at": now()}
        )
        if said:
            await ledger.add_turns(
                *where, [Turn(0, "assistant", "Hello", 0, 9), Turn(1, "user", SAID, 9, 20)]
            )
            await ledger.add_log(
                *where,
                [
                    LogRow(now(), "request", "llm", "openai", SAID),
                    LogRow(now(), "event", "system", None, f"did not interrupt: {SAID}"),
                ],
            )
        await ledger.transition(
            *where,
            Status.CALL_DISCONNECTED,
            changes={
                "summary": SAID if said else None,
                "latency_data": {"turns": [SAID]} if said else None,
                "extracted_data": {"confirmed": True},
            },
            attempt={"ended_at": now(), "conversation_ms": 42_000, "hangup_reason": "Normal Hangup"},
            usage=BILL,
        )

    async def complete(self, call: Execution, *, recorded: bool = True) -> Execution:
        where = (call.account_id, call.id)
        number = (await self.books.ledger.attempt(*where)).number
        path = place(*where, number)
        if recorded:
            self.write(path)
        return await self.books.ledger.transition(
            *where,
            Status.COMPLETED,
            attempt={"recording_path": path, "recording_token": f"{path} token", "recording_ms": 42_000}
            if recorded
            else {},
        )

    async def retry(self, call: Execution, status: Status = Status.QUEUED) -> None:
        """Open a further attempt, as the retry policy will."""
        last = await self.books.ledger.attempt(call.account_id, call.id)
        fresh = replace(
            last,
            number=last.number + 1,
            state=AttemptState.WAITING,
            status=None,
            dialled_at=None,
            answered_at=None,
            ended_at=None,
            recording_path=None,
            recording_token=None,
            recording_ms=None,
            recording_sha256=None,
        )
        async with self.books.db.transaction() as tx:
            await executions.update(
                tx, call.account_id, call.id, {"status": status, "retry_count": last.number}
            )
            await attempts.insert(tx, columns_of(fresh))

    def write(self, path: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"RIFF")

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}

    async def recorded(self) -> set[str]:
        """What the records name."""
        rows = await self.books.db.fetch_all(
            "SELECT recording_path FROM attempts WHERE recording_path IS NOT NULL"
        )
        return {row["recording_path"] for row in rows}

    async def statuses(self) -> dict[str, str]:
        """Of each execution of the account."""
        rows = await self.books.db.fetch_all(
            "SELECT id, status FROM executions WHERE account_id = :account", account=self.books.account_id
        )
        return {row["id"]: row["status"] for row in rows}

    async def assert_whole(self) -> None:
        """No file without a record, no record without its file, and every total as counted."""
        assert self.files() == await self.recorded()
        books = self.books
        for status in (None, *Status):
            wanted = Filters() if status is None else Filters(statuses=frozenset({status}))
            total = await counts.total(books.db, books.account_id, books.agent_id, wanted)
            found = [shown for shown in (await self.statuses()).values() if status in (None, shown)]
            assert total == counts.Total(len(found), exact=True), status
        assert {record["id"] for record in await books.list()} == {*await self.statuses()}


async def open_archive(db: Database, folder: Path) -> Archive:
    """A further account, whose clock is the books' own."""
    books = await open_books(db)
    return Archive(books, folder, books.clock.us)
