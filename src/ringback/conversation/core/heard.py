"""How much of a sentence was heard when its voice was cut off."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Final

from ringback.conversation.trimmer import LEAD, TAIL
from ringback.media.frame import SAMPLE_RATE

_LEAD_MS: Final = LEAD * 1000 // SAMPLE_RATE
_TAIL_MS: Final = TAIL * 1000 // SAMPLE_RATE

# Fitted to the embedded voice: 50 sentences, mean error of a word's end 0.1 s.
_DIGIT: Final = 6.0
"""Letters that a digit is worth, read out."""
_WORD: Final = 0.5
"""Letters that a word takes longer than its letters."""
_PAUSE: Final = 7.0
"""Letters that a pause at one of _MARKS is worth."""
_MARKS: Final = ",;:"
_MS_PER_LETTER: Final = 53.0
"""Used only while the length of an utterance's audio is not known yet."""
_SLOW_MS_PER_LETTER: Final = 100.0
"""No word is said more slowly."""


def heard(text: str, played_ms: int, audio_ms: int | None, word_ends_ms: Sequence[int] | None = None) -> str:
    """The words of `text` that were heard when `played_ms` of its audio had been played.

    audio_ms: length of that audio, which the Trimmer cut, None while unknown. word_ends_ms: where each word ends
    in it, where the synthesizer said so; otherwise time is spread over the letters. A word counts as heard once
    half of it was played: a listener completes it from there.
    """
    words = text.split()
    if played_ms <= 0 or audio_ms == 0:
        return ""
    if audio_ms is not None and played_ms >= audio_ms:
        return " ".join(words)
    if word_ends_ms is not None and len(word_ends_ms) == len(words):
        middles = _middles_ms(words, word_ends_ms)
    else:
        middles = _estimated_middles_ms(words, audio_ms)
    return " ".join(words[: sum(middle <= played_ms for middle in middles)])


def _middles_ms(words: list[str], ends_ms: Sequence[int]) -> list[float]:
    """Between the ends of two words there may be a pause, which belongs to neither."""
    middles = []
    before = 0.0
    for word, end in zip(words, ends_ms, strict=True):
        begin = max(before, end - _SLOW_MS_PER_LETTER * _length(word))
        middles.append((begin + end) / 2)
        before = end
    return middles


def _estimated_middles_ms(words: list[str], audio_ms: int | None) -> list[float]:
    middles: list[float] = []
    position = end = 0.0
    for word in words:
        letters = _length(word)
        middles.append(position + letters / 2)
        end = position + letters
        position = end + (_PAUSE if word[-1] in _MARKS else 0)
    scale = _MS_PER_LETTER
    if audio_ms is not None and words:
        scale = max(0, audio_ms - _LEAD_MS - _TAIL_MS) / end
    return [_LEAD_MS + middle * scale for middle in middles]


def _length(word: str) -> float:
    """In letters."""
    return _WORD + sum(map(_letters, word))


def _letters(character: str) -> float:
    if character.isdigit():
        return _DIGIT
    return 0.0 if character in string.punctuation else 1.0
