"""Which phonemes of hibari's each word of a sentence became: the way from a phoneme's end to a word's end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate
from typing import Any, Final

_MARKS: Final = ';:,.!?—…"“”() '
"""Phonemes that are only a pause."""


@dataclass(frozen=True, slots=True)
class WordPhonemes:
    """What the network is to say, a character a phoneme."""

    phonemes: str
    ends: tuple[float, ...] | None
    """For each word of the sentence (split at white space) where it ends, counted in phonemes; a fraction is that
    part of the phoneme. A pause at punctuation comes after the end. None where words could not be told apart."""


def word_phonemes(sentence: str, g2p: Any) -> WordPhonemes:
    """`g2p` is `hibari.g2p.G2P`: it reads numbers, dates and abbreviations out, as other and more words."""
    from hibari.g2p.normalize import normalize

    read_out = normalize(sentence)
    tokens = g2p.phonemize_tokens(g2p.tokenize(read_out))
    phonemes = "".join((token.phonemes or "") + (" " if token.whitespace else "") for token in tokens)
    ends = _ends(tokens)
    words = read_out.split()
    if len(ends) != len(words):
        return WordPhonemes(phonemes.strip(), None)
    begins = len(phonemes) - len(phonemes.lstrip())
    length = len(phonemes.strip())
    placed = [min(max(end - begins, 0), length) for end in ends]
    return WordPhonemes(
        phonemes.strip(), _as_written(sentence.split(), words, placed, lambda word: len(g2p(word)))
    )


def _ends(tokens: list[Any]) -> list[int]:
    """Where each word of the text that was read out ends: tokens without white space after them go on."""
    ends: list[int] = []
    position = end = 0
    for number, token in enumerate(tokens, 1):
        phonemes = token.phonemes or ""
        spoken = phonemes.rstrip(_MARKS)
        if spoken:
            end = position + len(spoken)
        position += len(phonemes)
        if token.whitespace or number == len(tokens):
            ends.append(end)
            position += 1
    return ends


def _as_written(
    written: list[str], read_out: list[str], ends: list[int], length: Callable[[str], int]
) -> tuple[float, ...]:
    """The ends of the written words; several that were read out differently share that stretch by `length`."""
    matcher = SequenceMatcher(a=written, b=read_out, autojunk=False)
    placed: list[float] = []
    begin = 0.0
    for kind, first, last, _, read_last in matcher.get_opcodes():
        end = float(ends[read_last - 1]) if read_last else 0.0
        if kind == "equal":
            placed += map(float, ends[read_last - (last - first) : read_last])
        else:
            reached = list(accumulate(map(length, written[first:last])))
            placed += [begin + (end - begin) * part / max(1, reached[-1]) for part in reached]
        begin = end
    return tuple(placed)
