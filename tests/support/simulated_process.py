"""Processes of a simulated installation: tasks of one event loop that die together, as by kill -9, or stand still
together, as by SIGSTOP, at statements of the database that somebody has chosen."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from tests.support.virtual_loop import VirtualLoop

T = TypeVar("T")

_current: ContextVar[Process | None] = ContextVar("process", default=None)
_YIELDS: Final = 0.15
_IS_SLOW: Final = 0.05
_SLOWEST_S: Final = 0.4
_LOST: Final = 0.03
"""Share of the wake-ups that do not arrive."""


class Killed(BaseException):
    """The process is no more: nothing of it may go on."""


@dataclass
class Peril:
    """Kills and stops at the n-th statement of all processes together, counted from one."""

    kills: list[tuple[int, Literal["before", "after"]]] = field(default_factory=list)
    """In their order."""
    power_cuts: list[int] = field(default_factory=list)
    """Before these statements."""
    cut: Callable[[], None] = lambda: None
    """Kills all."""
    stops: list[tuple[int, float]] = field(default_factory=list)
    """And for how many seconds."""
    statements: int = 0
    killed: list[str] = field(default_factory=list)
    """At which statements."""


class Process:
    """What runs in it was started by `start`, or by that."""

    def __init__(self, name: str, peril: Peril, chance: random.Random) -> None:
        self.name = name
        self.dead = asyncio.Event()
        self.topics: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.tasks: set[asyncio.Task[Any]] = set()
        self._peril = peril
        self._chance = chance
        self.held_s = 0.0
        """So long it stands still after its next COMMIT."""
        self._stopped_until_s = 0.0
        self._loop = asyncio.get_running_loop()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        context = copy_context()
        context.run(_current.set, self)
        return self._loop.create_task(work, context=context)

    def kill(self) -> None:
        """Its tasks are cancelled only so that they come to an end: all they touch is dead already."""
        self.dead.set()
        for task in tuple(self.tasks):
            task.cancel()

    def stop(self, seconds: float) -> None:
        """From the next thing that it waits for."""
        self._stopped_until_s = self._loop.time() + seconds

    @property
    def stopped_s(self) -> float:
        """How long it will stand still yet; 0: it does not."""
        return max(0.0, self._stopped_until_s - self._loop.time())

    def live(self) -> None:
        """Raises Killed."""
        if self.dead.is_set():
            raise Killed(self.name)

    async def go_on(self) -> None:
        """Wait while it stands still."""
        self.live()
        while self._stopped_until_s:
            if not (wait_s := self.stopped_s):
                self._stopped_until_s = 0.0
                return
            await asyncio.sleep(wait_s)
            self.live()

    # What a `LoopDatabase` calls.

    async def pause(self) -> None:
        await self.go_on()
        chance = self._chance.random()
        if chance < _YIELDS:
            await asyncio.sleep(0 if chance > _IS_SLOW else self._chance.uniform(0, _SLOWEST_S))
            await self.go_on()

    def before(self, sql: str) -> None:
        self.live()
        peril = self._peril
        peril.statements += 1
        if peril.stops and peril.stops[0][0] <= peril.statements:
            self.stop(peril.stops.pop(0)[1])
        if peril.power_cuts and peril.power_cuts[0] <= peril.statements:
            peril.power_cuts.pop(0)
            peril.cut()
            raise Killed(self.name)
        self._strike("before", sql)

    def after(self, sql: str) -> None:
        if self.held_s and sql == "COMMIT":
            self.stop(self.held_s)
            self.held_s = 0.0
        self._strike("after", sql)

    def _strike(self, side: str, sql: str) -> None:
        peril = self._peril
        if peril.kills and peril.kills[0] == (peril.statements, side):
            peril.kills.pop(0)
            peril.killed.append(f"{self.name} {side} {' '.join(sql.split())[:100]}")
            self.kill()
            raise Killed(self.name)


class SimulatedClock:
    """Implements `Clock` for a process: the loop's time, and a wall clock that can be put forward."""

    def __init__(self, process: Process, now_us: Callable[[], int]) -> None:
        self._process = process
        self.now_us = now_us

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        self._process.live()
        await asyncio.sleep(seconds)
        await self._process.go_on()


class SimulatedWakeup:
    """Implements `Wakeup` for a process; some notifications are lost."""

    def __init__(
        self, process: Process, all_of_them: Callable[[], list[Process]], chance: random.Random
    ) -> None:
        self._process = process
        self._all = all_of_them
        self._chance = chance

    async def notify(self, topic: str) -> None:
        self._process.live()
        for process in self._all():
            if self._chance.random() >= _LOST:
                process.topics[topic].set()

    async def wait(self, topic: str, timeout: float) -> bool:
        event = self._process.topics[topic]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await event.wait()
        await self._process.go_on()
        woken = event.is_set()
        event.clear()
        return woken

    async def close(self) -> None:
        pass


class SimulatedLoop(VirtualLoop):
    """Virtual time, tasks that know their process, and no threads: what is for one is done at once."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual.select = self._pass  # type: ignore[method-assign]
        self.set_task_factory(_task)
        self.set_exception_handler(_forget)

    def _pass(self, timeout: float | None = None) -> list[Any]:
        """There is neither a socket nor a thread to look at."""
        if timeout is None:
            raise RuntimeError("everybody waits and nobody will wake them")
        self._virtual.now += max(0.0, timeout)
        return []

    def run_in_executor(self, executor: object, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def _task(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    context = options.get("context")
    process = _current.get() if context is None else context.get(_current)
    task = asyncio.Task(work, loop=loop, **options)
    if process is not None:
        process.tasks.add(task)
        task.add_done_callback(process.tasks.discard)
        if process.dead.is_set():
            task.cancel()
    return task


def _forget(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Nobody waits for the dead."""
    error = context.get("exception")
    if error is None or isinstance(error, Exception):  # neither Killed nor a group of it
        loop.default_exception_handler(context)
