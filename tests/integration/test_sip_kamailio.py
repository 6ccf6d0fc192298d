"""Workers behind Kamailio as deploy/ configures it: one address to the carrier, calls only to who takes them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from ringback.media.leg import Answered, DialRequest, Ended, EndedBy, HangupCause, Outcome
from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.leg import SipLeg
from tests.support.balancer import Balancer, balancer
from tests.support.needs import needs
from tests.support.telephone import expect

pytestmark = [pytest.mark.realtime, needs("kamailio")]

CALLS: Final = 60
_AT_A_TIME: Final = 10


@dataclass
class Party:
    """A worker or the carrier: answers every call."""

    endpoint: Endpoint
    taken: list[str] = field(default_factory=list)
    """Call-IDs, in the order of arrival."""
    legs: asyncio.Queue[SipLeg] = field(default_factory=asyncio.Queue)
    closed: bool = False

    def __post_init__(self) -> None:
        self.endpoint.on_invite = self._take

    @property
    def port(self) -> int:
        return self.endpoint.address[1]

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            await self.endpoint.close()

    async def _take(self, call: IncomingCall) -> None:
        self.taken.append(call.call_id)
        self.legs.put_nowait(await call.answer())

    async def dial(self, host_port: int, proxy_port: int) -> SipLeg:
        """A call to a port of loopback, sent to the proxy's."""
        carrier = SipCarrier(
            self.endpoint, Trunk("127.0.0.1", host_port, outbound_proxy=f"127.0.0.1:{proxy_port}")
        )
        return await carrier.dial(DialRequest(carrier.new_call_id(), "+15550199", "+15550100"))


@dataclass
class Floor:
    workers: list[Party]
    carrier: Party
    balancer: Balancer

    async def inbound(self) -> tuple[SipLeg, Party]:
        """A call from the carrier: its leg there, and who answered it."""
        leg = await self.carrier.dial(self.balancer.port, self.balancer.port)
        await expect(leg, Answered)
        (taker,) = [worker for worker in self.workers if leg.call_id in worker.taken]
        return leg, taker

    async def many_inbound(self, count: int) -> Counter[int]:
        """So many, ended by the carrier; how many each port answered."""
        room, takers = asyncio.Semaphore(_AT_A_TIME), Counter[int]()

        async def one() -> None:
            async with room:
                leg, taker = await self.inbound()
                takers[taker.port] += 1
                await leg.hangup(HangupCause.NORMAL)
                assert (await expect(leg, Ended)).outcome is Outcome.HUNG_UP

        await asyncio.gather(*(one() for _ in range(count)))
        return takers


@pytest.fixture
async def floor(tmp_path: Path) -> AsyncIterator[Floor]:
    async with AsyncExitStack() as stack:
        parties = []
        for _ in range(4):
            endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(32000, 33999))
            parties.append(party := Party(endpoint))
            stack.push_async_callback(party.close)
        *workers, carrier = parties
        ports = [worker.port for worker in workers]
        running = await stack.enter_async_context(balancer(tmp_path, ports, [carrier.port]))
        yield Floor(workers, carrier, running)


async def test_calls_are_spread_and_none_is_lost_when_a_worker_dies(floor: Floor) -> None:
    assert set((await floor.many_inbound(CALLS)).values()) == {CALLS // 3}
    dead = floor.workers[1]
    await dead.close()
    # Those that still go to it find another one: it does not answer.
    takers = await floor.many_inbound(6)
    assert sum(takers.values()) == 6
    await floor.balancer.thinks(dead.port, up=False)
    takers = await floor.many_inbound(CALLS)
    assert takers == {worker.port: CALLS // 2 for worker in floor.workers if worker is not dead}


async def test_who_drains_keeps_its_calls_and_gets_no_new_ones(floor: Floor) -> None:
    leg, draining = await floor.inbound()
    draining.endpoint.agent.draining = True
    await floor.many_inbound(3)  # the balancer may not know yet: who is refused is passed on
    await floor.balancer.thinks(draining.port, up=False)
    assert draining.port not in await floor.many_inbound(10)
    other = await draining.legs.get()
    await expect(other, Answered)
    await leg.hangup(HangupCause.NORMAL)
    assert (await expect(other, Ended)).by is EndedBy.PEER
    await expect(leg, Ended)
    draining.endpoint.agent.draining = False
    await floor.balancer.thinks(draining.port, up=True)
    assert draining.port in await floor.many_inbound(9)


async def test_calls_of_workers_go_out_once_each_and_the_far_end_s_bye_comes_home(floor: Floor) -> None:
    legs = [await worker.dial(floor.carrier.port, floor.balancer.port) for worker in floor.workers]
    for leg in legs:
        await expect(leg, Answered)
    far = [await floor.carrier.legs.get() for _ in legs]
    for there in far:
        await expect(there, Answered)
        await there.hangup(HangupCause.NORMAL)
    for leg in legs:
        assert (await expect(leg, Ended)).by is EndedBy.PEER
    assert sorted(floor.carrier.taken) == sorted(leg.call_id for leg in legs)
    assert not any(worker.taken for worker in floor.workers)


async def test_nobody_is_dialled_a_second_time_by_the_balancer(floor: Floor) -> None:
    seen: list[str] = []

    async def refuse(call: IncomingCall) -> None:
        seen.append(call.call_id)
        call.reject(503)

    floor.carrier.endpoint.on_invite = refuse
    leg = await floor.workers[0].dial(floor.carrier.port, floor.balancer.port)
    assert (await expect(leg, Ended)).sip_code == 503
    assert seen == [leg.call_id]


async def test_strangers_are_refused(floor: Floor, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with balancer(tmp_path / "other", [floor.workers[0].port], []) as closed:
        leg = await floor.carrier.dial(closed.port, closed.port)
        assert (await expect(leg, Ended)).sip_code == 403
    assert not floor.workers[0].taken
