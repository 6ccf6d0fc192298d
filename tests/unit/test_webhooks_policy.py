"""When webhooks are tried again, and when they or their endpoints are given up."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.webhooks.policy import (
    DAY_US,
    LONGEST_RETRY_AFTER_US,
    LONGEST_US,
    SHORTEST_US,
    TRIED_FOR_US,
    Failure,
    Health,
    after_failure,
    after_try,
    is_down,
    pause_us,
    retry_after_us,
)

SECOND = 1_000_000
NOW = 1_795_493_045 * SECOND
BROKEN = Failure("The receiver answered 500.", 500)
CHANCES = st.floats(0, 1)


def test_pauses_double_up_to_six_hours() -> None:
    pauses = [pause_us(tries, 0.5) / SECOND for tries in range(1, 16)]
    assert pauses[:6] == [5, 10, 20, 40, 80, 160]
    assert pauses[12:] == [20480, 21600, 21600]


@given(st.integers(1, 10**9), CHANCES)
def test_pauses_stay_in_their_range(tries: int, chance: float) -> None:
    assert SHORTEST_US * 0.8 <= pause_us(tries, chance) <= LONGEST_US * 1.2
    assert pause_us(tries, 0.0) < pause_us(tries, 1.0)


@given(st.lists(CHANCES, min_size=200, max_size=200))
def test_a_delivery_is_tried_for_three_days_and_then_given_up(chances: list[float]) -> None:
    now, times = NOW, []
    for chance in chances:
        times.append(now)
        then = after_try(BROKEN, tries=len(times), first_try_at=NOW, now_us=now, chance=chance)
        if then.state == "dead":
            break
        assert then.due_at > now
        now = then.due_at
    assert now == NOW + TRIED_FOR_US
    assert 20 <= len(times) <= 30
    assert then.error == f"Given up after {len(times)} tries in three days: The receiver answered 500."


def test_a_receiver_that_asks_for_time_has_it() -> None:
    asked = Failure("429", 429, 3600 * SECOND)
    then = after_try(asked, tries=1, first_try_at=NOW, now_us=NOW, chance=0.5)
    assert then.due_at == NOW + 3600 * SECOND
    # A short wish does not shorten the pause: a receiver that is always busy is not asked every second.
    short = Failure("503", 503, SECOND)
    assert after_try(short, tries=8, first_try_at=NOW, now_us=NOW, chance=0.5).due_at == NOW + 640 * SECOND


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120),
        (" 0 ", 0),
        ("99999999999999999999", 86_400),
        (format_datetime(datetime.fromtimestamp(NOW // SECOND + 90, UTC), usegmt=True), 90),
        (format_datetime(datetime.fromtimestamp(NOW // SECOND - 90, UTC), usegmt=True), 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        ("１２", None),
    ],
)
def test_retry_after(value: str | None, seconds: int | None) -> None:
    assert retry_after_us(value, NOW) == (None if seconds is None else seconds * SECOND)


@given(st.text(max_size=40))
def test_retry_after_never_raises_and_is_bounded(value: str) -> None:
    asked = retry_after_us(value, NOW)
    assert asked is None or 0 <= asked <= LONGEST_RETRY_AFTER_US


def test_an_endpoint_that_fails_for_three_days_is_disabled() -> None:
    health, now = Health(), NOW
    while not health.disabled:
        assert now - NOW <= TRIED_FOR_US
        health = after_failure(health, BROKEN, now)
        now += DAY_US // 4
    assert now - DAY_US // 4 == NOW + TRIED_FOR_US
    assert health.failing_since == NOW


def test_an_endpoint_that_is_down_is_asked_once_a_minute_at_the_least() -> None:
    health, rests = Health(), []
    for _ in range(40):
        health = after_failure(health, BROKEN, NOW)
        rests.append((health.paused_until - NOW) // SECOND if health.paused_until > NOW else 0)
    assert rests[:12] == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert rests[-1] == 60
    assert [is_down(n) for n in (4, 5)] == [False, True]


def test_who_asks_for_time_is_left_alone_by_all_deliveries() -> None:
    health = after_failure(Health(), Failure("429", 429, 600 * SECOND), NOW)
    assert health.paused_until == NOW + 600 * SECOND
    assert after_failure(health, BROKEN, NOW).paused_until == NOW + 600 * SECOND
