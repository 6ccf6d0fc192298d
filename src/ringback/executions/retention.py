"""Retention: recordings, transcripts and records go when they are older than their account keeps them.

A recording's file goes before its record says so. Whoever is killed in between leaves a record whose recording is
gone, and the next pass finishes it; a file that no record names is never left. A file that cannot be deleted keeps
its record, and both are tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ringback.clock import Clock
from ringback.executions import recording_files
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import TERMINAL
from ringback.executions.removal import SETTLED, Removal
from ringback.executions.rows import transfers_of
from ringback.store.database import Database, Reader, Row, Transaction
from ringback.store.queries import agents, batches, gates
from ringback.store.queries import retention as queries
from ringback.store.queries.retention import Place, Watermark

logger = logging.getLogger(__name__)

DAY_US: Final = 86_400_000_000
_EVER_US: Final = 2**62

_READ: Final = 1000
"""Attempts looked at in one statement."""
_BATCH: Final = 20
"""Executions changed in one transaction: the one writer of SQLite is not held for long."""
_PAUSE_S: Final = 0.1
"""After a transaction. A process that waits for SQLite's writer looks at least every 100 ms."""
_LIVE_S: Final = 30.0
"""Between two looks whether the last calls of an agent that was deleted are over, and their files can be removed."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What went of one account."""

    account_id: str
    recordings: int
    transcripts: int
    """Both: from records that stayed."""
    records: int
    """With everything that hung on them."""

    @property
    def anything(self) -> bool:
        return bool(self.recordings or self.transcripts or self.records)


class _Read(Protocol):
    def __call__(
        self, db: Reader, account_id: str, *, after: Place, until: int, limit: int
    ) -> Awaitable[list[Row]]: ...


@dataclass(frozen=True, slots=True)
class _Part:
    """What is removed from records that stay."""

    name: str
    days: str
    """The account's column."""
    watermark: Watermark
    read: _Read
    is_there: Callable[[Row], bool]
    """Whether the record of an attempt has it."""
    wants: Callable[[Row], bool]
    """Whether there is anything to do for an attempt."""
    remove: Callable[[Removal, Transaction, str, Iterable[Row], int], Awaitable[int]]
    in_files: bool = False


_RECORDINGS: Final = _Part(
    name="recordings",
    days="keep_recordings_days",
    watermark="recordings_removed_until",
    read=queries.ended,
    is_there=lambda row: row["recording_path"] is not None or bool(_of_transfers(row)),
    # A recording that broke off is in no record.
    wants=lambda row: row["recording_path"] is not None or row["answered_at"] is not None,
    remove=Removal.recordings,
    in_files=True,
)
_TRANSCRIPTS: Final = _Part(
    name="transcripts",
    days="keep_transcripts_days",
    watermark="transcripts_removed_until",
    read=queries.ended_and_said,
    is_there=lambda row: bool(row["said"]),
    wants=lambda row: bool(row["said"]),
    remove=Removal.transcripts,
)
_RECORDS_DAYS: Final = "keep_records_days"


