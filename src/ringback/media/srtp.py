"""Encrypted audio (RFC 3711) with keys that the session descriptions brought."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

import pylibsrtp

KEY_OCTETS: Final = 30
"""A master key of 128 bits and a salt of 112."""


class SrtpError(ValueError):
    """A packet that is not authentic, was seen before, or cannot be protected."""


class Suite(StrEnum):
    """Ciphers that we speak, by their names in RFC 4568 section 6.2, the better one first."""

    SHA1_80 = "AES_CM_128_HMAC_SHA1_80"
    SHA1_32 = "AES_CM_128_HMAC_SHA1_32"


_PROFILES: Final = {
    Suite.SHA1_80: pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    Suite.SHA1_32: pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}


@dataclass(frozen=True, slots=True)
class SrtpKey:
    """What one side encrypts with."""

    suite: Suite
    octets: bytes = field(repr=False)
    """The master key and its salt."""

    def __post_init__(self) -> None:
        if len(self.octets) != KEY_OCTETS:
            raise ValueError(f"an SRTP key of {self.suite} has {KEY_OCTETS} octets, not {len(self.octets)}")

    @classmethod
    def fresh(cls, suite: Suite) -> Self:
        return cls(suite, secrets.token_bytes(KEY_OCTETS))


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """The keys of a call, one a direction."""

    ours: SrtpKey
    theirs: SrtpKey


class Srtp:
    """Both directions of one stream. A key that stays keeps its packet counter: renegotiating loses nothing."""

    def __init__(self, keys: SrtpKeys) -> None:
        self._out = _session(keys.ours, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._in = _session(keys.theirs, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self.keys = keys

    def renew(self, keys: SrtpKeys) -> None:
        """Go on with these keys."""
        if keys.ours != self.keys.ours:
            self._out = _session(keys.ours, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        if keys.theirs != self.keys.theirs:
            self._in = _session(keys.theirs, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self.keys = keys

    def protect(self, packet: bytes) -> bytes:
        """Encrypt and sign one RTP packet. Raises SrtpError."""
        try:
            return bytes(self._out.protect(packet))
        except (pylibsrtp.Error, ValueError) as error:
            raise SrtpError(str(error)) from None

    def unprotect(self, datagram: bytes) -> bytes:
        """The RTP packet of a datagram. Raises SrtpError where it is not authentic, or came before."""
        try:
            return bytes(self._in.unprotect(datagram))
        except (pylibsrtp.Error, ValueError) as error:
            raise SrtpError(str(error)) from None


def _session(key: SrtpKey, direction: int) -> pylibsrtp.Session:
    return pylibsrtp.Session(
        pylibsrtp.Policy(key=key.octets, ssrc_type=direction, srtp_profile=_PROFILES[key.suite])
    )
