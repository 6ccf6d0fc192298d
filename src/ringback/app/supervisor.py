"""The small parent of `ringback serve`: starts the roles as child processes, restarts them, stops them together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

STOP_GRACE_S = 100.0
"""How long children may finish their calls after SIGTERM: the longest call is ended by its own limit before."""

SUPERVISED = "RINGBACK_SUPERVISED"
"""Set in a child's environment: it stops when its standard input ends, for then its parent is gone."""

HEALTHY_AFTER_S = 30.0
"""A child that lived this long starts its next restart without delay."""

MAX_BACKOFF_S = 15.0


class ChildFailed(Exception):
    """A child could not be brought up; the message names it."""


@dataclass
class Child:
    """One role in its own process. `ready` returns once it serves; it is raced against the child's death."""

    name: str
    arguments: list[str]
    ready: Callable[[], Awaitable[None]]
    environment: dict[str, str] = field(default_factory=dict)
    process: Process | None = None

    async def start(self, timeout_s: float) -> None:
        """Start the child and wait until it is ready. Raises ChildFailed if it dies or takes too long."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ringback",
            *self.arguments,
            env={**os.environ, **self.environment, SUPERVISED: "1"},
            # The child holds the other end: when this process is gone, however it went, the child sees the end of file.
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        death = asyncio.ensure_future(self.process.wait())
        ready = asyncio.ensure_future(self.ready())
        done, _ = await asyncio.wait({death, ready}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if ready in done and death not in done:
            death.cancel()
            ready.result()
            return
        ready.cancel()
        if death in done:
            raise ChildFailed(f"{self.name} ended at its start with exit status {self.process.returncode}")
        death.cancel()
        self.process.kill()
        raise ChildFailed(f"{self.name} was not ready after {timeout_s:.0f} s")

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
    """Keeps a list of children alive, in order of their start."""

    def __init__(self, children: list[Child], start_timeout_s: float = 120.0) -> None:
        self._children = children
        self._start_timeout_s = start_timeout_s
        self._watchers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Bring every child up, one after the other. On a failure the ones already up are stopped."""
        try:
            for child in self._children:
                await child.start(self._start_timeout_s)
        except ChildFailed:
            await self.stop(grace_s=5.0)
            raise
        self._watchers = [asyncio.create_task(self._watch(child)) for child in self._children]

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Stop the children in reverse order of their start, so that a worker's calls end before its ears do."""
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
            logger.error("%s ended with exit status %s; it is started again in %.1f s", child.name, status, backoff)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, MAX_BACKOFF_S)
            try:
                await child.start(self._start_timeout_s)
            except ChildFailed as failure:
                logger.error("%s", failure)
