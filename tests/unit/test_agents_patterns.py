"""Regular expressions of agents: what they find, what is refused, and that none can hold up a call."""

from __future__ import annotations

import pytest

from ringback.agents import patterns


@pytest.mark.parametrize(
    ("pattern", "text", "value"),
    [
        (r"order (\d+)", "My ORDER 42 please", "42"),
        (r"\d+", "take 7 of them", "7"),
        (r"(blue)|red", "the red one", "red"),
        (r"\bcancel\b", "cancelled", None),
        (r"grüße", "Schöne GRÜSSE und Grüße", "Grüße"),
    ],
)
def test_what_is_found(pattern: str, text: str, value: str | None) -> None:
    assert patterns.find(pattern, text) == value


@pytest.mark.parametrize("pattern", ["(", "[a", "(?=ahead)", r"(a)\1", "((a{1000}){1000}){1000}"])
def test_what_is_refused_with_a_reason(pattern: str) -> None:
    assert patterns.problem(pattern)


def test_a_pattern_that_would_backtrack_for_ages_answers_at_once() -> None:
    # 2**5000 steps in an engine that backtracks: this test would never end.
    assert patterns.find("(a+)+$", "a" * 5000 + "!") is None
