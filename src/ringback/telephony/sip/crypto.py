"""The a=crypto lines of session descriptions (RFC 4568): keys for SRTP, to be sent only over TLS."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ringback.media.srtp import KEY_OCTETS, SrtpKey, SrtpKeys, Suite

_SUITES: Final = {suite.value: suite for suite in Suite}
_MAX_TAG_DIGITS: Final = 9


class Encryption(StrEnum):
    """Whether the audio of a trunk's calls is encrypted."""

    NONE = "none"
    OPTIONAL = "optional"
    """Keys are offered beside plain audio; a peer that knows nothing of them still talks to us."""
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class CryptoLine:
    """One offered or chosen key."""

    tag: int
    key: SrtpKey

    def __str__(self) -> str:
        key = base64.b64encode(self.key.octets).decode()
        return f"a=crypto:{self.tag} {self.key.suite} inline:{key}"


def read_lines(values: Sequence[str]) -> tuple[CryptoLine, ...]:
    """The lines that we can use, in their order; those that ask for anything else are left out (section 7.1.2)."""
    return tuple(line for value in values[:32] if (line := _read(value)) is not None)


def _read(value: str) -> CryptoLine | None:
    tag, suite, key, *session = [*value.split(), "", "", ""]
    wishes = [wish for wish in session if wish and not wish.startswith(("-", "WSH="))]
    if not (tag.isascii() and tag.isdigit() and len(tag) <= _MAX_TAG_DIGITS) or wishes:
        return None
    known, octets = _SUITES.get(suite.upper()), _octets(key)
    return CryptoLine(int(tag), SrtpKey(known, octets)) if known and octets else None


def _octets(text: str) -> bytes | None:
    """The key of `inline:key|lifetime`; several keys, or one with an index (MKI), are not for us."""
    method, _, info = text.partition(":")
    key, *extra = info.split("|")
    if method.lower() != "inline" or ";" in info or any(":" in part for part in extra):
        return None
    try:
        octets = base64.b64decode(key + "=" * (-len(key) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return octets if len(octets) == KEY_OCTETS else None


class Keyring:
    """Our own keys of one call, one a suite, and what may be agreed on with them."""

    def __init__(self, encryption: Encryption) -> None:
        self._encryption = encryption
        self._keys: dict[Suite, SrtpKey] = {}
        self._offered: tuple[CryptoLine, ...] = ()

    @property
    def required(self) -> bool:
        return self._encryption is Encryption.REQUIRED

    def offer(self, agreed: SrtpKeys | None = None) -> tuple[CryptoLine, ...]:
        """The lines of an offer of ours, the better suite first; of the agreed suite alone once there is one."""
        suites = [agreed.ours.suite] if agreed else [] if self._encryption is Encryption.NONE else list(Suite)
        self._offered = tuple(CryptoLine(tag, self._key(suite)) for tag, suite in enumerate(suites, 1))
        return self._offered

    def answered(self, lines: Sequence[CryptoLine]) -> SrtpKeys | None:
        """The keys by the answer to our offer; None where it took none of its lines."""
        for line in lines:
            for offered in self._offered:
                if (line.tag, line.key.suite) == (offered.tag, offered.key.suite):
                    return SrtpKeys(offered.key, line.key)
        return None

    def chosen(self, lines: Sequence[CryptoLine], secure: bool) -> tuple[CryptoLine, SrtpKeys] | None:
        """Our line of an answer, and the keys; None where the answer is plain audio. `secure` offers are always
        taken, keys beside plain audio only where the trunk encrypts."""
        if not lines or (self._encryption is Encryption.NONE and not secure):
            return None
        theirs = lines[0]
        ours = CryptoLine(theirs.tag, self._key(theirs.key.suite))
        self._offered = (ours,)  # what we write again stands for an offer, when a session is refreshed
        return ours, SrtpKeys(ours.key, theirs.key)

    def _key(self, suite: Suite) -> SrtpKey:
        if suite not in self._keys:
            self._keys[suite] = SrtpKey.fresh(suite)
        return self._keys[suite]
