"""The ticker on a clock that the test moves."""

import logging

import pytest

from ringback.media.ticker import Ticker


class ScriptedClock:
    """Sleeping moves it on; `stall` makes the next sleep return so much too late."""

    def __init__(self):
        self.time = 1000.0
        self.stalls = []

    def now_us(self):
        return int(self.time * 1e6)

    def monotonic(self):
        return self.time

    async def sleep(self, seconds):
        self.time += seconds + (self.stalls.pop(0) if self.stalls else 0.0)


class Counter:
    """Counts its ticks and stops the ticker after so many; may raise at one of them."""

    def __init__(self, ticker, clock, stop_after=10**9, raise_at=None):
        self.ticker, self.clock = ticker, clock
        self.stop_after, self.raise_at = stop_after, raise_at
        self.times, self.skipped, self.errors = [], 0, []

    def tick(self):
        self.times.append(self.clock.time)
        if len(self.times) == self.raise_at:
            raise RuntimeError("broken")
        if len(self.times) == self.stop_after:
            self.ticker.stop()

    def settle(self): ...

    def skip(self, ticks):
        self.skipped += ticks

    def failed(self, error):
        self.errors.append(error)


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def ticker(clock):
    return Ticker(clock, phases=1)


async def test_the_schedule_does_not_drift(ticker, clock):
    member = Counter(ticker, clock, stop_after=1000)
    clock.stalls = [0.004, 0.0, 0.011] * 300
    ticker.add(member)
    await ticker.run()
    late = [time - (1000.0 + 0.02 * (n + 1)) for n, time in enumerate(member.times)]
    assert max(late) == pytest.approx(0.011)
    assert late[-1] == pytest.approx(0.0, abs=1e-9)
    assert member.skipped == 0


async def test_a_short_stall_is_made_up_for(ticker, clock):
    member = Counter(ticker, clock, stop_after=20)
    clock.stalls = [0.0, 0.0, 0.09]
    ticker.add(member)
    await ticker.run()
    assert member.skipped == 0
    assert member.times[2:7] == pytest.approx([1000.15] * 5)
    assert member.times[-1] == pytest.approx(1000.4)


async def test_after_a_long_stall_the_oldest_ticks_are_skipped_and_counted(ticker, clock):
    member = Counter(ticker, clock, stop_after=50)
    clock.stalls = [0.0, 3.0]
    ticker.add(member)
    await ticker.run()
    assert member.skipped == 145
    assert member.times[-1] == pytest.approx(1000.0 + 0.02 * (50 + 145))
    lateness = ticker.lateness()
    assert lateness.skipped == 145
    assert lateness.ticks == 50
    assert lateness.max_ms == pytest.approx(3000)


async def test_lateness_is_told_as_percentiles(ticker, clock):
    assert ticker.lateness().p99_ms == 0
    member = Counter(ticker, clock, stop_after=100)
    clock.stalls = [0.001 * (i % 10) for i in range(100)]
    ticker.add(member)
    await ticker.run()
    lateness = ticker.lateness()
    assert lateness.p50_ms == pytest.approx(5)
    assert lateness.p99_ms == pytest.approx(9)


async def test_a_member_that_raises_is_removed_and_told_and_the_others_go_on(ticker, clock, caplog):
    broken = Counter(ticker, clock, raise_at=3)
    healthy = Counter(ticker, clock, stop_after=10)
    ticker.add(broken)
    ticker.add(healthy)
    await ticker.run()
    assert len(broken.times) == 3
    assert [str(error) for error in broken.errors] == ["broken"]
    assert len(healthy.times) == 10
    assert "RuntimeError('broken')" in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_member_that_raises_even_when_told_stops_nobody(ticker, clock):
    broken = Counter(ticker, clock, raise_at=1)
    broken.failed = lambda error: 1 / 0
    healthy = Counter(ticker, clock, stop_after=5)
    ticker.add(broken)
    ticker.add(healthy)
    await ticker.run()
    assert len(healthy.times) == 5


async def test_a_member_removed_during_a_tick_does_not_get_it(ticker, clock):
    second = Counter(ticker, clock)
    first = Counter(ticker, clock, stop_after=3)
    first_tick = first.tick
    first.tick = lambda: (first_tick(), ticker.remove(second))
    ticker.add(first)
    ticker.add(second)
    await ticker.run()
    assert second.times == []


async def test_after_runs_once_a_tick_behind_all_members_and_survives_an_error(ticker, clock, caplog):
    members = [Counter(ticker, clock), Counter(ticker, clock, stop_after=5)]
    seen = []

    def batch():
        seen.append([len(member.times) for member in members])
        if len(seen) in (2, 3):
            raise RuntimeError("no detector")

    ticker.after(batch)
    for member in members:
        ticker.add(member)
    with caplog.at_level(logging.ERROR):
        await ticker.run()
    assert seen == [[n, n] for n in range(1, 6)]
    assert caplog.text.count("no detector") == 1
