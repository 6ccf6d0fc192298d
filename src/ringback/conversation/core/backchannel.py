"""Words of a listener that claim no turn: "mhm", "yeah", "okay"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ringback.conversation.understanding.words import words


def _set(line: str) -> frozenset[str]:
    return frozenset(line.split())


_ANY: Final = _set("mhm mm mmm hm hmm uh huh ah aha oh okay ok yeah")
_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "en": _set(
        "mm-hmm mhmm mmhmm uhhuh yep yup yes sure right alright exactly true good great nice fine cool wow"
        " really indeed absolutely definitely totally understood gotcha ooh um er"
    ),
    "es": _set("sí si ajá aja claro vale ya bueno bien entiendo exacto"),
    "fr": _set("oui ouais d'accord accord d bien sûr voilà exact exactement bon"),
    "de": _set("ja jaja genau klar gut ach so verstehe richtig stimmt eben"),
    "pt": _set("sim uhum aham certo claro tá ta bom entendo isso exato"),
    "it": _set("sì si già certo bene va ho capito esatto ecco"),
    "hi": _set("हाँ हां जी अच्छा ठीक है सही haan achha theek hai ji"),
}
_PHRASES: Final[Mapping[str, tuple[str, ...]]] = {
    "en": (
        "i see",
        "i got it",
        "got it",
        "of course",
        "all right",
        "i know",
        "makes sense",
        "that's right",
        "that's it",
        "i understand",
        "thank you",
        "go on",
        "no way",
    ),
}


def is_backchannel(text: str, language: str = "en") -> bool:
    """Whether all that was said only tells that somebody is listening. Not so for no words at all."""
    code = language.partition("-")[0].lower()
    line = " ".join(words(text))
    for phrase in _PHRASES.get(code, ()):
        line = line.replace(phrase, "mhm")
    said = line.split()
    known = _ANY | _WORDS.get(code, frozenset())
    return bool(said) and all(word in known for word in said)
