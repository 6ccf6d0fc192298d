"""What a person said, matched against the condition of an edge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from ringback.agents import patterns
from ringback.agents.plan import (
    Affirmative,
    Always,
    Anything,
    Condition,
    Date,
    Event,
    Expression,
    Keywords,
    Llm,
    Negative,
    Number,
    Pattern,
    Time,
)
from ringback.conversation.answers import is_no, is_yes
from ringback.conversation.dates import find_date
from ringback.conversation.numbers import find_digits, find_number
from ringback.conversation.times import find_time
from ringback.conversation.words import words


@dataclass(frozen=True, slots=True)
class Found:
    """A condition is met, with what it found."""

    value: Any


def understand(condition: Condition, text: str, today: date) -> Found | None:
    """What `condition` finds in `text`, the transcription of one turn; None where it is not met.

    English. Always, Expression, Llm and Event are not about what was said, and never met here.
    """
    value: Any = None
    match condition:
        case Keywords(any_of):
            value = _keyword(any_of, text)
        case Pattern(regex):
            value = patterns.find(regex, text)
        case Number(digits=int(count)):
            value = find_digits(text, count)
        case Number(minimum, maximum):
            value = find_number(text, minimum, maximum)
        case Date():
            day = find_date(text, today)
            value = None if day is None else day.isoformat()
        case Time():
            at = find_time(text)
            value = None if at is None else f"{at:%H:%M}"
        case Affirmative():
            value = is_yes(text) or None
        case Negative():
            return Found(False) if is_no(text) else None
        case Anything():
            value = text.strip() or None
        case Always() | Expression() | Llm() | Event():
            value = None
    return None if value is None else Found(value)


def _keyword(any_of: tuple[str, ...], text: str) -> str | None:
    said = f" {' '.join(words(text))} "
    for keyword in any_of:
        wanted = " ".join(words(keyword))
        if wanted and f" {wanted} " in said:
            return keyword
    return None
