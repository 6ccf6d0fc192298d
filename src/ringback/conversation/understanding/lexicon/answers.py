"""Yes and no in a lexicon's language."""

from __future__ import annotations

import re
from functools import cache

from ringback.conversation.understanding.lexicon.lexicon import Lexicon, folded
from ringback.conversation.understanding.lexicon.lexicon import lexicon as table_of


def judged(text: str, lexicon: Lexicon) -> bool | None:
    """True for yes, False for no, None for neither. A plain yes or no at the beginning decides; elsewhere any
    negation makes a no."""
    line = folded(text)
    if lexicon.pattern("answers", "question").match(line):
        return None
    kinds: list[str] = []
    for match in _tokens(lexicon.language).finditer(line):
        kind = str(match.lastgroup)
        if kind.startswith("plain") and not kinds:
            opened = _tokens(lexicon.language).search(line[match.end() :])
            return None if opened and opened.lastgroup == "open" else kind == "plain_yes"
        kinds.append(kind)
    if "open" in kinds:
        return None
    if kinds and kinds[0] == "yes_first":
        return True
    if "no" in kinds or "plain_no" in kinds:
        return False
    return True if kinds else None


def without_answers(text: str, lexicon: Lexicon) -> str:
    """What is left of a folded text when the words for yes and no are gone."""
    return _tokens(lexicon.language).sub("", folded(text)).strip()


@cache
def _tokens(language: str) -> re.Pattern[str]:
    lexicon = table_of(language)
    assert lexicon is not None
    plain = lexicon.words("answers", "plain")
    no = lexicon.pattern("answers", "no")
    groups = {
        "yes_first": lexicon.words("answers", "yes_first"),
        "open": lexicon.words("answers", "open"),
        "plain_yes": [word for word in plain if not no.fullmatch(_sample(word))],
        "plain_no": [word for word in plain if no.fullmatch(_sample(word))],
        "no": lexicon.words("answers", "no"),
        "yes": lexicon.words("answers", "yes"),
    }
    written = "|".join(f"(?P<{name}>{'|'.join(words)})" for name, words in groups.items() if words)
    return re.compile(rf"(?<!\S)(?:{written})(?!\S)")


def _sample(expression: str) -> str:
    """One text that a simple expression matches: "s[ii]" is "si"."""
    return re.sub(r"\[(.)[^\]]*\]", r"\1", expression)
