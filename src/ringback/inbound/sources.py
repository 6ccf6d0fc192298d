"""Where calls to us may come from: the addresses of trunks, and the ways that they stand for."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ringback.clock import Clock
from ringback.net.resolving import Resolver
from ringback.store.database import StoreError
from ringback.trunks.gateway import Network, network
from ringback.trunks.secrecy import SecrecyError
from ringback.trunks.trunk import Trunk

logger = logging.getLogger(__name__)

REFRESH_S: Final = 10.0
"""A trunk that was added or changed is known after so long at the latest."""
_RESOLVE_S: Final = 8.0
_NAMES_US: Final = 60_000_000
"""So long the addresses of a name are kept."""
_REMEMBERED: Final = 10_000
_SIP: Final = 5060


@dataclass(frozen=True, slots=True)
class Way:
    """The trunk that a call came by."""

    provider: str
    """As `telephony_data.provider` shows it."""
    trunk: tuple[str, str] | None = None
    """Its account and id; None: the trunk of the settings."""
    hosted: bool = True
    """The installation's own."""
    is_open: bool = True
    """It takes calls (`inbound_enabled`)."""
    encrypted: bool = False
    """Its audio must be."""


@dataclass(frozen=True, slots=True)
class Own:
    """The trunk of the settings, and who stands between the carriers and us."""

    provider: str
    hosts: Sequence[str] = ()
    """Names and addresses of its carrier; networks too."""
    proxies: Sequence[str] = ()
    """SIP load balancers: what they say of a call's sender is believed."""
    encrypted: bool = False
    """Its audio must be."""


class Routed(Protocol):
    """A call, as far as it tells whom it came from."""

    @property
    def way(self) -> tuple[str, ...]:
        """Addresses, the nearest first."""
        ...


class Sources:
    """Of one worker; looks for changes again and again."""

    def __init__(
        self,
        trunks: Callable[[], Awaitable[Sequence[Trunk]]],
        own: Own,
        *,
        resolve: Resolver,
        clock: Clock,
        wait: Callable[[float], Awaitable[object]] | None = None,
        provider: Callable[[Trunk], str] = lambda trunk: "sip-trunk",
    ) -> None:
        """`trunks`: the active ones of all accounts. `wait`: so many seconds, or until they may have changed."""
        self._trunks = trunks
        self._own = own
        self._resolve = resolve
        self._clock = clock
        self._wait = wait or clock.sleep
        self._provider = provider
        self._networks: dict[Network, list[Way]] = {}
        self._proxies: set[str] = set()
        self._found: dict[str, tuple[Way, ...]] = {}
        self._names: dict[str, tuple[int, tuple[str, ...]]] = {}

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self.refresh()
            except (StoreError, SecrecyError) as error:
                logger.error("the trunks that calls may come by cannot be read: %s", error)
            except Exception:
                logger.exception("the trunks that calls may come by cannot be told; it is tried again")
            await self._wait(REFRESH_S)

    async def refresh(self) -> None:
        """Raises StoreError, SecrecyError: then what was known goes on to be."""
        trunks = await self._trunks()
        own = Way(self._own.provider, encrypted=self._own.encrypted)
        wanted: list[tuple[str, Way]] = [(host, own) for host in self._own.hosts]
        for trunk in trunks:
            fields = trunk.fields
            encrypted = fields.media_encryption != "no" and not fields.media_encryption_optimistic
            identity = trunk.account_id, trunk.id
            way = Way(self._provider(trunk), identity, False, fields.inbound_enabled, encrypted)
            hosts = (*fields.ip_identifiers, *(gateway.address for gateway in fields.gateways))
            wanted += ((host, way) for host in hosts)
        await self._look_up([*(host for host, _ in wanted), *self._own.proxies])
        networks: defaultdict[Network, list[Way]] = defaultdict(list)
        for host, way in wanted:
            for found in self._networks_of(host):
                if way not in networks[found]:
                    networks[found].append(way)
        self._networks = dict(networks)
        self._proxies = {address for host in self._own.proxies for address in self._addresses(host)}
        self._found.clear()

    def knows(self, host: str) -> bool:
        """Whether anything from this address is worth a look."""
        return host in self._proxies or bool(self._ways(host))

    def ways(self, call: Routed) -> tuple[Way, ...]:
        """The trunks that a call may have come by; none: its sender is a stranger."""
        nearest, *further = call.way
        if nearest not in self._proxies:
            return self._ways(nearest)
        return self._ways(further[0]) if further else ()

    def encrypted(self, call: Routed) -> bool:
        """Whether every trunk that a call may have come by wants its audio encrypted."""
        ways = self.ways(call)
        return bool(ways) and all(way.encrypted for way in ways)

    def _ways(self, host: str) -> tuple[Way, ...]:
        found = self._found.get(host)
        if found is None:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            found = self._found[host] = tuple(self._looked_for(host))
        return found

    def _looked_for(self, host: str) -> Iterable[Way]:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return ()
        inside = (ways for net, ways in self._networks.items() if address in net)
        return dict.fromkeys(way for ways in inside for way in ways)

    async def _look_up(self, hosts: Iterable[str]) -> None:
        now = self._clock.now_us()
        names = {host for host in hosts if _network(host) is None}
        self._names = {name: known for name, known in self._names.items() if name in names}
        old = [name for name in names if name not in self._names or self._names[name][0] < now - _NAMES_US]
        for name, addresses in zip(old, await asyncio.gather(*map(self._resolved, old)), strict=True):
            if addresses or name not in self._names:
                self._names[name] = now, addresses
            # Otherwise its server is away: the calls go on to come from where they came from.

    async def _resolved(self, name: str) -> tuple[str, ...]:
        found: list[str] = []
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_RESOLVE_S):
                found = await self._resolve(name, _SIP)
        if not found:
            logger.warning("no address of %s can be found: calls from there are not known", name)
        return tuple(found)

    def _addresses(self, host: str) -> tuple[str, ...]:
        if _network(host) is not None:
            return (host.strip("[]"),)
        return self._names[host][1] if host in self._names else ()

    def _networks_of(self, host: str) -> list[Network]:
        if (found := _network(host)) is not None:
            return [found]
        return [one for address in self._addresses(host) if (one := _network(address)) is not None]


def _network(host: str) -> Network | None:
    """None: it is a name."""
    try:
        return network(host.strip("[]"))
    except ValueError:
        return None