class Retention:
    """Passes may run at the same time, in one process or several: each removes what it finds."""

    def __init__(self, db: Database, ledger: Ledger, clock: Clock, recordings: Path) -> None:
        """`recordings` is the folder of recordings."""
        self._db = db
        self._clock = clock
        self._folder = recordings
        self._removal = Removal(ledger, clock)

    async def apply(self) -> list[Removed]:
        """Remove what is too old by now; the accounts of which something went.

        Raises StoreError; what was removed until then stays removed, and the next pass goes on.
        """
        now = self._clock.now_us()
        # A call whose worker was lost ends in the past, once that is found out.
        answers = await queries.oldest_answers(self._db)
        done = []
        for policy in await queries.policies(self._db):
            live_since = answers.get(policy["account_id"], now)
            recordings = await self._remove(_RECORDINGS, policy, now, live_since)
            transcripts = await self._remove(_TRANSCRIPTS, policy, now, live_since)
            records = await self._delete_records(policy, now)
            done.append(Removed(policy["account_id"], recordings, transcripts, records))
        return [removed for removed in done if removed.anything]

    async def preview(self) -> list[Removed]:
        """What `apply` would remove now; nothing is changed."""
        now = self._clock.now_us()
        found = []
        for policy in await queries.policies(self._db):
            recordings = await self._count(_RECORDINGS, policy, now)
            transcripts = await self._count(_TRANSCRIPTS, policy, now)
            records = sum([len(ids) async for ids in self._old_records(policy, now)])
            found.append(Removed(policy["account_id"], recordings, transcripts, records))
        return [removed for removed in found if removed.anything]

    # What is left of an agent that was deleted.

    async def agent(self, account_id: str, agent_id: str, *, most: int, pause_s: float = 0.0) -> float | None:
        """Remove what is over of an agent that was deleted, at last the agent: up to about `most` executions, with a
        pause after each transaction.

        Seconds after which it is worth another look, None: nothing is left. Raises StoreError.
        """
        seen = 0
        async for ids in self._records(account_id, agent_id, before=_EVER_US):
            if seen >= most:
                return 0.0
            seen += len(ids)
            await self._remove_records(account_id, ids)
            if pause_s:
                await self._clock.sleep(pause_s)
        if await queries.has_records(self._db, account_id, agent_id):
            return _LIVE_S
        async with self._db.transaction() as tx:
            lanes = await batches.of_agent(tx, account_id, agent_id)
            await agents.delete(tx, account_id, agent_id)
            await gates.remove(tx, account_id, "agent", agent_id)
            for lane in lanes:
                await gates.remove(tx, account_id, "batch", lane)
        return None

    # Recordings and transcripts: by the end of each attempt, from where the last pass came to.

    async def _count(self, part: _Part, policy: Row, now: int) -> int:
        return sum([sum(map(part.is_there, rows)) async for rows, _ in self._ended(part, policy, now)])

    async def _remove(self, part: _Part, policy: Row, now: int, live_since: int) -> int:
        """The watermark stays below what cannot be removed yet."""
        account_id = policy["account_id"]
        limit = live_since - 1
        removed = 0
        try:
            async for rows, done in self._ended(part, policy, now):
                if not await self._is_still(policy, part.days):
                    break
                stay = await self._delete_files(account_id, rows) if part.in_files else set()
                limit = min([limit, *(row["ended_at"] - 1 for row in rows if row["execution_id"] in stay)])
                gone = [row for row in rows if row["execution_id"] not in stay and part.is_there(row)]
                async with self._db.transaction() as tx:
                    count = await part.remove(self._removal, tx, account_id, gone, policy[part.days])
                    await queries.mark(tx, account_id, part.watermark, min(limit, done))
                removed += count
                await self._clock.sleep(_PAUSE_S)
        finally:
            if removed:
                logger.info("account %s: %d %s removed", account_id, removed, part.name)
        return removed

    async def _ended(self, part: _Part, policy: Row, now: int) -> AsyncIterator[tuple[list[Row], int]]:
        """The attempts that are old enough, a batch at a time, and until when all have been seen with it."""
        until = _before(policy, part.days, now)
        after = Place(policy[part.watermark] + 1, "", 0)
        while rows := await part.read(self._db, policy["account_id"], after=after, until=until, limit=_READ):
            after = Place(*(rows[-1][name] for name in Place._fields))
            wanted = [row for row in rows if row["state"] in SETTLED and part.wants(row)]
            for batch in _batches(wanted):
                # More may have ended in the same moment as the last of these.
                yield batch, batch[-1]["ended_at"] - 1
            yield [], until if len(rows) < _READ else after.ended_at - 1

    # Records: by their creation and the end of their last attempt.

    async def _delete_records(self, policy: Row, now: int) -> int:
        account_id = policy["account_id"]
        removed = 0
        try:
            async for ids in self._old_records(policy, now):
                if not await self._is_still(policy, _RECORDS_DAYS):
                    break
                removed += await self._remove_records(account_id, ids)
                await self._clock.sleep(_PAUSE_S)
        finally:
            if removed:
                logger.info("account %s: %d records deleted", account_id, removed)
        return removed

    async def _old_records(self, policy: Row, now: int) -> AsyncIterator[list[str]]:
        """The ids of the executions that are old enough, a batch at a time."""
        account_id, before = policy["account_id"], _before(policy, _RECORDS_DAYS, now)
        for agent_id in await queries.agents(self._db, account_id):
            async for ids in self._records(account_id, agent_id, before=before):
                yield ids

    async def _records(self, account_id: str, agent_id: str, *, before: int) -> AsyncIterator[list[str]]:
        """The ids of an agent's executions that were over before a moment, a batch at a time."""
        after = 0
        while rows := await queries.old_records(
            self._db,
            account_id,
            agent_id,
            terminal=sorted(TERMINAL),
            after=after,
            before=before,
            limit=_BATCH,
        ):
            yield [row["id"] for row in rows]
            after = rows[-1]["seq"]

    async def _remove_records(self, account_id: str, ids: list[str]) -> int:
        """How many: those stay of which a file could not be deleted."""
        stay = await self._delete_files(account_id, await queries.attempts_of(self._db, account_id, ids))
        async with self._db.transaction() as tx:
            return await self._removal.records(tx, account_id, set(ids) - stay)

    async def _is_still(self, policy: Row, days: str) -> bool:
        """Whoever changes their mind during a pass is heard."""
        now = await queries.policy(self._db, policy["account_id"])
        return now is not None and bool(now[days] == policy[days])

    async def _delete_files(self, account_id: str, attempts: Iterable[Row]) -> set[str]:
        """The executions of which a file could not be deleted."""
        return await asyncio.to_thread(self._delete_files_of, account_id, tuple(attempts))

    def _delete_files_of(self, account_id: str, attempts: Iterable[Row]) -> set[str]:
        of = {
            path: attempt["execution_id"] for attempt in attempts for path in self._files(account_id, attempt)
        }
        return {of[path] for path in recording_files.remove(self._folder, of)}

    def _files(self, account_id: str, attempt: Row) -> list[str]:
        """Where the recording of an attempt lies; what a crash left of one is in no record."""
        of_transfers = _of_transfers(attempt)
        if attempt["recording_path"] is not None:
            return [attempt["recording_path"], *of_transfers]
        place = recording_files.place(account_id, attempt["execution_id"], attempt["number"])
        left = [path for path in (place, recording_files.part(place)) if (self._folder / path).exists()]
        return left + of_transfers


def _of_transfers(attempt: Row) -> list[str]:
    """Where the recordings of its transfers lie."""
    return [one.recording_path for one in transfers_of(attempt) if one.recording_path is not None]


def _before(policy: Row, days: str, now: int) -> int:
    """What is older goes; 0 where everything is kept."""
    return 0 if policy[days] is None else now - policy[days] * DAY_US


def _batches(rows: list[Row]) -> Iterator[list[Row]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]
