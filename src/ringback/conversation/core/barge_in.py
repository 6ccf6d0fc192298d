"""Whether what a person says while the agent speaks is meant to interrupt it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ringback.conversation.core.backchannel import is_backchannel
from ringback.conversation.understanding.words import words

_STOPS: Final[Mapping[str, tuple[str, ...]]] = {
    "en": (
        "stop",
        "start",  # a "stop" over a telephone, as Whisper often hears it; no listener says it
        "wait",
        "hold on",
        "hang on",
        "pause",
        "excuse me",
        "enough",
        "be quiet",
        "shut up",
        "one moment",
    ),
    "es": ("pare", "para ya", "espera", "espere", "alto", "un momento", "disculpe", "basta"),
    "fr": ("stop", "arrêtez", "arrête", "attendez", "attends", "un instant", "une seconde", "excusez-moi"),
    "de": ("stopp", "stop", "halt", "warte", "warten sie", "moment", "entschuldigung"),
    "pt": ("pare", "para com isso", "espere", "espera", "um momento", "com licença", "chega"),
    "it": ("ferma", "fermi", "aspetta", "aspetti", "un momento", "scusi", "basta"),
    "hi": ("रुको", "रुकिए", "ठहरो", "एक मिनट", "ruko", "rukiye", "ek minute"),
}


WORD_S: Final = 0.3
"""No word that claims the turn is shorter. Of murmurs the transcriber makes words at will ("uh huh" is "good luck"),
but they are over sooner than these words could have been said."""
SURE: Final = -0.5
"""The transcriber is hardly ever as confident as this of words that it has made of a murmur: they may have been said
as fast as they like."""
UNSURE: Final = -0.7
"""Words of which it is less confident than this may be a murmur that lasts, or the noise of the line."""
NOISE: Final = -0.8
"""So it guesses at the babble of other tables, in whole sentences; of what is said to it it is surer in the end."""
MURMUR_WORDS: Final = 3
"""The longest murmurs, "uh huh yeah", have so many; whoever says more is no mere listener, however badly heard."""


def interrupts(
    text: str, words_needed: int, language: str, spoken_s: float, confidence: float | None
) -> bool:
    """Whether `text`, said in `spoken_s` so far, has words enough and is no mere backchannel; a "stop" always is.

    confidence: as in `media.speech.Transcription`. Where it is not known the time alone must tell words from murmurs.
    """
    if says_stop(text, language):
        return True
    if is_backchannel(text, language) or is_noise(text, confidence):
        return False
    needed = max(1, words_needed)
    sure = confidence is not None and confidence >= SURE
    if confidence is not None and confidence < UNSURE:
        needed = max(needed, MURMUR_WORDS + 1)
    return _said_words(text) >= needed and (sure or spoken_s >= needed * WORD_S)


def _said_words(text: str) -> int:
    """As many as were said: a number is dictated digit by digit."""
    return sum(max(1, sum(character.isdigit() for character in word)) for word in text.split())


def is_noise(text: str, confidence: float | None) -> bool:
    """Whether what sounds like speech has no words, or such as were only guessed."""
    return not text or (confidence is not None and confidence < NOISE)


def says_stop(text: str, language: str) -> bool:
    """Whether the person begins or ends by telling the agent to stop."""
    line = " ".join(words(text))
    stops = _STOPS.get(language.partition("-")[0].lower(), ())
    return any(line == stop or line.startswith(f"{stop} ") or line.endswith(f" {stop}") for stop in stops)
