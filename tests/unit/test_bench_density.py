"""The arithmetic of the density benchmark: lateness on the wire, and the search for the most calls."""

import math

import numpy as np
import pytest

from benchmarks.density.ladder import most
from benchmarks.density.rung import Rung
from benchmarks.density.wire import lateness_ms, spread


def test_a_punctual_stream_is_not_late_whatever_its_delay_and_timestamps():
    stamps = [(2**32 - 320 + 160 * n) % 2**32 for n in range(10)]
    arrived = [7.125 + 0.02 * n for n in range(10)]
    assert lateness_ms(arrived, stamps) == pytest.approx(np.zeros(10), abs=1e-6)


def test_a_late_packet_is_late_by_itself_and_a_gap_in_the_timestamps_is_nobodys_lateness():
    stamps = [0, 160, 320, 1600, 1760]
    arrived = [5.0, 5.02, 5.047, 5.2, 5.221]
    assert lateness_ms(arrived, stamps) == pytest.approx([0, 0, 7, 0, 1], abs=1e-6)


def test_a_stream_that_fell_behind_stays_late():
    stamps = [160 * n for n in range(6)]
    arrived = [1.0, 1.02, 1.04, 1.09, 1.11, 1.13]
    assert lateness_ms(arrived, stamps) == pytest.approx([0, 0, 0, 30, 30, 30], abs=1e-6)


def test_percentiles_of_nothing_are_not_a_number():
    assert math.isnan(spread([]).p99)
    assert len(lateness_ms([], [])) == 0


class Step:
    def __init__(self, holds: bool) -> None:
        self.holds = holds


@pytest.mark.parametrize("limit", [0, 119, 120, 125, 131, 199, 240, 241, 333])
def test_the_search_finds_the_most_calls_to_within_its_fineness(limit):
    found = most(lambda calls: Step(calls <= limit), start=120, stride=40, fine=10)
    if limit < 10:
        assert found == 0
    else:
        assert limit - 10 < found <= limit


def test_a_step_that_fails_once_is_tried_again():
    tried = []

    def climb(calls):
        tried.append(calls)
        return Step(calls < 200 and tried.count(calls) == 2)

    assert most(climb, start=120, stride=40, fine=40) == 160
    assert tried.count(120) == 2


@pytest.mark.parametrize(
    ("p99", "missed", "failures", "holds"),
    [(19.9, 0, 0, True), (20.0, 0, 0, False), (5.0, 1, 0, True), (5.0, 2, 0, False), (5.0, 0, 1, False)],
)
def test_a_rung_holds_while_frames_are_punctual_and_answers_come(p99, missed, failures, holds):
    people = {"lateness": {"p99": p99}, "missed": missed, "turns": 100}
    assert Rung(50, people, {"failures": failures}).holds is holds
