"""Cutting what a sequence model says again and again when it has lost its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_PUNCTUATION: Final = ".,;:!?-\"'…"
_SENTENCE_END: Final = (".", "!", "?", "…")
_LONG_PHRASE: Final = 4
"""Nobody repeats so many words exactly without a pause between; the model does."""
_LOOP: Final = 4
"""Fewer repetitions of a short phrase may be a person's: "no, no, no"."""


def cut_repeats(text: str) -> str:
    """The text with each phrase that follows itself said once: sentences, long phrases, loops of short ones.

    Digits are left alone: telephone numbers repeat them.
    """
    words = text.split()
    keys = [word.strip(_PUNCTUATION).casefold() for word in words]
    start = 0
    while start < len(words):
        for size in range(1, (len(words) - start) // 2 + 1):
            times = _times(keys, start, size)
            if _is_restart(words[start : start + size], times):
                del words[start + size : start + size * times]
                del keys[start + size : start + size * times]
                break
        start += 1
    return " ".join(words)


def _times(keys: Sequence[str], start: int, size: int) -> int:
    """How often the phrase at `start` stands there in a row."""
    phrase = keys[start : start + size]
    end = start + size
    while keys[end : end + size] == phrase:
        end += size
    return (end - start) // size


def _is_restart(phrase: Sequence[str], times: int) -> bool:
    if times < 2 or all(word.strip(_PUNCTUATION).isdigit() for word in phrase):
        return False
    return phrase[-1].endswith(_SENTENCE_END) or len(phrase) >= _LONG_PHRASE or times >= _LOOP
