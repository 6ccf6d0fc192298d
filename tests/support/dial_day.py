"""One simulated day of dialling: the product's processes on one database, their clients, and what befalls them.

The clock jumps over hours in which nothing is under way; nothing else of the day is left out.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from ringback.dialing.queue import CALLS
from ringback.store.queries import gates
from tests.support.dial_checker import violations
from tests.support.dial_day_clients import Clients
from tests.support.dial_day_plan import DayPlan, Deed, S
from tests.support.dial_day_rules import Day as Seen
from tests.support.dial_day_rules import broken, miscounted, poor
from tests.support.dial_day_staff import Office, Surroundings, settle_in, worker
from tests.support.dial_history import History
from tests.support.loop_database import LoopStore
from tests.support.simulated_network import Network
from tests.support.simulated_process import Peril, Process, SimulatedLoop

_TICK_S: Final = 4.0
_STUCK_S: Final = 400.0
"""Something is due for so long, and nobody does it."""
_LONGEST_S: Final = 6 * 3600.0
"""Without the hours that are jumped over."""
_LOOKS: Final = 0.01
"""In how many of the ticks everything is checked in the middle."""


@dataclass
class Report:
    """What was wrong with a day, and what happened on it."""

    wrong: list[str]
    statements: int
    killed: list[str]
    attempts: list[dict[str, Any]]
    dials: int
    jumps: int
    power_cuts: int


def live(plan: DayPlan, store: LoopStore, folder: Path) -> Report:
    """From the first deed until nothing is left to do. `store` is emptied first."""
    store.empty()
    ids = random.Random(plan.seed + 1)
    with (
        patch("uuid.uuid4", lambda: uuid.UUID(int=ids.getrandbits(128), version=4)),
        asyncio.Runner(loop_factory=SimulatedLoop) as runner,
        _Ears() as ears,
    ):
        return runner.run(_lived(plan, store, folder, ears.heard))


async def _lived(plan: DayPlan, store: LoopStore, folder: Path, heard: list[str]) -> Report:
    day = Day(plan, store, folder)
    await day.live()
    return await day.report(heard)


class _Ears(logging.Handler):
    """Errors that the product logs: there is no reason for any."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        why = record.exc_info[1] if record.exc_info else ""
        self.heard.append(f"logged: {record.getMessage()} {why!r}")

    def __enter__(self) -> _Ears:
        logger = logging.getLogger("ringback")
        self._level, self._propagate = logger.level, logger.propagate
        logger.addHandler(self)
        logger.setLevel(logging.ERROR)
        logger.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        logger = logging.getLogger("ringback")
        logger.removeHandler(self)
        logger.setLevel(self._level)
        logger.propagate = self._propagate


