"""The one clock. Everything that asks for the time or waits gets a `Clock`; tests give it a virtual one."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for records, monotonic time for intervals, and the only way to wait."""

    def now_us(self) -> int:
        """Wall time: microseconds since the Unix epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; the virtual clock of a test returns when its time has come."""
        ...


class SystemClock:
    """The real clock of the machine."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
