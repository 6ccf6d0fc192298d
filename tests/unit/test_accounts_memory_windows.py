"""Counts in memory: what they forget."""

from __future__ import annotations

from ringback.accounts.rate_limits import MemoryWindows


async def test_memory_holds_one_minute() -> None:
    windows = MemoryWindows()
    for minute in range(100):
        for account in range(10):
            assert await windows.add(f"{minute}-{account}", "other", minute) == (minute, 1)
    assert len(windows._requests) == 10
