"""Where a hop really is (RFC 3263): the addresses and ports behind a name, looked up once a while."""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.services import PREFIXES, DnsServices, Services, in_order

LOOKUP_TIMEOUT: Final = 5.0
KEEP: Final = 30.0
"""Seconds that targets are used before their name is looked up again."""
AVOIDED: Final = 60.0
"""Seconds that a target which did not answer is tried last."""
_MAX_NAMES: Final = 1_000
_MAX_TARGETS: Final = 8

Use = Callable[[tuple[Hop, ...]], None]
"""Takes the targets, the best first; none if the name leads nowhere."""


class Locator:
    """Looks hops up without blocking. Callers with one hop are served in the order in which they came."""

    def __init__(
        self,
        family: socket.AddressFamily,
        services: Services | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._family = family
        self._services = services or DnsServices()
        self._rng = rng or random.Random()
        self._loop = asyncio.get_running_loop()
        self._known: dict[Hop, tuple[tuple[Hop, ...], float]] = {}
        self._waiting: dict[Hop, list[Use]] = {}
        self._lookups: set[asyncio.Task[None]] = set()
        self._avoided: dict[Hop, float] = {}

    def locate(self, hop: Hop, use: Use) -> None:
        """Give the targets behind a hop to `use`, at once if they are known."""
        if _is_address(hop.host):
            use((replace(hop, port=hop.port or hop.transport.default_port),))
            return
        targets, until = self._known.get(hop, ((), 0.0))
        if hop in self._waiting:
            self._waiting[hop].append(use)
        elif until > self._loop.time():
            use(self._best_first(targets))
        elif len(self._waiting) >= _MAX_NAMES:
            self._loop.call_soon(use, ())
        else:
            self._waiting[hop] = [use]
            task = self._loop.create_task(self._look_up(hop))
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)

    def avoid(self, target: Hop) -> None:
        """Try a target last for a while: it did not answer."""
        if len(self._avoided) >= _MAX_NAMES:
            self._avoided.clear()
        self._avoided[target] = self._loop.time() + AVOIDED

    def close(self) -> None:
        for task in self._lookups:
            task.cancel()

    def _best_first(self, targets: tuple[Hop, ...]) -> tuple[Hop, ...]:
        now = self._loop.time()
        return tuple(sorted(targets, key=lambda target: self._avoided.get(target, 0.0) > now))

    async def _look_up(self, hop: Hop) -> None:
        targets: tuple[Hop, ...] = ()
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT):
                targets = await self._targets(hop)
        except TimeoutError:
            pass
        if targets:
            if len(self._known) >= _MAX_NAMES:
                self._known.clear()
            self._known[hop] = targets, self._loop.time() + KEEP
        else:
            self._known.pop(hop, None)
        for use in self._waiting.pop(hop):
            use(self._best_first(targets))

    async def _targets(self, hop: Hop) -> tuple[Hop, ...]:
        places = [(hop.host, hop.port or hop.transport.default_port)]
        if hop.port is None:
            found = in_order(await self._services(PREFIXES[hop.transport] + hop.host), self._rng)
            places = [(one.target, one.port) for one in found if one.target] if found else places
        domain = hop.domain or hop.host
        targets = [
            Hop(address, port, hop.transport, domain)
            for name, port in places[:_MAX_TARGETS]
            for address in await self._addresses(name)
        ]
        return tuple(dict.fromkeys(targets))[:_MAX_TARGETS]

    async def _addresses(self, name: str) -> list[str]:
        if _is_address(name):
            return [name]
        try:
            found = await self._loop.getaddrinfo(name, None, family=self._family, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError):
            return []
        return [str(address[0]) for *_, address in found]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
