"""One run of the crash test on one database: clients, workers, a sink, and somebody who kills the workers."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.crash.aftermath import aftermath
from benchmarks.crash.clients import Clients, open_account, unfinished
from benchmarks.crash.worker import Post
from benchmarks.crash.workforce import Workforce
from ringback.store.database import Database, open_database
from ringback.store.wakeup import open_wakeup
from tests.support.dial_case import Breach, Violation
from tests.support.dial_checker import counted, violations
from tests.support.dial_history import History
from tests.support.dial_sink import DialSink, dial_sink
from tests.support.webhook_post import Receiver, receiver

logger = logging.getLogger(__name__)

_KILLED_SHARE: Final = 0.6
_PAUSE_S: Final = (0.05, 0.3)
_STOP_S: Final = (0.1, 6.0)
_SETTLE_S: Final = 120.0
"""Leases of webhooks take 30 s to run out."""
_LOOK_S: Final = 0.25
_SHOWN: Final = 5
_WALLET: Final = 10**12
"""Enough for all calls; each reserves what it may cost all the same."""


@dataclass(frozen=True, slots=True)
class Plan:
    kills: int
    seed: int
    workers: int = 4
    backlog: int = 80
    max_calls: int = 50
    """Of the account; lost dials keep their slots, so this binds when many were."""
    interval_us: int = 10_000
    lease_s: float = 2.0
    unknown_s: float = 5.0
    pondering_s: float = 0.6
    """How long each of three stages after a call may take."""
    loss: float = 0.05
    """Share of the packets that vanish, in each direction."""


@dataclass(frozen=True, slots=True)
class Report:
    kills: int
    history: History
    violations: Sequence[Violation]
    """Of the end, and of looks in the middle."""
    taken_over: int
    """How often a worker went on with the work after a call that another had begun, or not."""
    arrived: int
    """Webhooks, those that came twice too."""

    def figures(self) -> dict[str, Any]:
        """By the names of the breaches; all but the first should be 0."""
        return {"kills": self.kills, **counted(self.violations)}

    def first_of_each(self) -> str:
        """The violations, a few of each breach, with all that is known about the first one's execution."""
        lines = []
        for breach in Breach:
            of_breach = [violation for violation in self.violations if violation.breach is breach]
            lines += [f"{breach} {one.execution_id}: {one.what}" for one in of_breach[:_SHOWN]]
            lines += self.history.story(of_breach[0].execution_id) if of_breach else ()
        return "\n".join(lines)

    def sights(self) -> str:
        """What the kills hit: a run that never lost a live call would prove little."""
        states = Counter(f"{row['state']} {row['status']}" for row in self.history.attempts)
        dials = sum(event["event"] == "invite" for event in self.history.wire)
        lost_live = sum(
            row["status"] == "completed" and row["hangup_reason"] == "worker lost"
            for row in self.history.attempts
        )
        return (
            f"{len(self.history.executions)} calls, {len(self.history.attempts)} attempts, {dials} dials; "
            f"{len(self.history.stopped)} stopped by clients; {lost_live} live calls lost and completed; "
            f"the work after a call was taken over {self.taken_over} times; {self.arrived} webhooks arrived; "
            + ", ".join(f"{count} {state}" for state, count in states.most_common())
        )


async def crash(url: str, folder: Path, plan: Plan) -> Report:
    """The database needs its tables and nothing else. What everybody logs is in the folder."""
    async with receiver() as told_to:
        with dial_sink(folder, loss=plan.loss, seed=plan.seed) as sink:
            return await _crash(url, folder, plan, sink, told_to)


