"""Whether a person may be dialled: the do-not-call list, the calling hours, and who bypasses them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ringback.dialing.verdicts import Dial, Later, Never, Verdict, judge
from ringback.dialing.windows import ALWAYS_US, Window
from tests.support.records import an_execution

LOS_ANGELES, RUSSIAN_MOBILE, SATELLITE = "+14155550123", "+79161234567", "+882161234567"
OFFICE = Window(9, 17)


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


NIGHT = utc("2026-06-05 15:59:59")
"""In Los Angeles; the office opens a second later."""
MORNING = utc("2026-06-05 16:00")


def verdict(
    now_us: int,
    window: Window | None = OFFICE,
    forbidden: tuple[str, ...] = (),
    unknown: str = "UTC",
    **changes: Any,
) -> Verdict:
    execution = an_execution(**{"to_number": LOS_ANGELES} | changes)
    return judge(execution, window, execution.to_number in forbidden, now_us, ZoneInfo(unknown))


def test_within_the_hours() -> None:
    assert verdict(MORNING) == Dial(closes_us=utc("2026-06-06 00:00"))


def test_before_them() -> None:
    why = (
        "Outside the calling hours 09:00 to 17:00 in America/Los_Angeles (by the number); "
        "next at 2026-06-05T09:00:00-07:00"
    )
    assert verdict(NIGHT) == Later(MORNING, why)


def test_by_the_zone_that_the_client_says() -> None:
    found = verdict(MORNING, recipient_data={"timezone": "Asia/Kolkata"})
    assert isinstance(found, Later)
    assert found.due_us == utc("2026-06-06 03:30")
    assert "Asia/Kolkata (by user_data.timezone)" in found.why


def test_no_hours_are_any() -> None:
    for window in (None, Window(9, 9)):
        assert verdict(NIGHT, window) == Dial(ALWAYS_US)


def test_hours_can_be_bypassed() -> None:
    assert verdict(NIGHT, bypass_guardrails=True) == Dial(ALWAYS_US)


def test_the_list_cannot() -> None:
    never = Never("The number is on the account's do-not-call list")
    for bypass in (False, True):
        for now_us in (NIGHT, MORNING):
            assert verdict(now_us, forbidden=(LOS_ANGELES,), bypass_guardrails=bypass) == never
    assert verdict(NIGHT, None, (LOS_ANGELES,)) == never
    assert verdict(MORNING, forbidden=(SATELLITE,)) == Dial(utc("2026-06-06 00:00"))


def test_a_number_of_nowhere_has_the_zone_of_the_setting() -> None:
    found = verdict(utc("2026-06-05 15:00"), to_number=SATELLITE, unknown="Europe/Berlin")
    assert isinstance(found, Later)
    assert found.due_us == utc("2026-06-06 07:00")
    assert "Europe/Berlin (by dialling.unknown_timezone)" in found.why
    assert verdict(utc("2026-06-05 15:00"), to_number=SATELLITE) == Dial(utc("2026-06-05 17:00"))
    assert isinstance(verdict(utc("2026-06-05 18:00"), to_number=None), Later)


def test_a_number_of_many_zones_waits_for_all() -> None:
    """Australia, from the Cocos Islands (+6:30) to Lord Howe (+10:30)."""
    found = verdict(utc("2026-06-05 00:00"), to_number="+61412345678")
    assert isinstance(found, Later)
    assert found.due_us == utc("2026-06-05 02:30")
    assert "and 5 zones more (by the number)" in found.why
    assert verdict(found.due_us, to_number="+61412345678") == Dial(utc("2026-06-05 06:30"))


def test_zones_whose_hours_never_meet() -> None:
    now_us = utc("2026-06-05 05:00")
    found = verdict(now_us, to_number=RUSSIAN_MOBILE, unknown="Europe/Moscow")
    assert isinstance(found, Later)
    assert found.due_us == utc("2026-06-05 06:00")
    assert "Europe/Moscow (by dialling.unknown_timezone, for the hours never meet in the" in found.why
