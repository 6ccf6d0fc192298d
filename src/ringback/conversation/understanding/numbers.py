"""English numbers in a transcription: as words, as digits, or said digit by digit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ringback.conversation.understanding.words import words

_UNIT_NAMES: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TEN_NAMES: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINAL_NAMES: Final = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
_UNITS: Final = {name: value for value, name in enumerate(_UNIT_NAMES.split())}
_TENS: Final = {name: 10 * value for value, name in enumerate(_TEN_NAMES.split(), 2)} | {"fourty": 40}
_SCALES: Final = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_ORDINALS: Final = {name: value for value, name in enumerate(_ORDINAL_NAMES.split(), 1)} | {"thirtieth": 30}
_REPEATS: Final = {"double": 2, "triple": 3}
_HOMOPHONES: Final = {"to": "two", "too": "two", "for": "four", "won": "one", "ate": "eight"}

Tokens = list[str]


def tokens(text: str) -> Tokens:
    """Words, with thousands separators gone: "1,250" is one."""
    return words(re.sub(r"(?<=\d),(?=\d{3}\b)", "", text))


def find_number(text: str, minimum: int | None = None, maximum: int | None = None) -> int | None:
    """The first whole number in `text` that lies within the bounds."""
    for run in _runs(tokens(text)):
        value = int("".join(run))
        if (minimum is None or value >= minimum) and (maximum is None or value <= maximum):
            return value
    return None


def find_digits(text: str, count: int) -> str | None:
    """A code of exactly `count` digits, however they were grouped in speaking."""
    said = tokens(text)
    for spelt in (said, [_HOMOPHONES.get(word, word) for word in said]):
        for run in _runs(spelt):
            digits = "".join(run)
            if len(digits) == count:
                return digits
    return None


def digit_runs(text: str) -> list[str]:
    """All digits that were said in a row, each row as one string."""
    return ["".join(run) for run in _runs(tokens(text))]


def cardinal(said: Tokens, start: int) -> tuple[int, int] | None:
    """The number that begins at `start`, and the place after it: "two hundred and five" is 205."""
    total, place, scale = 0, start, 0
    while (part := _below_thousand(said, place)) is not None:
        value, place = part
        unit = _SCALES.get(_at(said, place), 1)
        if scale and unit >= scale:
            return None
        total += value * unit
        if unit == 1:
            return total, place
        scale = unit
        place += 1
        rest = place + (_at(said, place) == "and")
        # A digit group does not continue a number of words, except below its scale: "2 thousand 500".
        if _below_thousand(said, rest) is None:
            break
        place = rest
    return (total, place) if scale else None


def below_hundred(said: Tokens, start: int) -> tuple[int, int] | None:
    """The number below 100 (in digits: any) that begins at `start`, and the place after it."""
    word = _at(said, start)
    if word.isdecimal():
        return int(word), start + 1
    if word in _UNITS:
        return _UNITS[word], start + 1
    if word in _TENS:
        unit = _UNITS.get(_at(said, start + 1), 0)
        return (_TENS[word] + unit, start + 2) if 0 < unit < 10 else (_TENS[word], start + 1)
    return None


def ordinal(said: Tokens, start: int) -> tuple[int, int] | None:
    """The ordinal that begins at `start`, and the place after it: "twenty first", "21st"."""
    word = _at(said, start)
    suffixed = re.fullmatch(r"(\d+)(?:st|nd|rd|th)", word)
    if suffixed:
        return int(suffixed[1]), start + 1
    if word in _ORDINALS:
        return _ORDINALS[word], start + 1
    unit = _ORDINALS.get(_at(said, start + 1), 0)
    return (_TENS[word] + unit, start + 2) if word in _TENS and 0 < unit < 10 else None


def _runs(said: Tokens) -> Iterator[list[str]]:
    """Numbers that follow each other, as digit strings: "one twenty" is ["1", "20"]."""
    run: list[str] = []
    place = 0
    while place < len(said):
        piece = _piece(said, place, inside=bool(run))
        if piece is not None:
            digits, place = piece
            run.append(digits)
            continue
        if run:
            yield run
        run = []
        place += 1
    if run:
        yield run


def _piece(said: Tokens, place: int, inside: bool) -> tuple[str, int] | None:
    word, following = _at(said, place), _at(said, place + 1)
    if word in _REPEATS:
        digit = _digit(following)
        return None if digit is None else (digit * _REPEATS[word], place + 2)
    if word in ("oh", "o") and (inside or _digit(following) is not None or following in ("oh", *_REPEATS)):
        return "0", place + 1
    if word == "none" and not inside:
        return "0", place + 1
    if word == "couple" and not inside:
        return "2", place + 1
    if word.isdecimal() and following not in ("hundred", "dozen", *_SCALES):
        return word, place + 1
    found = cardinal(said, place)
    if found is None:
        return None
    value, end = found
    return str(value), end


def _digit(word: str) -> str | None:
    if word in ("oh", "o"):
        return "0"
    value = int(word) if word.isdecimal() else _UNITS.get(word, 10)
    return str(value) if value < 10 else None


def _below_thousand(said: Tokens, start: int) -> tuple[int, int] | None:
    single = _at(said, start) in ("a", "an", "")
    found = (1, start + 1) if single else below_hundred(said, start)
    if found is None:
        return None
    value, place = found
    match _at(said, place):
        case "dozen":
            return value * 12, place + 1
        case "hundred":
            rest = place + 1 + (_at(said, place + 1) == "and")
            below = below_hundred(said, rest)
            return (value * 100, place + 1) if below is None else (value * 100 + below[0], below[1])
        case word if single and word not in _SCALES:
            return None
    return value, place


def _at(said: Tokens, place: int) -> str:
    return said[place] if 0 <= place < len(said) else ""
