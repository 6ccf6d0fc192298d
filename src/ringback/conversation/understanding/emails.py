"""E-mail addresses in a transcription: written, or said ("ada dot l at example dot com")."""

from __future__ import annotations

import re
from typing import Final

_WRITTEN: Final = re.compile(
    r"(?<![\w.+-])[\w+-]+(?:\.[\w+-]+)*@(?:[\w-]+\.)+[^\W\d_]{2,24}(?![\w@])", re.UNICODE
)
_AT: Final = "at|arobase|arroba|chiocciola|apenstaartje|ät|klammeraffe"
_DOT: Final = "dot|point|punto|punkt|ponto|punt"
_JOINS: Final = {"underscore": "_", "dash": "-", "hyphen": "-", "minus": "-", "plus": "+"}
_PIECE: Final = r"[\w.+-]{1,64}"
_LABEL: Final = r"[\w-]{1,63}"
_SAID: Final = re.compile(
    rf"(?P<before>\S{{1,40}} )?(?P<local>{_PIECE})(?: ?@ ?| (?:{_AT}) )"
    rf"(?P<domain>{_LABEL}(?:\.{_LABEL}){{0,8}}\.[^\W\d_]{{2,24}})\b"
)
_DIGITS: Final = dict(
    zip(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
        "0123456789",
        strict=True,
    )
)
_INTRODUCES: Final = (
    "is it's its c'est to on under address mail email e-mail my me yes yeah sure okay ok that's thats so um uh well "
    "and es ist est é è la el die mio mi meine"
)
_BEFORE: Final = frozenset(_INTRODUCES.split())
"""Words after which an address may begin. Any other could be its first part: "john smith at ..." may be either."""


def find_email(text: str) -> str | None:
    """The address in `text`, in lower case; None where there is none, or where it may begin earlier."""
    if match := _WRITTEN.search(text):
        return match[0].lower()
    match = _SAID.search(_joined(text))
    if match is None:
        return None
    before = (match["before"] or "").strip()
    if before and before not in _BEFORE and not before.endswith((",", ":", ".", ";")):
        return None
    address = f"{match['local']}@{match['domain']}"
    return None if ".." in address or address[0] in ".-+" else address


def _joined(text: str) -> str:
    """What was said apart and is one: letters that were spelt, digits, and what stands on either side of a dot."""
    line = re.sub(r"[’‘`´]", "'", text.lower())
    line = re.sub(r"[.!?]+(?=\s|$)", "", line)
    pieces: list[str] = []
    spelling = False
    for word in (_DIGITS.get(word, word) for word in line.split()):
        single = len(word.rstrip(",")) == 1 and word[0].isalnum()
        if single and spelling:
            pieces[-1] += word.rstrip(",")
        else:
            pieces.append(word.rstrip(",") if single else word)
        spelling = single
    line = re.sub(rf" (?:{_DOT}) ", ".", " ".join(pieces))
    for name, sign in _JOINS.items():
        line = line.replace(f" {name} ", sign)
    return re.sub(rf"(?<=[a-z]) (?=\d+ (?:{_AT}) )", "", line)
