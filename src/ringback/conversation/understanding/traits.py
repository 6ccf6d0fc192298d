"""What a language lets one see of a text that may go on: the words that join, the words that only please."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Protocol

from ringback.conversation.understanding import answers, dates, numbers
from ringback.conversation.understanding.lexicon.answers import without_answers
from ringback.conversation.understanding.lexicon.dates import names_day as lexicon_names_day
from ringback.conversation.understanding.lexicon.dates import names_month as lexicon_names_month
from ringback.conversation.understanding.lexicon.lexicon import Lexicon, folded, lexicon
from ringback.conversation.understanding.lexicon.numbers import digit_runs, digitised
from ringback.conversation.understanding.lexicon.times import is_exact
from ringback.conversation.understanding.words import words


class Traits(Protocol):
    def words(self, text: str) -> Sequence[str]: ...
    def connects(self, text: str) -> bool:
        """Holds a word that joins on more, hesitates or takes back."""
        ...

    def negates(self, text: str) -> bool: ...
    def says_only_yes_or_no(self, text: str) -> bool:
        """Nothing but the answer and politeness."""
        ...

    def digit_runs(self, text: str) -> list[str]: ...
    def ends_with_number(self, text: str) -> bool:
        """But for politeness."""
        ...

    def may_grow_at_end(self, text: str) -> bool:
        """The last word is a round number, to which a unit may come."""
        ...

    def names_month(self, text: str) -> bool: ...
    def names_relative_day(self, text: str) -> bool:
        """ "tomorrow", or a day of the week."""
        ...

    def names_day_number(self, text: str) -> bool: ...
    def breaks_off_time(self, text: str) -> bool: ...
    def is_exact_time(self, text: str) -> bool:
        """Says minutes, or that there are none, or the part of the day."""
        ...


@lru_cache(maxsize=64)
def traits(language: str) -> Traits:
    table = lexicon(language)
    return _English() if table is None else _Tabled(table)


_JOINS: Final = re.compile(
    r"\b(but|and(?! (?:a|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d|\w+teen|\w+ty)\b)|or|because"
    r"|if|when|except|unless|although|though|so|not on|maybe|perhaps|wait|sorry|actually|i mean|um|uh|the|a|an|of|in"
    r"|on|at|to|next|is|it's|i'm|i|my|no)$|\b(but|or|because|if|except|unless|although|maybe|perhaps|wait|actually"
    r"|i mean|no (?=\w+ty\b|\d|one|two|three|four|five|six|seven|eight|nine|ten))\b"
)
_POLITE_WORDS: Final = "thank thanks you please sir madam ma'am very much that's that it lot oh all i"
_POLITE: Final = frozenset(_POLITE_WORDS.split())
_HANGS: Final = frozenset(["that's", "that", "it", "oh", "very", "all", "much", "i"])
_NEGATION: Final = re.compile(r"(\bnot|n't|\bcannot|\brather|\bunfortunately|\bthank)$")
"""What is denied comes after it."""
_VERB: Final = re.compile(r"\b(am|is|are|do|does|can|will|would)$")
_BEGINS: Final = re.compile(r"(yes|yeah|yep|yup|no|nope|nah)\b")
_TENS: Final = re.compile(
    r"(twenty|thirty|fou?rty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|[1-9]0+)$"
)
_EXACT: Final = re.compile(
    r"\d:\d\d|\d\.\d\d|\b(o'clock|o clock|am|pm|noon|midday|midnight|morning|afternoon|evening|tonight|night)\b"
    r"|\b(half|quarter|past|after|to) (?:\w+ )?\w+$|\b(fifteen|thirty|forty five|15|30|45)$|\boh \w+$"
)
_BROKEN: Final = re.compile(r"\b(half|quarter|half past|(quarter|five|ten|twenty) (to|past|after|of))$")


class _English:
    def words(self, text: str) -> Sequence[str]:
        return words(text)

    def connects(self, text: str) -> bool:
        line = " ".join(words(text))
        plain = line in ("no", "oh no", "yes it is", "it is", "that is", "i am") or answers.ends_with_answer(
            line
        )
        return _JOINS.search(line) is not None and not plain

    def negates(self, text: str) -> bool:
        return answers.is_no(text)

    def says_only_yes_or_no(self, text: str) -> bool:
        line, left = " ".join(words(text)), answers.without_answers(text)
        last = line.split()[-1]
        breaks_off = (last in left and last in _HANGS) or _NEGATION.search(line)
        if _VERB.search(line) and not _BEGINS.match(line):
            return False
        return not breaks_off and all(word in _POLITE for word in left)

    def digit_runs(self, text: str) -> list[str]:
        return numbers.digit_runs(text)

    def ends_with_number(self, text: str) -> bool:
        said = words(text)
        while said and said[-1] in _POLITE:
            said.pop()
        return bool(said) and bool(numbers.digit_runs(said[-1]))

    def may_grow_at_end(self, text: str) -> bool:
        """Also "a thousand two", to which "hundred" may come."""
        line = " ".join(words(text))
        return (
            _TENS.search(line) is not None or re.search(r"(hundred|thousand)( and)? \w+$", line) is not None
        )

    def names_month(self, text: str) -> bool:
        return dates.names_month(text)

    def names_relative_day(self, text: str) -> bool:
        return dates.names_relative_day(text)

    def names_day_number(self, text: str) -> bool:
        return dates.names_day_number(text)

    def breaks_off_time(self, text: str) -> bool:
        return _BROKEN.search(" ".join(words(text))) is not None

    def is_exact_time(self, text: str) -> bool:
        line = " ".join(words(text))
        return bool(_EXACT.search(text.lower()) or _EXACT.search(line))


class _Tabled:
    def __init__(self, table: Lexicon) -> None:
        self._table = table

    def words(self, text: str) -> Sequence[str]:
        return folded(text).split()

    def connects(self, text: str) -> bool:
        line = self._table.pattern("judging", "polite").sub(" ", digitised(text, self._table))
        joined = self._table.pattern("judging", "connectors")
        # "tres y media" and "cuarenta y dos" are joined, but go on no further.
        return any(
            match.end() == len(line.rstrip())
            or not re.match(r" (?:\d|medi|mez|quart|demi)", line[match.end() :])
            for match in joined.finditer(line)
        )

    def negates(self, text: str) -> bool:
        return self._table.pattern("answers", "no").search(folded(text)) is not None

    def says_only_yes_or_no(self, text: str) -> bool:
        left = without_answers(text, self._table)
        return not self._table.pattern("judging", "polite").sub("", left).strip()

    def digit_runs(self, text: str) -> list[str]:
        return digit_runs(text, self._table)

    def ends_with_number(self, text: str) -> bool:
        line = self._table.pattern("judging", "polite").sub("", digitised(text, self._table)).strip()
        return line[-1:].isdecimal()

    def may_grow_at_end(self, text: str) -> bool:
        return re.search(r"(?<!\d)(?:[2-9]0|\d+00)$", digitised(text, self._table)) is not None

    def names_month(self, text: str) -> bool:
        return lexicon_names_month(text, self._table)

    def names_relative_day(self, text: str) -> bool:
        return lexicon_names_day(text, self._table)

    def names_day_number(self, text: str) -> bool:
        return any(1 <= int(run) <= 31 for run in digit_runs(text, self._table) if len(run) <= 2)

    def breaks_off_time(self, text: str) -> bool:
        return False

    def is_exact_time(self, text: str) -> bool:
        return is_exact(text, self._table)
