"""How long a worker sleeps with nothing to dial: until something is due, not by what waits for a slot (T19)."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ringback.dialing.call import Line
from ringback.dialing.dialler import Dialler
from ringback.dialing.taking import Taken
from ringback.store.database import StoreError

NOW_US = 1_795_493_045_000_000
SECOND = 1_000_000


class Stage:
    """A worker's surroundings; its first sleep is its last."""

    def __init__(self, answer: Taken | StoreError) -> None:
        self.answer = answer
        self.stopping = asyncio.Event()
        self.slept: list[float] = []

    async def take(self, room: int) -> Taken:
        if isinstance(self.answer, StoreError):
            raise self.answer
        return self.answer

    async def nothing(self, *_: object) -> Any:
        return SimpleNamespace(claims=frozenset(), cancelled=frozenset())

    async def reap(self) -> list[object]:
        return []

    async def notify(self, topic: str) -> None:
        pass

    async def wait(self, topic: str, timeout: float) -> bool:
        self.slept.append(timeout)
        self.stopping.set()
        return False

    async def close(self) -> None:
        pass

    def now_us(self) -> int:
        return NOW_US

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()

    async def run(self) -> float:
        line = SimpleNamespace(
            taking=SimpleNamespace(take=self.take, repair=self.nothing),
            claims=SimpleNamespace(lease_s=30.0, renew=self.nothing),
            reaper=SimpleNamespace(reap=self.reap),
            clock=self,
        )
        dialler = Dialler(cast(Line, line), self, capacity=5, drain_s=1)
        async with asyncio.timeout(10):
            await dialler.run(self.stopping)
        [slept] = self.slept
        return slept


@pytest.mark.parametrize(
    ("next_look_us", "seconds"),
    [
        (None, 30.0),
        (NOW_US + 5 * SECOND, 5.0),
        (NOW_US + 3600 * SECOND, 30.0),
        (NOW_US - SECOND, 0.0),
    ],
)
async def test_a_worker_sleeps_until_the_next_look(next_look_us: int | None, seconds: float) -> None:
    assert await Stage(Taken((), next_look_us)).run() == seconds


async def test_a_worker_whose_database_is_away_tries_again_soon() -> None:
    assert await Stage(StoreError("away")).run() == 1.0
