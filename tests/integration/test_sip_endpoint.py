"""Two endpoints of ours on loopback: what the shell must stand besides the protocol."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ringback.media.leg import (
    Answered,
    DialRequest,
    Digit,
    Ended,
    EndedBy,
    HangupCause,
    Leg,
    Outcome,
    Ringing,
)
from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.leg import SipLeg
from tests.support.sipp import free_udp_ports
from tests.support.telephone import expect, loudest_hertz, talk


class Person:
    """Answers every call."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.legs: asyncio.Queue[SipLeg] = asyncio.Queue()
        endpoint.on_invite = self.take

    async def take(self, call: IncomingCall) -> None:
        call.ring()
        self.legs.put_nowait(await call.answer())


@pytest.fixture
async def us() -> AsyncIterator[Endpoint]:
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(30000, 30999))
    yield endpoint
    await endpoint.close()


@pytest.fixture
async def person() -> AsyncIterator[Person]:
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(31000, 31999))
    yield Person(endpoint)
    await endpoint.close()


async def dial(endpoint: Endpoint, trunk: Trunk, **headers: str) -> SipLeg:
    carrier = SipCarrier(endpoint, trunk)
    assert carrier.name == "sip-trunk"
    call_id = carrier.new_call_id()
    leg: Leg = await carrier.dial(DialRequest(call_id, "+15550199", "+15550100", headers=headers))
    assert leg.call_id == call_id
    assert isinstance(leg, SipLeg)
    return leg


def way_to(person: Person, host: str = "127.0.0.1") -> Trunk:
    return Trunk(host, person.endpoint.address[1])


async def test_a_call_by_name_with_audio_both_ways(us: Endpoint, person: Person) -> None:
    leg = await dial(us, way_to(person, "localhost"))
    await expect(leg, Ringing)
    await expect(leg, Answered)
    other = await person.legs.get()
    await expect(other, Answered)
    heard_by_us, heard_by_them = await asyncio.gather(talk(leg, 440, 0.6), talk(other, 600, 0.6))
    await other.hangup(HangupCause.NORMAL)
    assert (await expect(leg, Ended)).by is EndedBy.PEER
    assert (await expect(other, Ended)).by is EndedBy.US
    assert loudest_hertz(heard_by_us[-2400:]) == pytest.approx(600, abs=5)
    assert loudest_hertz(heard_by_them[-2400:]) == pytest.approx(440, abs=5)


async def test_an_instant_answer_is_not_lost_while_the_loop_is_busy(us: Endpoint, person: Person) -> None:
    for _ in range(5):
        leg = await dial(us, way_to(person))
        await asyncio.sleep(0)
        time.sleep(0.15)  # noqa: ASYNC251 - the busy neighbour
        await expect(leg, Ringing)
        await expect(leg, Answered)
        await leg.hangup(HangupCause.NORMAL)
        time.sleep(0.15)  # noqa: ASYNC251
        await expect(leg, Ended)


async def test_events_that_nobody_waits_for_stay_in_order(us: Endpoint, person: Person) -> None:
    leg = await dial(us, way_to(person))
    other = await asyncio.wait_for(person.legs.get(), 5)
    await expect(other, Answered)
    await other.hangup(HangupCause.NORMAL)
    await expect(other, Ended)
    for kind in (Ringing, Answered, Ended):
        await expect(leg, kind)


async def test_an_impossible_destination_ends_the_call_and_nothing_else(us: Endpoint, person: Person) -> None:
    for host in ("255.255.255.255", f"{'x' * 64}.example"):
        ended = await expect(await dial(us, Trunk(host)), Ended)
        assert (ended.outcome, ended.by, ended.provider_code) == (Outcome.FAILED, EndedBy.ERROR, 3110)
    leg = await dial(us, way_to(person))
    await expect(leg, Ringing)


