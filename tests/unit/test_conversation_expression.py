"""Expression edges, and slot values as a voice says them."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.agents.plan import Comparison, Expression
from ringback.conversation.dialogue.expression import holds
from ringback.conversation.dialogue.spoken import spoken

VALUES = {
    "age": "42",
    "name": "Ada",
    "tags": ["vip", 7],
    "patient": {"city": "Bonn"},
    "day": "2026-12-04",
    "x.y": 1,
}


@pytest.mark.parametrize(
    ("variable", "operator", "value", "expected"),
    [
        ("age", "eq", 42, True),
        ("age", "eq", "42.0", True),
        ("age", "neq", 41, True),
        ("name", "eq", "ADA", True),
        ("name", "eq", "Bob", False),
        ("age", "gt", 41, True),
        ("age", "gt", 42, False),
        ("age", "gte", "42", True),
        ("age", "lt", 100, True),
        ("age", "lte", 5, False),
        ("day", "lt", "2026-12-10", True),
        ("day", "gt", "2026-12-10", False),
        ("name", "contains", "da", True),
        ("tags", "contains", "VIP", True),
        ("tags", "contains", "7", True),
        ("tags", "contains", "new", False),
        ("name", "in", ["ada", "bob"], True),
        ("name", "in", "Ada Lovelace", True),
        ("name", "not_in", ["bob"], True),
        ("name", "exists", None, True),
        ("nobody", "exists", None, False),
        ("nobody", "not_exists", None, True),
        ("patient.city", "eq", "bonn", True),
        ("patient.street", "exists", None, False),
        ("x.y", "eq", 1, True),
        ("name.first", "exists", None, False),
        ("nobody", "eq", "x", False),
        ("nobody", "neq", "x", True),
        ("nobody", "gt", 1, False),
        ("nobody", "not_in", ["x"], True),
        ("age", "contains", None, False),
    ],
)
def test_comparisons(variable: str, operator: Any, value: Any, expected: bool) -> None:
    assert holds(Expression("and", (Comparison(variable, operator, value),)), VALUES) is expected


def test_and_needs_all_and_or_needs_one() -> None:
    true, false = Comparison("age", "eq", 42), Comparison("age", "eq", 43)
    assert not holds(Expression("and", (true, false)), VALUES)
    assert holds(Expression("or", (false, true)), VALUES)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2026-12-04", "Friday, December 4"),
        ("15:30", "3:30 PM"),
        ("15:00", "3 PM"),
        ("00:05", "12:05 AM"),
        ("12:00", "12 PM"),
        ("4271", "4 2 7 1"),
        ("2026-13-40", "2026-13-40"),
        ("99:99", "99:99"),
        ("Ada", "Ada"),
        (42, 42),
        (True, True),
    ],
)
def test_slot_values_as_they_are_said(value: Any, said: Any) -> None:
    assert spoken(value) == said


@pytest.mark.parametrize(
    ("language", "day", "half_past", "full"),
    [
        ("es", "domingo 3 de mayo", "15:30", "15:00"),
        ("fr", "dimanche 3 mai", "15 h 30", "15 h"),
        ("de-AT", "Sonntag, 3. Mai", "15 Uhr 30", "15 Uhr"),
        ("pt-BR", "domingo, 3 de maio", "15:30", "15 horas"),
        ("it", "domenica 3 maggio", "15:30", "15:00"),
        ("nl", "zondag 3 mei", "15 uur 30", "15 uur"),
        ("hi", "रविवार, 3 मई", "15:30 बजे", "15 बजे"),
        ("ta", "Sunday, May 3", "3:30 PM", "3 PM"),
    ],
)
def test_days_and_times_in_the_agent_s_language(language: str, day: str, half_past: str, full: str) -> None:
    said = [spoken(value, language) for value in ("2026-05-03", "15:30", "15:00", "2026-02-30", "07", "x")]
    assert said == [day, half_past, full, "2026-02-30", "0 7", "x"]
