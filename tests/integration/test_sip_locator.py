"""Names to targets (RFC 3263), with a real name server on loopback."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator

import pytest

from ringback.telephony.sip import services
from ringback.telephony.sip.hop import Hop, Transport
from ringback.telephony.sip.locator import KEEP, Locator
from ringback.telephony.sip.services import DnsServices, Service
from tests.support.name_server import NameServer

RECORDS = {
    "_sip._udp.trunk.test SRV": [
        "20 0 5064 127.0.0.3.",
        "10 50 5062 127.0.0.1.",
        "10 50 5063 127.0.0.2.",
    ],
    "_sips._tcp.trunk.test SRV": ["10 0 5071 localhost."],
    "_sip._tcp.closed.test SRV": ["0 0 0 ."],
}


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    async with NameServer(RECORDS) as server:
        yield server


@pytest.fixture
async def locator(server: NameServer) -> Locator:
    return Locator(socket.AF_INET, DnsServices(server.resolver()), random.Random(1))


async def located(locator: Locator, hop: Hop) -> tuple[Hop, ...]:
    found: asyncio.Future[tuple[Hop, ...]] = asyncio.get_running_loop().create_future()
    locator.locate(hop, found.set_result)
    return await asyncio.wait_for(found, 8)


async def test_an_address_is_located_at_once(locator: Locator) -> None:
    found: list[tuple[Hop, ...]] = []
    locator.locate(Hop("192.0.2.1"), found.append)
    locator.locate(Hop("2001:db8::1", None, Transport.TLS), found.append)
    locator.locate(Hop("192.0.2.1", 7000, Transport.TCP), found.append)
    assert found == [
        (Hop("192.0.2.1", 5060),),
        (Hop("2001:db8::1", 5061, Transport.TLS),),
        (Hop("192.0.2.1", 7000, Transport.TCP),),
    ]


async def test_a_domain_leads_to_its_servers_by_priority(locator: Locator, server: NameServer) -> None:
    targets = await located(locator, Hop("trunk.test"))
    assert {target.port for target in targets[:2]} == {5062, 5063}
    assert targets[2] == Hop("127.0.0.3", 5064, Transport.UDP, "trunk.test")
    assert await located(locator, Hop("trunk.test")) == targets
    assert server.asked == ["_sip._udp.trunk.test SRV"]


async def test_the_certificate_must_name_the_domain_and_not_its_server(locator: Locator) -> None:
    (target,) = await located(locator, Hop("trunk.test", None, Transport.TLS))
    assert target == Hop("127.0.0.1", 5071, Transport.TLS, "trunk.test")


async def test_a_port_asks_for_no_servers(locator: Locator, server: NameServer) -> None:
    assert await located(locator, Hop("localhost", 7000)) == (Hop("127.0.0.1", 7000, domain="localhost"),)
    assert server.asked == []


async def test_a_name_without_servers_is_a_host(locator: Locator) -> None:
    assert await located(locator, Hop("localhost")) == (Hop("127.0.0.1", 5060, domain="localhost"),)


async def test_a_domain_may_say_that_it_has_no_such_service(locator: Locator) -> None:
    assert await located(locator, Hop("closed.test", None, Transport.TCP)) == ()


@pytest.mark.parametrize("name", ["x" * 64 + ".test", "a..b", "\udcff", "nowhere.invalid"])
async def test_impossible_names_lead_nowhere(locator: Locator, name: str) -> None:
    assert await located(locator, Hop(name)) == ()


async def test_a_silent_name_server_delays_and_does_not_stop(
    locator: Locator, server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_TIMEOUT", 0.3)
    server.silent = True
    assert await located(locator, Hop("localhost")) == (Hop("127.0.0.1", 5060, domain="localhost"),)


async def test_what_did_not_answer_is_tried_last(locator: Locator) -> None:
    first, second, third = await located(locator, Hop("trunk.test"))
    locator.avoid(first)
    assert await located(locator, Hop("trunk.test")) == (second, third, first)
    locator.avoid(second)
    locator.avoid(third)
    assert await located(locator, Hop("trunk.test")) == (first, second, third)


async def test_callers_with_one_name_are_served_in_their_order(locator: Locator, server: NameServer) -> None:
    order: list[int] = []
    for number in range(5):
        locator.locate(Hop("trunk.test"), lambda _, number=number: order.append(number))  # type: ignore[misc]
    assert order == []
    await located(locator, Hop("trunk.test"))
    assert order == [0, 1, 2, 3, 4]
    assert len(server.asked) == 1


async def test_servers_are_asked_for_again(locator: Locator, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    answers = iter([[Service(0, 0, 5062, "127.0.0.1")], [Service(0, 0, 5063, "127.0.0.1")]])

    async def ask(name: str) -> list[Service]:
        return next(answers)

    locator = Locator(socket.AF_INET, ask)
    (first,) = await located(locator, Hop("trunk.test"))
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now + KEEP + 1)
    (second,) = await located(locator, Hop("trunk.test"))
    assert (first.port, second.port) == (5062, 5063)
