"""Batches around a real database: the API's side, the jobs, and files of people."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringback.dialing.batches import Batches, NewBatch
from ringback.dialing.intake import Intake
from ringback.dialing.jobs import Job, Jobs
from ringback.dialing.queue import CallQueue
from ringback.dialing.sweep import Sweep
from ringback.executions.bulk import Bulk
from ringback.executions.lifecycle import Status
from ringback.executions.retention import Retention
from ringback.store.database import Database, Row
from tests.support.ledgers import Books, open_books

MACHINE = "here"


class Deaf:
    """Wake-ups that nobody waits for; what was notified."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    async def notify(self, topic: str) -> None:
        self.topics.append(topic)

    async def wait(self, topic: str, timeout: float) -> bool:
        raise AssertionError("nobody waits in these tests")

    async def close(self) -> None:
        pass


@dataclass
class Desk:
    books: Books
    calls: CallQueue
    batches: Batches
    jobs: Jobs
    intake: Intake
    sweep: Sweep
    uploads: Path
    wakeup: Deaf

    @property
    def db(self) -> Database:
        return self.books.db

    async def upload(self, content: bytes | Sequence[str], **changes: Any) -> str:
        """A batch of a file, or of a file with these numbers; nobody has read it yet."""
        if not isinstance(content, bytes):
            content = "\n".join(["contact_number", *content]).encode()
        values: dict[str, Any] = {
            "account_id": self.books.account_id,
            "id": uuid.uuid4().hex,
            "agent_id": self.books.agent_id,
            "file_name": "people.csv",
            "from_numbers": (),
            "retry_config": None,
            "webhook_url": None,
        }
        new = NewBatch(**(values | changes))
        self.uploads.mkdir(exist_ok=True)
        self.file(new.id).write_bytes(content)
        async with self.db.transaction() as tx:
            await self.batches.create(tx, new)
        return new.id

    async def processed(self, content: bytes | Sequence[str], **changes: Any) -> str:
        """As `upload`, read to its end."""
        batch_id = await self.upload(content, **changes)
        assert await self.jobs.one("intake")
        return batch_id

    async def running(self, content: bytes | Sequence[str], **changes: Any) -> str:
        """As `processed`, and its moment has come."""
        batch_id = await self.processed(content, **changes)
        await self.schedule(batch_id, self.books.clock.now_us())
        return batch_id

    async def schedule(self, batch_id: str, at_us: int, *, bypass: bool = False) -> None:
        await self.batches.schedule(self.books.account_id, batch_id, at_us, bypass)

    def file(self, batch_id: str) -> Path:
        return self.uploads / f"{batch_id}.csv"

    def job(self, batch_id: str) -> Job:
        """As if it had been claimed."""
        return Job(self.books.account_id, "job", "intake", batch_id, MACHINE, 0)

    async def executions(self, batch_id: str) -> list[Row]:
        return await self.db.fetch_all(
            "SELECT id, line, to_number, status, seq FROM executions WHERE batch_id = :id ORDER BY seq",
            id=batch_id,
        )

    async def attempts(self, batch_id: str) -> list[Row]:
        return await self.db.fetch_all(
            "SELECT * FROM attempts WHERE batch_id = :id ORDER BY seq, number", id=batch_id
        )

    async def end(self, execution_id: str, *path: Status) -> None:
        """Take an execution through these statuses."""
        for status in path:
            await self.books.ledger.transition(self.books.account_id, execution_id, status)

    async def events(self, batch_id: str) -> list[str]:
        """The outbox."""
        rows = await self.db.fetch_all(
            "SELECT event FROM webhook_deliveries WHERE subject = :id ORDER BY position", id=batch_id
        )
        return [row["event"] for row in rows]


async def open_desk(db: Database, folder: Path, *, max_lines: int = 1_000_000) -> Desk:
    books, wakeup = await open_books(db), Deaf()
    calls = CallQueue(
        db, books.ledger, wakeup, provider="sip-trunk", from_numbers=["+14155550100", "+14155550101"]
    )
    bulk = Bulk(books.ledger)
    retention = Retention(db, books.ledger, books.clock, folder / "recordings")
    sweep = Sweep(db, bulk, books.clock, retention.agent)
    intake = Intake(db, bulk, books.clock, max_lines=max_lines)
    batches = Batches(db, books.clock, wakeup, calls, sweep, MACHINE)
    uploads = folder / "uploads"
    jobs = Jobs(db, books.clock, wakeup, intake, sweep, batches.settle_all, machine=MACHINE, uploads=uploads)
    return Desk(books, calls, batches, jobs, intake, sweep, uploads, wakeup)
