"""When a batch is paused."""

from __future__ import annotations

import pytest

from ringback.dialing.breaker import trips
from ringback.executions.lifecycle import Status

F, E, B, C = Status.FAILED, Status.ERROR, Status.BUSY, Status.COMPLETED


@pytest.mark.parametrize(
    ("last", "paused"),
    [
        ([], False),
        ([F] * 9, False),  # too few to judge
        ([F] * 10, True),
        ([E] * 4 + [F] * 4 + [C] * 2, True),
        ([F] * 7 + [C] * 3, False),
        ([B] * 10, False),  # the people's, not ours
        ([C] * 10 + [F] * 90, False),  # older ones don't count
    ],
)
def test_most_of_the_last_calls_failed(last: list[Status], paused: bool) -> None:
    assert (trips(last, 10, 0.8) is not None) is paused


def test_it_says_how_many() -> None:
    why = trips([F] * 17 + [C] * 3, 20, 0.8)
    assert why is not None
    assert why.startswith("17 of the last 20 calls failed")


def test_a_batch_that_nobody_pays_for_waits_for_a_top_up() -> None:
    why = trips([Status.BALANCE_LOW] * 20, 20, 0.8)
    assert why is not None
    assert why.startswith("20 of the last 20 calls failed or could not be paid for; ")


def test_it_can_be_switched_off() -> None:
    assert trips([F] * 100, 0, 0.8) is None
