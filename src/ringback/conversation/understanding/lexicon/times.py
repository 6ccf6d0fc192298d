"""Times of day in a lexicon's language."""

from __future__ import annotations

import re
from datetime import time
from functools import cache
from typing import Final

from ringback.conversation.understanding.lexicon.lexicon import Lexicon, compiled, plain
from ringback.conversation.understanding.lexicon.numbers import digitised
from ringback.conversation.understanding.times import resolve

_CLOCK: Final = re.compile(
    r"\b(\d{1,2})\s?[:hH]\s?(\d{2})\b|\b(\d{1,2})\.(\d{2})(?=\s*(?:uhr|uur)\b)", re.IGNORECASE
)
_HOUR: Final = r"(?P<h>\d{1,2})"
_MINUTE: Final = r"(?P<m>\d{1,2})"
_LATE: Final = 6
"""From this hour on "at night" is the evening."""


def find_time(text: str, lexicon: Lexicon) -> time | None:
    """The time of day that `text` names; None without one.

    Where neither half of the day is named, one to six are in the afternoon, and the others as they stand.
    """
    text = _marked(text, lexicon)
    if match := _CLOCK.search(text):
        hour, minute = match[1] or match[3], match[2] or match[4]
        return _placed(int(hour) * 60 + int(minute), plain(text), lexicon)
    said = digitised(text, lexicon)
    for pattern, offset in _forms(lexicon.language, tuple(map(tuple, lexicon.table["times"]["at"]))):
        for match in pattern.finditer(said):
            minutes = _minutes(match, offset)
            if minutes is not None:
                return _placed(minutes, said, lexicon)
    return _placed(int(said) * 60, said, lexicon) if re.fullmatch(r"\d{1,2}", said) else None


def is_exact(text: str, lexicon: Lexicon) -> bool:
    """Whether it says minutes, or the part of the day: "at three" may go on, "at half past three" does not."""
    text = _marked(text, lexicon)
    said = digitised(text, lexicon)
    parts = (lexicon.pattern("times", name).search(said) for name in ("morning", "afternoon", "night"))
    forms = _forms(lexicon.language, tuple(map(tuple, lexicon.table["times"]["at"])))
    minutes = (pattern.search(said) for pattern, offset in forms if offset != "0")
    return bool(_CLOCK.search(text) or any(parts) or any(minutes))


def _marked(text: str, lexicon: Lexicon) -> str:
    """Quarters and halves by marks of ours, before their words are taken for numbers ("cuarto": fourth)."""
    for written, mark in lexicon.table["times"]["quarters"].items():
        text = _quarter(written).sub(mark, text)
    return text


def _minutes(match: re.Match[str], offset: str) -> int | None:
    """Since midnight, by "=1:30", "0", "+15", "-m", "+m-30" (the hour that was said, moved)."""
    if offset.startswith("="):
        hour, minute = offset[1:].split(":")
        return int(hour) * 60 + int(minute)
    if int(match["h"]) > 24:
        return None
    said = int(match["m"]) if "m" in match.re.groupindex else 0
    if said > 59:
        return None
    moved = sum(
        (-1 if part[0] == "-" else 1) * (said if part[1:] == "m" else int(part[1:]))
        for part in re.findall(r"[+-](?:m|\d+)", offset)
    )
    minutes = int(match["h"]) * 60 + moved
    # Half an hour before one is half past twelve.
    return minutes + 720 if minutes < 60 and moved < 0 else minutes


def _placed(minutes: int, said: str, lexicon: Lexicon) -> time | None:
    hour, minute = divmod(minutes, 60)
    if hour == 24:
        hour = 0
    if lexicon.pattern("times", "night").search(said):
        night = hour == 12 or hour < _LATE
        return resolve(hour, minute, "am" if night else "pm")
    if lexicon.pattern("times", "morning").search(said):
        return resolve(hour, minute, "am")
    return resolve(hour, minute, "pm" if lexicon.pattern("times", "afternoon").search(said) else None)


@cache
def _quarter(written: str) -> re.Pattern[str]:
    return re.compile(rf"\b{written}\b", re.IGNORECASE)


@cache
def _forms(language: str, forms: tuple[tuple[str, str], ...]) -> list[tuple[re.Pattern[str], str]]:
    return [
        (
            compiled(plain(form).replace("<h>", _HOUR).replace("<m>", _MINUTE)),
            offset,
        )
        for form, offset in forms
    ]
