"""Slot values as a voice should say them."""

from __future__ import annotations

import re
from datetime import date, time
from typing import Any

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def spoken(value: Any) -> Any:
    """ "2026-05-03" as "Sunday, May 3", "15:30" as "3:30 PM", "4271" digit by digit; others unchanged."""
    if not isinstance(value, str):
        return value
    if _DATE.fullmatch(value):
        return _day(value)
    if _TIME.fullmatch(value):
        at = time.fromisoformat(value)
        hour = at.hour % 12 or 12
        return f"{hour}{f':{at.minute:02}' if at.minute else ''} {'AM' if at.hour < 12 else 'PM'}"
    return " ".join(value) if value.isdecimal() else value


def _day(value: str) -> str:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return value
    return f"{day:%A}, {day:%B} {day.day}"
