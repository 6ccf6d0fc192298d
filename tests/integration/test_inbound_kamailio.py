"""Calls to our numbers through the load balancer of deploy/: whose they are is decided by whom it had them from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from ringback.media.leg import Answered, DialRequest, Ended, EndedBy, HangupCause, Ringing
from ringback.media.rtp_stream import PortRange
from ringback.store.database import Database
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.leg import SipLeg
from ringback.trunks.gateway import Gateway
from tests.support.balancer import balancer
from tests.support.needs import needs
from tests.support.reception import CALLER, NUMBER, Foyer, open_foyer
from tests.support.telephone import expect

pytestmark = [pytest.mark.realtime, needs("kamailio")]

OURS, CARRIERS = "127.0.0.1", "127.0.0.2"


@pytest.fixture
async def foyer(database: Database, tmp_path: Path) -> AsyncIterator[Foyer]:
    async with open_foyer(database, tmp_path) as foyer:
        yield foyer


async def called(foyer: Foyer, folder: Path, *capacities: int) -> tuple[AsyncExitStack, SipLeg]:
    """A call from the carrier's address, through the balancer, to workers that have so many places."""
    stack = AsyncExitStack()
    carrier = await Endpoint.open(CARRIERS, 0, PortRange(33000, 33999))
    stack.push_async_callback(carrier.close)
    workers = []
    for number, capacity in enumerate(capacities):
        foyer.worker = f"worker {number}"
        receiving = await stack.enter_async_context(foyer.open(capacity=capacity, proxies=[OURS]))
        workers.append(receiving.address[1])
    running = await stack.enter_async_context(balancer(folder, workers, [carrier.address[1]], CARRIERS))
    way = SipCarrier(carrier, Trunk(OURS, running.port, outbound_proxy=f"{OURS}:{running.port}"))
    return stack, await way.dial(DialRequest(way.new_call_id(), NUMBER, CALLER))


async def of_carrier(foyer: Foyer, address: str, **fields: Any) -> None:
    await foyer.trunk(ip_identifiers=(address,), gateways=(Gateway(address),), **fields)


async def test_the_carrier_behind_the_balancer_is_known(foyer: Foyer, tmp_path: Path) -> None:
    await of_carrier(foyer, CARRIERS)
    stack, leg = await called(foyer, tmp_path, 10)
    async with stack:
        await expect(leg, Ringing)
        await expect(leg, Answered)
        await leg.hangup(HangupCause.NORMAL)
        assert (await expect(leg, Ended)).by is EndedBy.US
        record = await foyer.over()
    assert (record["status"], record["telephony_data"]["hangup_by"]) == ("completed", "Caller")
    assert (record["user_number"], record["agent_number"]) == (CALLER, NUMBER)


async def test_the_balancer_s_own_address_is_nobody_s_trunk(foyer: Foyer, tmp_path: Path) -> None:
    await of_carrier(foyer, OURS)
    stack, leg = await called(foyer, tmp_path, 10)
    async with stack:
        assert (await expect(leg, Ended)).sip_code == 403
    assert await foyer.records() == []


async def test_a_worker_that_is_full_leaves_the_call_to_another(foyer: Foyer, tmp_path: Path) -> None:
    await of_carrier(foyer, CARRIERS)
    stack, leg = await called(foyer, tmp_path, 0, 0, 10)
    async with stack:
        await expect(leg, Ringing)
        await expect(leg, Answered)
        await leg.hangup(HangupCause.NORMAL)
        await expect(leg, Ended)
        await foyer.over()
    assert len(await foyer.records()) == 1
