"""A gateway of a trunk, and the networks that its calls come from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

DEFAULT_PORT: Final = 5060
MOST_GATEWAYS: Final = 16
MOST_IDENTIFIERS: Final = 64
_LABEL: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_LEAST_PREFIX: Final = {4: 8, 6: 16}
"""A shorter one would let in a good part of the internet: a slip of the pen."""

State = Literal["unknown", "up", "down"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where a trunk's calls go."""

    address: str
    """Host name or IP address."""
    port: int = DEFAULT_PORT
    priority: int = 1
    """Lower is tried first."""


@dataclass(frozen=True, slots=True)
class Qualified:
    """How a gateway answered the last OPTIONS. Times in microseconds."""

    state: State = "unknown"
    asked_at: int | None = None
    answer_us: int | None = None
    """How long it took."""
    code: int | None = None
    error: str | None = field(default=None)


def host_problem(host: str) -> str | None:
    """Why this is neither a host name nor an IP address; None: it is."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        ipaddress.ip_address(bare)
        return None
    except ValueError:
        pass
    labels = host.removesuffix(".").lower().split(".")
    if len(host) > 253 or not all(0 < len(label) < 64 and set(label) <= _LABEL for label in labels):
        return "must be a host name or an IP address, without a port"
    if labels[-1].isdecimal():
        return "must be a host name or an IP address; this is an incomplete address"
    return None


def network(text: str) -> Network:
    """An address or a CIDR range, its host bits whatever they are. Raises ValueError that says what is wrong."""
    try:
        found = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError("must be an IP address or a CIDR range, such as 203.0.113.0/28") from None
    if found.prefixlen < _LEAST_PREFIX[found.version]:
        raise ValueError(f"must be no wider than /{_LEAST_PREFIX[found.version]}")
    return found


def by_priority(gateways: Iterable[Gateway]) -> list[Gateway]:
    """In the order in which they are tried: those of one priority as they were given."""
    return sorted(gateways, key=lambda gateway: gateway.priority)
