"""When the person's turn is over: how much silence it takes, by what was said before it.

Silence is counted from the end of speech as the voice detector sees it. Whisper sets a full stop after almost
anything, also after "My address is.", so that a full stop alone says little; the length of what was said, and whether
it answers the question, say more. The factors are fitted to the labelled utterances of `benchmarks/turns`.
"""

from __future__ import annotations

import re
from typing import Final

from ringback.agents.plan import TalkSettings
from ringback.conversation.closing import closes
from ringback.conversation.dialogue import Expectation
from ringback.conversation.words import words

AT_ONCE: Final = 0.7
"""Of the configured silence, after what answers the question or is a whole sentence. The words are known about 0.35 s
after the end of speech, and a breath is shorter than this."""
SHORT: Final = 0.75
"""Of the configured silence, after a word or two that answer: "yes" is often followed by the rest after a breath."""
UNFINISHED: Final = 2.6
"""Of the configured silence, after what visibly goes on."""
SCRAP: Final = 2.2
"""Of the configured silence, after a few words that answer nothing, or a text that just stops."""
SCRAP_WORDS: Final = 5
"""So few words to an open question are more often the beginning of an answer than the whole."""
SENTENCE_WORDS: Final = 7
"""So many with a full stop are a sentence."""
LONG_WORDS: Final = 8
"""So many are one even where the transcriber set no full stop."""
_SHORT_ANSWER_WORDS: Final = 3

_ENDS: Final = re.compile(r"[.!?。？！।][\"')\]]*$")
_TRAILS: Final = re.compile(r"(\.\.\.|…|[,;:\-–—])[\"')\]]*$")
_HOLDS: Final = re.compile(
    r"\b(let me (see|think|look|check)|hold on|hang on|(one|just a|a) (moment|second|minute)|let's see|bear with me|and then)$"
)
_SPELT: Final = re.compile(r"\b[b-hj-z]$")


def _set(line: str) -> frozenset[str]:
    return frozenset(line.split())


_HESITATION: Final = _set("um uh uhm umm er erm ah hmm hm mm")
_HANGING: Final = _set(
    "and but or so because if when while although though unless until since that which who whose whom than then"
    " the a an my your his her our their its this these those to of for with at in on from by about into"
    " is are was were am be been i'm it's we're they're you're that's i we they he she it can could would will"
    " shall should may might must do does did have has had like well maybe perhaps let's just also plus not"
    " very really say guess"
)
"""Words that nobody ends with, as a rule."""
_MAY_END: Final = _set(
    "it that this those these is are was am do does did can could would will should have has had not then him her"
    " so on in about by well too really i maybe perhaps"
)
"""Of these, the ones that also end sentences: unfinished only where the transcriber set no full stop."""


def wait_s(text: str, expectation: Expectation, talk: TalkSettings) -> float:
    """Seconds of silence after which `text` is taken as the person's whole turn.

    The configured silence is the transcriber's `endpointing` and `incremental_delay` together.
    """
    configured = (talk.endpointing_ms + talk.incremental_delay_ms) / 1000
    return configured * _share(text, expectation) if text else 0.0


def _share(text: str, expectation: Expectation) -> float:
    length = len(words(text))
    if expectation is Expectation.COMPLETE or closes(text):
        whole = length > _SHORT_ANSWER_WORDS or sum(map(str.isdecimal, text)) > 1
        return AT_ONCE if whole else SHORT
    if expectation is Expectation.PARTIAL or is_unfinished(text):
        return UNFINISHED
    ended = _ENDS.search(text) is not None
    if expectation is Expectation.ANSWERED and ended:
        return AT_ONCE if length >= SENTENCE_WORDS else SHORT
    if length <= SCRAP_WORDS or (not ended and length < LONG_WORDS):
        return SCRAP
    return AT_ONCE if ended and length >= SENTENCE_WORDS else 1.0


def is_unfinished(text: str) -> bool:
    """Whether a text stops where nobody stops: at a hesitation, a conjunction, an article, a comma, a letter."""
    said = words(text)
    if not said or _TRAILS.search(text):
        return bool(said)
    line, last = " ".join(said), said[-1]
    if last in _HESITATION or _HOLDS.search(line) or _SPELT.search(line):
        return True
    return last in _HANGING and not (last in _MAY_END and _ENDS.search(text))
