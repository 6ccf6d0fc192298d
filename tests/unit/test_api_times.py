"""Timestamps in and out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.api.times import iso, parse_iso
from ringback.dialing.batch_record import humanized

AT = 1_705_972_477_000_000


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-23T01:14:37Z",
        "2024-01-23T01:14:37",
        "2024-01-23T01:14:37.000+00:00",
        "2024-01-23T06:44:37+05:30",
        "2024-01-23T06:44:37 05:30",
        "2024-01-22T20:14:37-0500",
        " 2024-01-23 01:14:37 ",
    ],
)
def test_every_spelling_of_a_moment(text: str) -> None:
    assert parse_iso(text) == AT


@pytest.mark.parametrize("text", ["", "tomorrow", "2024-13-01", "1705972477", "2024-01-23T25:00:00Z"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|must be in|month"):
        parse_iso(text)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_moment_that_has_no_name_in_utc(text: str) -> None:
    """It could be stored, and never be shown."""
    with pytest.raises(ValueError, match="out of range"):
        parse_iso(text)


def test_out() -> None:
    assert iso(AT + 999_999) == "2024-01-23T01:14:37Z"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (0.9, "just now"),
        (1, "1 second ago"),
        (59.9, "59 seconds ago"),
        (60, "1 minute ago"),
        (3_599, "59 minutes ago"),
        (7_200, "2 hours ago"),
        (86_400, "1 day ago"),
        (40 * 86_400, "40 days ago"),
    ],
)
def test_how_long_ago(seconds: float, text: str) -> None:
    assert humanized(AT, AT + int(seconds * 1_000_000)) == text


@given(st.integers(0, 2_000_000_000).map(lambda seconds: seconds * 1_000_000))
def test_out_and_in(us: int) -> None:
    assert parse_iso(iso(us)) == us


@given(st.text(max_size=30))
def test_nothing_but_value_error(text: str) -> None:
    try:
        parse_iso(text)
    except ValueError:
        pass