async def test_nothing_is_sent_when_its_name_was_looked_up_for_too_long(
    us: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease of a dial may be over by then."""
    loop = asyncio.get_running_loop()
    look_up, looked_up = loop.getaddrinfo, asyncio.Event()

    async def slow(*args: Any, **options: Any) -> Any:
        found = await look_up(*args, **options)
        looked_up.set()
        return found

    monkeypatch.setattr(loop, "getaddrinfo", slow)
    with socket.socket(type=socket.SOCK_DGRAM) as trunk:
        trunk.bind(("127.0.0.1", 0))
        trunk.setblocking(False)
        carrier = SipCarrier(us, Trunk("localhost", trunk.getsockname()[1]))
        request = DialRequest(
            carrier.new_call_id(), "+15550199", "+15550100", in_time=lambda: not looked_up.is_set()
        )
        ended = await expect(await carrier.dial(request), Ended)
        assert looked_up.is_set()
        assert (ended.outcome, ended.by) == (Outcome.FAILED, EndedBy.ERROR)
        with pytest.raises(BlockingIOError):
            trunk.recv(1)


async def test_no_free_rtp_port_is_an_error_of_ours() -> None:
    port = free_udp_ports()
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(port, port))
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", port))
        ended = await expect(await dial(endpoint, Trunk("127.0.0.1", 9)), Ended)
    await endpoint.close()
    assert (ended.outcome, ended.by) == (Outcome.ERROR, EndedBy.ERROR)
    assert "port range" in (ended.detail or "")


async def test_a_failing_handler_refuses_its_call_and_says_little(
    us: Endpoint, person: Person, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(call: IncomingCall) -> None:
        raise RuntimeError(f"secret of {call.caller}")

    person.endpoint.on_invite = fail
    with caplog.at_level(logging.INFO):
        ended = await expect(await dial(us, way_to(person)), Ended)
    assert (ended.outcome, ended.sip_code) == (Outcome.NO_ANSWER, 480)
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_refusal_by_the_handler(us: Endpoint, person: Person) -> None:
    async def refuse(call: IncomingCall) -> None:
        with pytest.raises(ValueError, match="400 to 699"):
            call.reject(200)
        call.reject(603)

    person.endpoint.on_invite = refuse
    ended = await expect(await dial(us, way_to(person)), Ended)
    assert (ended.outcome, ended.by, ended.sip_code) == (Outcome.FAILED, EndedBy.PEER, 603)


async def test_closing_hangs_up_what_is_left(person: Person) -> None:
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(30000, 30999))
    leg = await dial(endpoint, way_to(person))
    await expect(leg, Ringing)
    await expect(leg, Answered)
    other = await person.legs.get()
    await expect(other, Answered)
    await endpoint.close()
    assert (await expect(leg, Ended)).outcome is Outcome.HUNG_UP
    assert (await expect(other, Ended)).outcome is Outcome.HUNG_UP


async def test_a_leg_that_nobody_listens_to_ends_itself(us: Endpoint, person: Person) -> None:
    leg = await dial(us, way_to(person))
    other = await asyncio.wait_for(person.legs.get(), 5)
    await expect(other, Answered)
    for _ in range(600):
        leg.on_digit(Digit("1", 100))
    await expect(other, Ended)
    events = []
    while not events or not isinstance(events[-1], Ended):
        events.append(await leg.next_event())
    assert len(events) == 501


async def test_further_headers_travel_and_cannot_smuggle_others(us: Endpoint, person: Person) -> None:
    seen: asyncio.Queue[str | None] = asyncio.Queue()

    async def look(call: IncomingCall) -> None:
        seen.put_nowait(call.header("X-Account"))
        call.reject(486)

    person.endpoint.on_invite = look
    await expect(await dial(us, way_to(person), **{"X-Account": "7"}), Ended)
    assert seen.get_nowait() == "7"
    with pytest.raises(ValueError, match="control characters"):
        await dial(us, way_to(person), **{"X-Account": "7\r\nRoute: <sip:elsewhere>"})


async def test_addresses_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"SIP host 0\.0\.0\.0"):
        await Endpoint.open("0.0.0.0", 0, PortRange(30000, 30999))
    for wrong in ({"host": "a b"}, {"host": "h", "port": 0}, {"host": "h", "outbound_proxy": "p:99999"}):
        with pytest.raises(ValueError, match="trunk"):
            Trunk(**wrong)  # type: ignore[arg-type]
    assert "secret" not in repr(Trunk("h", password="secret"))
