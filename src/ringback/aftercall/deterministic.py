"""Values of the plain types in what a person said, without a language model: numbers, days, times, yes and no, e-mail
addresses, and what a regular expression finds.

Which of several is meant is decided by the words that the question about it and the talk have in common: what the agent
had asked before it, and what the person said with it. Without any in common an address or the match of an expression is
taken where there is but one of it in the whole talk; anything else is not: it would be a guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from ringback.aftercall.spoken import Exchange, Spoken
from ringback.agents import patterns
from ringback.agents.plan import Affirmative, Date, Negative, Number, Time
from ringback.conversation.understanding.emails import find_email
from ringback.conversation.understanding.traits import traits
from ringback.conversation.understanding.understanding import understand
from ringback.conversation.understanding.words import words

Value = str | int | float | bool


class Kind(StrEnum):
    """What can be found."""

    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    """A day, and the time where one was named."""
    BOOLEAN = "boolean"
    EMAIL = "e-mail"
    REGEX = "regex"


@dataclass(frozen=True, slots=True)
class Wanted:
    kind: Kind
    about: str
    """In words: the name and description of a field, or a question."""
    pattern: str = ""
    """Of a REGEX."""


@dataclass(frozen=True, slots=True)
class Found:
    value: Value
    text: str
    """The person's words that it is from."""
    asked: bool
    """The words of the question and of the talk meet; otherwise it was the only one."""


_UNMISTAKABLE: Final = (Kind.EMAIL, Kind.REGEX)


def find(wanted: Wanted, spoken: Spoken) -> Found | None:
    """The value; None where none was said, or where it is not clear which is meant."""
    about = _stems(wanted.about)
    best: tuple[int, Found] | None = None
    everything: dict[Value, Found] = {}
    for exchange in spoken.exchanges():
        value = _value(wanted, exchange, spoken.day, spoken.language)
        if value is None:
            continue
        met = len(about & (_stems(exchange.question) | _stems(exchange.answer)))
        found = Found(value, exchange.answer, asked=met > 0)
        everything[value] = found
        if met and (best is None or met >= best[0]):  # what is said again later corrects
            best = met, found
    if best is not None:
        return best[1]
    alone = wanted.kind in _UNMISTAKABLE and len(everything) == 1
    return next(iter(everything.values())) if alone else None


def _value(wanted: Wanted, exchange: Exchange, day: date, language: str) -> Value | None:
    text = exchange.answer
    match wanted.kind:
        case Kind.NUMBER:
            return _number(text, day, language)
        case Kind.BOOLEAN:
            yes = understand(Affirmative(), text, day, language) is not None
            no = understand(Negative(), text, day, language) is not None
            return yes if yes is not no else None
        case Kind.EMAIL:
            return find_email(text)
        case Kind.REGEX:
            return _match(wanted.pattern, text, language)
        case Kind.DATE:
            return _understood(Date(), text, day, language)
        case Kind.TIME:
            return _understood(Time(), text, day, language)
        case Kind.TIMESTAMP:
            return _timestamp(exchange, day, language)


def _understood(condition: Date | Time, text: str, day: date, language: str) -> str | None:
    found = understand(condition, text, day, language)
    return None if found is None else str(found.value)


def _timestamp(exchange: Exchange, day: date, language: str) -> str | None:
    """A time alone is on the day that it was asked for."""
    at = _understood(Time(), exchange.answer, day, language)
    on = _understood(Date(), exchange.answer, day, language)
    if on is None and at is not None:
        on = _understood(Date(), exchange.question, day, language)
    if on is None:
        return None
    return on if at is None else f"{on}T{at}:00"


_DECIMAL: Final = re.compile(r"(?<![\d.,])-?\d+\.\d+(?![\d.,]*\d)")
_POINT: Final = re.compile(r"\b(?:point|comma|coma|komma|virgule|virgola|vírgula)\b", re.IGNORECASE)
_DAYS_AND_TIMES: Final = re.compile(r"\b\d{1,2}[:/]\d{1,2}(?:/\d{2,4})?\b|\b\d{4}-\d{2}-\d{2}\b")


def _number(text: str, day: date, language: str) -> int | float | None:
    """The one that was said; of several nobody knows which is meant."""
    text = _DAYS_AND_TIMES.sub(" ", text)
    if match := _DECIMAL.search(text):
        return float(match[0])
    if match := _POINT.search(text):
        return _said_decimal(text[: match.start()], text[match.end() :], language)
    if len(set(traits(language).digit_runs(text))) > 1:
        return None
    found = understand(Number(), text, day, language)
    return None if found is None else int(found.value)


def _said_decimal(before: str, after: str, language: str) -> float | None:
    """ "twelve" and "five dollars"."""
    known = traits(language)
    whole, rest = known.digit_runs(before), known.digit_runs(after)
    if not whole or not rest or not known.ends_with_number(before) or not known.digit_runs(after.split()[0]):
        return None
    return float(f"{whole[-1]}.{rest[0]}")


def _match(pattern: str, text: str, language: str) -> str | None:
    """In the words as they stand, in each of them, or in digits that were said one by one."""
    bare = [word.strip(".,;:!?") for word in text.split()]
    for candidate in (text.strip(), text.strip().rstrip(".!?"), *bare, *traits(language).digit_runs(text)):
        if candidate and (found := patterns.find(pattern, candidate)):
            return found
    return None


_COMMON: Final = frozenset(
    words(
        "the and for are was were you your yours his her their our what which who when where how this that these those "
        "there here can could will would shall should may might must have has had did does done not been being with "
        "from into out off about over please tell say said says give gave given know like want wants need needs get "
        "got yes number value whether true false null date time text person customer caller user client call agent "
        "did them they she him its let also just any some one all for"
    )
)
_ONE_WORD: Final = (
    (re.compile(r"\be-mail", re.IGNORECASE), "email"),
    (re.compile(r"\bcall(?:ed|ing|s)? (?:\w+ )?back\b", re.IGNORECASE), "callback"),
)
_SAME: Final = {
    "old": "age",
    "born": "birth",
    "birthday": "birth",
    "mail": "email",
    "cost": "price",
    "persons": "people",
    "guests": "people",
    "children": "child",
    "kids": "child",
}


def _stems(text: str) -> frozenset[str]:
    """Words that mean something, so that "appointment_confirmed" and "confirm the appointment" meet."""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text)
    for pattern, one in _ONE_WORD:
        plain = pattern.sub(one, plain)
    return frozenset(_stem(_stem(_SAME.get(word, word))) for word in _meaning(words(plain)))


def _meaning(said: Sequence[str]) -> list[str]:
    return [word for word in said if len(word) > 2 and word not in _COMMON and not word.isdecimal()]


def _stem(word: str) -> str:
    short = re.sub(r"(?:'s|ies|s|ed|ing|ation|tion|ment|er|e|y)$", "", word) if len(word) > 3 else word
    return re.sub(r"([^aeiou])\1$", r"\1", short)