@dataclass
class Day:
    plan: DayPlan
    store: LoopStore
    folder: Path
    wrong: list[str] = field(default_factory=list)
    jumped_us: int = 0
    jumps: int = 0

    def __post_init__(self) -> None:
        plan = self.plan
        self._loop = asyncio.get_running_loop()
        self._chance = random.Random(plan.seed + 2)
        self._peril = Peril([*plan.kills], stops=[*plan.stops])  # type: ignore[list-item]
        self._peril.power_cuts += plan.power_cuts
        self._peril.cut = self._lose_power
        self.power_cuts = 0
        self._network = Network(random.Random(plan.seed + 3), self.now_us, plan.late)
        self._processes: dict[str, Process] = {}
        self._around = Surroundings(
            plan,
            self.store,
            self.folder,
            self._network,
            random.Random(plan.seed + 4),
            self.now_us,
            lambda: list(self._processes.values()),
        )
        self._stopping: dict[int, asyncio.Event] = {}
        self._closing = False
        self._due_since_s: float | None = None

    def now_us(self) -> int:
        return self.plan.start_us + self.jumped_us + round(self._loop.time() * S)

    async def live(self) -> None:
        await settle_in(self._around)
        chance = random.Random(self.plan.seed + 5)
        self._clients = Clients(self._around, chance, lambda index: self._stopping[index].set(), self.wrong)
        staff = [asyncio.create_task(self._keep_office())]
        staff += [asyncio.create_task(self._keep_worker(index)) for index in range(self.plan.workers)]
        try:
            await self._pass()
        finally:
            self._closing = True
            for stopping in self._stopping.values():
                stopping.set()
            if self._clients.office.done():
                self._clients.office.result().process.kill()
            await asyncio.gather(*staff)

    async def report(self, heard: list[str]) -> Report:
        history = await History.read(self.store, self._network.rows, self._clients.told.placed, finished=True)
        wrong = [*dict.fromkeys(self.wrong), *heard, *self.store.refused]
        wrong += [f"{one.breach}: {one.execution_id} {one.what}" for one in violations(history)]
        wrong += broken(Seen(self.store, self._network.rows, self._clients.told))
        return Report(
            wrong,
            self._peril.statements,
            self._peril.killed,
            [dict(row) for row in history.attempts],
            sum(row["event"] == "invite" for row in self._network.rows),
            self.jumps,
            self.power_cuts,
        )

    # Time.

    async def _pass(self) -> None:
        """Let every deed be done and everything come to its end."""
        loop = asyncio.get_running_loop()
        deeds, doing = list(self.plan.deeds), self._clients.doing
        while loop.time() < _LONGEST_S:
            while deeds and self._at(deeds[0]) <= self.now_us():
                self._clients.begin(deeds.pop(0))
            for task in [task for task in doing if task.done()]:
                doing.remove(task)
                task.result()
            self._clients.resume()
            if not doing and not self._is_busy():
                next_us = self._next_us(self._at(deeds[0]) if deeds else None)
                if next_us is None:
                    return
                if self._is_stuck(next_us):
                    break
                self._jump(next_us)
            else:
                self._due_since_s = None
            if self._chance.random() < _LOOKS:
                await self._look()
            wait_s = (self._at(deeds[0]) - self.now_us()) / S if deeds else _TICK_S
            await asyncio.sleep(min(_TICK_S, max(0.0, wait_s)))
        self.wrong.append("the day came to no end")
        for task in doing:
            task.cancel()

    def _at(self, deed: Deed) -> int:
        return self.plan.start_us + round(deed.at_s * S)

    def _is_busy(self) -> bool:
        """Somebody is at work, or on the telephone."""
        if self._network.open:
            return True
        [row] = self.store.rows(
            """
            SELECT EXISTS (SELECT 1 FROM attempts WHERE lease_owner IS NOT NULL)
              OR EXISTS (SELECT 1 FROM attempts WHERE slot_since IS NOT NULL)
              OR EXISTS (SELECT 1 FROM jobs WHERE lease_owner IS NOT NULL) AS busy
            """
        )
        return bool(row["busy"])

    def _next_us(self, deed_us: int | None) -> int | None:
        """When something is to be done; None: never again."""
        rows = self.store.rows(
            """
            SELECT MAX(a.due_at, COALESCE(g.opens_at, 0)) AS at_us FROM attempts a
            LEFT JOIN gates g ON g.account_id = a.account_id AND g.kind = 'batch' AND g.key = a.batch_id
            WHERE a.state = 'waiting' AND g.closed IS NULL
            UNION ALL SELECT due_at FROM jobs
            UNION ALL SELECT scheduled_at FROM batches WHERE state = 'scheduled'
              AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.batch_id = batches.id AND a.state = 'waiting')
            """
        )
        moments = [row["at_us"] for row in rows if row["at_us"] < gates.NEVER_US]
        return min([*moments, *([] if deed_us is None else [deed_us])], default=None)

    def _is_stuck(self, next_us: int) -> bool:
        now_s = asyncio.get_running_loop().time()
        if next_us > self.now_us():
            self._due_since_s = None
        elif self._due_since_s is None:
            self._due_since_s = now_s
        return self._due_since_s is not None and now_s - self._due_since_s > _STUCK_S

    def _jump(self, next_us: int) -> None:
        """To a moment before it, so that everybody is waiting for it already."""
        wait_us = next_us - self.now_us()
        if wait_us > 20 * S:
            self.jumped_us += wait_us - round(self._chance.uniform(0.2, 8) * S)
            self.jumps += 1
            for process in self._processes.values():
                for topic in (CALLS, "intake", "sweep"):
                    process.topics[topic].set()

    async def _look(self) -> None:
        """At what holds at every moment."""
        moment = await History.read(self.store, (), finished=False)
        self.wrong += [f"{one.breach}: {one.execution_id} {one.what}" for one in violations(moment)]
        self.wrong += miscounted(self.store) + poor(self.store)

    # Processes.

    def _open(self, name: str) -> Process:
        process = Process(name, self._peril, self._around.chance)
        self._processes[name] = process
        return process

    def _lose_power(self) -> None:
        for process in tuple(self._processes.values()):
            process.kill()
        self.store.lose()
        self.power_cuts += 1

    async def _gone(self, process: Process) -> None:
        process.kill()
        del self._processes[process.name]
        await asyncio.gather(*process.tasks, return_exceptions=True)

    async def _keep_worker(self, index: int) -> None:
        generation = 0
        while not self._closing:
            process, stopping = self._open(f"worker-{index}-{generation}"), asyncio.Event()
            self._stopping[index] = stopping
            await self._watched(process, process.start(worker(self._around, process).run(stopping)))
            generation += 1
            if not self._closing:
                await asyncio.sleep(self._chance.uniform(0, 20))

    async def _keep_office(self) -> None:
        generation = 0
        while not self._closing:
            office = Office(self._around, self._open(f"api-{generation}"))
            self._clients.office.set_result(office)
            await self._watched(office.process, office.process.start(office.jobs.run()))
            generation += 1
            if not self._closing:
                self._clients.office = asyncio.get_running_loop().create_future()
                await asyncio.sleep(self._chance.uniform(0, 3))

    async def _watched(self, process: Process, run: asyncio.Task[None]) -> None:
        """To its end."""
        await asyncio.wait({run})
        if not process.dead.is_set() and not run.cancelled() and (error := run.exception()) is not None:
            self.wrong.append(f"{process.name} ended: {error!r}")
        await self._gone(process)
