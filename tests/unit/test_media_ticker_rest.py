"""The ticker without members: it sleeps, is awake at once when one joins, and still knows how late the process is."""

from __future__ import annotations

import asyncio

import pytest

from ringback.media.admission import WINDOW_S, Admission
from ringback.media.ticker import TICK_S, Ticker
from tests.support.virtual_loop import VirtualClock, run_virtually


class WatchedClock(VirtualClock):
    """Counts the sleeps; each takes so much longer than asked for."""

    def __init__(self) -> None:
        self.sleeps = 0
        self.late_s = 0.0

    async def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        await asyncio.sleep(seconds + self.late_s)


class Member:
    def __init__(self) -> None:
        self.times: list[float] = []
        self.skipped = 0

    def tick(self) -> None:
        self.times.append(asyncio.get_running_loop().time())

    def settle(self) -> None: ...

    def skip(self, ticks: int) -> None:
        self.skipped += ticks

    def failed(self, error: Exception) -> None:
        raise error


class Running:
    """`async with`: a ticker that runs."""

    def __init__(self) -> None:
        self.clock = WatchedClock()
        self.ticker = Ticker(self.clock)

    async def __aenter__(self) -> Running:
        self.task = asyncio.create_task(self.ticker.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.ticker.stop()
        await self.task

    async def sleeps_in(self, seconds: float) -> int:
        before = self.clock.sleeps
        await asyncio.sleep(seconds)
        return self.clock.sleeps - before


def _stall(seconds: float) -> None:
    asyncio.get_running_loop()._virtual.now += seconds  # type: ignore[attr-defined]


def test_without_members_it_sleeps() -> None:
    async def work() -> None:
        async with Running() as running:
            assert await running.sleeps_in(60.0) < 3 * 60
            assert running.ticker.lateness().max_ms == 0

    run_virtually(work())


@pytest.mark.parametrize("idle_s", [0.0, 0.013, 0.499, 0.5, 0.501, 0.777, 3.141, 61.0])
def test_members_that_join_have_their_first_tick_soon_and_the_others_20_ms_apart(idle_s: float) -> None:
    async def work() -> None:
        async with Running() as running:
            await asyncio.sleep(idle_s)
            members = [Member() for _ in range(3)]
            joined = []
            for member in members:
                joined.append(asyncio.get_running_loop().time())
                running.ticker.add(member)
                await asyncio.sleep(0.006)
            await asyncio.sleep(1.0)
        for since, member, within in zip(joined, members, (TICK_S, 1.5 * TICK_S, TICK_S), strict=True):
            assert since <= member.times[0] <= since + within + 1e-9
            gaps = [after - before for before, after in zip(member.times, member.times[1:], strict=False)]
            assert len(gaps) >= 48
            assert gaps == pytest.approx([TICK_S] * len(gaps))
            assert member.skipped == 0
        assert running.ticker.lateness().max_ms == pytest.approx(0, abs=1e-6)

    run_virtually(work())


def test_what_the_process_lost_between_the_joining_and_its_waking_up_is_lateness() -> None:
    async def work() -> None:
        async with Running() as running:
            await asyncio.sleep(3.3)
            member = Member()
            running.ticker.add(member)
            _stall(0.07)
            await asyncio.sleep(0.93)
            assert 50 <= running.ticker.lateness(WINDOW_S).max_ms <= 70
            assert len(member.times) == pytest.approx(50, abs=1)

    run_virtually(work())


def test_after_a_long_stall_at_the_joining_ticks_are_skipped() -> None:
    async def work() -> None:
        async with Running() as running:
            await asyncio.sleep(3.3)
            member = Member()
            running.ticker.add(member)
            _stall(2.0)
            await asyncio.sleep(1.0)
            assert member.skipped == pytest.approx(95, abs=1)
            assert member.skipped + len(member.times) == pytest.approx(150, abs=1)

    run_virtually(work())


def test_it_does_not_sleep_while_there_is_a_member_nor_soon_after() -> None:
    async def work() -> None:
        async with Running() as running:
            member = Member()
            running.ticker.add(member)
            assert await running.sleeps_in(10.0) >= 499
            running.ticker.remove(member)
            assert await running.sleeps_in(4.9) >= 244
            await asyncio.sleep(0.2)
            assert await running.sleeps_in(10.0) < 30
            assert len(member.times) == pytest.approx(500, abs=1)

    run_virtually(work())


def test_on_a_machine_short_of_time_a_process_without_calls_knows_it_and_takes_none() -> None:
    async def work() -> None:
        async with Running() as running:
            admission = Admission(lambda: running.ticker.lateness(WINDOW_S).p99_ms, 20.0)
            await asyncio.sleep(60.0)
            assert admission()
            running.clock.late_s = 0.03
            await asyncio.sleep(2.0)
            assert not admission()
            await asyncio.sleep(60.0)
            assert not admission()
            running.clock.late_s = 0.0
            await asyncio.sleep(2 * WINDOW_S)
            assert admission()
            assert await running.sleeps_in(10.0) < 30

    run_virtually(work())


def test_waking_up_late_once_is_seen_and_forgiven() -> None:
    async def work() -> None:
        async with Running() as running:
            admission = Admission(lambda: running.ticker.lateness(WINDOW_S).p99_ms, 20.0)
            await asyncio.sleep(60.1)
            _stall(0.9)
            await asyncio.sleep(0.0)
            await asyncio.sleep(1.0)
            assert 300 < running.ticker.lateness(WINDOW_S).max_ms <= 900
            assert admission()
            assert running.ticker.lateness().skipped == 0

    run_virtually(work())


def test_one_that_is_stopped_or_cancelled_in_its_sleep_leaves_nothing_behind() -> None:
    async def work() -> None:
        async with Running() as running:
            await asyncio.sleep(7.7)
            before = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() == before
        task = asyncio.create_task(Ticker(running.clock).run())
        await asyncio.sleep(7.7)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert asyncio.get_running_loop().time() == pytest.approx(before + 7.7)

    run_virtually(work())
