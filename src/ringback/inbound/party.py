"""Who calls and who was called, out of what a carrier says (RFC 3261, 3325, 7315)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote

_NUMBER: Final = re.compile(r"\+?[0-9]{1,32}")
_SEPARATORS: Final = re.compile(r"[\s().-]")
_URI: Final = re.compile(r"(?:sips?|tel):([^@;?>]*)", re.I)
_FULL: Final = range(11, 16)
"""Digits of a number that a carrier writes without its plus, but surely with its country code."""


class Told(Protocol):
    """What an INVITE tells of its parties, as URIs or header values."""

    @property
    def caller(self) -> str: ...

    @property
    def called(self) -> str: ...

    @property
    def callee(self) -> str: ...

    def header(self, name: str) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Parties:
    caller: str | None
    """As records show it, E.164 as far as can be told; None: withheld."""
    called: tuple[str, ...]
    """What may be one of our numbers, the likeliest first."""


def parties_of(call: Told) -> Parties:
    return Parties(_caller(call), tuple(dict.fromkeys(_called(call))))


def number_in(uri: str | None) -> str | None:
    """The telephone number of a SIP or tel URI, or of a header value around one, without separators."""
    match = _URI.search(uri or "")
    if match is None:
        return None
    text = _SEPARATORS.sub("", unquote(match[1]).partition(":")[0])
    return text if _NUMBER.fullmatch(text) else None


def _caller(call: Told) -> str | None:
    """What the carrier vouches for comes before what the caller says; where it is withheld, nobody is asked."""
    privacy = (call.header("Privacy") or "").lower()
    if any(word.strip() in ("id", "user") for word in privacy.split(";")):
        return None
    number = number_in(call.header("P-Asserted-Identity")) or number_in(call.caller)
    if number is None or number.startswith("+"):
        return number
    return f"+{number}" if len(number) in _FULL and not number.startswith("0") else number


def _called(call: Told) -> Iterator[str]:
    """The number that was asked for; a registered line is called by its own name, and the number stands elsewhere."""
    for told in (call.called, call.header("P-Called-Party-ID"), call.callee):
        if (number := number_in(told)) is not None:
            yield number
