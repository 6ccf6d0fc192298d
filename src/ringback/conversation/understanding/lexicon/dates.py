"""Days in a lexicon's language, relative to today. A day without a year is the next one to come."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

from ringback.conversation.understanding.dates import coming, day_of
from ringback.conversation.understanding.lexicon.lexicon import Lexicon, any_of, compiled, folded, which
from ringback.conversation.understanding.lexicon.numbers import digitised

_ISO: Final = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_WRITTEN: Final = re.compile(
    r"\b(\d{1,2})[/.](\d{1,2})(?:[/.](\d{4}|\d{2}))?(?!\d)(?!\s*(?:uhr|uur)\b)", re.IGNORECASE
)
"""Day first."""
_SEARCHED_MONTHS: Final = 12


def find_date(text: str, today: date, lexicon: Lexicon) -> date | None:
    """The day that `text` names; None without one, or for one that no calendar has."""
    if match := _ISO.search(text):
        return day_of(int(match[1]), int(match[2]), int(match[3]))
    if match := _WRITTEN.search(text):
        year = None if match[3] is None else int(match[3]) % 100 + 2000
        return coming(today, int(match[2]), int(match[1]), year)
    said, raw = digitised(text, lexicon), folded(text)
    named = _month_day(said, lexicon)
    if named is not None:
        month, day, year = named
        return coming(today, month, day, year)
    return (
        _relative(raw, today, lexicon)
        or _distant(said, today, lexicon)
        or _weekday(raw, today, lexicon)
        or _day_of_month(said, today, lexicon)
    )


def names_month(text: str, lexicon: Lexicon) -> bool:
    return lexicon.pattern("dates", "months").search(folded(text)) is not None


def names_day(text: str, lexicon: Lexicon) -> bool:
    """ "tomorrow" and the like, or a day of the week."""
    raw = folded(text)
    names = ("day_after", "tomorrow", "today", "weekdays")
    return any(lexicon.pattern("dates", name).search(raw) for name in names)


def _month_day(said: str, lexicon: Lexicon) -> tuple[int, int, int | None] | None:
    months = lexicon.words("dates", "months")
    named, of = "|".join(months), "|".join(lexicon.words("dates", "of"))
    link = rf"(?: (?:{of}))?" if of else ""
    match = compiled(rf"(?P<day>\d{{1,2}}){link} (?P<month>{named})(?:{link} (?P<year>20\d\d))?").search(said)
    match = match or compiled(rf"(?P<month>{named}){link} (?P<day>\d{{1,2}})(?: (?P<year>20\d\d))?").search(
        said
    )
    if match is None or not 1 <= int(match["day"]) <= 31:
        return None
    year = int(match["year"]) if match["year"] else None
    return which(months, match["month"]) + 1, int(match["day"]), year


def _relative(raw: str, today: date, lexicon: Lexicon) -> date | None:
    for name, days in (("day_after", 2), ("tomorrow", 1), ("today", 0)):
        if lexicon.pattern("dates", name).search(raw):
            return today + timedelta(days=days)
    return None


def _distant(said: str, today: date, lexicon: Lexicon) -> date | None:
    before, after = "|".join(lexicon.words("dates", "in")), "|".join(lexicon.words("dates", "after"))
    for name, days in (("day", 1), ("week", 7)):
        unit = "|".join(lexicon.words("dates", name))
        match = before and compiled(rf"(?:{before}) (\d{{1,3}}) (?:{unit})").search(said)
        match = match or (after and compiled(rf"(\d{{1,3}}) (?:{unit}) (?:{after})").search(said))
        if match:
            return today + timedelta(days=days * int(match[1]))
    return None


def _weekday(raw: str, today: date, lexicon: Lexicon) -> date | None:
    weekdays = lexicon.words("dates", "weekdays")
    match = any_of(tuple(weekdays)).search(raw)
    if match is None:
        return None
    number = which(weekdays, match[0])
    named, later = "|".join(weekdays), "|".join(lexicon.words("dates", "later_weekday"))
    beside = compiled(rf"(?:{later}) (?:{named})|(?:{named}) (?:{later})").search(raw)
    if beside or lexicon.pattern("dates", "next_week").search(raw):
        return today + timedelta(days=7 - today.weekday() + number)
    return today + timedelta(days=(number - today.weekday() - 1) % 7 + 1)


def _day_of_month(said: str, today: date, lexicon: Lexicon) -> date | None:
    """ "el 28": of this month, or of the next one that has it and where it is to come."""
    marks, after = "|".join(lexicon.words("dates", "marks")), "|".join(lexicon.words("dates", "marks_after"))
    match = marks and compiled(rf"(?:{marks}) (\d{{1,2}})").search(said)
    match = match or (after and compiled(rf"(\d{{1,2}}) (?:{after})").search(said))
    if not match or not 1 <= int(match[1]) <= 31:
        return None
    for ahead in range(_SEARCHED_MONTHS + 1):
        months = today.year * 12 + today.month - 1 + ahead
        day = day_of(months // 12, months % 12 + 1, int(match[1]))
        if day is not None and day >= today:
            return day
    return None
