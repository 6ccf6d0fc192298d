"""The servers that a domain names for a service (RFC 2782), in the order in which to try them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver

from ringback.telephony.sip.hop import Transport

PREFIXES: Final = {
    Transport.UDP: "_sip._udp.",
    Transport.TCP: "_sip._tcp.",
    Transport.TLS: "_sips._tcp.",
}
"""RFC 3263 section 4.1; which of them is asked for is the trunk's setting, so no NAPTR records are."""
_MAX_SERVICES: Final = 16
_TIMEOUT: Final = 2.0
"""Seconds for the records; without an answer the name itself is the host."""


@dataclass(frozen=True, slots=True)
class Service:
    """One SRV record."""

    priority: int
    weight: int
    port: int
    target: str
    """A host name without the dot at its end; "" says that there is no such service."""


class Services(Protocol):
    """Asks for SRV records."""

    async def __call__(self, name: str) -> list[Service]:
        """The records of a name, none where there are none or nobody answers."""
        ...


class DnsServices:
    """Implements `Services` with the system's name servers, or others."""

    def __init__(self, resolver: dns.asyncresolver.Resolver | None = None) -> None:
        self._resolver = resolver

    async def __call__(self, name: str) -> list[Service]:
        try:
            self._resolver = self._resolver or dns.asyncresolver.Resolver()
            answer = await self._resolver.resolve(name, dns.rdatatype.SRV, search=False, lifetime=_TIMEOUT)
        except (dns.exception.DNSException, OSError, ValueError):
            return []
        return [
            Service(
                record.priority,
                record.weight,
                record.port,
                record.target.to_text(omit_final_dot=True).strip("."),
            )
            for record in list(answer)[:_MAX_SERVICES]
        ]


def in_order(services: Sequence[Service], rng: random.Random) -> list[Service]:
    """By priority; of one priority by lot, each with the chance of its weight."""
    ordered: list[Service] = []
    for priority in sorted({service.priority for service in services}):
        # Those without weight stand first, so that they have a small chance at all (RFC 2782).
        rest = sorted((one for one in services if one.priority == priority), key=lambda one: one.weight)
        while rest:
            lot = rng.randint(0, sum(one.weight for one in rest))
            for one in rest:
                lot -= one.weight
                if lot <= 0:
                    break
            rest.remove(one)
            ordered.append(one)
    return ordered
