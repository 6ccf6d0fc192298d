"""What runs beside one conversation: tasks by key, none of which outlives it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

_CLOSE_S: Final = 1.0

_log = logging.getLogger(__name__)


class Tasks:
    def __init__(self, name: str) -> None:
        """`name` is what the log calls the conversation."""
        self._name = name
        self._tasks: dict[object, asyncio.Task[None]] = {}

    def start(self, key: object, work: Coroutine[Any, Any, None], lost: Callable[[], None]) -> None:
        """`lost` is called if it ends by an error, or cancelled by others than us: by a library, say."""
        task = self._tasks[key] = asyncio.create_task(work)
        task.add_done_callback(lambda done: self._forget(key, done, lost))

    def cancel(self, key: object) -> None:
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    async def close(self, but: object) -> None:
        """Cancel everything but the task with the key `but`, at once, and see it end."""
        tasks = [task for key, task in self._tasks.items() if key != but]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S)

    def _forget(self, key: object, task: asyncio.Task[None], lost: Callable[[], None]) -> None:
        error = "cancelled" if task.cancelled() else task.exception()
        awaited = self._tasks.get(key) is task
        if awaited:
            del self._tasks[key]
        if error is not None and (awaited or not task.cancelled()):
            _log.error("part %s of call %s broke: %r", key, self._name, error)
        if error is not None and awaited:
            lost()
