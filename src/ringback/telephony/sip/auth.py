"""Digest authentication of a client (RFC 8760: RFC 7616 and RFC 2617 digests in SIP)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Self

from ringback.telephony.sip.message import Request, Response
from ringback.telephony.sip.params import SipSyntaxError, find_param, quoted, split_params, unquote

_HASHES: Final[dict[str, Callable[[bytes], str]]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
}
_FIELDS: Final = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}
MAX_ATTEMPTS: Final = 4
"""Times that one request is sent at most: two parties may ask, and each may find its nonce stale once."""


@dataclass(frozen=True, slots=True)
class Credentials:
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate value."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: str | None = None
    """"auth" when the server offers it; None for the older digest without qop."""
    opaque: str | None = None
    stale: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a Digest challenge. Raises SipSyntaxError for other schemes, hashes and qops."""
        scheme, _, rest = text.strip().partition(" ")
        if scheme.lower() != "digest":
            raise SipSyntaxError("not a Digest challenge")
        params = split_params(rest, ",")

        def value(name: str) -> str | None:
            found = find_param(params, name)
            return None if found is None else unquote(found)

        algorithm = (value("algorithm") or "MD5").upper()
        offered = value("qop")
        qops = [] if offered is None else [qop.strip().lower() for qop in offered.split(",")]
        nonce = value("nonce")
        if nonce is None or algorithm not in _HASHES or (qops and "auth" not in qops):
            raise SipSyntaxError("unsupported challenge")
        return cls(
            realm=value("realm") or "",
            nonce=nonce,
            algorithm=algorithm,
            qop="auth" if qops else None,
            opaque=value("opaque"),
            stale=(value("stale") or "").lower() == "true",
        )

    def authorization(self, who: Credentials, method: str, uri: str, count: int, cnonce: str) -> str:
        """The Authorization value that answers this challenge; `count` is the use of the nonce, from 1."""
        digest = _HASHES[self.algorithm]

        def h(text: str) -> str:
            return digest(text.encode("utf-8", "surrogateescape"))

        ha1 = h(f"{who.username}:{self.realm}:{who.password}")
        ha2 = h(f"{method}:{uri}")
        nc = f"{count:08x}"
        middle = f"{nc}:{cnonce}:{self.qop}:" if self.qop else ""
        parts = [
            f"username={quoted(who.username)}",
            f"realm={quoted(self.realm)}",
            f"nonce={quoted(self.nonce)}",
            f"uri={quoted(uri)}",
            f'response="{h(f"{ha1}:{self.nonce}:{middle}{ha2}")}"',
            f"algorithm={self.algorithm}",
        ]
        if self.qop:
            parts += [f"qop={self.qop}", f"nc={nc}", f'cnonce="{cnonce}"']
        if self.opaque is not None:
            parts.append(f"opaque={quoted(self.opaque)}")
        return "Digest " + ", ".join(parts)


@dataclass(slots=True)
class _Answered:
    challenge: Challenge
    uses: int = 0


class DigestSession:
    """What a call knows of its challengers: each challenge is answered on later requests too."""

    def __init__(
        self, credentials: Credentials | None, new_cnonce: Callable[[], str] = lambda: secrets.token_hex(8)
    ) -> None:
        self._credentials = credentials
        self._new_cnonce = new_cnonce
        self._known: dict[tuple[str, str], _Answered] = {}

    def authorize(self, request: Request) -> None:
        """Put the answers to all known challenges on a request."""
        if self._credentials is None:
            return
        for (header, _), known in self._known.items():
            known.uses += 1
            value = known.challenge.authorization(
                self._credentials, request.method, request.uri, known.uses, self._new_cnonce()
            )
            request.headers.add(header, value)

    def learn(self, response: Response, answered: set[str]) -> bool:
        """Take the challenges of a 401 or 407; False when trying again would be pointless.

        `answered` holds the realms that challenged this very request before (the caller keeps it while the
        request lives): a realm that asks again, other than for a stale nonce, has refused the password.
        """
        asks, answers = _FIELDS[response.status]
        if self._credentials is None:
            return False
        challenge = _first_supported(response.headers.all(asks))
        if challenge is None:
            return False
        realm = f"{asks} {challenge.realm}"
        if realm in answered and not challenge.stale:
            return False
        answered.add(realm)
        self._known[answers, challenge.realm] = _Answered(challenge)
        return True


def _first_supported(values: list[str]) -> Challenge | None:
    """The first that we can answer: the server lists them by its preference (RFC 8760 section 2.4)."""
    for value in values:
        try:
            return Challenge.parse(value)
        except SipSyntaxError:
            continue
    return None
