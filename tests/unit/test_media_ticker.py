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


async def test_members_share_the_phases_evenly_and_keep_20_ms_each(clock):
    ticker = Ticker(clock, phases=4)
    members = [Counter(ticker, clock) for _ in range(7)] + [Counter(ticker, clock, stop_after=50)]
    for member in members:
        ticker.add(member)
    await ticker.run()
    first = [member.times[0] for member in members]
    assert sorted(first) == pytest.approx([1000.02] * 2 + [1000.025] * 2 + [1000.03] * 2 + [1000.035] * 2)
    for member in members:
        gaps = [after - before for before, after in zip(member.times, member.times[1:], strict=False)]
        assert gaps == pytest.approx([0.02] * len(gaps))
    assert ticker.lateness().ticks == 50


async def test_a_long_stall_skips_the_same_for_every_phase(clock):
    ticker = Ticker(clock, phases=4)
    members = [Counter(ticker, clock) for _ in range(3)] + [Counter(ticker, clock, stop_after=50)]
    for member in members:
        ticker.add(member)
    clock.stalls = [0.0] * 10 + [3.0]
    await ticker.run()
    assert {member.skipped for member in members} == {145}
    assert {len(member.times) for member in members} == {50}
    late = [member.times[-1] - (1000.02 + 0.02 * (49 + 145)) for member in members]
    assert late == pytest.approx([0.0, 0.005, 0.01, 0.015])
    assert ticker.lateness().skipped == 145


async def test_members_settle_after_the_callbacks_of_their_phase(clock):
    order = []

    class Settling(Counter):
        def tick(self):
            order.append("tick")
            super().tick()

        def settle(self):
            order.append("settle")

    ticker = Ticker(clock, phases=2)
    for _ in range(3):
        ticker.add(Settling(ticker, clock, stop_after=2))
    ticker.after(lambda: order.append("after"))
    await ticker.run()
    assert order[:8] == ["tick", "tick", "after", "settle", "settle", "tick", "after", "settle"]


async def test_a_member_that_cannot_settle_is_removed_and_told(clock):
    ticker = Ticker(clock)
    broken = Counter(ticker, clock)
    broken.settle = lambda: 1 / 0
    ticker.add(broken)
    ticker.add(Counter(ticker, clock, stop_after=5))
    await ticker.run()
    assert len(broken.times) == 1
    assert isinstance(broken.errors[0], ZeroDivisionError)


async def test_a_process_that_is_short_of_time_does_not_flood_its_log(ticker, clock, caplog):
    ticker.add(Counter(ticker, clock, stop_after=600))
    clock.stalls = [0.0, *[0.2] * 100]
    await ticker.run()
    lines = [record.getMessage() for record in caplog.records]
    assert 2 <= len(lines) <= 4
    assert lines[0] == "audio stood still: 100 ms skipped"
    assert ticker.lateness().skipped > 100
