"""Work that is not a call: reading a batch's file, sweeping a stopped lane, completing a batch."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from ringback.clock import Clock
from ringback.dialing.queue import CALLS
from ringback.dialing.sweep import NotYet
from ringback.store.database import Database, Row, StoreError
from ringback.store.queries import jobs
from ringback.store.wakeup import WEBHOOKS, Wakeup

if TYPE_CHECKING:
    from ringback.dialing.intake import Intake
    from ringback.dialing.sweep import Sweep

logger = logging.getLogger(__name__)

Kind = Literal["intake", "sweep"]
"""Also the topic of its wake-ups."""

_IDLE_S: Final = 10.0
"""Longest sleep without a wake-up."""
_APART_S: Final = 1.0
"""Between two looks for batches that are over: calls may end many times a second."""
_LEASE_S: Final = 30.0
_TRIES: Final = 12
"""Of an intake that gets no further, in 25 minutes; sweeps are tried for ever."""
_LONGEST_PAUSE_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Job:
    """One row of `jobs`, claimed."""

    account_id: str
    id: str
    kind: Kind
    subject: str
    """intake: the id of the batch; sweep: the key of the lane."""
    machine: str | None
    tries: int


class Jobs:
    """Does the jobs of one machine, one of a kind at a time; several processes may."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        wakeup: Wakeup,
        intake: Intake,
        sweep: Sweep,
        settle: Callable[[], Awaitable[None]],
        *,
        machine: str,
        uploads: Path,
    ) -> None:
        """`machine` names where the folder `uploads` is; `settle` completes the batches that are over."""
        self._db = db
        self._clock = clock
        self._wakeup = wakeup
        self._intake = intake
        self._sweep = sweep
        self._settle = settle
        self._machine = machine
        self._uploads = uploads

    async def run(self) -> None:
        """Until it is cancelled; what is under way then is taken up again where it was."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every("intake"))
            group.create_task(self._every("sweep"))
            group.create_task(self._settle_now_and_then())

    async def one(self, kind: Kind) -> bool:
        """Do the next job of a kind; False: there is none. Raises StoreError."""
        owner = uuid.uuid4().hex
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            row = await jobs.take(
                tx, kind, machine=self._machine, owner=owner, now_us=now, until_us=now + _us(_LEASE_S)
            )
        if row is None:
            return False
        job = _job(row)
        begun = await self._position(job)
        try:
            await self._leased(job, owner)
        except asyncio.CancelledError:
            await asyncio.shield(self._put_off(job, owner, 0.0, job.tries, None))
            raise
        except NotYet as later:
            await self._put_off(job, owner, later.seconds, 0, None)
        except Exception as error:
            if not isinstance(error, StoreError | OSError):
                logger.exception("%s of %s failed", job.kind, job.subject)
            tries = job.tries if await self._position(job) == begun else 0
            await self._failed(job, owner, tries + 1, str(error) or type(error).__name__)
        else:
            await self._done(job, owner)
        return True

    async def _every(self, kind: Kind) -> None:
        while True:
            try:
                while await self.one(kind):
                    pass
            except StoreError as error:
                logger.error("cannot look for jobs: %s", error)
            except Exception:
                logger.exception("looking for jobs failed; it is tried again")
            await self._wakeup.wait(kind, _IDLE_S)

    async def _settle_now_and_then(self) -> None:
        """The end of any call may be the end of its batch."""
        while True:
            try:
                await self._settle()
            except StoreError as error:
                logger.error("cannot look for batches that are over: %s", error)
            except Exception:
                logger.exception("looking for batches that are over failed; it is tried again")
            await self._clock.sleep(_APART_S)
            await self._wakeup.wait(CALLS, _IDLE_S)

    async def _leased(self, job: Job, owner: str) -> None:
        """Do it for as long as the lease is ours."""
        work = asyncio.create_task(self._work(job))
        try:
            while not (await asyncio.wait({work}, timeout=_LEASE_S / 3))[0]:
                until = self._clock.now_us() + _us(_LEASE_S)
                async with self._db.transaction() as tx:
                    if not await jobs.renew(tx, job.account_id, job.id, owner=owner, until_us=until):
                        logger.warning("%s of %s is begun anew by somebody else", job.kind, job.subject)
                        return
            await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _work(self, job: Job) -> None:
        if job.kind == "sweep":
            await self._sweep.run(job.account_id, job.subject)
        else:
            await self._intake.run(job, self._file(job))
            await self._wakeup.notify(WEBHOOKS)
        await self._wakeup.notify(CALLS)

    async def _done(self, job: Job, owner: str) -> None:
        if job.kind == "intake":
            await asyncio.to_thread(self._file(job).unlink, missing_ok=True)
        async with self._db.transaction() as tx:
            await jobs.done(tx, job.account_id, job.id, owner=owner)

    async def _position(self, job: Job) -> int:
        """How far it is: who gets on, however slowly, is not given up."""
        return await self._intake.position(job) if job.kind == "intake" else 0

    async def _failed(self, job: Job, owner: str, tries: int, why: str) -> None:
        if job.kind == "intake" and tries >= _TRIES:
            logger.error("the file of batch %s cannot be read: %s", job.subject, why)
            await self._intake.fail(job, f"The file could not be read: {why}")
            await self._done(job, owner)
            return
        pause_s = min(_LONGEST_PAUSE_S, 2.0**tries)
        logger.error("%s of %s failed, again in %.0f s: %s", job.kind, job.subject, pause_s, why)
        await self._put_off(job, owner, pause_s, tries, why)

    async def _put_off(self, job: Job, owner: str, pause_s: float, tries: int, why: str | None) -> None:
        with suppress(StoreError):  # its lease runs out, which is as good
            async with self._db.transaction() as tx:
                await jobs.put_off(
                    tx,
                    job.account_id,
                    job.id,
                    owner=owner,
                    due_us=self._clock.now_us() + _us(pause_s),
                    tries=tries,
                    error=why,
                )

    def _file(self, job: Job) -> Path:
        return self._uploads / f"{job.subject}.csv"


def _job(row: Row) -> Job:
    return Job(**{name: row[name] for name in ("account_id", "id", "kind", "subject", "machine", "tries")})


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)
