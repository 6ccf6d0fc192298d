"""The small parent of `ringback serve`: starts the roles as child processes, restarts them, stops them together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

logger = logging.getLogger(__name__)

SUPERVISED = "RINGBACK_SUPERVISED"
"""Set in a child's environment: it stops when its standard input ends, for then its parent is gone."""

READY_FD = "RINGBACK_READY_FD"
"""Set in a child's environment: the pipe through which it says that it serves."""

HEALTHY_AFTER_S = 30.0
"""A child that lived this long starts its next restart without delay."""

MAX_BACKOFF_S = 15.0


class ChildFailed(Exception):
    """A child could not be brought up; the message names it."""


@dataclass
class Child:
    """One role in its own process; it says itself when it serves (see lifespan.say_ready)."""

    name: str
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = (sys.executable, "-m", "ringback")
    process: Process | None = None

    async def start(self, timeout_s: float) -> None:
        """Start the child and wait until it is ready. Raises ChildFailed if it dies or takes too long."""
        reading, writing = os.pipe()
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self.program,
                *self.arguments,
                env={**os.environ, **self.environment, SUPERVISED: "1", READY_FD: str(writing)},
                # The child holds the other end: when this process is gone, however it went, it sees the end of file.
                stdin=asyncio.subprocess.PIPE,
                pass_fds=(writing,),
                start_new_session=True,
            )
        finally:
            os.close(writing)
        try:
            async with asyncio.timeout(timeout_s):
                ready = await _read(reading)
        except TimeoutError:
            self.process.kill()
            raise ChildFailed(f"{self.name} was not ready after {timeout_s:.0f} s") from None
        if not ready:
            status = await self.process.wait()
            raise ChildFailed(
                f"{self.name} ended at its start with exit status {status}; its message stands above"
            )

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, then SIGKILL after the grace."""
        if self.process is None or self.process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), grace_s)
        except TimeoutError:
            logger.warning("%s did not stop within %.0f s and is killed", self.name, grace_s)
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()


class Supervisor:
    """Keeps stages of children alive; what others lean on stands in an earlier stage."""

    def __init__(self, stages: Sequence[Sequence[Child]], start_timeout_s: float = 120.0) -> None:
        self._stages = [list(stage) for stage in stages]
        self._start_timeout_s = start_timeout_s
        self._watchers: dict[int, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Bring the children up, all at once. When one fails, the others are stopped."""
        children = [child for stage in self._stages for child in stage]
        starts = [child.start(self._start_timeout_s) for child in children]
        failures = [r for r in await asyncio.gather(*starts, return_exceptions=True) if r is not None]
        if failures:
            await self.stop(grace_s=5.0)
            raise failures[0]
        for child in children:
            self._keep(child)

    async def stop(self, grace_s: float) -> None:
        """Stop stage after stage, the last one first: a worker's calls end before its ears do.

        The children of a stage drain at the same time, beside those that were replaced and still do.
        """
        for watcher in self._watchers.values():
            watcher.cancel()
        await asyncio.gather(*self._watchers.values(), return_exceptions=True)
        leaving = tuple(self._leaving)
        for stage in reversed(self._stages):
            await asyncio.gather(*(child.stop(grace_s) for child in stage), *leaving)
            leaving = ()

    async def roll(self, grace_s: float) -> None:
        """Replace the children of the last stage one after the other: each drains only when its successor serves.

        A successor that does not come up ends the roll; who was to be replaced stays.
        """
        stage = self._stages[-1]
        for place, old in enumerate(stage):
            new = replace(old, process=None)
            try:
                await new.start(self._start_timeout_s)
            except ChildFailed as failure:
                logger.error("the rolling restart ends before %s: %s", old.name, failure)
                return
            except asyncio.CancelledError:
                await new.stop(grace_s=5.0)
                raise
            stage[place] = new
            self._watchers.pop(id(old)).cancel()
            self._keep(new)
            leaving = asyncio.create_task(old.stop(grace_s))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        logger.info("rolling restart: %d children replaced, the old ones drain", len(stage))

    def _keep(self, child: Child) -> None:
        self._watchers[id(child)] = asyncio.create_task(self._watch(child))

    async def _watch(self, child: Child) -> None:
        backoff = 0.5
        while True:
            assert child.process is not None
            started = time.monotonic()
            status = await child.process.wait()
            if time.monotonic() - started > HEALTHY_AFTER_S:
                backoff = 0.5
            logger.error(
                "%s ended with exit status %s; it is started again in %.1f s", child.name, status, backoff
            )
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, MAX_BACKOFF_S)
            try:
                await child.start(self._start_timeout_s)
            except ChildFailed as failure:
                logger.error("%s", failure)


async def _read(descriptor: int) -> bytes:
    """The first bytes of a pipe, empty when its last writer closes it; closes the descriptor."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _resolve, readable)
    try:
        await readable
        return os.read(descriptor, 16)
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _resolve(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)
