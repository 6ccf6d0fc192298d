"""What a person said, matched against the condition of an edge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
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
from ringback.conversation.understanding.answers import is_no, is_yes
from ringback.conversation.understanding.dates import find_date
from ringback.conversation.understanding.lexicon import dates, numbers, times
from ringback.conversation.understanding.lexicon.answers import judged
from ringback.conversation.understanding.lexicon.lexicon import Lexicon, lexicon
from ringback.conversation.understanding.numbers import find_digits, find_number
from ringback.conversation.understanding.times import find_time
from ringback.conversation.understanding.words import words


@dataclass(frozen=True, slots=True)
class Found:
    """A condition is met, with what it found."""

    value: Any


def understand(condition: Condition, text: str, today: date, language: str = "en") -> Found | None:
    """What `condition` finds in `text`, the transcription of one turn; None where it is not met.

    A language without a lexicon is taken for English. Always, Expression, Llm and Event are not about what was said,
    and never met here.
    """
    value: Any = None
    match condition:
        case Keywords(any_of):
            value = _keyword(any_of, text)
        case Pattern(regex):
            value = patterns.find(regex, text)
        case Anything():
            value = text.strip() or None
        case Always() | Expression() | Llm() | Event():
            value = None
        case _:
            table = lexicon(language)
            value = (
                _in_english(condition, text, today) if table is None else _by(table, condition, text, today)
            )
    return None if value is None else Found(value)


def _in_english(condition: Number | Date | Time | Affirmative | Negative, text: str, today: date) -> Any:
    match condition:
        case Number(digits=int(count)):
            return find_digits(text, count)
        case Number(minimum, maximum):
            return find_number(text, minimum, maximum)
        case Date():
            return _iso(find_date(text, today))
        case Time():
            return _clock(find_time(text))
        case Affirmative():
            return True if is_yes(text) else None
        case Negative():
            return False if is_no(text) else None


def _by(
    table: Lexicon, condition: Number | Date | Time | Affirmative | Negative, text: str, today: date
) -> Any:
    match condition:
        case Number(digits=int(count)):
            return numbers.find_digits(text, count, table)
        case Number(minimum, maximum):
            return numbers.find_number(text, table, minimum, maximum)
        case Date():
            return _iso(dates.find_date(text, today, table))
        case Time():
            return _clock(times.find_time(text, table))
        case Affirmative():
            return True if judged(text, table) is True else None
        case Negative():
            return False if judged(text, table) is False else None


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _clock(at: time | None) -> str | None:
    return None if at is None else f"{at:%H:%M}"


def _keyword(any_of: tuple[str, ...], text: str) -> str | None:
    said = f" {' '.join(words(text))} "
    for keyword in any_of:
        wanted = " ".join(words(keyword))
        if wanted and f" {wanted} " in said:
            return keyword
    return None
