"""Variables in prompts: looked up, never evaluated."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.agents.prompts import fill, variables

NOW_US = 1_795_493_045_000_000  # 2026-11-24 04:04:05 UTC


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Hi {name}!", "Hi Ann!"),
        ("Hi { name }!", "Hi Ann!"),
        ("{first name} of {city}", "Ann B of {city}"),
        ("{n} {yes} {nothing}.", "42 true ."),
        ("{list}", '["a", 1]'),
        ('{"json": {"name": 1}}', '{"json": {"name": 1}}'),
        ("{name.__class__} {name!r} {name:>9} {0} {}", "{name.__class__} {name!r} {name:>9} {0} {}"),
        ("{{name}}", "{Ann}"),
        ("{again}", "{name}"),
    ],
)
def test_fill(text: str, filled: str) -> None:
    values = {
        "name": "Ann",
        "first name": "Ann B",
        "n": 42,
        "yes": True,
        "nothing": None,
        "list": ["a", 1],
        "again": "{name}",
    }
    assert fill(text, values) == filled


@given(st.text(), st.dictionaries(st.text(), st.integers() | st.text()))
def test_fill_never_raises(text: str, values: dict[str, Any]) -> None:
    fill(text, values)
    assert fill(text, {}) == text


def test_what_is_missing_may_have_a_word() -> None:
    assert fill("{a} and {b}", {"a": 1}, missing="NULL") == "1 and NULL"


def system(user_data: dict[str, Any]) -> dict[str, Any]:
    return variables(
        user_data,
        agent_id="a",
        execution_id="e",
        call_sid=None,
        from_number="+15550100",
        to_number="+15550101",
        now_us=NOW_US,
    )


def test_system_variables() -> None:
    assert system({"name": "Ann", "agent_id": "forged"}) == {
        "name": "Ann",
        "agent_id": "a",
        "execution_id": "e",
        "call_sid": None,
        "from_number": "+15550100",
        "to_number": "+15550101",
        "current_date": "Tuesday, November 24, 2026",
        "current_time": "04:04 AM",
        "timezone": "UTC",
    }


def test_the_timezone_of_the_caller() -> None:
    there = system({"timezone": "Asia/Kolkata"})
    assert (there["timezone"], there["current_time"]) == ("Asia/Kolkata", "09:34 AM")
    assert (there["current_hour"], there["current_minute"]) == (9, 34)
    assert (there["current_weekday"], there["current_day"]) == ("tuesday", 24)
    assert (there["current_month"], there["current_year"]) == (11, 2026)
    assert "current_hour" not in system({})


@pytest.mark.parametrize("zone", ["Mars/Base", "../../etc/passwd", "", "America", 7, "/etc/localtime"])
def test_an_unknown_timezone_is_utc(zone: Any) -> None:
    assert system({"timezone": zone})["timezone"] == "UTC"
