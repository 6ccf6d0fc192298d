"""Texts that stand for a value of a type: what a language model answers, or a schema's `format` asks for."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Final

_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{1,30})?|\.\d{1,30})")
_EMAIL: Final = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_][\w-]{0,62}")


def is_number(text: str) -> bool:
    """ "42", "-3.5"; no words, units or separators of thousands."""
    return _NUMBER.fullmatch(text) is not None


def is_date(text: str) -> bool:
    """YYYY-MM-DD."""
    try:
        return bool(date.fromisoformat(text)) and len(text) == 10
    except ValueError:
        return False


def is_time(text: str) -> bool:
    """HH:MM, and whatever ISO 8601 lets follow it."""
    try:
        return text[2:3] == ":" and bool(time.fromisoformat(text) or True)
    except ValueError:
        return False


def is_timestamp(text: str) -> bool:
    """A day, or a day and a time (ISO 8601)."""
    try:
        return bool(datetime.fromisoformat(text)) and text[:10].count("-") == 2
    except ValueError:
        return False


def is_email(text: str) -> bool:
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None and ".." not in text


def is_boolean(text: str) -> bool:
    return text.lower() in ("true", "false")
