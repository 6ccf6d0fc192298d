"""Second legs in memory: a person who takes the call, or not, by a script."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, cast

from ringback.conversation.transfer import TransferRefused, TransferResult
from ringback.media.leg import Answered, Ended, Ringing
from ringback.media.recorder import Recorder, Recording, RecordingError
from tests.support.fake_leg import FakeLeg

Taker = Callable[[FakeLeg], Awaitable[None]]


class Reel:
    """Implements what is used of a `Recorder`."""

    def __init__(self, full: bool) -> None:
        self.frames = 0
        self.closed = False
        self._full = full

    def write(self, heard: Any, spoken: Any) -> None:
        self.frames += 1

    async def close(self) -> Recording:
        self.closed = True
        if self._full:
            raise RecordingError("the disk is full")
        return Recording(Path("x"), 0, "", 0)


class FakeSecondLeg:
    """Implements `conversation.transfer.SecondLeg`; `told` is its record."""

    def __init__(self, leg: FakeLeg | None, full: bool) -> None:
        self._leg = leg
        self._full = full
        self.told: list[str] = []
        self.reel: Reel | None = None
        self.result: TransferResult | None = None
        self.over: Ended | None = None
        self.by_caller = False

    @property
    def leg(self) -> FakeLeg:
        assert self._leg is not None
        return self._leg

    def recorder(self) -> Recorder:
        self.reel = Reel(self._full)
        return cast(Recorder, self.reel)

    def rings(self) -> None:
        self.told.append("rings")

    def answered(self) -> None:
        self.told.append("answered")

    def joined(self) -> None:
        self.told.append("joined")

    async def ended(self, result: TransferResult, ended: Ended | None, *, by_caller: bool) -> None:
        assert self.result is None, "it ends twice"
        self.result, self.over, self.by_caller = result, ended, by_caller
        await asyncio.sleep(0.01)


class FakeSwitchboard:
    """Implements `conversation.transfer.Switchboard`. Each of `takers` plays one second leg."""

    def __init__(self, *takers: Taker, refuses: bool = False) -> None:
        self._takers = list(takers)
        self._refuses = refuses
        self.full = False
        """The disk for the recordings."""
        self._acting: set[asyncio.Task[None]] = set()
        self.dialled: list[tuple[str, str]] = []
        self.legs: list[FakeSecondLeg] = []

    async def begin(
        self, kind: Literal["attended", "blind"], to_number: str, ring_timeout_s: float
    ) -> FakeSecondLeg:
        await asyncio.sleep(0.01)
        if self._refuses:
            raise TransferRefused("There is no database.")
        assert all(leg.result is not None for leg in self.legs), "two transfers at a time"
        self.dialled.append((kind, to_number))
        second = FakeSecondLeg(FakeLeg() if kind == "attended" else None, self.full)
        self.legs.append(second)
        if kind == "attended":
            acting = asyncio.ensure_future(self._takers.pop(0)(second.leg))
            self._acting.add(acting)
            acting.add_done_callback(self._acting.discard)
        return second

    async def close(self) -> None:
        for acting in self._acting:
            acting.cancel()
        await asyncio.gather(*self._acting, return_exceptions=True)


async def answers_after(leg: FakeLeg, seconds: float = 2.0) -> None:
    leg.give(Ringing())
    await asyncio.sleep(seconds)
    leg.give(Answered())
