"""Transactions over TCP and TLS: nothing is sent twice, and answers go back by their connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ringback.telephony.causes import Trouble
from ringback.telephony.sip.events import Finished
from ringback.telephony.sip.header import NameAddr
from ringback.telephony.sip.hop import Hop, Transport
from ringback.telephony.sip.incoming import IncomingInvite
from ringback.telephony.sip.message import Request, Response
from ringback.telephony.sip.outgoing import Invitation, OutgoingCall
from ringback.telephony.sip.sdp import Negotiation
from ringback.telephony.sip.transaction import always
from ringback.telephony.sip.uri import SipUri
from tests.support.sip_world import World, answer, peer_request

FIRST = Hop("192.0.2.9", 5060, Transport.TCP, "trunk.test")
SECOND = replace(FIRST, host="192.0.2.10")
CONNECTION = Hop("192.0.2.9", 49_152, Transport.TCP, flow=3)


class Streams(World):
    """A wire by TCP; `dead` are the targets, and the flows, that cannot be reached."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.targets: tuple[Hop, ...] = (FIRST, SECOND)
        self.dead: set[Hop | int] = set()
        self.avoided: list[Hop] = []
        self.aliases: list[tuple[Hop, int]] = []

    def locate(self, hop: Hop, use: Callable[[tuple[Hop, ...]], None]) -> None:
        use(self.targets if hop.host == "trunk.test" else (hop,))

    def avoid(self, target: Hop) -> None:
        self.avoided.append(target)

    def alias(self, source: Hop, port: int) -> None:
        self.aliases.append((source, port))

    def send(
        self, data: bytes, to: Hop, failed: Callable[[], None], in_time: Callable[[], bool] = always
    ) -> None:
        super().send(data, to, failed, in_time)
        if to in self.dead or to.flow in self.dead:
            self.timers.call_later(0, failed)

    def dial(self) -> OutgoingCall:
        invitation = Invitation(
            target=SipUri.parse("sip:+15550199@trunk.test"),
            local=NameAddr("sip:+15550100@trunk.test"),
            hop=Hop("trunk.test", None, Transport.TCP),
            call_id="call-1",
        )
        call = OutgoingCall(self.agent, invitation, Negotiation("192.0.2.1", 6000), self.events.append)
        call.start()
        return call

    def sent_invite(self) -> Request:
        (sent,) = self.take()
        assert isinstance(sent.message, Request)
        return sent.message


@pytest.fixture
def world() -> Streams:
    return Streams()


def by_tcp(request: Request) -> Request:
    request.headers.set("Via", *(via.replace("/UDP", "/TCP") for via in request.headers.all("Via")))
    return request


class TestClient:
    def test_an_invite_is_sent_once_and_waits_as_long(self, world: Streams) -> None:
        world.dial()
        world.advance(31.9)
        assert [sent.summary for sent in world.take()] == ["INVITE"]
        assert world.events == []
        world.advance(0.2)
        assert world.events == [Finished(ours=False, trouble=Trouble.NO_RESPONSE)]
        assert world.avoided == [FIRST]

    def test_it_says_how_it_came_and_where_we_are(self, world: Streams) -> None:
        world.dial()
        invite = world.sent_invite()
        assert (invite.via.transport, invite.via.param("alias")) == ("TCP", "")
        assert invite.contact is not None
        assert invite.contact.sip_uri().hop == Hop("192.0.2.1", 5060, Transport.TCP)

    def test_by_tls_it_tells_the_port_for_tls(self, world: Streams) -> None:
        world.agent.ports[Transport.TLS] = 5061
        world.targets = (replace(FIRST, transport=Transport.TLS),)
        world.agent._dress(request := Request("INVITE", "sip:h"), Transport.TLS)
        assert (request.via.transport, request.via.port) == ("TLS", 5061)
        assert str(request.contact) == "<sip:ringback@192.0.2.1:5061;transport=tls>"

    def test_nothing_is_remembered_for_stragglers(self, world: Streams) -> None:
        world.dial()
        world.receive(answer(world.sent_invite(), 486))
        world.advance(0)
        assert world.summaries() == ["ACK"]
        assert world.agent.transactions == 0
        assert world.timers.pending == 0

    def test_a_target_that_cannot_be_reached_is_passed_over(self, world: Streams) -> None:
        world.dead = {FIRST}
        call = world.dial()
        world.advance(0)
        first, second = world.take()
        assert (first.to, second.to) == (FIRST, SECOND)
        assert first.message.encode() == second.message.encode()  # one transaction: it never arrived
        assert world.avoided == [FIRST]
        assert isinstance(second.message, Request)
        world.receive(answer(second.message, 180))
        call.hang_up()
        (cancel,) = world.take()
        assert (cancel.summary, cancel.to) == ("CANCEL", SECOND)

    def test_none_can_be_reached(self, world: Streams) -> None:
        world.dead = {FIRST, SECOND}
        world.dial()
        world.advance(0)
        assert world.events == [Finished(ours=False, trouble=Trouble.UNREACHABLE)]
        assert world.timers.pending == 0

    def test_a_connection_that_breaks_while_it_rings_ends_nothing(self, world: Streams) -> None:
        """The answer may come by another one (RFC 3261 section 18.2.2)."""
        world.dial()
        invite = world.sent_invite()
        world.receive(answer(invite, 180))
        world.agent._layer._clients[invite.via.branch, "INVITE"]._unsent()
        world.receive(answer(invite, 200, sdp="sendrecv"))
        assert world.summaries() == ["ACK"]


