"""Limits as numbers: the rate is never gone over in any second, and what is free is shared out fairly."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.dialing.limits import (
    HORIZON_US,
    SKEW_US,
    UNLIMITED,
    Bound,
    Lane,
    Usage,
    interval_us,
    reserve,
    shares,
)

SECOND = 1_000_000
T = 1_795_493_045_000_000


@given(
    rate=st.floats(0.5, 50),
    other_us=st.integers(1, 3 * SECOND),
    asked=st.lists(
        st.tuples(st.integers(0, 2 * SECOND), st.integers(-SECOND, SECOND)), min_size=1, max_size=60
    ),
)
def test_no_second_holds_more_dials_than_the_rate_and_no_dial_is_before_its_asking(
    rate: float, other_us: int, asked: list[tuple[int, int]]
) -> None:
    """`asked`: time since the one before, and how much the clock of who asks is wrong."""
    interval = interval_us(rate)
    assert interval is not None
    tats, time_us, dials = [0, 0], T, []
    for gap, wrong in asked:
        time_us += gap
        now = time_us + wrong
        if max(tats) - now > SKEW_US:
            continue  # nobody claims what is not dialled within a second
        dial_at, tats = reserve(now, [(tats[0], interval), (tats[1], other_us)])
        assert dial_at >= now
        dials.append(dial_at)
    assert dials == sorted(dials)
    for place, begin in enumerate(dials):
        assert bisect_left(dials, begin + SECOND) - place <= math.ceil(rate)


def test_a_rate_is_used_to_the_full() -> None:
    tat, dials = 0, []
    for _ in range(11):
        dial_at, [tat] = reserve(T, [(tat, 100_000)])
        dials.append(dial_at - T)
    assert dials == [100_000 * n for n in range(11)]


def test_a_clock_that_was_ahead_keeps_nobody_waiting() -> None:
    assert reserve(T, [(T + 3600 * SECOND, 100_000)]) == (T + 100_000, [T + 200_000])


def test_without_a_rate_the_dial_is_now() -> None:
    assert interval_us(0) is None
    assert reserve(T, []) == (T, [])


@pytest.mark.parametrize(
    ("interval", "ahead", "claimed", "more"),
    [
        (None, 0, 99, UNLIMITED),
        (100_000, -5 * SECOND, 0, 11),
        (100_000, 0, 4, 7),
        (100_000, 0, 40, 0),
        (100_000, HORIZON_US, 0, 1),
        (100_000, HORIZON_US + 1, 0, 0),
        (5 * SECOND, 0, 0, 1),
        (5 * SECOND, 5 * SECOND, 0, 0),
        (100_000, 3600 * SECOND, 0, 10),
    ],
)
def test_nobody_claims_what_cannot_be_dialled_within_the_horizon(
    interval: int | None, ahead: int, claimed: int, more: int
) -> None:
    assert Bound(None, 0, interval, T + ahead, claimed).in_time(T) == more


@pytest.mark.parametrize(
    ("most", "calls", "free"), [(None, 9, UNLIMITED), (5, 2, 3), (5, 5, 0), (5, 9, 0), (0, 0, 0)]
)
def test_what_is_free_is_never_negative(most: int | None, calls: int, free: int) -> None:
    assert Bound(most, calls, None, 0, 0).free == free


LIMIT = st.none() | st.integers(0, 12)


@given(
    free=st.integers(0, 40),
    lanes=st.lists(st.tuples(st.sampled_from("ABC"), LIMIT), max_size=8),
    agents=st.fixed_dictionaries(dict.fromkeys("ABC", LIMIT)),
    used=st.lists(st.integers(0, 6), min_size=8, max_size=8),
)
def test_shares_are_equal_within_all_limits_and_leave_nothing_unused(
    free: int, lanes: list[tuple[str, int | None]], agents: dict[str, int | None], used: list[int]
) -> None:
    asking = [Lane(str(n), agent, most, agents[agent]) for n, (agent, most) in enumerate(lanes)]
    taken = dict(zip((lane.key for lane in asking), used, strict=False))
    by_agent = Counter[str]()
    for lane in asking:
        by_agent[lane.agent_id] += taken[lane.key]
    got = Counter({lane.key: share for lane, share in shares(free, asking, Usage(taken, by_agent))})
    assert all(got.values())
    assert got.total() <= free
    after = by_agent + Counter[str]()
    for lane in asking:
        after[lane.agent_id] += got[lane.key]

    def full(lane: Lane) -> bool:
        calls, agent = taken[lane.key] + got[lane.key], after[lane.agent_id]
        return (lane.max_calls is not None and calls >= lane.max_calls) or (
            lane.agent_calls is not None and agent >= lane.agent_calls
        )

    for lane in asking:
        if got[lane.key]:
            assert lane.max_calls is None or taken[lane.key] + got[lane.key] <= lane.max_calls
            assert lane.agent_calls is None or after[lane.agent_id] <= lane.agent_calls
    open_lanes = [lane for lane in asking if not full(lane)]
    assert not open_lanes or got.total() == free
    for lane in open_lanes:
        assert max(got.values(), default=0) - got[lane.key] <= 1


def test_the_least_recently_served_get_what_does_not_divide() -> None:
    lanes = [Lane(key, key, None, None) for key in "abc"]
    assert [share for _, share in shares(7, lanes, Usage({}, {}))] == [3, 2, 2]
    assert [lane.key for lane, _ in shares(2, lanes, Usage({}, {}))] == ["a", "b"]
