"""Times of day in an English transcription."""

from __future__ import annotations

import re
from datetime import time
from typing import Final, Literal

from ringback.conversation.understanding.numbers import Tokens, below_hundred, tokens

_CLOCK: Final = re.compile(r"\b(\d{1,2})[:.](\d{2})\b")
_BARE_CLOCK: Final = re.compile(r"\b(\d{1,2})(\d{2})\s*(?=[ap]\.?m\b)", re.IGNORECASE)
_AFTER: Final = re.compile(r"\b(pm|afternoon|evening|tonight|night)\b")
_BEFORE: Final = re.compile(r"\b(am|morning)\b")
_MARKERS: Final = ("at", "around", "about", "by", "say", "from", "until", "before", "after")

Half = Literal["am", "pm"] | None


def find_time(text: str) -> time | None:
    """The time of day that `text` names; None without one.

    Where neither half of the day is named, one to six are in the afternoon, and the others as they stand.
    """
    said = tokens(text)
    line = " ".join(said)
    half: Half = "pm" if _AFTER.search(line) else "am" if _BEFORE.search(line) else None
    for clock in (_CLOCK, _BARE_CLOCK):
        if match := clock.search(text):
            return resolve(int(match[1]), int(match[2]), half)
    if "midnight" in said:
        return time(0)
    for place in range(len(said)):
        found = _relative(said, place) or _stated(said, place)
        if found is not None:
            return resolve(*found, half)
    return time(12) if {"noon", "midday"} & set(said) else None


def _relative(said: Tokens, place: int) -> tuple[int, int] | None:
    """ "half past three", "quarter to four", "twenty past four", "half three": hour and minute."""
    if said[place] in ("half", "quarter"):
        minutes, after = (30 if said[place] == "half" else 15), place + 1
    elif (found := below_hundred(said, place)) is not None and found[0] < 60:
        minutes, after = found
        after += said[after : after + 1] == ["minutes"]
    else:
        return None
    direction = said[after] if after < len(said) else ""
    hour = below_hundred(said, after + 1)
    if direction in ("past", "after") and hour is not None:
        return hour[0], minutes
    if direction in ("to", "of", "before", "till") and hour is not None and said[place] != "half":
        return (hour[0] - 1) % 24, 60 - minutes
    if said[place] == "half" and (hour := below_hundred(said, after)) is not None:
        return hour[0], 30
    return None


def _stated(said: Tokens, place: int) -> tuple[int, int] | None:
    """ "three o'clock", "3 pm", "three thirty", "nine oh five", "at ten", "ten" and nothing else."""
    found = below_hundred(said, place)
    if found is None or found[0] > 23:
        return None
    hour, after = found
    following = said[after] if after < len(said) else ""
    minute = below_hundred(said, after + (following in ("oh", "o")))
    if minute is not None and (following in ("oh", "o") or 10 <= minute[0] < 60):
        return hour, minute[0]
    named = following in ("o'clock", "am", "pm", "tonight") or said[after : after + 2] == ["o", "clock"]
    part = said[after : after + 2] in (["in", "the"], ["at", "night"])
    military = hour > 12 and following == "hundred"
    marked = place > 0 and said[place - 1] in _MARKERS
    alone = place == 0 and after == len(said)
    return (hour, 0) if named or part or military or marked or alone else None


def resolve(hour: int, minute: int, half: Half) -> time | None:
    """A stated hour on the 24-hour clock; None for one that no clock has."""
    if hour > 23 or minute > 59:
        return None
    if hour <= 12:
        if half is not None:
            hour = hour % 12 + (12 if half == "pm" else 0)
        elif 1 <= hour <= 6:
            hour += 12
    return time(hour, minute)
