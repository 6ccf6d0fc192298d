"""A peer behind a NAT names an address that leads nowhere; it is answered where it was seen."""

from __future__ import annotations

import pytest

from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.incoming import IncomingInvite
from ringback.telephony.sip.message import Request
from ringback.telephony.sip.sdp import Negotiation
from tests.support.sip_world import World, answer, peer_request

OUTSIDE = Hop("9.9.9.9", 40123)


@pytest.mark.parametrize(
    ("contact", "source", "to"),
    [
        ("192.168.1.5:5060", OUTSIDE, OUTSIDE),
        ("100.64.3.3:5060", OUTSIDE, OUTSIDE),
        ("127.0.0.1:5060", OUTSIDE, OUTSIDE),
        ("8.8.8.8:5080", OUTSIDE, Hop("8.8.8.8", 5080)),
        ("pbx.example:5080", OUTSIDE, Hop("pbx.example", 5080)),
        # One network with us: what it names is where it is.
        ("192.168.1.5:5080", Hop("192.168.1.1", 40123), Hop("192.168.1.5", 5080)),
    ],
)
def test_where_the_requests_of_a_call_go(contact: str, source: Hop, to: Hop) -> None:
    world = World()
    call = world.call()
    ok = answer(world.sent_request("INVITE"), 200, sdp="sendrecv")
    ok.headers.set("Contact", f"<sip:peer@{contact}>")
    world.agent.receive(ok.encode(), source)
    call.hang_up()
    ack, bye = world.take()
    assert (ack.to, bye.to) == (to, to)
    assert isinstance(bye.message, Request)
    assert bye.message.uri == f"sip:peer@{contact}"  # the address stays the one it knows itself by


def test_routes_go_before() -> None:
    world = World()
    world.call()
    ok = answer(world.sent_request("INVITE"), 200, sdp="sendrecv", Record_Route="<sip:8.8.4.4;lr>")
    ok.headers.set("Contact", "<sip:peer@192.168.1.5>")
    world.agent.receive(ok.encode(), OUTSIDE)
    assert world.take()[0].to.host == "8.8.4.4"


def test_a_caller_that_moves_to_another_mapping() -> None:
    world = World()
    calls: list[IncomingInvite] = []
    world.agent.on_invite = calls.append

    def asks(method: str, cseq: int, source: Hop) -> None:
        request = peer_request(method, cseq, to_tag=calls[0].local_tag if calls else None, sdp="sendrecv")
        request.headers.set("Contact", "<sip:peer@192.168.1.5>")
        world.agent.receive(request.encode(), source)

    asks("INVITE", 1, OUTSIDE)
    (call,) = calls
    call.accept(Negotiation("192.0.2.1", 6000))
    world.receive(peer_request("ACK", 1, to_tag=call.local_tag))
    asks("UPDATE", 2, Hop("9.9.9.9", 41000))
    world.take()
    call.hang_up()
    assert world.take()[0].to == Hop("9.9.9.9", 41000)
