"""Blocking inference beside the event loop: few threads, a bounded queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from ringback.media.speech import SpeechError

P = ParamSpec("P")
T = TypeVar("T")


class WorkQueue:
    """First come, first served, on `workers` threads; at most `limit` jobs wait or run."""

    def __init__(self, name: str, *, workers: int, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._pending = 0
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix=name)

    async def run(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The job's result. A cancelled job that waits is never begun; one that runs is let go.

        Raises SpeechError where the queue is full, and whatever the job raises.
        """
        if self._pending >= self._limit:
            raise SpeechError(f"The {self._name} is overloaded: {self._pending} requests are waiting.")
        future = self._executor.submit(job, *args, **kwargs)
        self._pending += 1
        # Counted until the thread is done with it, so that abandoned work still counts against the limit.
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Drop what waits; what runs ends by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _done(self) -> None:
        self._pending -= 1
