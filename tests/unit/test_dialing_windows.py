"""Calling hours: against clocks on the wall, through every kind of change they know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ringback.dialing.windows import ALWAYS_US, NeverOpen, Window, closes, next_open

MINUTE_US = 60_000_000
NEW_YORK = "America/New_York"

# Zone, window, local time (a fold in brackets), local time of the next opening or "now".
OPENINGS = [
    # an ordinary day
    (NEW_YORK, (9, 17), "2026-06-05 08:59:59.999999", "2026-06-05 09:00"),
    (NEW_YORK, (9, 17), "2026-06-05 09:00", "now"),
    (NEW_YORK, (9, 17), "2026-06-05 16:59:59.999999", "now"),
    (NEW_YORK, (9, 17), "2026-06-05 17:00", "2026-06-06 09:00"),
    (NEW_YORK, (9, 17), "2026-12-31 20:00", "2027-01-01 09:00"),
    ("Asia/Kolkata", (9, 17), "2026-06-05 03:10", "2026-06-05 09:00"),
    ("Asia/Kathmandu", (9, 17), "2026-06-05 17:10", "2026-06-06 09:00"),
    # over midnight
    (NEW_YORK, (22, 6), "2026-06-05 21:59", "2026-06-05 22:00"),
    (NEW_YORK, (22, 6), "2026-06-05 22:00", "now"),
    (NEW_YORK, (22, 6), "2026-06-06 00:00", "now"),
    (NEW_YORK, (22, 6), "2026-06-06 05:59:59.999999", "now"),
    (NEW_YORK, (22, 6), "2026-06-06 06:00", "2026-06-06 22:00"),
    (NEW_YORK, (9, 0), "2026-06-05 23:59", "now"),
    (NEW_YORK, (9, 0), "2026-06-06 00:00", "2026-06-06 09:00"),
    # the last hour of the day can't be had with a start before it
    (NEW_YORK, (0, 23), "2026-06-05 23:00", "2026-06-06 00:00"),
    # equal hours
    (NEW_YORK, (0, 0), "2026-06-05 03:00", "now"),
    (NEW_YORK, (9, 9), "2026-06-05 08:00", "now"),
    # clocks go forward, 02:00 to 03:00 on the 8th of March
    (NEW_YORK, (9, 17), "2026-03-07 18:00", "2026-03-08 09:00"),
    (NEW_YORK, (2, 5), "2026-03-08 01:59", "2026-03-08 03:00"),
    (NEW_YORK, (2, 3), "2026-03-08 01:59", "2026-03-09 02:00"),
    (NEW_YORK, (22, 2), "2026-03-08 01:59", "now"),
    (NEW_YORK, (22, 2), "2026-03-08 03:00", "2026-03-08 22:00"),
    # and back, 02:00 to 01:00 on the 1st of November
    (NEW_YORK, (9, 17), "2026-10-31 18:00", "2026-11-01 09:00"),
    (NEW_YORK, (1, 5), "2026-11-01 00:30", "2026-11-01 01:00"),
    (NEW_YORK, (2, 5), "2026-11-01 01:30", "2026-11-01 02:00"),
    (NEW_YORK, (2, 5), "2026-11-01 01:30 (1)", "2026-11-01 02:00"),
    (NEW_YORK, (20, 1), "2026-11-01 01:00", "2026-11-01 20:00"),
    (NEW_YORK, (20, 1), "2026-11-01 01:00 (1)", "2026-11-01 20:00"),
    (NEW_YORK, (1, 2), "2026-11-01 01:30 (1)", "now"),
    # half an hour: 02:00 to 02:30 on the 4th of October, 02:00 to 01:30 on the 5th of April
    ("Australia/Lord_Howe", (2, 5), "2026-10-04 01:59", "2026-10-04 02:30"),
    ("Australia/Lord_Howe", (2, 5), "2026-04-05 01:45", "2026-04-05 02:00"),
    ("Australia/Lord_Howe", (1, 2), "2026-04-05 01:45 (1)", "now"),
    # midnight that did not exist: 00:00 to 01:00
    ("America/Sao_Paulo", (0, 5), "2018-11-03 23:59", "2018-11-04 01:00"),
    ("America/Sao_Paulo", (0, 1), "2018-11-03 23:59", "2018-11-05 00:00"),
    # back over midnight, 00:00 to 23:00 of the day before
    ("America/Sao_Paulo", (0, 5), "2018-02-17 23:30", "2018-02-18 00:00"),
    ("America/Sao_Paulo", (22, 0), "2018-02-17 23:30 (1)", "now"),
    # back from 00:01 to 23:01: closed for a minute, then open again
    ("America/St_Johns", (22, 0), "2010-11-07 00:00", "2010-11-06 23:01 (1)"),
    # a day that was left out
    ("Pacific/Apia", (9, 17), "2011-12-29 18:00", "2011-12-31 09:00"),
]


def moment(zone: str, text: str) -> int:
    wall, _, fold = text.partition(" (")
    local = datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone), fold=int(bool(fold)))
    assert local.astimezone(UTC).astimezone(local.tzinfo).replace(fold=0) == local.replace(fold=0), "skipped"
    return (local.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def wall(zone: str, us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC).astimezone(ZoneInfo(zone))


@pytest.mark.parametrize(("zone", "hours", "now", "opens"), OPENINGS)
def test_the_next_opening(zone: str, hours: tuple[int, int], now: str, opens: str) -> None:
    now_us = moment(zone, now)
    found = next_open(Window(*hours), [ZoneInfo(zone)], now_us)
    assert found == (now_us if opens == "now" else moment(zone, opens)), wall(zone, found)


@pytest.mark.parametrize(
    ("zone", "hours", "now", "closed"),
    [
        (NEW_YORK, (9, 17), "2026-06-05 09:00", "2026-06-05 17:00"),
        (NEW_YORK, (22, 6), "2026-06-05 23:00", "2026-06-06 06:00"),
        (NEW_YORK, (22, 6), "2026-03-07 23:00", "2026-03-08 06:00"),
        # inside the gap, or in the hour that comes twice
        (NEW_YORK, (22, 2), "2026-03-07 23:00", "2026-03-08 03:00"),
        (NEW_YORK, (22, 2), "2026-10-31 23:00", "2026-11-01 02:00"),
        (NEW_YORK, (22, 1), "2026-10-31 23:00", "2026-11-01 01:00"),
        (NEW_YORK, (0, 2), "2026-11-01 01:30", "2026-11-01 02:00"),
        ("America/St_Johns", (22, 0), "2010-11-06 23:00", "2010-11-07 00:00"),
        ("America/St_Johns", (22, 0), "2010-11-06 23:01 (1)", "2010-11-07 00:00 (1)"),
    ],
)
def test_the_end(zone: str, hours: tuple[int, int], now: str, closed: str) -> None:
    found = closes(Window(*hours), [ZoneInfo(zone)], moment(zone, now))
    assert found == moment(zone, closed), wall(zone, found)


def test_all_of_several_zones() -> None:
    zones = [ZoneInfo(name) for name in (NEW_YORK, "America/Los_Angeles")]
    evening, night = moment(NEW_YORK, "2026-06-05 16:30"), moment(NEW_YORK, "2026-06-05 17:00")
    assert next_open(Window(9, 17), zones, moment(NEW_YORK, "2026-06-05 09:30")) == moment(
        "America/Los_Angeles", "2026-06-05 09:00"
    )
    assert next_open(Window(9, 17), zones, evening) == evening
    assert closes(Window(9, 17), zones, evening) == night
    assert next_open(Window(9, 17), zones, night) == moment("America/Los_Angeles", "2026-06-06 09:00")


def test_zones_without_an_hour_in_common() -> None:
    zones = [ZoneInfo("Europe/Kaliningrad"), ZoneInfo("Asia/Kamchatka")]
    with pytest.raises(NeverOpen):
        next_open(Window(9, 17), zones, moment("Europe/Kaliningrad", "2026-06-05 12:00"))
    assert next_open(Window(9, 9), zones, 0) == 0


def test_an_hour_in_common_for_a_part_of_the_year() -> None:
    """London is on New York's clock plus 4 hours in some weeks, plus 5 in others."""
    zones = [ZoneInfo("Europe/London"), ZoneInfo(NEW_YORK)]
    spring = moment("Europe/London", "2026-03-15 00:00")
    assert next_open(Window(9, 14), zones, spring) == moment("Europe/London", "2026-03-15 13:00")
    with pytest.raises(NeverOpen):
        next_open(Window(9, 14), zones, moment("Europe/London", "2026-06-15 00:00"))


