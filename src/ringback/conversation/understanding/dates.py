"""Days in an English transcription, relative to today. A day without a year is the next one to come."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

from ringback.conversation.understanding.numbers import Tokens, below_hundred, cardinal, ordinal, tokens

_MONTH_NAMES: Final = "january february march april may june july august september october november december"
_MONTHS: Final = (
    {name: number for number, name in enumerate(_MONTH_NAMES.split(), 1)}
    | {name[:3]: number for number, name in enumerate(_MONTH_NAMES.split(), 1)}
    | {"sept": 9}
)
_WEEKDAY_NAMES: Final = "monday tuesday wednesday thursday friday saturday sunday"
_WEEKDAYS: Final = {name: number for number, name in enumerate(_WEEKDAY_NAMES.split())}
_ISO: Final = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_SLASHED: Final = re.compile(r"\b(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d{2}))?\b")
_SEARCHED_MONTHS: Final = 12


def find_date(text: str, today: date) -> date | None:
    """The day that `text` names; None without one, or for one that no calendar has (30 February).

    "12/5" is the fifth of December. "next Friday" is the one of the next week, weeks beginning on Monday;
    "Friday" alone the next one to come, never today.
    """
    if match := _ISO.search(text):
        return day_of(int(match[1]), int(match[2]), int(match[3]))
    if match := _SLASHED.search(text):
        year = None if match[3] is None else int(match[3]) % 100 + 2000
        return coming(today, int(match[1]), int(match[2]), year)
    said = tokens(text)
    named = any(_month_day(said, place) is not None for place in range(len(said)))
    if named:
        return _named(said, today)
    return _relative(said, today) or _day_of_month(said, today) or _weekday(said, today)


def names_month(text: str) -> bool:
    return any(word in _MONTHS for word in tokens(text))


def names_relative_day(text: str) -> bool:
    """ "tomorrow" and the like, or a day of the week."""
    said = tokens(text)
    weekday = any(word.removesuffix("'s") in _WEEKDAYS for word in said)
    return weekday or bool({"today", "tonight", "tomorrow"} & set(said))


def names_day_number(text: str) -> bool:
    """ "the third", "3rd", "3"."""
    said = tokens(text)
    found = (ordinal(said, place) or below_hundred(said, place) for place in range(len(said)))
    return any(number is not None and 1 <= number[0] <= 31 for number in found)


def _named(said: Tokens, today: date) -> date | None:
    for place in range(len(said)):
        found = _month_day(said, place)
        if found is not None:
            month, day, after = found
            return coming(today, month, day, _year(said, after))
    return None


def _month_day(said: Tokens, place: int) -> tuple[int, int, int] | None:
    """Month, day and the place after them: "third of May", "3 May", "May the 3rd", "May three"."""
    if said[place] in _MONTHS:
        start = place + (said[place + 1 : place + 2] == ["the"]) + 1
        found = ordinal(said, start) or below_hundred(said, start)
        return (_MONTHS[said[place]], *found) if found and 1 <= found[0] <= 31 else None
    found = ordinal(said, place) or below_hundred(said, place)
    if found is None:
        return None
    day, after = found
    after += said[after : after + 1] == ["of"]
    month = _MONTHS.get(said[after]) if after < len(said) else None
    return None if month is None or not 1 <= day <= 31 else (month, day, after + 1)


def _year(said: Tokens, place: int) -> int | None:
    found = cardinal(said, place)
    if found is None:
        return None
    year, after = found
    if year == 20 and (second := below_hundred(said, after)) is not None:
        year = 2000 + second[0]
    return year if 2000 <= year < 2100 else None


def _relative(said: Tokens, today: date) -> date | None:
    line = " ".join(said)
    if "day after tomorrow" in line:
        return today + timedelta(days=2)
    if "tomorrow" in said:
        return today + timedelta(days=1)
    if re.search(r"\b(today|tonight|this (morning|afternoon|evening))\b", line) and " from today" not in line:
        return today
    return _distant(said, today)


def _distant(said: Tokens, today: date) -> date | None:
    """ "in three days", "a week from Friday", "a fortnight from now"."""
    for place, word in enumerate(said):
        days = {"day": 1, "days": 1, "week": 7, "weeks": 7, "fortnight": 14}.get(word)
        if days is None:
            continue
        counted = next(
            (found[0] for start in (place - 2, place - 1) if (found := _count(said, start, place))), None
        )
        if counted is None:
            continue
        if said[place + 1 : place + 2] == ["from"]:
            origin = today if said[place + 2 : place + 3] in (["today"], ["now"]) else _weekday(said, today)
            return None if origin is None else origin + timedelta(days=days * counted)
        if "in" in said[max(0, place - 3) : place]:
            return today + timedelta(days=days * counted)
    return None


def _count(said: Tokens, start: int, end: int) -> tuple[int, int] | None:
    if start < 0:
        return None
    found = (1, start + 1) if said[start] in ("a", "one") else below_hundred(said, start)
    return found if found and found[1] == end else None


def _day_of_month(said: Tokens, today: date) -> date | None:
    """ "the 28th": of this month, or of the next one that has it and where it is to come."""
    for place in range(len(said)):
        found = ordinal(said, place)
        marked = said[place][0].isdigit() or (place > 0 and said[place - 1] in ("the", "on"))
        if found is None or not marked or not 1 <= found[0] <= 31:
            continue
        for ahead in range(_SEARCHED_MONTHS + 1):
            months = today.year * 12 + today.month - 1 + ahead
            day = day_of(months // 12, months % 12 + 1, found[0])
            if day is not None and day >= today:
                return day
    return None


def _weekday(said: Tokens, today: date) -> date | None:
    for place, word in enumerate(said):
        number = _WEEKDAYS.get(word.removesuffix("'s"))
        if number is None:
            continue
        next_week = said[place - 1 : place] == ["next"] or "next week" in " ".join(said)
        if next_week:
            return today + timedelta(days=7 - today.weekday() + number)
        return today + timedelta(days=(number - today.weekday() - 1) % 7 + 1)
    return None


def coming(today: date, month: int, day: int, year: int | None) -> date | None:
    """The day in that year, or the next one to come; None where the calendar has none."""
    if year is not None:
        return day_of(year, month, day)
    for candidate in range(today.year, today.year + 9):
        found = day_of(candidate, month, day)
        if found is not None and found >= today:
            return found
    return None


def day_of(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
