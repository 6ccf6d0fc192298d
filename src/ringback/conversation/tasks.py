"""What runs beside one conversation: tasks by key, none of which outlives it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

_CLOSE_S: Final = 1.0

_log = logging.getLogger(__name__)


class Tasks:
    def __init__(self, name: str) -> None:
        """`name` is what the log calls the conversation."""
        self._name = name
        self._tasks: dict[object, asyncio.Task[None]] = {}

    def start(self, key: object, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks[key] = asyncio.create_task(work)
        task.add_done_callback(lambda done: self._forget(key, done))

    def cancel(self, key: object) -> None:
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    async def close(self, but: object) -> None:
        """Cancel everything but the task with the key `but`."""
        tasks = [task for key, task in self._tasks.items() if key != but]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S)

    def _forget(self, key: object, task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled() and task.exception() is not None:
            _log.error("part %s of call %s broke: %r", key, self._name, task.exception())
