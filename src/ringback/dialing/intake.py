"""From a batch's file to its executions, a chunk a transaction."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from ringback.clock import Clock
from ringback.dialing import batch_record
from ringback.dialing.csv_lines import BadFile, Fault, lines
from ringback.dialing.jobs import Job
from ringback.executions.bulk import BatchTemplate, Bulk, LaneStopped
from ringback.executions.stencil import Drawing, Line, Stencil
from ringback.store.database import Database, Row
from ringback.store.postgresql import PostgresqlDatabase
from ringback.store.queries import batch_faults, batches, gates, jobs, phone_numbers
from ringback.trunks.number import digits_of

_AT_ONCE: Final = 1_500
"""Lines of a chunk. The account's next call that is placed waits for it: some 150 ms."""
_AT_ONCE_SQLITE: Final = 500
"""SQLite has one writer: a call that is answered meanwhile waits for the whole chunk, some 50 ms."""
_MOST_BYTES: Final = 4_194_304
"""Of the file in a chunk."""
_READ: Final = 65_536
_WORTH_ANALYZING: Final = 10_000


class _Superseded(Exception):
    """The batch was stopped, or its file was read on by somebody else; nothing was written."""


@dataclass(frozen=True, slots=True)
class _Tally:
    """How far the file is written down."""

    lines_done: int
    bytes_done: int
    total: int
    valid: int
    duplicates: int


@dataclass(slots=True)
class _Chunk:
    dialled: list[Line] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    duplicates: int = 0
    last: Line | Fault | None = None
    """None: the file is at its end."""


class Intake:
    """Reads the files of batches."""

    def __init__(
        self,
        db: Database,
        bulk: Bulk,
        clock: Clock,
        *,
        provider: str = "sip-trunk",
        max_lines: int = 1_000_000,
    ) -> None:
        """A file with more than `max_lines` is refused as a whole."""
        self._db = db
        self._bulk = bulk
        self._clock = clock
        self._provider = provider
        self._max_lines = max_lines
        self._on_postgresql = isinstance(db, PostgresqlDatabase)

    async def run(self, job: Job, file: Path) -> None:
        """Read the file from where the batch's row says on; each line is written once, however often this is killed
        and run again. Raises StoreError, OSError: then it is worth another try."""
        while (row := await batches.progress(self._db, job.account_id, job.subject)) and _is_open(row):
            try:
                await self._read_on(job, row, file)
            except _Superseded:
                continue  # from where the other one is, if the batch is still to be read
            except FileNotFoundError:
                await self.fail(job, "The uploaded file is gone; send it again as a new batch")
            except BadFile as error:
                await self.fail(job, str(error))

    async def position(self, job: Job) -> int:
        """The byte up to which its file is written down."""
        row = await batches.progress(self._db, job.account_id, job.subject)
        return row["bytes_done"] if row else 0

    async def fail(self, job: Job, why: str) -> None:
        """Nothing of the batch is dialled."""
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            row = await batches.lock(tx, job.account_id, job.subject)
            if row is None or not _is_open(row):
                return
            changes = {"state": "failed", "failure": why, "updated_at": now}
            await batches.update(tx, job.account_id, job.subject, changes)
            await gates.close(tx, job.account_id, "batch", job.subject, how="stopped", why=why, now_us=now)
            await jobs.add(tx, job.account_id, "sweep", job.subject, machine=None, now_us=now)

    async def _read_on(self, job: Job, row: Row, file: Path) -> None:
        opened = await asyncio.to_thread(file.open, "rb")
        try:
            total = await self._read(job, row, opened)
        finally:
            opened.close()
        if self._on_postgresql and total >= _WORTH_ANALYZING:
            async with self._db.transaction() as tx:
                await batches.analyze(tx)
        await self._processed(job)

    async def _read(self, job: Job, row: Row, opened: BinaryIO) -> int:
        """The number of lines."""
        tally = _Tally(row["lines_done"], row["bytes_done"], row["total"], row["valid"], row["duplicates"])
        stencil = self._bulk.stencil(await self._template(job, row))
        reading = _Reading(opened, tally.bytes_done, dial_once=bool(row["dial_once"]))
        ahead = self._ahead(reading, stencil)
        try:
            while (read := await ahead)[0].last is not None:
                ahead = self._ahead(reading, stencil)
                tally = await self._write(job, tally, *read)
                if tally.total > self._max_lines:
                    raise BadFile(
                        f"The file has more than {self._max_lines:,} lines; send it as several batches"
                    )
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)
        return tally.total

    def _ahead(self, reading: _Reading, stencil: Stencil) -> asyncio.Task[tuple[_Chunk, Drawing]]:
        """The next chunk, read and rendered while the one before it is written."""
        at_once = _AT_ONCE if self._on_postgresql else _AT_ONCE_SQLITE

        def read() -> tuple[_Chunk, Drawing]:
            chunk = reading.chunk(at_once)
            return chunk, stencil.draw(chunk.dialled)

        return asyncio.create_task(asyncio.to_thread(read))

    async def _template(self, job: Job, row: Row) -> BatchTemplate:
        numbers = tuple(json.loads(row["from_numbers"]))
        own = await phone_numbers.owned(self._db, job.account_id, digits_of(numbers[0])) if numbers else None
        return BatchTemplate(
            account_id=job.account_id,
            agent_id=row["agent_id"],
            batch_id=job.subject,
            provider=self._provider,
            from_numbers=numbers,
            trunk_id=own["trunk_id"] if own else None,
            retry_config=json.loads(row["retry_config"]) if row["retry_config"] else None,
        )

    async def _write(self, job: Job, before: _Tally, chunk: _Chunk, drawing: Drawing) -> _Tally:
        """Raises _Superseded, StoreError."""
        assert chunk.last is not None
        after = _Tally(
            lines_done=chunk.last.line,
            bytes_done=chunk.last.end_byte,
            total=before.total + len(chunk.dialled) + len(chunk.faults),
            valid=before.valid + len(chunk.dialled),
            duplicates=before.duplicates + chunk.duplicates,
        )
        room = max(0, batch_faults.KEPT - (before.total - before.valid))
        faults = [(fault.line, fault.number, fault.reason) for fault in chunk.faults[:room]]
        # Not durable: what a crash of the machine takes back is read again, from where the batch's row says then. The
        # end of the file is written down durably, with all that came before it.
        async with self._db.transaction(durable=False) as tx:
            await batches.hold_account(tx, job.account_id)
            if not await batches.advance(
                tx,
                job.account_id,
                job.subject,
                from_byte=before.bytes_done,
                lines_done=after.lines_done,
                bytes_done=after.bytes_done,
                total=after.total,
                valid=after.valid,
                duplicates=after.duplicates,
                now_us=self._clock.now_us(),
            ):
                raise _Superseded
            await batch_faults.insert(tx, job.account_id, job.subject, faults)
            try:
                await self._bulk.create(tx, drawing)
            except LaneStopped:
                raise _Superseded from None
        return after

    async def _processed(self, job: Job) -> None:
        """The file is read to its end: the batch begins when it is scheduled, which it may be already."""
        where = job.account_id, job.subject
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            row = await batches.lock(tx, *where)
            if row is None or not _is_open(row):
                return
            state = "processed" if row["state"] == "created" else row["state"]
            await batches.update(tx, *where, {"state": state, "processed_at": now, "updated_at": now})
            await batch_record.told(tx, *where, "processed", now)
            if row["scheduled_at"] is not None:
                await gates.open_at(tx, *where, row["scheduled_at"])


