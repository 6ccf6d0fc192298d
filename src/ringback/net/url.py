"""A URL that a user wrote, taken apart once: what is checked is what is connected to and asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

MAX_URL: Final = 8000
_PORTS: Final = {"http": 80, "https": 443}
_IN_PATH: Final = "/%:@!$&'()*+,;=~"
_IN_QUERY: Final = _IN_PATH + "?"


class BadUrl(ValueError):
    """The URL cannot be used; the message is one sentence without the URL, which may hold secrets."""


@dataclass(frozen=True, slots=True)
class Target:
    scheme: str
    host: str
    """In lower case and ASCII; an IPv6 address without brackets."""
    port: int
    path: str
    """With the query, in ASCII."""

    @property
    def authority(self) -> str:
        """For the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Raises BadUrl for anything but http and https without a user name."""
    if len(url) > MAX_URL:
        raise BadUrl(f"The URL is longer than {MAX_URL} characters.")
    if "\\" in url or any(c.isspace() or not c.isprintable() for c in url):
        raise BadUrl("The URL holds white space, a backslash or a control character.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadUrl("The URL cannot be read.") from None
    if parts.scheme not in _PORTS:
        raise BadUrl("The URL must begin with http:// or https://.")
    if "@" in parts.netloc:
        raise BadUrl("The URL must not hold a user name: put it into a header.")
    path = quote(parts.path or "/", safe=_IN_PATH)
    query = f"?{quote(parts.query, safe=_IN_QUERY)}" if parts.query else ""
    return Target(parts.scheme, _ascii(parts.hostname or ""), port or _PORTS[parts.scheme], path + query)


def _ascii(host: str) -> str:
    try:
        name = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        name = ""
    if not name or not all(c.isalnum() or c in "-._:" for c in name):
        raise BadUrl("The URL names no host.")
    return name.lower()
