"""How much of a sentence was heard when its voice was cut off."""

from __future__ import annotations

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
    known = word_ends_ms is not None and len(word_ends_ms) == len(words)
    ends = word_ends_ms if known else _estimated_ends_ms(words, audio_ms)
    assert ends is not None
    begin = 0.0
    for count, end in enumerate(ends):
        if played_ms < (begin + end) / 2:
            return " ".join(words[:count])
        begin = end
    return " ".join(words)


def _estimated_ends_ms(words: list[str], audio_ms: int | None) -> list[float]:
    ends: list[float] = []
    position = 0.0
    for word in words:
        position += _WORD + sum(_DIGIT if c.isdigit() else float(c.isalpha()) for c in word)
        ends.append(position)
        if word[-1] in _MARKS:
            position += _PAUSE
    scale = _MS_PER_LETTER
    if audio_ms is not None and ends:
        scale = max(0, audio_ms - _LEAD_MS - _TAIL_MS) / ends[-1]
    return [_LEAD_MS + end * scale for end in ends]
