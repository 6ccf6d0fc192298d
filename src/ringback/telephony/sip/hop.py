"""Where a message goes or came from: the next hop (RFC 3261 section 8.1.2, RFC 3263)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Transport(StrEnum):
    """How messages travel; the value is what a Via says, in lower case what a URI says."""

    UDP = "UDP"
    TCP = "TCP"
    TLS = "TLS"

    @classmethod
    def of(cls, name: str | None) -> Transport:
        """The transport that a Via or a URI names; UDP where it names none of ours."""
        known = {transport.value: transport for transport in cls}
        return known.get((name or "").upper(), cls.UDP)

    @property
    def reliable(self) -> bool:
        """Whether the transport itself sends again what was lost."""
        return self is not Transport.UDP

    @property
    def default_port(self) -> int:
        return 5061 if self is Transport.TLS else 5060


@dataclass(frozen=True, slots=True)
class Hop:
    """One party that we send to, or that sent to us."""

    host: str
    """A name or an IP address, without brackets."""
    port: int | None = None
    """None: what SRV records say, else the default of the transport (RFC 3263 section 4.2)."""
    transport: Transport = Transport.UDP
    domain: str = ""
    """The name that a certificate must bear (RFC 5922 section 7.1); empty: `host`."""
    flow: int = 0
    """The connection that it came by, which answers go back on; 0: whichever leads there."""
