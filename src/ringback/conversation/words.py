"""The words of a transcription, as understanding compares them."""

from __future__ import annotations

import re

_APOSTROPHE = re.compile(r"[’‘`´]")
_WORD = re.compile(r"\d+(?:st|nd|rd|th)\b|\d+|[^\W\d_]+(?:'[^\W\d_]+)*")


def words(text: str) -> list[str]:
    """Lower-case words and digit groups without punctuation: "It's 3 p.m., O.K.?" is it's 3 pm ok."""
    text = _APOSTROPHE.sub("'", text.lower())
    # Abbreviations spelt with full stops are one word.
    text = re.sub(r"\b([a-z])\.([a-z])\b\.?", r"\1\2", text)
    return _WORD.findall(text)
