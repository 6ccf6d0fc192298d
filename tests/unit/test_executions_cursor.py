"""Cursors: back and forth, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.executions import cursor


@given(st.integers(0, 2**63 - 1))
def test_back_and_forth(seq: int) -> None:
    assert cursor.decode(cursor.encode(seq)) == seq


@pytest.mark.parametrize(
    "text",
    ["", "1", "AAAA", "AQAAAAAAAAA", "AgAAAAAAAAAB", "Af__________", "+" * 12, "\u0661" * 12, "A" * 99],
)
def test_what_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        cursor.decode(text)


@given(st.text(max_size=30))
def test_any_text_is_refused_or_makes_itself(text: str) -> None:
    try:
        seq = cursor.decode(text)
    except ValueError:
        return
    assert cursor.encode(seq) == text
