"""Whether what was heard so far is a whole answer to what a node waits for.

A wrong COMPLETE cuts a person short, so everything that may go on is OPEN: the text must say the one thing that was
asked for, and no word that joins on another. Full stops count for nothing, for the transcriber sets them by guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Final

from ringback.agents.plan import (
    Affirmative,
    Anything,
    Condition,
    Date,
    Keywords,
    Negative,
    Number,
    Pattern,
    Time,
)
from ringback.conversation.dialogue.dialogue import Expectation
from ringback.conversation.understanding.lexicon.lexicon import LANGUAGES
from ringback.conversation.understanding.traits import Traits, traits
from ringback.conversation.understanding.understanding import understand

COMPLETE, ANSWERED = Expectation.COMPLETE, Expectation.ANSWERED
PARTIAL, OPEN = Expectation.PARTIAL, Expectation.OPEN

SHORT_WORDS: Final = 4
"""A free answer with so many words at most is a command ("another day"), a longer one a sentence on its way."""
PHRASE_WORDS: Final = 6
"""A number, day or time with more words around it is a sentence too."""
_TRAILS: Final = re.compile(r"(\.\.\.|…|[,;:\-–—])\s*$")


def judge(conditions: Sequence[Condition], text: str, today: date, language: str) -> Expectation:
    """How `text` relates to the conditions of a node's edges: PARTIAL where any is half met, COMPLETE where one is."""
    known = traits(language)
    said = known.words(text)
    if not said:
        return OPEN
    found = {_judge(condition, text, today, language, known) for condition in conditions}
    if PARTIAL in found:
        return PARTIAL
    joined = known.connects(text) or _TRAILS.search(text)
    if COMPLETE in found and not joined:
        return COMPLETE
    met = any(understand(one, text, today, language) for one in conditions if not isinstance(one, Anything))
    return ANSWERED if met else OPEN


def prepare() -> None:
    """Read and compile every language, 10 to 30 ms each: no call may spend that between two frames."""
    everything = (Affirmative(), Negative(), Date(), Time(), Number(), Number(digits=4))
    for language in ("en", *LANGUAGES):
        judge(everything, "x 12", date(2026, 1, 1), language)


def _judge(condition: Condition, text: str, today: date, language: str, known: Traits) -> Expectation:
    length = len(known.words(text))
    match condition:
        case Number(digits=int(count)):
            return _code(text, count, known)
        case Date() if length <= PHRASE_WORDS:
            return _date(text, understand(condition, text, today, language) is not None, known)
        case Time() if length <= PHRASE_WORDS:
            if known.breaks_off_time(text):
                return PARTIAL
            met = understand(condition, text, today, language) is not None
            return COMPLETE if met and known.is_exact_time(text) else OPEN
        case Number() if length <= PHRASE_WORDS:
            met = understand(condition, text, today, language) is not None
            runs = known.digit_runs(text)
            return COMPLETE if met and len(runs) == 1 and not _may_grow(runs[0], condition) else OPEN
        case Affirmative() | Negative():
            met = understand(condition, text, today, language) is not None
            return COMPLETE if met and known.says_only_yes_or_no(text) else OPEN
        case Keywords() if length <= SHORT_WORDS:
            met = understand(condition, text, today, language) is not None
            return COMPLETE if met and not known.negates(text) else OPEN
        case Pattern() if length <= SHORT_WORDS:
            result = understand(condition, text, today, language)
            return COMPLETE if result and not str(result.value)[-1:].isdecimal() else OPEN
    return OPEN


def _code(text: str, count: int, known: Traits) -> Expectation:
    runs = known.digit_runs(text)
    if not runs:
        return OPEN
    if len(runs[-1]) == count:
        return COMPLETE if known.ends_with_number(text) and not known.may_grow_at_end(text) else OPEN
    return PARTIAL if sum(map(len, runs)) < count else OPEN


def _may_grow(digits: str, number: Number) -> bool:
    """ "twenty" may become "twenty five", "two" "two hundred", "a thousand two" "a thousand two hundred"; nothing grows
    beyond the bounds."""
    value = int(digits)
    if value < 10:
        grown = value * 100
    elif value >= 20 and value % 10 == 0:
        grown = value + 1
    elif value > 1000 and value % 1000 < 10:
        grown = value * 10
    else:
        return False
    return number.maximum is None or grown <= number.maximum


def _date(text: str, met: bool, known: Traits) -> Expectation:
    """A month without a day, or a day without a month, is half a date; "twenty" may become "twenty first"."""
    month, relative, day = (
        known.names_month(text),
        known.names_relative_day(text),
        known.names_day_number(text),
    )
    if relative and not month:
        return COMPLETE if met and len(known.words(text)) <= SHORT_WORDS else OPEN
    if month and day:
        return COMPLETE if met and not known.may_grow_at_end(text) else OPEN
    if month or (day and not known.may_grow_at_end(text)):
        return PARTIAL
    return OPEN
