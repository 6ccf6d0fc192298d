"""The edge of a language model, chosen without one: from the words of its condition and of what was said.

A condition is one of these, by its own words; of several that are met the first of this list wins:

- words in quotation marks: one of them was said;
- a date, a time, a number (with "4-digit" or "10 digits": a code of so many) was said, unless it speaks of refusing;
- its salient words, those that are not about talking itself: most of them said wins;
- a refusal, a consent (English conditions only; in any other language by their salient words);
- "otherwise", "anything else": whatever was said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from ringback.agents.plan import (
    Affirmative,
    Date,
    Edge,
    Heard,
    Keywords,
    Llm,
    Negative,
    Number,
    Time,
)
from ringback.conversation.understanding.understanding import understand
from ringback.conversation.understanding.words import words

_QUOTED: Final = re.compile(r"[\"“”«»„]([^\"“”«»„]{1,80})[\"“”«»]|(?<!\w)'([^']{1,80})'(?!\w)")
_DIGITS: Final = re.compile(r"\b(\d{1,2})[- ]?digits?\b")
_DATE: Final = re.compile(r"\b(dates?|days?|birthday)\b")
_TIME: Final = re.compile(r"\b(times?|hours?|o'clock)\b")
_NUMBER: Final = re.compile(r"\b(numbers?|digits?|how many|quantity|amount|age|pin|zip|count|code)\b")
_REST: Final = re.compile(
    r"\b(otherwise|anything else|something else|any other|every other|in all other|none of the|unclear|default"
    r"|whatever)\b"
)
_NO: Final = re.compile(
    r"\b(declin\w*|refus\w*|reject\w*|den(?:y|ies|ied)|disagree\w*|says? no|said no|answers? no|negative\w*"
    r"|(?:not|isn't|n't|never) (?:\w+ )?(?:interested|agree|accept|confirm|want|wish|available|willing|consent|correct"
    r"|ready|able|need|have|know|remember|provide|give|share|say)\w*|uninterested|wrong)\b"
)
_YES: Final = re.compile(
    r"\b(agree\w*|accept\w*|confirm\w*|says? yes|said yes|answers? yes|affirm\w*|positive\w*|consent\w*|approv\w*"
    r"|willing|interested|available|correct|ready)\b"
)
_TALK_WORDS: Final = """
    a an the this that these those of to for in on at by with from or and if when is are was be been has
    have had do does did not no yes user users customer customers caller callers person people client
    patient guest they them their he she his her it its say says said saying tell tells told ask asks asked
    asking want wants wanted wish wishes like would will can could should may might must about provide
    provides provided give gives gave given mention mentions mentioned state states stated express expresses
    expressed request requests requested need needs needed answer answers reply replies respond responds
    response any some one ones other more what which who whom how why there here then than so as also just
    only who's know knows speak talk get gets go goes make makes valid conversation call agent into out up
    interest interested
"""
_ABOUT_TALK: Final = frozenset(_TALK_WORDS.split())
_SHORT: Final = 3
"""Letters that a word needs to be salient."""


def guess(
    edges: Sequence[Edge], text: str, today: date, language: str
) -> tuple[Edge, Mapping[str, Any], str] | None:
    """The edge that `text` seems to take, the parameters that were found for it, and by what it was matched."""
    best: tuple[int, Edge, Any, str] | None = None
    for edge in edges:
        assert isinstance(edge.condition, Llm)
        for rank, value, reason in _matches(edge.condition, text, today, language):
            if best is None or rank > best[0]:
                best = rank, edge, value, reason
    if best is None:
        return None
    _, edge, value, reason = best
    return edge, _parameters(edge, value, text, today, language), reason


_QUOTE_RANK, _KIND_RANK, _SALIENT_RANK, _ANSWER_RANK, _REST_RANK = 5000, 4000, 1000, 500, 1


def _matches(llm: Llm, text: str, today: date, language: str) -> Iterator[tuple[int, Any, str]]:
    """(rank, value, reason) of every way in which the condition is met."""

    def found(heard: Heard) -> Any:
        result = understand(heard, text, today, language)
        return None if result is None else result.value

    condition = f"{llm.condition} {llm.description}".lower().replace("’", "'")
    quoted = tuple(double or single for double, single in _QUOTED.findall(condition))
    if quoted:
        if (word := found(Keywords(quoted))) is not None:
            yield _QUOTE_RANK, word, f"the words {word!r}"
        return
    refused, kind = _NO.search(condition), _kind(condition)
    if kind is not None and not refused:
        if (value := found(kind)) is not None:
            yield _KIND_RANK, value, f"a {type(kind).__name__.lower()}"
    elif _REST.search(condition):
        yield _REST_RANK, text, "what is left over"
    elif refused or _YES.search(condition):
        wanted: Heard = Negative() if refused else Affirmative()
        if (value := found(wanted)) is not None:
            yield _ANSWER_RANK, value, "a no" if refused else "a yes"
    else:
        said = {_stem(word) for word in words(text)}
        common = [word for word in _salient(condition) if _stem(word) in said]
        if common:
            yield _SALIENT_RANK + len(common), text, f"the words {', '.join(common)}"


def _kind(condition: str) -> Heard | None:
    if match := _DIGITS.search(condition):
        return Number(digits=int(match[1]))
    if _DATE.search(condition):
        return Date()
    if _TIME.search(condition):
        return Time()
    return Number() if _NUMBER.search(condition) else None


def _salient(condition: str) -> list[str]:
    return list(
        dict.fromkeys(
            w for w in words(condition) if len(w) >= _SHORT and w not in _ABOUT_TALK and not w.isdecimal()
        )
    )


def _stem(word: str) -> str:
    """Enough for "cancel", "cancelled" and "cancelling" to be one."""
    short = re.sub(r"(?:'s|s|ed|ing|ation|tion|ment|er|e)$", "", word) if len(word) > 4 else word
    return re.sub(r"(.)\1$", r"\1", short)


def _parameters(edge: Edge, value: Any, text: str, today: date, language: str) -> dict[str, Any]:
    """What was matched is the value of a lone parameter; several are filled by their type and name."""
    assert isinstance(edge.condition, Llm)
    found: dict[str, Any] = {}
    for name, schema in edge.condition.parameters.items():
        kind = _parameter_kind(
            f"{name} {schema.get('description', '')}".lower().replace("_", " "), schema.get("type")
        )
        result = None if kind is None else understand(kind, text, today, language)
        if result is None and isinstance(kind, Affirmative):
            result = understand(Negative(), text, today, language)
        if result is not None:
            found[name] = result.value
        elif kind is None:
            found[name] = value if len(edge.condition.parameters) == 1 else text
    return found


def _parameter_kind(name: str, type_: Any) -> Heard | None:
    if type_ == "boolean":
        return Affirmative()
    if type_ in ("number", "integer"):
        return Number()
    return _kind(name)