def test_always() -> None:
    assert closes(Window(5, 5), [ZoneInfo(NEW_YORK)], 0) == ALWAYS_US
    assert closes(Window(9, 17), [], 0) == ALWAYS_US


# Against the definition: a minute is open when its local hour is one that is counted off from start to end.

ODD = [
    NEW_YORK,
    "Europe/Dublin",  # its winter time is the one that is saved
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Asia/Gaza",
    "Antarctica/Troll",  # two hours
    "Pacific/Apia",
]


def is_open(window: Window, zones: list[str], us: int) -> bool:
    hours, hour = set(), window.start_hour
    while hour != window.end_hour:
        hours.add(hour)
        hour = (hour + 1) % 24
    return not hours or all(wall(zone, us).hour in hours for zone in zones)


def minutes(first_us: int, end_us: int) -> range:
    return range(first_us - first_us % MINUTE_US + MINUTE_US, end_us, MINUTE_US)


@cache
def changes_of(zone: str) -> list[int]:
    """The hours before the clocks of this zone change, from 2005 to 2030."""
    hours = range(1_104_537_600, 1_893_456_000, 3600)
    offsets = [datetime.fromtimestamp(at, ZoneInfo(zone)).utcoffset() for at in hours[::24]]
    days = [n for n, pair in enumerate(pairwise(offsets)) if pair[0] != pair[1]]
    return [hours[24 * n] * 1_000_000 for n in days]


