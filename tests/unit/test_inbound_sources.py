"""Which trunks a call may have come by: addresses, networks, names, and what load balancers say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from ringback.inbound.sources import Own, Sources, Way
from ringback.trunks.gateway import Gateway
from ringback.trunks.secrecy import SecrecyError
from ringback.trunks.trunk import Registration, Trunk, TrunkFields
from tests.support.ledgers import TickingClock

OWN = Way("sip-trunk")
MINUTE_US = 60_000_000


@dataclass(frozen=True)
class Call:
    way: tuple[str, ...]


@dataclass
class World:
    """Trunks and names that a test changes."""

    trunks: list[Trunk] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    clock: TickingClock = field(default_factory=TickingClock)
    broken: bool = False

    async def active(self) -> Sequence[Trunk]:
        if self.broken:
            raise SecrecyError("the key is another one")
        return self.trunks

    async def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host not in self.names:
            raise OSError("no such name")
        return self.names[host]

    def sources(self, own: Own | None = None) -> Sources:
        return Sources(self.active, own or Own("sip-trunk"), resolve=self.resolve, clock=self.clock)


def trunk(name: str, *hosts: str, gateways: Sequence[str] = ("192.0.2.1",), **fields: Any) -> Trunk:
    values: dict[str, Any] = {
        "name": name,
        "provider": "p",
        "auth_type": "ip-based",
        "inbound_enabled": True,
        "ip_identifiers": hosts,
        "gateways": tuple(Gateway(one) for one in gateways),
    }
    return Trunk(name, name, TrunkFields(**(values | fields)), (), Registration(), 1, 1)


def of(name: str, *, is_open: bool = True) -> Way:
    return Way("sip-trunk", (name, name), hosted=False, is_open=is_open)


async def test_calls_come_from_gateways_and_from_the_addresses_that_are_named() -> None:
    world = World([trunk("a", "203.0.113.0/28", "2001:db8::/32")])
    sources = world.sources()
    await sources.refresh()
    for address in ("192.0.2.1", "203.0.113.0", "203.0.113.15", "2001:db8::5"):
        assert sources.ways(Call((address,))) == (of("a"),)
        assert sources.knows(address)
    for address in ("192.0.2.2", "203.0.113.16", "2001:db9::1", "nonsense"):
        assert sources.ways(Call((address,))) == ()
        assert not sources.knows(address)


async def test_one_carrier_may_be_that_of_several_accounts() -> None:
    sources = World([trunk("a"), trunk("b", "192.0.2.0/24", inbound_enabled=False)]).sources()
    await sources.refresh()
    assert set(sources.ways(Call(("192.0.2.1",)))) == {of("a"), of("b", is_open=False)}


async def test_names_are_looked_up_again_after_a_while_and_kept_when_nobody_answers() -> None:
    world = World([trunk("a", gateways=["sip.example.com"])], {"sip.example.com": ["198.51.100.1"]})
    sources = world.sources(Own("sip-trunk", ["trunk.example.com"]))
    await sources.refresh()
    await sources.refresh()
    assert sorted(world.asked) == ["sip.example.com", "trunk.example.com"]
    assert sources.ways(Call(("198.51.100.1",))) == (of("a"),)
    world.names["sip.example.com"] = ["198.51.100.2"]
    world.clock.us += 2 * MINUTE_US
    await sources.refresh()
    assert sources.ways(Call(("198.51.100.1",))) == ()
    assert sources.ways(Call(("198.51.100.2",))) == (of("a"),)
    del world.names["sip.example.com"]
    world.clock.us += 2 * MINUTE_US
    await sources.refresh()
    assert sources.knows("198.51.100.2")


async def test_a_trunk_that_is_gone_is_a_strangers() -> None:
    world = World([trunk("a")])
    sources = world.sources()
    await sources.refresh()
    assert sources.knows("192.0.2.1")
    world.trunks.clear()
    await sources.refresh()
    assert not sources.knows("192.0.2.1")


async def test_what_cannot_be_read_changes_nothing() -> None:
    world = World([trunk("a")])
    sources = world.sources()
    await sources.refresh()
    world.broken = True
    with pytest.raises(SecrecyError):
        await sources.refresh()
    assert sources.knows("192.0.2.1")


async def test_the_trunk_of_the_settings() -> None:
    sources = World().sources(Own("sip-trunk", ["192.0.2.1", "[2001:db8::1]", "203.0.113.0/24"]))
    await sources.refresh()
    for address in ("192.0.2.1", "2001:db8::1", "203.0.113.9"):
        assert sources.ways(Call((address,))) == (OWN,)


async def test_a_load_balancer_is_believed_where_a_call_came_from_and_nobody_else_is() -> None:
    sources = World([trunk("a")]).sources(Own("sip-trunk", (), ["10.0.0.1"]))
    await sources.refresh()
    assert sources.knows("10.0.0.1")
    assert sources.ways(Call(("10.0.0.1", "192.0.2.1"))) == (of("a"),)
    assert sources.ways(Call(("10.0.0.1", "198.51.100.9"))) == ()
    assert sources.ways(Call(("10.0.0.1",))) == ()
    assert sources.ways(Call(("198.51.100.9", "192.0.2.1"))) == ()


async def test_audio_must_be_encrypted_where_every_trunk_of_an_address_wants_it() -> None:
    sdes: dict[str, Any] = {"transport": "transport-tls", "media_encryption": "sdes"}
    sources = World(
        [
            trunk("a", gateways=["192.0.2.1"], **sdes),
            trunk("b", gateways=["192.0.2.2"], media_encryption_optimistic=True, **sdes),
            trunk("c", gateways=["192.0.2.3"], **sdes),
            trunk("d", gateways=["192.0.2.3"]),
        ]
    ).sources(Own("sip-trunk", ["192.0.2.4"], encrypted=True))
    await sources.refresh()
    addresses = [f"192.0.2.{number}" for number in range(1, 6)]
    assert [sources.encrypted(Call((address,))) for address in addresses] == [True, False, False, True, False]
