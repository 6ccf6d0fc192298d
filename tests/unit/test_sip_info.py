"""Keys that come by SIP INFO."""

from __future__ import annotations

import pytest

from ringback.media.leg import Digit
from ringback.telephony.sip.events import Keyed
from ringback.telephony.sip.info import digit_of
from ringback.telephony.sip.leg import SipLeg
from ringback.telephony.sip.message import Request
from tests.support.sip_world import World, answer, peer_request


def info(content_type: str, body: bytes, cseq: int = 1, to_tag: str | None = None) -> Request:
    request = peer_request("INFO", cseq, to_tag=to_tag)
    request.set_body(content_type, body)
    return request


@pytest.mark.parametrize(
    ("content_type", "body", "digit"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", Digit("5", 160)),
        ("Application/DTMF-Relay; x=y", b"signal= # \nduration= 90", Digit("#", 90)),
        ("application/dtmf-relay", b"Duration=100\r\nSignal=d", Digit("D", 100)),
        ("application/dtmf-relay", b"Signal=10\r\nDuration=250", Digit("*", 250)),
        ("application/dtmf-relay", b"Signal=3", Digit("3", 160)),
        ("application/dtmf-relay", b"Signal=3\r\nDuration=99999999", Digit("3", 160)),
        ("application/dtmf-relay", b"Signal=3\r\nDuration=60000", Digit("3", 10_000)),
        ("application/dtmf", b"7", Digit("7", 160)),
        ("application/dtmf", b" 11\r\n", Digit("#", 160)),
        ("application/dtmf-relay", b"", None),
        ("application/dtmf-relay", b"Signal=\r\nDuration=160", None),
        ("application/dtmf-relay", b"Signal=16", None),
        ("application/dtmf-relay", b"Signal=123", None),
        ("application/dtmf", b"!", None),
        ("application/dtmf", "\u0663".encode(), None),
        ("application/dtmf", b"\xff\x00" * 5000, None),
    ],
)
def test_bodies(content_type: str, body: bytes, digit: Digit | None) -> None:
    assert digit_of(info(content_type, body)) == digit


def test_keys_in_a_call() -> None:
    world = World()
    call = world.call()
    world.receive(answer(world.sent_request("INVITE"), 200, sdp="sendrecv"))
    world.take(), world.events.clear()
    for cseq, content_type, body, status in [
        (1, "application/dtmf-relay", b"Signal=5\r\nDuration=160", 200),
        (2, "application/dtmf-relay", b"nothing", 200),
        (3, "text/plain", b"5", 415),
    ]:
        world.receive(info(content_type, body, cseq, call.local_tag))
        (sent,) = world.take()
        assert sent.summary == f"{status} INFO"
    assert "application/dtmf-relay" in (sent.message.headers.get("Accept") or "")
    assert world.events == [Keyed(Digit("5", 160))]


async def test_a_key_told_twice_is_one_key() -> None:
    leg = SipLeg("call-1")
    leg.on_digit(Digit("1", 100))
    leg.on_call_event(Keyed(Digit("1", 160)))
    leg.on_digit(Digit("2", 100))
    assert [await leg.next_event(), await leg.next_event()] == [Digit("1", 100), Digit("2", 100)]
    other = SipLeg("call-2")
    other.on_call_event(Keyed(Digit("1", 160)))
    other.on_digit(Digit("1", 100))
    other.on_call_event(Keyed(Digit("1", 160)))
    assert [await other.next_event(), await other.next_event()] == [Digit("1", 160)] * 2
