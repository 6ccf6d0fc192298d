"""A language as a table: the words for yes and no, numbers, days and times of day, beside this file as TOML.

Words are regular expressions, compared with folded text: lower case, no accents, no punctuation, no apostrophes.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

from ringback.conversation.understanding.words import LETTER

LANGUAGES: Final = ("es", "fr", "de", "pt", "it", "nl", "hi")

_WORD: Final = re.compile(rf"\d{{1,2}}:\d{{2}}(?!\d)|\d+|(?:{LETTER})+")
_ACCENTS: Final = re.compile(r"[\u0300-\u036f\u093c\u200c\u200d]")  # and the nukta, and joiners
_ORDINAL: Final = re.compile(r"(?<=\d)(?:er|re|e|ste|de|ro|º|ª|°)(?!\w)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Lexicon:
    language: str
    table: Mapping[str, Any]

    @property
    def giving_up(self) -> str:
        return str(self.table["giving_up"])

    def words(self, part: str, name: str) -> Sequence[str]:
        """The expressions of one list, folded; empty where the language has none."""
        return _folded_list(self.language, part, name)

    def pattern(self, part: str, name: str) -> re.Pattern[str]:
        """Matches any expression of one list, as whole words of folded text."""
        return any_of(self.words(part, name))


@lru_cache(maxsize=64)
def lexicon(language: str) -> Lexicon | None:
    """Of a language code ("es", "pt-BR"); None for one without a table, and for English, which needs none."""
    code = language.lower().replace("_", "-").split("-")[0]
    if code not in LANGUAGES:
        return None
    text = (files(__package__) / f"{code}.toml").read_text(encoding="utf-8")
    return Lexicon(code, tomllib.loads(text))


@cache
def compiled(expression: str) -> re.Pattern[str]:
    """Of whole words of folded text. Kept: `re` forgets what it compiled when it has seen 512 others, and compiling
    takes a millisecond or more of a process that ticks audio."""
    return re.compile(rf"(?<!\S)(?:{expression})(?!\S)")


@cache
def any_of(expressions: tuple[str, ...]) -> re.Pattern[str]:
    return compiled("|".join(expressions) if expressions else "(?!)")


def which(expressions: Sequence[str], word: str) -> int:
    """The number of the expression that matches all of `word`, from nought."""
    return next(number for number, one in enumerate(expressions) if compiled(one).fullmatch(word))


def folded(text: str) -> str:
    """Words with one space between them: "À 10 h 30, s'il vous plaît." is "a 10 h 30 s il vous plait"."""
    return " ".join(_WORD.findall(_ORDINAL.sub("", plain(text))))


def plain(text: str) -> str:
    """Lower case without accents. Devanagari keeps its vowel signs; its candrabindu becomes an anusvara, since
    transcribers write either, and its digits become ASCII."""
    spread = unicodedata.normalize("NFD", text.casefold())
    text = unicodedata.normalize("NFC", _ACCENTS.sub("", spread)).replace("ँ", "ं")
    return "".join(str(int(c)) if c.isdecimal() else c for c in text)


@cache
def _folded_list(language: str, part: str, name: str) -> tuple[str, ...]:
    known = lexicon(language)
    assert known is not None
    expressions: Iterable[str] = known.table.get(part, {}).get(name, ())
    return tuple(_without_accents(expression) for expression in expressions)


def _without_accents(expression: str) -> str:
    """A regular expression over folded text: "qu[eé]" is written for people, and "qu[ee]" is the same."""
    return plain(expression)
