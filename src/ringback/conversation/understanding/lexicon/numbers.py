"""Numbers of a lexicon's language. Words become digits by `text2num`; for Hindi, which it lacks, by our table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from text_to_num import alpha2digit

from ringback.conversation.understanding.lexicon.lexicon import Lexicon, compiled, folded, plain
from ringback.conversation.understanding.lexicon.lexicon import lexicon as table_of

_GROUPED: Final = re.compile(r"(?<![\d.,:])\d{1,3}(?:[., \u00a0\u202f]\d{3})+(?![\d:])")
"""Thousands apart: "1.250", "1 250", "1,250"."""
_ARTICLE_WORDS: Final = 3
"""A longer text means the article by its word for one."""


def find_number(
    text: str, lexicon: Lexicon, minimum: int | None = None, maximum: int | None = None
) -> int | None:
    """The first whole number in `text` that lies within the bounds."""
    grouped = _GROUPED.sub(lambda match: re.sub(r"\D", "", match[0]), text)
    for run in _runs(digitised(_without_articles(grouped, lexicon), lexicon)):
        value = int("".join(run))
        if (minimum is None or value >= minimum) and (maximum is None or value <= maximum):
            return value
    return None


def find_digits(text: str, count: int, lexicon: Lexicon) -> str | None:
    """A code of exactly `count` digits, however they were grouped in speaking."""
    return next((digits for digits in digit_runs(text, lexicon) if len(digits) == count), None)


def digit_runs(text: str, lexicon: Lexicon) -> list[str]:
    """All digits that were said in a row, each row as one string."""
    spelt: Mapping[str, str] = lexicon.table["numbers"].get("digits", {})
    for word, digit in spelt.items():
        text = _spelt(word).sub(digit, text)
    said = digitised(text, lexicon)
    for word, times in lexicon.table["numbers"].get("repeats", {}).items():
        said = compiled(rf"{plain(word)} (\d)").sub(lambda match, n=times: match[1] * n, said)  # type: ignore[misc]
    return ["".join(run) for run in _runs(said)]


def digitised(text: str, lexicon: Lexicon) -> str:
    """Folded text with its numbers in digits: "à trois heures" is "a 3 heures"."""
    if "names" in lexicon.table["numbers"]:
        return _by_table(folded(text).split(), lexicon)
    return folded(alpha2digit(text, lexicon.language, 0))


@cache
def _spelt(word: str) -> re.Pattern[str]:
    return re.compile(rf"\b{word}\b", re.IGNORECASE)


def _runs(said: str) -> list[list[str]]:
    runs: list[list[str]] = [[]]
    for word in said.split():
        if word.isdecimal():
            runs[-1].append(word)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _without_articles(text: str, lexicon: Lexicon) -> str:
    """ "una cita" is no number, "una" is, and so is "una persona"."""
    some = {plain(word) for word in lexicon.table.get("some", ())}  # "unas quince": about fifteen
    said = [word for word in text.split() if plain(word) not in some]
    if len(said) <= _ARTICLE_WORDS:
        return " ".join(said)
    articles = {plain(article) for article in lexicon.table["articles"]}
    kept = []
    for place, word in enumerate(said):
        following = digitised(said[place + 1], lexicon) if place + 1 < len(said) else ""
        is_article = plain(word) in articles and following and not following.split()[0].isdecimal()
        if not is_article or _is_scale(following, lexicon):
            kept.append(word)
    return " ".join(kept)


def _is_scale(word: str, lexicon: Lexicon) -> bool:
    return word in _scales(lexicon.language)


def _by_table(said: list[str], lexicon: Lexicon) -> str:
    """ "do hazaar paanch sau" is 2500: units are multiplied by the hundred and the scales that follow them."""
    names, scales = _names(lexicon.language), _scales(lexicon.language)
    written: list[str] = []
    total, part, inside, may_add = 0, 0, False, False

    def flush() -> None:
        nonlocal total, part, inside, may_add
        if inside:
            written.append(str(total + part))
        total, part, inside, may_add = 0, 0, False, False

    for word in said:
        if word in names:
            if inside and not may_add:
                flush()
            part, inside, may_add = part + names[word], True, False
        elif scales.get(word) == 100:
            part, inside, may_add = (part or 1) * 100, True, True
        elif word in scales:
            total, part, inside, may_add = total + (part or 1) * scales[word], 0, True, True
        else:
            flush()
            written.append(word)
    flush()
    return " ".join(written)


@cache
def _names(language: str) -> Mapping[str, int]:
    known = table_of(language)
    names = known.table["numbers"].get("names", ()) if known else ()
    return {plain(name): value for value, line in enumerate(names) for name in line.split("|")}


@cache
def _scales(language: str) -> Mapping[str, int]:
    known = table_of(language)
    numbers = known.table["numbers"] if known else {}
    hundreds = {plain(word): 100 for word in numbers.get("hundred", ())}
    return hundreds | {plain(word): value for word, value in numbers.get("scales", {}).items()}
