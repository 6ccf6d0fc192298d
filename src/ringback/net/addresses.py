"""Which addresses a request to a URL that a user wrote may go to."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

Address = IPv4Address | IPv6Address

# IANA's special-purpose registries (RFC 6890 and what has been registered since), and multicast. Written out:
# `ipaddress` decides by tables that differ between versions of Python.
_SPECIAL_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host, this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's NAT; also a metadata service
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform, public only by its number
        "169.254.0.0/16",  # link-local; metadata services
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
    )
)
_PUBLIC_V6: Final = IPv6Network("2000::/3")
"""All that is routed; outside are loopback, link-local, unique-local, multicast and what is reserved."""
_SPECIAL_V6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, with Teredo's tunnels
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",  # documentation
    )
)
_CARRIES_V4: Final = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
"""IPv4-mapped addresses and NAT64: what counts is the IPv4 address in them."""


class BadEntry(ValueError):
    """An entry of the list of allowed networks cannot be read; the message names it."""


class Allowed:
    """Public addresses, and the private ones and host names that the operator has listed."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        """Each entry is an address, a CIDR network or a host name. Raises BadEntry."""
        self._networks: list[IPv4Network | IPv6Network] = []
        self._hosts: set[str] = set()
        for entry in entries:
            self._add(entry.strip())

    def _add(self, entry: str) -> None:
        try:
            self._networks.append(ip_network(entry))
        except ValueError as error:
            last = canonical_name(entry).rpartition(".")[2]
            if not all(c.isalnum() or c in "-._" for c in entry) or not any(c.isalpha() for c in last):
                raise BadEntry(f'"{entry}" is no address, network or host name: {error}') from None
            self._hosts.add(canonical_name(entry))

    def permits(self, host: str, address: Address) -> bool:
        """Whether a connection to `address`, which `host` resolved to, may be made."""
        if canonical_name(host) in self._hosts:
            return True
        plain = _plain(address)
        return is_public(plain) or any(plain in network or address in network for network in self._networks)


def is_public(address: Address) -> bool:
    """Whether the address belongs to the internet at large, and to no special purpose."""
    address = _plain(address)
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _SPECIAL_V6)


def parse(address: str) -> Address:
    """An address as the resolver gives it. Raises ValueError."""
    return ip_address(address)


def canonical_name(host: str) -> str:
    return host.lower().rstrip(".")


def _plain(address: Address) -> Address:
    if isinstance(address, IPv6Address) and any(address in network for network in _CARRIES_V4):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
