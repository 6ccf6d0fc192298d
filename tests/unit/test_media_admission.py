"""Admission by lateness: when a process takes no more calls, and when it does again."""

import logging

import pytest

from ringback.media.admission import Admission
from ringback.media.ticker import TICK_S, Ticker
from tests.unit.test_media_ticker import Counter, ScriptedClock


@pytest.mark.parametrize(
    ("lateness_ms", "admits"),
    [
        ([0.0, 9.9, 10.0], [True, True, True]),
        ([10.1, 9.0, 5.1, 5.0, 9.9, 10.1], [False, False, False, True, True, False]),
        ([500.0, 0.0], [False, True]),
    ],
)
def test_it_closes_above_the_limit_and_opens_at_half_of_it(lateness_ms, admits):
    readings = iter(lateness_ms)
    admission = Admission(lambda: next(readings), 10.0)
    assert [admission() for _ in lateness_ms] == admits


def test_it_says_so_once_each_way(caplog):
    readings = iter([1.0, 25.0, 30.0, 8.0, 3.0, 2.0])
    admission = Admission(lambda: next(readings), 10.0)
    with caplog.at_level(logging.INFO):
        for _ in range(6):
            admission()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "25 ms late, the limit is 10 ms" in caplog.text
    assert "at most 3 ms late" in caplog.text


async def test_a_stall_that_is_long_past_is_forgotten():
    clock = ScriptedClock()
    ticker = Ticker(clock)
    clock.stalls = [0.1]
    ticker.add(Counter(ticker, clock, stop_after=round(5 / TICK_S) + 6))
    await ticker.run()
    assert ticker.lateness(5.0).max_ms == 0
    assert ticker.lateness().max_ms == pytest.approx(100)
