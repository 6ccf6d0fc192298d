"""Keeping the trunks of accounts: registering with their carriers, and asking their gateways how they are. One worker
keeps a trunk, by a lease; when that worker drains or dies another one does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from ringback.app.carriers import sip_trunk
from ringback.clock import Clock
from ringback.store.database import StoreError
from ringback.store.wakeup import TRUNKS, Wakeup
from ringback.telephony.sip import carrier
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.qualifying import ask
from ringback.telephony.sip.registration import Registered, Registrar, Registration, Unregistered
from ringback.trunks import trunk as kept
from ringback.trunks.gateway import Gateway, Qualified
from ringback.trunks.trunk import Trunk
from ringback.trunks.trunks import Trunks

logger = logging.getLogger(__name__)

_LOOK_S: Final = 5.0
LEASE_S: Final = 15.0
_MOST: Final = 500
"""Trunks of one worker."""
_LEAVE_S: Final = 3.0

Key = tuple[str, str]


class Keeper:
    """Of one worker, named `owner`."""

    def __init__(
        self,
        trunks: Trunks,
        endpoint: Endpoint,
        wakeup: Wakeup,
        clock: Clock,
        owner: str,
        *,
        lease_s: float = LEASE_S,
        look_s: float = _LOOK_S,
    ) -> None:
        self._trunks = trunks
        self._endpoint = endpoint
        self._wakeup = wakeup
        self._clock = clock
        self._owner = owner
        self._lease_s = lease_s
        self._look_s = look_s
        self._kept: dict[Key, _Kept] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep trunks until `stopping`; then leave them to others."""
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                await self._tried(self._look)
                changed = asyncio.create_task(self._wakeup.wait(TRUNKS, self._look_s))
                await asyncio.wait((changed, stop), return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
        finally:
            stop.cancel()
            for one in self._kept.values():
                one.stop()
            self._kept.clear()
            async with asyncio.timeout(_LEAVE_S):
                await self._tried(self._leave)

    async def _look(self) -> None:
        """Begin and end what has to. Raises StoreError."""
        mine = await self._trunks.keep(self._owner, self._lease_s, _MOST)
        active = {(trunk.account_id, trunk.id): trunk for trunk in await self._trunks.active()}
        wanted = {key: active[key] for key in mine if key in active}
        for key in [*self._kept]:
            if key not in wanted or not self._kept[key].is_of(wanted[key]):
                self._kept.pop(key).stop()
        for key in wanted.keys() - self._kept.keys():
            self._kept[key] = _Kept(wanted[key], self._trunks, self._endpoint, self._clock, self._owner)

    async def _leave(self) -> None:
        await self._trunks.leave(self._owner)
        await self._wakeup.notify(TRUNKS)

    async def _tried(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except StoreError as error:
            logger.error("the trunks cannot be looked up: %s", error)
        except Exception:
            logger.exception("the trunks could not be kept; it is tried again")


class _Kept:
    """One trunk, as it was when this worker took it."""

    def __init__(self, trunk: Trunk, trunks: Trunks, endpoint: Endpoint, clock: Clock, owner: str) -> None:
        self._trunk = trunk
        self._trunks = trunks
        self._endpoint = endpoint
        self._clock = clock
        self._owner = owner
        self._registration: Registration | None = None
        self._writing: set[asyncio.Task[None]] = set()
        self._told: str | None = None
        fields, way = trunk.fields, sip_trunk(trunk)
        self._asking = [
            asyncio.create_task(self._ask_again_and_again(place, gateway, _hop(way, gateway)))
            for place, gateway in enumerate(fields.gateways, 1)
            if fields.qualify_frequency
        ]
        if trunk.unreadable:
            self._write(kept.Registration("failing", error=trunk.unreadable))
        elif fields.auth_type == "userpass":
            self._registration = Registration(endpoint.agent, _registrars(way), self._registered)
            self._registration.start()

    def is_of(self, trunk: Trunk) -> bool:
        return trunk.updated_at == self._trunk.updated_at

    def stop(self) -> None:
        if self._registration is not None:
            self._registration.stop()
        for task in (*self._asking, *self._writing):
            task.cancel()

    def _registered(self, how: Registered | Unregistered) -> None:
        name = self._trunk.fields.name
        if isinstance(how, Registered):
            if self._told != "":
                logger.info("trunk %s (%s) is registered as %s", self._trunk.id, name, how.contact)
            self._told = ""
            until = self._clock.now_us() + round(how.seconds * 1_000_000)
            self._write(kept.Registration("registered", until, how.contact, 200))
            return
        if how.why != self._told:
            logger.warning("trunk %s (%s) is not registered: %s", self._trunk.id, name, how.why)
        self._told = how.why
        self._write(kept.Registration("failing", code=how.code, error=how.why))

    def _write(self, how: kept.Registration) -> None:
        task = asyncio.create_task(self._written(self._trunks.registered(self._trunk, self._owner, how)))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _ask_again_and_again(self, place: int, gateway: Gateway, hop: Hop) -> None:
        trunk = self._trunk
        while True:
            asked_at, began = self._clock.now_us(), self._clock.monotonic()
            health = await ask(self._endpoint.agent, hop)
            took_us = round((self._clock.monotonic() - began) * 1_000_000)
            how = Qualified(
                "up" if health.is_up else "down",
                asked_at,
                None if health.code is None else took_us,
                health.code,
                health.error,
            )
            await self._written(
                self._trunks.qualified(trunk.account_id, trunk.id, place, gateway.address, gateway.port, how)
            )
            await self._clock.sleep(trunk.fields.qualify_frequency)

    async def _written(self, writing: Awaitable[None]) -> None:
        try:
            await writing
        except StoreError as error:
            logger.warning("how trunk %s does could not be written: %s", self._trunk.id, error)


def _hop(way: carrier.Trunk, gateway: Gateway) -> Hop:
    return way.hops[way.gateways.index((gateway.address, gateway.port))]


def _registrars(way: carrier.Trunk) -> list[Registrar]:
    """Each gateway is one, of its own domain, unless the user name brings another (`user@domain`)."""
    credentials = way.credentials
    assert credentials is not None
    user, at, domain = credentials.username.rpartition("@")
    return [
        Registrar(
            hop,
            domain if at else hop.host,
            None if at else hop.port,
            user if at else credentials.username,
            credentials,
        )
        for hop in way.hops
    ]