near_changes = st.sampled_from(ODD).flatmap(
    lambda zone: st.tuples(
        st.just(zone),
        st.builds(
            lambda change, after: change + after,
            st.sampled_from(changes_of(zone) or [1_700_000_000_000_000]),
            st.integers(-36 * 60 * MINUTE_US, 36 * 60 * MINUTE_US),
        ),
    )
)
hours = st.integers(0, 23)


@settings(max_examples=150, deadline=None)
@given(near_changes, st.builds(Window, hours, hours), st.sampled_from([None, *ODD]))
@example((NEW_YORK, 0), Window(9, 17), None)
def test_open_then_and_at_no_minute_before(where: tuple[str, int], window: Window, other: str | None) -> None:
    zone, now_us = where
    names = [zone, other] if other else [zone]
    zones = [ZoneInfo(name) for name in names]
    try:
        opens_us = next_open(window, zones, now_us)
    except NeverOpen:
        assert other is not None
        assert not any(is_open(window, names, us) for us in minutes(now_us, now_us + 1440 * MINUTE_US))
        return
    assert opens_us >= now_us
    assert is_open(window, names, opens_us)
    if opens_us > now_us:
        assert not is_open(window, names, opens_us - 1)
        assert not is_open(window, names, now_us)
    assert not any(is_open(window, names, us) for us in minutes(now_us, opens_us))
    closes_us = closes(window, zones, opens_us)
    if window.always:
        assert closes_us == ALWAYS_US
        return
    assert not is_open(window, names, closes_us)
    assert is_open(window, names, closes_us - 1)
    assert all(is_open(window, names, us) for us in minutes(opens_us, closes_us))