class TestServer:
    @pytest.fixture
    def calls(self, world: Streams) -> list[IncomingInvite]:
        calls: list[IncomingInvite] = []
        world.agent.on_invite = calls.append
        return calls

    def receive(self, world: Streams, request: Request) -> None:
        world.agent.receive(by_tcp(request).encode(), CONNECTION)

    def test_answers_go_back_by_their_connection(self, world: Streams, calls: list[IncomingInvite]) -> None:
        self.receive(world, peer_request("INVITE", 1, sdp="sendrecv"))
        calls[0].reject(486)
        sent = world.take()
        assert [(one.summary, one.to) for one in sent] == [
            ("100 INVITE", CONNECTION),
            ("486 INVITE", CONNECTION),
        ]
        world.advance(5)
        assert world.summaries() == []  # it arrived: TCP says so

    def test_without_its_connection_the_via_leads_back(
        self, world: Streams, calls: list[IncomingInvite]
    ) -> None:
        self.receive(world, peer_request("INVITE", 1, sdp="sendrecv"))
        world.dead = {3}
        calls[0].reject(486)
        world.advance(0)
        assert world.take()[-1].to == Hop("192.0.2.9", 5060, Transport.TCP)

    def test_what_we_answer_says_how_to_reach_us(self, world: Streams, calls: list[IncomingInvite]) -> None:
        self.receive(world, peer_request("INVITE", 1, sdp="sendrecv"))
        calls[0].accept(Negotiation("192.0.2.1", 6000))
        ok = world.take()[-1].message
        assert isinstance(ok, Response)
        assert str(ok.contact) == "<sip:ringback@192.0.2.1:5060;transport=tcp>"

    def test_our_2xx_is_repeated_until_its_ack(self, world: Streams, calls: list[IncomingInvite]) -> None:
        """By any transport: proxies on the way may use another one (section 13.3.1.4)."""
        self.receive(world, peer_request("INVITE", 1, sdp="sendrecv"))
        calls[0].accept(Negotiation("192.0.2.1", 6000))
        world.advance(2)
        assert world.summaries() == ["100 INVITE", *["200 INVITE"] * 3]

    def test_other_requests_are_forgotten_at_once(self, world: Streams) -> None:
        self.receive(world, peer_request("OPTIONS", 1))
        world.advance(0)
        assert world.summaries() == ["200 OPTIONS"]
        assert world.agent.transactions == 0

    def test_a_peer_may_share_its_connection(self, world: Streams) -> None:
        request = peer_request("OPTIONS", 1)
        request.headers.set("Via", "SIP/2.0/TCP 192.0.2.9:5099;branch=z9hG4bKalias;alias")
        world.agent.receive(request.encode(), CONNECTION)
        assert world.aliases == [(CONNECTION, 5099)]

    def test_a_datagram_shares_nothing(self, world: Streams) -> None:
        request = peer_request("OPTIONS", 1)
        request.headers.set("Via", "SIP/2.0/UDP 192.0.2.9:5099;branch=z9hG4bKalias;alias")
        world.receive(request)
        assert world.aliases == []
