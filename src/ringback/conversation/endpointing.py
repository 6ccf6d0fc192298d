"""When the person's turn is over: how much silence it takes, by what was said before it.

Silence is counted from the end of speech as the voice detector sees it, 80 to 145 ms after the real one (measured).
"""

from __future__ import annotations

import re
from typing import Final

from ringback.agents.plan import TalkSettings
from ringback.conversation.dialogue import Expectation
from ringback.conversation.words import words

COMPLETE_S: Final = 0.25
"""After what answers the question, or ends like a sentence. The words themselves are known about 0.35 s after the
end of speech, so that this is "at once"."""
UNFINISHED: Final = 3.0
"""So many times the configured silence after what is visibly not finished."""
UNFINISHED_MIN_S: Final = 1.2

_ENDS: Final = re.compile(r"[.!?。？！।][\"')\]]*$")
_TRAILS: Final = re.compile(r"(\.\.\.|…|[,;:\-–—])[\"')\]]*$")


def _set(line: str) -> frozenset[str]:
    return frozenset(line.split())


_HESITATION: Final = _set("um uh uhm umm er erm ah hmm hm mm")
_HANGING: Final = _set(
    "and but or so because if when while although though unless until since that which who whose whom than then"
    " the a an my your his her our their its this these those to of for with at in on from by about into"
    " is are was were am be been i'm it's we're they're you're that's i we they he she it can could would will"
    " shall should may might must do does did have has had like well maybe perhaps let's just also plus not"
    " very really"
)
"""Words that nobody ends with, as a rule."""
_MAY_END: Final = _set(
    "it that this those these is are was am do does did can could would will should have has had not then him her"
    " so on in about by well too really i maybe perhaps"
)
"""Of these, the ones that also end sentences: unfinished only where the transcriber set no full stop."""


def wait_s(text: str, expectation: Expectation, talk: TalkSettings) -> float:
    """Seconds of silence after which `text` is taken as the person's whole turn."""
    limit = max(talk.endpointing_ms, talk.incremental_delay_ms) / 1000
    if not text:
        return 0.0
    if expectation is Expectation.PARTIAL or is_unfinished(text):
        return max(UNFINISHED * limit, min(limit, UNFINISHED_MIN_S))
    if expectation is Expectation.COMPLETE or _ENDS.search(text):
        return min(COMPLETE_S, limit)
    return limit


def is_unfinished(text: str) -> bool:
    """Whether a text stops where nobody stops: at a hesitation, a conjunction, an article, a comma."""
    said = words(text)
    if not said or _TRAILS.search(text):
        return bool(said)
    last = said[-1]
    if last in _HESITATION:
        return True
    return last in _HANGING and not (last in _MAY_END and _ENDS.search(text))
