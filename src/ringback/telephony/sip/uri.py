"""SIP URIs (RFC 3261 section 19.1): tolerant in, strict out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote

from ringback.telephony.sip.hop import Hop, Transport
from ringback.telephony.sip.params import Params, SipSyntaxError, find_param, join_params, split_params

DEFAULT_PORT: Final = 5060
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}\Z")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9_.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])\Z")
_USER_SAFE: Final = "-_.!~*'()&=+$,;?/"


@dataclass(frozen=True, slots=True)
class SipUri:
    """`sip:user@host:port;params?headers`. `user` stays as written: escaped, with any password."""

    host: str
    user: str | None = None
    port: int | None = None
    params: Params = ()
    headers: str = ""
    scheme: str = "sip"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a `sip:` or `sips:` URI. Raises SipSyntaxError."""
        scheme, colon, rest = text.strip().partition(":")
        if not colon or scheme.lower() not in ("sip", "sips"):
            raise SipSyntaxError("not a SIP URI")
        user, at, rest = rest.rpartition("@")
        rest, _, headers = rest.partition("?")
        host_port, semicolon, params = rest.partition(";")
        host, port = split_host_port(host_port)
        return cls(
            host=host,
            user=user if at else None,
            port=port,
            params=split_params(params) if semicolon else (),
            headers=headers,
            scheme=scheme.lower(),
        )

    @classmethod
    def of(cls, user: str, host: str, port: int | None = None) -> Self:
        """The URI of a user or number in plain text; what the grammar forbids is escaped."""
        return cls(host=host, user=quote(user, safe=_USER_SAFE) or None, port=port)

    def param(self, name: str) -> str | None:
        """The value of a parameter ("" for a flag), None without it."""
        return find_param(self.params, name)

    @property
    def hop(self) -> Hop:
        """Where a request to this URI goes: its host (or its `maddr`), port and transport."""
        secure = self.scheme == "sips"
        transport = Transport.TLS if secure else Transport.of(self.param("transport"))
        host = self.param("maddr") or self.host
        return Hop(host.strip("[]"), self.port, transport)

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user is not None else ""
        port = f":{self.port}" if self.port is not None else ""
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{self.host}{port}{join_params(self.params)}{headers}"


def scheme_of(text: str) -> str | None:
    """The scheme of any absolute URI in lower case, None where there is none."""
    scheme, colon, _ = text.partition(":")
    return scheme.lower() if colon and _SCHEME.match(scheme) else None


def split_host_port(text: str) -> tuple[str, int | None]:
    """Split `host[:port]`; an IPv6 host keeps its brackets. Raises SipSyntaxError."""
    text = text.strip()
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, ""
    host = host.strip()
    if not _HOST.match(host):
        raise SipSyntaxError("bad host")
    if not port:
        return host, None
    if not (port.isascii() and port.strip().isdigit() and 0 < int(port[:6]) < 65536 and len(port) <= 6):
        raise SipSyntaxError("bad port")
    return host, int(port)


def bracketed(host: str) -> str:
    """A host as a URI writes it: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
