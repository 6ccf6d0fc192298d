"""Yes and no in an English transcription."""

from __future__ import annotations

import re
from typing import Final

from ringback.conversation.understanding.words import words

_OPEN: Final = (
    "i don't know|i do not know|don't know|i'm not sure|i am not sure|not sure|no idea|not certain|maybe|perhaps"
    "|no matter"
)
"""Neither yes nor no, though the words of either are in it."""
_NO: Final = (
    "no|nope|nah|never|negative|incorrect|wrong|unfortunately|uh uh|cannot|can't|don't|do not|doesn't|does not"
    "|won't|will not|isn't|is not|aren't|wasn't|not|i'd rather|couldn't|wouldn't|neither"
)
_YES: Final = (
    "yes|yeah|yep|yup|yah|sure|of course|absolutely|correct|(?<!the )right|ok|okay|okey|fine|good|works|please do"
    "|go ahead|certainly|definitely|i do|i am|i can|i will|i would|it is|it does|that is|mm hmm|mhm|mm|uh huh|aha"
    "|speaking|this is she|this is he|perfect|great|exactly|why not|no problem|no worries|love to|think so"
    "|suppose so|alright|confirm|confirmed|you bet|indeed|affirmative|true|happy to|wonderful|excellent"
)
_QUESTION: Final = re.compile(r"^(what|who|where|when|why(?! not)|how|can you|could you|would you)\b")
_TOKEN: Final = re.compile(
    rf"\b(?:(?P<yes>why not|no problem|no worries)|(?P<open>{_OPEN})|(?P<no>{_NO})|(?P<also>{_YES}))(?![\w'])"
)


def is_yes(text: str) -> bool:
    return _judge(text) is True


def is_no(text: str) -> bool:
    return _judge(text) is False


def without_answers(text: str) -> list[str]:
    """The words that are left when those for yes and no are gone."""
    return _TOKEN.sub(" ", " ".join(words(text))).split()


def ends_with_answer(line: str) -> bool:
    """Whether a line of words ends with one for yes or no, such as "i am"."""
    return any(match.end() == len(line) for match in _TOKEN.finditer(line))


def _judge(text: str) -> bool | None:
    """True for yes, False for no, None for neither. A plain yes or no at the beginning decides; elsewhere any
    negation makes a no, for "that is not right" holds the words of a yes."""
    line = " ".join(words(text))
    if _QUESTION.match(line):
        return None
    kinds: list[str] = []
    for match in _TOKEN.finditer(line):
        kind = "yes" if match.lastgroup in ("yes", "also") else str(match.lastgroup)
        if match[0] in ("yes", "yeah", "yep", "yup", "no", "nope", "nah") and not kinds:
            return kind == "yes"
        kinds.append(kind)
    if "open" in kinds:
        return None
    if "no" in kinds:
        return False
    return True if kinds else None
