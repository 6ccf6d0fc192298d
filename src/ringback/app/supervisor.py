"""The small parent of `ringback serve`: starts the roles as child processes, restarts them, stops them together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from asyncio.subprocess import Process
from dataclasses import dataclass, field

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
    process: Process | None = None

    async def start(self, timeout_s: float) -> None:
        """Start the child and wait until it is ready. Raises ChildFailed if it dies or takes too long."""
        reading, writing = os.pipe()
        try:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "ringback",
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
    """Keeps a list of children alive; what others lean on comes first."""

    def __init__(self, children: list[Child], start_timeout_s: float = 120.0) -> None:
        self._children = children
        self._start_timeout_s = start_timeout_s
        self._watchers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Bring the children up, all at once. When one fails, the others are stopped."""
        starts = [child.start(self._start_timeout_s) for child in self._children]
        failures = [r for r in await asyncio.gather(*starts, return_exceptions=True) if r is not None]
        if failures:
            await self.stop(grace_s=5.0)
            raise failures[0]
        self._watchers = [asyncio.create_task(self._watch(child)) for child in self._children]

    async def stop(self, grace_s: float) -> None:
        """Stop the children in reverse order, so that a worker's calls end before its ears do."""
        for watcher in self._watchers:
            watcher.cancel()
        for child in reversed(self._children):
            await child.stop(grace_s)

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
