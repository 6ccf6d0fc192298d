"""The thread that writes recordings: the tick never waits for a disk."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

_GATHER_S: Final = 0.25
"""Work is gathered for so long. A thread that wakes takes the interpreter from the tick: four times a second, then,
and not once for every recording."""

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


class Writer:
    """Jobs of all recordings of the process, done one after the other in the order they were given."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recorder")
        self._jobs: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._working = False
        self._hurry = threading.Event()

    def soon(self, job: Callable[[], None]) -> None:
        """Do it within a moment. What it raises is logged."""
        with self._lock:
            self._jobs.append(job)
            if not self._working:
                self._working = True
                self._thread.submit(self._work)

    def now(self, job: Callable[[], _T]) -> Future[_T]:
        """Do it as soon as what was given before is done."""
        result: Future[_T] = Future()

        def answer() -> None:
            try:
                result.set_result(job())
            except Exception as error:
                result.set_exception(error)

        self.soon(answer)
        self._hurry.set()
        return result

    def _work(self) -> None:
        self._hurry.wait(_GATHER_S)
        self._hurry.clear()
        while True:
            with self._lock:
                if not self._jobs:
                    self._working = False
                    return
                job = self._jobs.popleft()
            try:
                job()
            except Exception as error:
                _log.error("a piece of a recording is lost: %r", error)
