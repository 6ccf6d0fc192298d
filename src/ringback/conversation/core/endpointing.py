"""When the person's turn is over: how much silence it takes, by what was said before it.

Silence is counted from the end of speech as the voice detector sees it. Whisper sets a full stop after almost
anything, also after "My address is.", so that a full stop says nothing; whether the words answer the question, how
long the person has spoken, and what a model of language expects after the words say more.
"""

from __future__ import annotations

import re
from typing import Final

from ringback.agents.plan import TalkSettings
from ringback.conversation.core.barge_in import is_noise
from ringback.conversation.core.closing import closes
from ringback.conversation.dialogue.dialogue import Expectation
from ringback.conversation.understanding.words import words

AT_ONCE: Final = 0.70
"""Of the configured silence, after what is surely over. The words are known about 0.35 s after the end of speech, and
most pauses for breath are shorter than this."""
BREATH: Final = 1.25
"""Of the configured silence, after a short answer. It is added to after a breath, or taken back: "yes, but", "Monday,
no, Tuesday"."""
DOUBTFUL: Final = 2.3
"""Of the configured silence, after what may be whole: a few words that answer nothing visibly."""
UNFINISHED: Final = 2.55
"""Of the configured silence, after what most likely goes on. People who look for words pause for up to 1.6 s."""

# Log-odds that the turn is over, against a pause longer than half a second: a logistic regression (L2 of 3.3 on
# standardised features) over the pauses of the split `tune` of the labelled utterances, benchmarks/turns.
_BIAS: Final = -2.4
_ANSWERS: Final = 2.0
_HANGS: Final = -1.25
_FINALITY: Final = 0.33
_SPEECH: Final = 2.8
"""A second. People who are looking for words say little before the first pause."""
_SPEECH_UP_TO_S: Final = 1.8
_CHARACTER_S: Final = 0.12
"""Nobody speaks slower: where the words took longer, other sounds or pauses were in it."""
_LEAST_FINALITY: Final = -6.0
_USUAL_FINALITY: Final = -1.1
"""Of a whole sentence; taken where the transcriber knows none, or everybody would wait longer."""
SURE: Final = 2.25
"""Log-odds: 9 of 10 are over."""
LIKELY: Final = 0.2

_ENDS: Final = re.compile(r"[.!?。？！।][\"')\]]*$")
_TRAILS: Final = re.compile(r"(\.\.\.|…|[,;:\-–—])[\"')\]]*$")
_HOLDS: Final = re.compile(
    r"\b(let me (see|think|look|check)|hold on|hang on|(one|just a|a) (moment|second|minute)|let's see|bear with me"
    r"|and then)$"
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


def wait_s(
    text: str,
    expectation: Expectation,
    talk: TalkSettings,
    spoken_s: float,
    finality: float | None = None,
    confidence: float | None = None,
    *,
    tells: bool = False,
) -> float:
    """Seconds of silence after which `text` is taken as the person's whole turn.

    The configured silence is the transcriber's `endpointing` and `incremental_delay` together. spoken_s: from the
    first sound of the turn to the end of the last, pauses included. finality, confidence: as in
    `media.speech.Transcription`. Words that were only guessed are never surely a whole sentence. Who `tells` something
    long takes breath between sentences.
    """
    if not text:
        return 0.0
    configured = (talk.endpointing_ms + talk.incremental_delay_ms) / 1000
    whole = expectation is Expectation.COMPLETE or closes(text)
    answers = whole or expectation is Expectation.ANSWERED
    hangs = expectation is Expectation.PARTIAL or is_unfinished(text)
    log_odds = _log_odds(answers, hangs, min(spoken_s, _CHARACTER_S * len(text)), finality)
    if log_odds >= SURE and (whole or not is_noise(text, confidence)):
        return configured * (BREATH if tells else AT_ONCE)
    if whole:
        return configured * BREATH
    return configured * (DOUBTFUL if log_odds >= LIKELY else UNFINISHED)


def _log_odds(answers: bool, hangs: bool, spoken_s: float, finality: float | None) -> float:
    """That the turn is over."""
    known = _USUAL_FINALITY if finality is None else max(finality, _LEAST_FINALITY)
    return (
        _BIAS
        + _ANSWERS * answers
        + _HANGS * hangs
        + _FINALITY * known
        + _SPEECH * min(spoken_s, _SPEECH_UP_TO_S)
    )


def is_unfinished(text: str) -> bool:
    """Whether a text stops where nobody stops: at a hesitation, a conjunction, an article, a comma, a letter."""
    said = words(text)
    if not said or _TRAILS.search(text):
        return bool(said)
    line, last = " ".join(said), said[-1]
    if last in _HESITATION or _HOLDS.search(line) or _SPELT.search(line):
        return True
    return last in _HANGING and not (last in _MAY_END and _ENDS.search(text))
