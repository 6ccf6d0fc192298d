"""What an agent says that nobody wrote: apologies, fillers and backchannels, by language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Phrases:
    apology: str
    """Said before hanging up for a failure of ours."""
    fillers: tuple[str, ...]
    """Begin an answer whose words are still being thought of."""
    waiting: tuple[str, ...]
    """Cover the wait for a slow function: after a second, and when it takes much longer."""
    murmurs: tuple[str, ...]
    """Backchannels: "I am listening"."""


_ENGLISH: Final = Phrases(
    "I am sorry, something went wrong on our side. Goodbye.",
    ("Well,", "Let me see.", "Hmm,"),
    ("One moment, please.", "Thank you for waiting, this takes a little longer."),
    ("Mhm.", "Okay.", "I see."),
)
_PHRASES: Final[Mapping[str, Phrases]] = {
    "en": _ENGLISH,
    "es": Phrases(
        "Lo siento, ha habido un problema de nuestra parte. Adiós.",
        ("Bueno,", "A ver.", "Pues,"),
        ("Un momento, por favor.", "Gracias por esperar, esto tarda un poco más."),
        ("Ajá.", "Sí.", "Entiendo."),
    ),
    "fr": Phrases(
        "Je suis désolé, un problème est survenu de notre côté. Au revoir.",
        ("Alors,", "Voyons.", "Eh bien,"),
        ("Un instant, s'il vous plaît.", "Merci de patienter, cela prend un peu plus de temps."),
        ("Mhm.", "D'accord.", "Je vois."),
    ),
    "de": Phrases(
        "Es tut mir leid, bei uns ist etwas schiefgegangen. Auf Wiederhören.",
        ("Also,", "Mal sehen.", "Nun,"),
        ("Einen Moment, bitte.", "Danke für Ihre Geduld, es dauert noch etwas."),
        ("Mhm.", "Okay.", "Verstehe."),
    ),
    "pt": Phrases(
        "Desculpe, houve um problema do nosso lado. Até logo.",
        ("Bem,", "Deixe-me ver.", "Então,"),
        ("Um momento, por favor.", "Obrigado por esperar, isto demora um pouco mais."),
        ("Uhum.", "Certo.", "Entendo."),
    ),
    "it": Phrases(
        "Mi dispiace, c'è stato un problema da parte nostra. Arrivederci.",
        ("Allora,", "Vediamo.", "Dunque,"),
        ("Un momento, per favore.", "Grazie per l'attesa, ci vuole ancora un po'."),
        ("Mhm.", "Va bene.", "Capisco."),
    ),
    "hi": Phrases(
        "माफ़ कीजिए, हमारी तरफ़ से कुछ गड़बड़ हो गई। नमस्ते।",
        ("अच्छा,", "देखते हैं।", "तो,"),
        ("एक मिनट, कृपया।", "इंतज़ार के लिए धन्यवाद, इसमें थोड़ा और समय लगेगा।"),
        ("हाँ।", "अच्छा।", "ठीक है।"),
    ),
}


def phrases_for(language: str) -> Phrases:
    """Of a language code such as "en" or "de-CH"; English for one that we have none of."""
    return _PHRASES.get(language.partition("-")[0].lower(), _ENGLISH)