async def _crash(url: str, folder: Path, plan: Plan, sink: DialSink, told_to: Receiver) -> Report:
    db = await open_database(url)
    wakeup = await open_wakeup(db, folder)
    try:
        account_id = await open_account(
            db,
            max_calls=plan.max_calls,
            interval_us=plan.interval_us,
            webhook_url=told_to.url,
            wallet=_WALLET,
        )
        clients = Clients(db, wakeup, account_id, random.Random(plan.seed))
        post = Post(
            url,
            folder,
            sink.port,
            lease_s=plan.lease_s,
            unknown_s=plan.unknown_s,
            ring_timeout_s=1.5,
            pondering_s=plan.pondering_s,
            delivers=True,
        )
        found = await _kill_while_they_dial(db, clients, post, plan)
        told = clients.told
        history = await History.read(db, sink.events(), told.placed, told.stopped)
        found += [*violations(history), *_failed(history), *await aftermath(db, told_to)]
        # Looks in the middle see the same one again and again.
        found = list(dict.fromkeys(found))
        return Report(
            plan.kills, history, found, await asyncio.to_thread(_taken_over, folder), len(told_to.got)
        )
    finally:
        await wakeup.close()
        await db.close()


def _taken_over(folder: Path) -> int:
    return sum(path.read_text().count("its record is completed here") for path in folder.glob("worker-*.log"))


def _failed(history: History) -> list[Violation]:
    """Nothing is wrong with these agents, so no call may end by an error of our own."""
    return [
        Violation(Breach.RECORD, row["execution_id"], f"attempt {row['number']}: {row['hangup_reason']}")
        for row in history.attempts
        if row["hangup_reason"] in ("Bolna Error", "Telephony Internal Error")
    ]


async def _kill_while_they_dial(db: Database, clients: Clients, post: Post, plan: Plan) -> list[Violation]:
    """All of it, to the end of the workers; what was wrong in between."""
    workforce = await asyncio.to_thread(Workforce, plan.workers, post)
    enough = asyncio.Event()
    watching = asyncio.create_task(_watch(db, enough))
    placing = asyncio.create_task(clients.keep(plan.backlog, enough))
    try:
        await _kill(workforce, plan)
        enough.set()
        await placing
        await _settled(db, workforce)
        if workforce.ended:
            logger.warning("%d workers ended by themselves: see their logs", workforce.ended)
        return await watching
    finally:
        for task in (watching, placing):
            task.cancel()
        await asyncio.to_thread(workforce.end)


async def _kill(workforce: Workforce, plan: Plan) -> None:
    chance = random.Random(plan.seed + 1)
    stopped: set[asyncio.Task[None]] = set()
    for _ in range(plan.kills):
        await asyncio.sleep(chance.uniform(*_PAUSE_S))
        index = chance.randrange(len(workforce))
        if chance.random() < _KILLED_SHARE:
            await asyncio.to_thread(workforce.kill, index)
        else:
            pid, until_s = workforce.stop(index), _stop_s(chance, plan.lease_s)
            stopped.add(asyncio.create_task(_go_on(workforce, pid, until_s)))
    await asyncio.gather(*stopped)


def _stop_s(chance: random.Random, lease_s: float) -> float:
    """A third of the stops outlast the lease."""
    shortest, longest = _STOP_S
    return chance.uniform(lease_s, longest) if chance.random() < 1 / 3 else chance.uniform(shortest, lease_s)


async def _go_on(workforce: Workforce, pid: int, after_s: float) -> None:
    await asyncio.sleep(after_s)
    workforce.go_on(pid)


async def _watch(db: Database, until: asyncio.Event) -> list[Violation]:
    """The invariants that hold at every moment, looked at again and again."""
    found: list[Violation] = []
    while not until.is_set():
        await asyncio.sleep(1)
        async with db.read() as moment:
            found += violations(await History.read(moment, (), finished=False))
    return found


async def _settled(db: Database, workforce: Workforce) -> None:
    """Until nothing is under way any more; what still is after a while is what the checker will find."""
    started = time.monotonic()
    while time.monotonic() - started < _SETTLE_S:
        row = await db.fetch_one("SELECT COUNT(*) AS n FROM attempts WHERE slot_since IS NOT NULL")
        mail = await db.fetch_one("SELECT COUNT(*) AS n FROM webhook_deliveries WHERE state = 'waiting'")
        if (
            not await unfinished(db)
            and row is not None
            and not row["n"]
            and mail is not None
            and not mail["n"]
        ):
            return
        for index in range(len(workforce)):
            workforce.revive(index)
        await asyncio.sleep(_LOOK_S)
    logger.warning("calls are still under way after %.0f s", _SETTLE_S)
