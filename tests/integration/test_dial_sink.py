"""The SIP trunk of the crash test, dialled by the product's own carrier: what happens is what its log says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from benchmarks.crash.sink import Message
from ringback.media.leg import Answered, DialRequest, Ended, HangupCause, Outcome
from ringback.media.rtp_stream import PortRange
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.leg import SipLeg
from tests.support.dial_sink import DialSink, dial_sink

pytestmark = pytest.mark.realtime


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[DialSink]:
    with dial_sink(tmp_path) as sink:
        yield sink


@pytest.fixture
async def carrier(sink: DialSink) -> AsyncIterator[SipCarrier]:
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(30000, 39999))
    yield SipCarrier(endpoint, Trunk("127.0.0.1", sink.port))
    await endpoint.close()


async def dialled(carrier: SipCarrier, number: str, ring_timeout_s: float = 10) -> tuple[SipLeg, Ended]:
    leg = await carrier.dial(
        DialRequest(carrier.new_call_id(), number, "+14155550100", ring_timeout_s=ring_timeout_s)
    )
    async with asyncio.timeout(10):
        while not isinstance(event := await leg.next_event(), Ended):
            if isinstance(event, Answered) and number.endswith("9"):
                await leg.hangup(HangupCause.NORMAL)
    return leg, event


@pytest.mark.parametrize(
    ("number", "outcome", "events"),
    [
        ("+14155550000", Outcome.BUSY, ["invite", "final 486", "over sink", "acked"]),
        ("+14155550002", Outcome.NO_ANSWER, ["invite", "final 487", "over sink", "acked"]),
        ("+14155550003", Outcome.FAILED, ["invite", "final 503", "over sink", "acked"]),
        ("+14155550005", Outcome.HUNG_UP, ["invite", "final 200", "acked", "over sink"]),
        ("+14155550009", Outcome.HUNG_UP, ["invite", "final 200", "acked", "over caller"]),
    ],
)
async def test_every_manner(
    carrier: SipCarrier, sink: DialSink, number: str, outcome: Outcome, events: list[str]
) -> None:
    leg, ended = await dialled(carrier, number, ring_timeout_s=0.3)
    assert ended.outcome is outcome
    seen = [f"{e['event']} {e.get('status', e.get('by', ''))}".strip() for e in await sink.until(len(events))]
    assert seen == events
    assert {(e["call_id"], e["number"]) for e in sink.events()} == {(leg.call_id, number)}


async def test_silence_is_logged_and_nothing_comes_back(carrier: SipCarrier, sink: DialSink) -> None:
    leg = await carrier.dial(DialRequest(carrier.new_call_id(), "+14155550004", "+14155550100"))
    await sink.until(1)
    await leg.hangup(HangupCause.CANCELED)
    assert [e["event"] for e in sink.events()] == ["invite"]


def _invite(call_id: str, tag: str) -> bytes:
    return (
        "INVITE sip:+14155550000@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bK1\r\n"
        f"From: <sip:a@b>;tag={tag}\r\nTo: <sip:c@d>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\r\n"
    ).encode()


async def test_a_retransmission_is_no_dial_and_a_second_call_id_or_tag_is_one(sink: DialSink) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as person:
        person.settimeout(5)
        for packet in (_invite("a", "1"), _invite("a", "1"), b"no SIP", _invite("a", "2"), _invite("b", "1")):
            person.sendto(packet, ("127.0.0.1", sink.port))
            if packet != b"no SIP":
                person.recv(4096)
    dials = [(e["call_id"], e["tag"]) for e in sink.events() if e["event"] == "invite"]
    assert dials == [("a", "1"), ("a", "2"), ("b", "1")]


def test_a_message_is_parsed_whatever_the_case_and_form_of_its_fields() -> None:
    message = Message.parse(
        b"BYE sip:a SIP/2.0\r\nF: <sip:a>; tag=x1\r\nI:  y \r\nvia: 1\r\nVia: 2\r\n\r\nbody"
    )
    assert (message.method, message.tag("from"), message.one("call-id")) == ("BYE", "x1", "y")
    assert message.all("via") == ["1", "2"]
    with pytest.raises(ValueError, match="no to"):
        message.one("to")


def test_a_packet_that_vanished_is_no_dial(tmp_path: Path) -> None:
    with dial_sink(tmp_path, loss=1.0) as sink, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as person:
        person.sendto(_invite("a", "1"), ("127.0.0.1", sink.port))
        asyncio.run(sink.until(1))
        assert [(e["event"], e["call_id"], e["number"]) for e in sink.events()] == [
            ("dropped", "a", "+14155550000")
        ]
