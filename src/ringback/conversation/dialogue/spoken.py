"""Slot values as a voice should say them."""

from __future__ import annotations

import re
from datetime import date, time
from typing import Any

from ringback.conversation.understanding.lexicon.lexicon import Lexicon, lexicon

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def spoken(value: Any, language: str = "en") -> Any:
    """ "2026-05-03" as "Sunday, May 3", "15:30" as "3:30 PM", "4271" digit by digit; others unchanged."""
    if not isinstance(value, str):
        return value
    table = lexicon(language)
    if _DATE.fullmatch(value):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            return value
        return _day(day) if table is None else _day_by(table, day)
    if _TIME.fullmatch(value):
        at = time.fromisoformat(value)
        return _time(at) if table is None else _time_by(table, at)
    return " ".join(value) if value.isdecimal() else value


def _day(day: date) -> str:
    return f"{day:%A}, {day:%B} {day.day}"


def _time(at: time) -> str:
    hour = at.hour % 12 or 12
    return f"{hour}{f':{at.minute:02}' if at.minute else ''} {'AM' if at.hour < 12 else 'PM'}"


def _day_by(table: Lexicon, day: date) -> str:
    words = table.table["spoken"]
    weekday, month = words["weekdays"][day.weekday()], words["months"][day.month - 1]
    return str(words["date"].format(weekday=weekday, day=day.day, month=month))


def _time_by(table: Lexicon, at: time) -> str:
    words = table.table["spoken"]
    return str(words["time" if at.minute else "hour"].format(hour=at.hour, minute=f"{at.minute:02}"))
