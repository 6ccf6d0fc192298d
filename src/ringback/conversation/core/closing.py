"""Short replies that are whole, whatever was asked: "no thanks", "that's all", "bye"."""

from __future__ import annotations

import re
from typing import Final

from ringback.conversation.understanding.words import words

_REPLIES: Final = (
    "yes|yeah|yep|yup|no|nope|okay|ok|sure|right|exactly|correct|perfect|great|fine|good|all right|alright|absolutely"
    "|certainly|definitely|of course|thanks|thank you|thank you very much|many thanks|please|bye|bye bye|goodbye"
    "|good bye|hello|hi|that's all|that is all|that's it|that is it|that's everything|that was all|that'll be all"
    "|that will be all|nothing|nothing else|nothing more|not really|not today|not now|not at the moment|go ahead|go on"
    "|i do|i am|i will|i don't|i'm not|i won't|it is|it isn't|yes it is|that's right|that's correct|that's wrong"
    "|that's fine|that's okay|sounds good|works for me|no problem|see you|you too|have a nice day|i don't know|speaking"
    "|sí|gracias|muchas gracias|adiós|eso es todo|nada más|vale|claro|de acuerdo|por favor"
    "|oui|non|merci|merci beaucoup|au revoir|c'est tout|d'accord|rien d'autre|s'il vous plaît"
    "|ja|nein|danke|vielen dank|tschüss|auf wiederhören|das ist alles|das war's|genau|richtig|nichts weiter|bitte"
    "|sim|não|obrigado|obrigada|tchau|é só isso|só isso|está bem|certo"
    "|sì|grazie|arrivederci|è tutto|va bene|esatto|nient'altro|per favore"
    "|हाँ|हां|नहीं|धन्यवाद|ठीक है|बस|नमस्ते"
)
_CLOSED: Final = re.compile(rf"(?:(?:{_REPLIES})(?:\s+|$))+")


def closes(text: str) -> bool:
    """Whether all of `text` is made of such replies."""
    return _CLOSED.fullmatch(" ".join(words(text))) is not None
