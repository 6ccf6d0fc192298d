"""A stream of tokens cut into sentences, each to be spoken as soon as it is complete."""

from __future__ import annotations

import re
from typing import Final

MAX_CHARACTERS: Final = 240
"""A sentence longer than this is cut at its last clause or word, so that speech need not wait for its end."""

_ABBREVIATIONS: Final = "Mr|Mrs|Ms|Dr|Prof|St|Mt|No|vs|approx|Jr|Sr|e\\.g|i\\.e|a\\.m|p\\.m|U\\.S|[A-Z]"
_END: Final = re.compile(r"[.!?…]+[\"')\]]*\s+|[。！？।]+|\n+")
_ABBREVIATED: Final = re.compile(rf"(?:^|[\s(])(?:{_ABBREVIATIONS})\.\s+$")


class SentenceSplitter:
    """Feed it text as it comes; it gives back the sentences that are complete."""

    def __init__(self) -> None:
        self._text = ""

    def push(self, text: str) -> list[str]:
        self._text += text
        sentences: list[str] = []
        while (end := self._find_end()) is not None:
            sentences.append(self._text[:end].strip())
            self._text = self._text[end:]
        return [sentence for sentence in sentences if _speakable(sentence)]

    def finish(self) -> list[str]:
        """The rest, which no punctuation ended."""
        rest, self._text = self._text.strip(), ""
        return [rest] if _speakable(rest) else []

    def _find_end(self) -> int | None:
        for match in _END.finditer(self._text):
            if not _ABBREVIATED.search(self._text[: match.end()]):
                return match.end()
        if len(self._text) <= MAX_CHARACTERS:
            return None
        clause = max(self._text.rfind(mark, 0, MAX_CHARACTERS) for mark in (", ", "; ", ": "))
        space = self._text.rfind(" ", 0, MAX_CHARACTERS)
        return clause + 2 if clause > 0 else space + 1 if space > 0 else MAX_CHARACTERS


def _speakable(sentence: str) -> bool:
    return any(character.isalnum() for character in sentence)