def _is_open(row: Row) -> bool:
    """Its file is to be read."""
    return row["state"] in ("created", "scheduled") and row["processed_at"] is None


class _Reading:
    """The lines of a file in chunks, from a byte on. What it read of numbers is all that it remembers."""

    def __init__(self, opened: BinaryIO, from_byte: int, *, dial_once: bool) -> None:
        self._from_byte = from_byte
        self._dial_once = dial_once
        self._first: dict[int, int] = {}
        """The line in which each number came first."""
        self._reading = self._judged(lines(iter(lambda: opened.read(_READ), b"")))

    def chunk(self, most: int) -> _Chunk:
        """The next `most` lines, or what there is. Blocking. Raises BadFile, OSError."""
        chunk, begin = _Chunk(), None
        while len(chunk.dialled) + len(chunk.faults) < most:
            line = next(self._reading, None)
            if line is None:
                break
            read, duplicate = line
            chunk.last = read
            chunk.duplicates += duplicate
            if isinstance(read, Fault):
                chunk.faults.append(read)
            else:
                chunk.dialled.append(read)
            begin = read.end_byte if begin is None else begin
            if read.end_byte - begin > _MOST_BYTES:
                break
        return chunk

    def _judged(self, reading: Iterator[Line | Fault]) -> Iterator[tuple[Line | Fault, bool]]:
        """What was not written yet, and whether its number stands further up."""
        for line in reading:
            first = self._seen(line) if isinstance(line, Line) else None
            if line.end_byte <= self._from_byte:
                continue
            if isinstance(line, Line) and first is not None and self._dial_once:
                line = Fault(line.line, line.number, f"the same number as line {first}", line.end_byte)
            yield line, first is not None

    def _seen(self, line: Line) -> int | None:
        """The earlier line with its number."""
        first = self._first.setdefault(int(line.number[1:]), line.line)
        return None if first == line.line else first
