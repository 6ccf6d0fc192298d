"""What machines, menus, call screeners and people say first, by language.

A phrase has a weight: 3 decides alone, less leans. People's phrases weigh against the rest. The words come from a
transcriber that may mishear names and endings, so that the phrases are short.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ringback.conversation.screening.verdict import Kind

DECIDES: Final = 3.0

_Phrases = Mapping[Kind, tuple[tuple[str, float], ...]]
_MACHINE, _IVR, _SCREENER, _HUMAN = Kind.MACHINE, Kind.IVR, Kind.SCREENER, Kind.HUMAN

_ENGLISH: Final[_Phrases] = {
    _MACHINE: (
        (
            r"\b(?:leave|drop|record|speak)\b[\w' ]{0,24}\b(?:message|messages|name|number|voicemail|details)\b",
            3,
        ),
        (r"\b(?:after|at|hear|to) the (?:tone|beep|signal|beat)\b", 3),
        (
            r"\bvoice ?-?mail|\bmail ?box\b|\banswering (?:machine|service)|\bvoice messag|\bmessaging service",
            3,
        ),
        (
            r"\bmessage and (?:i|we)(?:'ll| will)\b|\breceive messages\b|\baccept any messages|\bautomated\b",
            3,
        ),
        (r"\bi(?:'m| am) (?:unable|either|away|out)\b", 2),
        (r"\bi(?:'m| am) not(?: (?:here|home|at home|in|available|able|around|at my)\b|\W*$)", 2),
        (r"\bi(?: ?can't| ?cannot| could ?n'?t|'m afraid i can't|'m unable)\b(?! (?:hear|talk))", 2),
        (r"\bunfortunately\b|\bi'm sorry that i\b|\bjust kidding\b", 1.5),
        (
            r"\b(?:i|we)(?:'m| am|'re| are)? (?:sorry )?(?:i |we )?missed your\b|\bsorry (?:that )?(?:you|we) missed\b",
            3,
        ),
        (r"\b(?:is|are) (?:currently |presently )?(?:not|un) ?(?:available|able to|reachable|taking)\b", 2.5),
        (r"\bsorry i missed\b", 1.5),
        (
            r"\bcalls? (?:can't|can ?not|could not) be\b|\bunavailable\b|\bcan ?not be reached|"
            r"\bcould not be completed|\bnot be completed",
            3,
        ),
        (
            r"\b(?:number|person|party|customer|subscriber|phone|one) (?:that )?(?:you|your)(?:'re| are| have|'ve|ve)?"
            r"(?: trying to)? ?(?:called|calling|call|dialed|dialled|reached|reach)\b(?! is using| uses)",
            2.5,
        ),
        (
            r"\b(?:no longer|not|out of) (?:in )?service\b|\bdisconnected\b|\bswitched off\b|\bnot reachable\b",
            3,
        ),
        (r"\btry (?:again|your call|later)\b|\bcheck the number\b|\bcall again\b|\bhang up and try\b", 2.5),
        (r"\b(?:forwarded|transferred) to\b", 3),
        (
            r"\bget (?:right )?back (?:to|with) you\b|\breturn (?:your|the) call\b|\bcall (?:you|ya) (?:right )?back\b",
            2,
        ),
        (r"\b(?:no ?one|no ?body) (?:is|can)\b|\boffices? of\b|\ball busy\b|\bthrough to\b", 1.5),
        (
            r"\b(?:we|we're|we are|is|are|currently|now|have) (?:\w+ )?closed\b|\bafter hours\b",
            3,
        ),
        (
            r"\b(?:office|opening|business|working) hours\b|\bnext business day\b|\bout of (?:the )?office\b",
            2.5,
        ),
        (r"\byou know (?:what to do|the drill)\b|\btalk to the be|\bdo your thing\b", 3),
        (r"\b(?:you've|you have|you) (?:reach|reached|dialed|dialled)\b", 1.5),
        (
            r"\b(?:you've|you have) got\b|^\W*(?:[\w']+\W+){1,4}for (?:calling|coming|ringing)\b(?! me\b| us\b| back)",
            1.5,
        ),
        (r"\bthis is (?!(?:she|he|the|a|an|my|your)\b)\w+|\bvoices?\b", 1),
        (r"\b(?:on|for) (?:vacation|another call|the other line)\b|\baway from (?:my|the)\b", 2),
        (r"\bhit me up\b|\bsend me (?:a text|an email)\b|\btext me\b", 2),
        (r"\bwe (?:can't|cannot|can not|are unable|'re unable)\b", 2),
        (r"\bthis is\b.*\b(?:i|we)(?:'m| am|'re| are) (?!calling|speaking|here|the|your)", 1),
    ),
    _IVR: (
        (
            r"\bpress (?:or say )?(?:one|two|three|four|five|zero|star|pound|hash|\d)\b|\bpress(?:ing)? the\b",
            3,
        ),
        (r"\bmenu\b|\bfollowing options\b|\b(?:the|party's) extension\b|\bpara espa", 3),
        (r"\b(?:may|will|might) be (?:monitored|recorded)\b|\bfor (?:quality|training)\b", 3),
        (
            r"\bplease (?:enter|choose|select|listen|key in|type)\b|\bkeypad\b|\busing (?:the|your) (?:key|tele)",
            3,
        ),
        (
            r"\b(?:next available|first available)\b|\bin the order\b|\bwait time\b|\bcall volume|\bvolume of calls",
            3,
        ),
        (r"\byour call is important\b|\b(?:stay|remain) on the line\b|\bthank you for holding\b", 3),
        (
            r"\b(?:representatives|operators|agents|advisors) (?:are|will|is)\b|\bone of our\b|\bplease hold\b",
            2.5,
        ),
        (
            r"\bvirtual (?:assistant|agent)\b|\bin a few words\b|"
            r"\bto (?:pay|report|check|make|refill|hear) (?:a|an|your)\b.*\b(?:say|press)\b",
            3,
        ),
        (r"\bfor (?:sales|support|english|claims|appointments|billing|reservations)\b", 2.5),
        (r"\bwelcome to\b|\bextension\b", 1),
    ),
    _SCREENER: (
        (r"\bscreening\b|\bscreened\b|\bcall screen|\bcall assistant\b", 4),
        (r"\b(?:record|state|say|tell me) your name\b", 3.5),
        (
            r"\byour name and (?:the )?(?:reason|why)\b|\breason for (?:calling|your call)\b|"
            r"\bwhy you(?:'re| are) call",
            3.5,
        ),
        (r"\bsee if (?:this person|they|he|she)\b|\btry to connect you\b|\bcheck if they\b", 3.5),
        (r"\bdoes not (?:accept|take) calls\b|\bunknown callers\b|\bprivate numbers\b", 3.5),
        (r"\bsay who is calling\b|\bplease say who\b", 3.5),
    ),
    _HUMAN: (
        (
            r"\bwho(?:'s| is| am i| are you)\b.{0,24}(?:\?|$)|\bwho(?:'s| is) (?:this|there|calling|speaking)\b",
            3,
        ),
        (r"\b(?:how|what) (?:can|may|could|do) i\b|\bwhat can i do\b|\bhow (?:are you|may we|can we)\b", 3),
        (
            r"\bcan i (?:take|help|call you back)\b|\b(?:can|could) you\b|\b(?:shall|should|could|may) i\b",
            3,
        ),
        (r"\b(?:do|would) you (?:want|like|know)\b|\byou want to\b", 3),
        (
            r"\b(?:what|when|where|why) (?:is|are|was|were|did|do|does|happened)\b|\bdidn't you\b|\bis this\b",
            2.5,
        ),
        (r"\bnot interested\b|\byou called\b|\bi got your\b|\byour call\? ", 3),
        (r"\bmy name is\b|\bspeaking with\b|\b(?:she|he)(?:'s| is)\b", 1.5),
        (r"\bcan't (?:hear|talk)\b|\bhear me\b|\banybody there\b|\bsomebody there\b", 2),
        (
            r"\b(?:hold|hang) on\b|\b(?:one|just a|wait a|give me (?:a|one)) (?:moment|minute|second|sec)\b",
            2.5,
        ),
        (r"\b(?:calling|morning|afternoon|evening)\b\W+(?:[\w']+\W+){2,6}this is (?!(?:the|an?)\b)\w+", 2.5),
        (r"\bwrong number\b|\bis it you\b|\bis that you\b|\bthis is (?:she|he)\b|\bwhat's up\b", 3),
        (r"\bspeaking\s*[.?!]*$", 1.5),
        (r"\?\s*$", 1),
    ),
}

_OTHERS: Final[Mapping[str, _Phrases]] = {
    "es": {
        _MACHINE: (
            (r"\bbuz[oó]n\b|\bcontestador\b", 3),
            (r"\bdej[ea]\w*\b.{0,24}\b(?:mensaje|nombre|n[uú]mero|recado)\b", 3),
            (r"\bdespu[eé]s de (?:la señal|o[ií]r|escuchar|el tono|l tono)", 3),
            (r"\b(?:apagado|fuera de (?:cobertura|servicio)|no (?:est[aá] disponible|existe))\b", 3),
            (r"\bno puedo (?:atender|contestar|responder)", 3),
        ),
        _IVR: ((r"\b(?:pulse|marque|oprima|presione|digite)\b", 3), (r"\bmen[uú]\b|\bopciones\b", 2.5)),
        _HUMAN: ((r"\bqui[eé]n (?:es|habla|llama)\b|\ben qu[eé] puedo\b|\bd[ií]game\b", 3), (r"\?\s*$", 1)),
    },
    "fr": {
        _MACHINE: (
            (r"\b(?:messagerie|r[eé]pondeur|bo[iî]te vocale)\b", 3),
            (r"\blaisse[rz]?\b.{0,20}\b(?:message|nom|num[eé]ro|coordonn)", 3),
            (r"\bapr[eè]s le (?:bip|signal)", 3),
            (r"\bn'?est (?:pas|plus) (?:disponible|attribu|joignable|en service)", 3),
            (r"\bje ne (?:suis|peux) pas\b", 2),
        ),
        _IVR: ((r"\b(?:tapez|appuyez|composez le)\b", 3),),
        _HUMAN: ((r"\bqui est\b|\bje vous [eé]coute\b|\bc'est de la part\b", 3), (r"\?\s*$", 1)),
    },
    "de": {
        _MACHINE: (
            (r"\b(?:mailbox|anrufbeantworter|sprachbox)\b", 3),
            (r"\bhinterlass\w*\b.{0,24}\b(?:nachricht|namen?|nummer)|\bnachricht hinterlass", 3),
            (r"\bnach dem (?:signal|ton|piep|pfeif)\w*", 3),
            (r"\bnicht (?:erreichbar|verf[uü]gbar|vergeben|zu hause)\b|\bkein anschluss\b", 3),
            (r"\bkann\b.{0,24}\bnicht\b.{0,20}\b(?:telefon|entgegen|rangehen|annehmen)", 3),
        ),
        _IVR: ((r"\bdr[uü]cken sie\b|\bw[aä]hlen sie\b|\bn[aä]chste freie\b", 3),),
        _HUMAN: ((r"\bwas kann ich\b|\bwer ist\b|\bwie kann ich\b|\bam apparat\b", 3), (r"\?\s*$", 1)),
    },
    "pt": {
        _MACHINE: (
            (r"\bcaixa (?:postal|de mensagens)\b|\bcorreio de voz\b|\bsecret[aá]ria eletr", 3),
            (r"\bdeix[ea]\w*\b.{0,20}\b(?:recado|mensagem|nome)\b", 3),
            (r"\bap[oó]s o (?:sinal|bip)", 3),
            (
                r"\bdesligado\b|\bfora d[ae]\b.{0,12}\b(?:cobertura|servi)|\bn[aã]o existe\b|\bsendo encaminhada\b",
                3,
            ),
            (r"\bn[aã]o posso atender\b", 3),
        ),
        _IVR: ((r"\b(?:digite|tecle|pressione|disque)\b", 3),),
        _HUMAN: ((r"\bquem (?:fala|[eé])\b|\bposso ajud|\bpois n[aã]o\b", 3), (r"\?\s*$", 1)),
    },
    "it": {
        _MACHINE: (
            (r"\bsegreteria\b|\bcasella vocale\b", 3),
            (r"\blascia\w*\b.{0,20}\b(?:messaggio|nome|numero)\b", 3),
            (r"\bdopo il (?:segnale|bip)", 3),
            (r"\bnon [eè]\b.{0,16}\braggiungibile\b|\binesistente\b|\bnon attivo\b", 3),
            (r"\bnon posso rispondere\b", 3),
        ),
        _IVR: ((r"\b(?:premere|premi|prema|digiti)\b", 3),),
        _HUMAN: ((r"\bchi (?:parla|[eè])\b|\bcome posso\b|\bposso aiutar", 3), (r"\?\s*$", 1)),
    },
    "hi": {
        _MACHINE: (
            (r"संदेश.{0,12}छोड़|बीप के बाद|वॉइसमेल|वॉयसमेल", 3),
            (r"उपलब्ध नहीं|सेवा में नहीं|पहुंच से बाहर|अभी बंद|स्विच ऑफ", 3),
            (r"फ़ोन नहीं उठा|फोन नहीं उठा", 3),
        ),
        _IVR: ((r"\bदबाएँ|दबाएं|दबाइए", 3),),
        _HUMAN: ((r"कौन बोल|मदद कर सकत|बोलिए|बोल रहा हूँ", 3), (r"\?\s*$", 1)),
    },
}

_GREETINGS: Final = re.compile(
    r"(?:(?:hello|hallo|hi|hey|hiya|ahoy|yes|yeah|yep|yup|ya|good (?:morning|afternoon|evening|day)|speaking|there|"
    r"all[oôó]|oui|bonjour|diga|bueno|hola|s[ií]|al[oô]|oi|pronto|ja|guten tag|हैलो|हाँ|नमस्ते)\W*)+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Weighed:
    """How the words lean: for each kind the sum of its phrases' weights, people's subtracted from the others."""

    kind: Kind | None
    """Whose words they are like most; None where nothing speaks for anybody."""
    weight: float
    phrase: str = ""
    """The words that weighed most."""


def weigh(text: str, language: str) -> Weighed:
    """How what was said first leans."""
    said = text.lower().replace("’", "'").replace("\n", " ")
    tables = [_OTHERS[language[:2]]] if language[:2] in _OTHERS else []
    if not tables or language[:2] == "hi":
        tables.append(_ENGLISH)
    sums: dict[Kind, float] = {}
    best: dict[Kind, tuple[float, str]] = {}
    for table in tables:
        for kind, phrases in table.items():
            for phrase, weight in _compiled(phrases):
                if (match := phrase.search(said)) is not None:
                    sums[kind] = sums.get(kind, 0.0) + weight
                    best[kind] = max(best.get(kind, (0.0, "")), (weight, match[0].strip()))
    if not sums:
        return Weighed(None, 0.0)
    human = sums.pop(Kind.HUMAN, 0.0)
    kind, weight = max(sums.items(), key=lambda item: item[1], default=(Kind.HUMAN, 0.0))
    if human >= weight:
        return Weighed(Kind.HUMAN, human - weight, best[Kind.HUMAN][1])
    return Weighed(kind, weight - human, best[kind][1])


def greets(text: str) -> bool:
    """Whether it is nothing but a greeting: "hello?"."""
    return _GREETINGS.fullmatch(text.strip()) is not None


@lru_cache(maxsize=64)
def _compiled(phrases: tuple[tuple[str, float], ...]) -> tuple[tuple[re.Pattern[str], float], ...]:
    return tuple((re.compile(phrase), weight) for phrase, weight in phrases)
