"""Strikes a task at its n-th await: the test of `malloc` failing at its n-th call, for coroutines.

`Saboteur` wraps the coroutines of tasks by their qualified name and counts their suspensions together. At the n-th
one the task is cancelled while it waits, or what it waits for raises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


class Saboteur:
    """`install` it on the running loop before the tasks start."""

    def __init__(self, target: str, nth: int, error: BaseException | None = None, times: int = 1) -> None:
        """Raise `error` from the n-th await (counted from one) of tasks running `target`; None cancels them.

        More `times` than one: also from the awaits that follow.
        """
        self._target = target
        self._strikes = range(nth, nth + times)
        self._error = error
        self._awaits = 0
        self.struck = False

    def install(self) -> None:
        factory: Any = self._task
        asyncio.get_running_loop().set_task_factory(factory)

    def _task(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        if getattr(work, "__qualname__", "") == self._target:
            work = _Watched(work, self)
        return asyncio.Task(work, loop=loop, **options)

    def suspended(self) -> BaseException | None:
        """A watched task awaits; the error that this await is to raise."""
        self._awaits += 1
        if self._awaits not in self._strikes:
            return None
        self.struck = True
        if self._error is None:
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_soon(task.cancel)
        return self._error


class _Watched(Coroutine[Any, Any, Any]):
    def __init__(self, work: Coroutine[Any, Any, Any], saboteur: Saboteur) -> None:
        self._work = work
        self._saboteur = saboteur
        self._error: BaseException | None = None
        self.__qualname__ = getattr(work, "__qualname__", "")

    def send(self, value: Any) -> Any:
        error, self._error = self._error, None
        awaited = self._work.send(value) if error is None else self._work.throw(error)
        self._error = self._saboteur.suspended()
        return awaited

    def throw(self, *error: Any) -> Any:
        awaited = self._work.throw(*error)
        self._error = self._saboteur.suspended()
        return awaited

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._work.__await__()
