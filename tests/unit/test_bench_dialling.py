"""The arithmetic of the dialling benchmark: how many calls were open at once, and the worst second."""

from __future__ import annotations

import pytest

from benchmarks.dialling.limits import most_open, worst_second


def _event(at: int, event: str) -> dict[str, object]:
    return {"at": at, "event": event}


def test_open_calls_are_counted_between_invite_and_end_and_an_end_makes_room_for_a_beginning_at_once() -> (
    None
):
    events = [
        _event(1, "invite"),
        _event(2, "invite"),
        _event(2, "final"),
        _event(3, "over"),
        _event(3, "invite"),
        _event(4, "acked"),
        _event(5, "over"),
        _event(6, "invite"),
    ]
    assert most_open(events) == 2
    assert most_open([]) == 0


@pytest.mark.parametrize(
    ("times", "worst"),
    [
        ([], 0),
        ([0, 999_999], 2),
        ([0, 1_000_000], 1),
        ([n * 100_000 for n in range(50)], 10),
        ([*(n * 100_000 for n in range(50)), 4_950_000], 11),
    ],
)
def test_the_worst_second_is_any_window_of_one_second(times: list[int], worst: int) -> None:
    assert worst_second(times) == worst
