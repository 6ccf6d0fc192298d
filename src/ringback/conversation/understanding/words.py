"""The words of a transcription, as understanding compares them."""

from __future__ import annotations

import re
from unicodedata import category

_APOSTROPHE = re.compile(r"[’‘`´]")
_MARKS = "".join(chr(code) for code in range(0x300, 0xFF00) if category(chr(code)).startswith("M"))
# For Python's \w the vowel signs of India's scripts are no part of a word.
LETTER = rf"[^\W\d_][{_MARKS}\u200c\u200d]*"
_WORD = re.compile(rf"\d+(?:st|nd|rd|th)\b|\d+|(?:{LETTER})+(?:'(?:{LETTER})+)*")


def words(text: str) -> list[str]:
    """Lower-case words and digit groups without punctuation: "It's 3 p.m., O.K.?" is it's 3 pm ok."""
    text = _APOSTROPHE.sub("'", text.lower())
    # Abbreviations spelt with full stops are one word.
    text = re.sub(r"\b([a-z])\.([a-z])\b\.?", r"\1\2", text)
    return _WORD.findall(text)
