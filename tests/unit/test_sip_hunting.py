"""One call, gateway after gateway, in virtual time: nobody is ever called twice."""

from __future__ import annotations

import pytest

from ringback.telephony.causes import Trouble
from ringback.telephony.sip.events import Alerting, Connected, Finished
from ringback.telephony.sip.header import NameAddr
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.hunting import PATIENCE, Hunt
from ringback.telephony.sip.message import Request
from ringback.telephony.sip.outgoing import Invitation
from ringback.telephony.sip.sdp import Negotiation
from ringback.telephony.sip.uri import SipUri
from tests.support.sip_world import World, answer

GATEWAYS = tuple(Hop(f"192.0.2.{n}", 5060) for n in (9, 8, 7))


class Hunted:
    def __init__(self, gateways: int = 3) -> None:
        self.world = World()
        self.tried: list[tuple[int, str]] = []
        self.in_time = True
        invitations = [
            Invitation(
                SipUri.parse(f"sip:+15550199@{hop.host}"),
                NameAddr("sip:+15550100@192.0.2.1"),
                hop,
                "call-1",
                in_time=lambda: self.in_time,
            )
            for hop in GATEWAYS[:gateways]
        ]
        self.hunt = Hunt(
            self.world.agent,
            invitations,
            Negotiation("192.0.2.1", 6000),
            self.world.events.append,
            lambda place, why: self.tried.append((place, why)),
        )
        self.hunt.start()

    def invited(self) -> list[tuple[Hop, Request]]:
        """The INVITEs since the last look, each once."""
        found: dict[str, tuple[Hop, Request]] = {}
        for sent in self.world.take():
            if isinstance(sent.message, Request) and sent.message.method == "INVITE":
                found[sent.message.via.branch] = sent.to, sent.message
        return list(found.values())


@pytest.mark.parametrize("status", [500, 503, 504, 580])
def test_a_gateway_that_fails_is_followed_by_the_next(status: int) -> None:
    hunted = Hunted()
    [(hop, first)] = hunted.invited()
    assert hop == GATEWAYS[0]
    hunted.world.receive(answer(first, 100))
    hunted.world.receive(answer(first, status))
    [(hop, second)] = hunted.invited()
    assert (hop, second.call_id) == (GATEWAYS[1], first.call_id)
    assert hunted.tried == [(0, str(status))]
    hunted.world.receive(answer(second, 180))
    hunted.world.receive(answer(second, 200, sdp="sendrecv"))
    assert [type(event) for event in hunted.world.events] == [Alerting, Connected]


@pytest.mark.parametrize("status", [404, 486, 403, 603])
def test_what_the_person_or_the_network_says_holds(status: int) -> None:
    hunted = Hunted()
    [(_, first)] = hunted.invited()
    hunted.world.receive(answer(first, status))
    assert hunted.invited() == []
    [event] = hunted.world.events
    assert isinstance(event, Finished)
    assert event.status == status


@pytest.mark.parametrize("progress", [180, 181, 183])
def test_once_a_telephone_may_ring_nobody_else_is_asked(progress: int) -> None:
    hunted = Hunted()
    [(_, first)] = hunted.invited()
    hunted.world.receive(answer(first, progress))
    hunted.world.receive(answer(first, 503))
    assert hunted.invited() == []
    event = hunted.world.events[-1]
    assert isinstance(event, Finished)
    assert event.status == 503


def test_all_gateways_failing_is_the_last_ones_failure() -> None:
    hunted = Hunted()
    for status in (500, 502, 503):
        [(_, invite)] = hunted.invited()
        hunted.world.receive(answer(invite, status))
    assert hunted.invited() == []
    assert hunted.world.events == [Finished(ours=False, status=503)]


def test_silence_is_waited_for_four_seconds_only() -> None:
    hunted = Hunted(2)
    [(_, first)] = hunted.invited()
    hunted.world.advance(PATIENCE + 0.1)
    [(hop, second)] = [found for found in hunted.invited() if found[0] != GATEWAYS[0]]
    assert hop == GATEWAYS[1]
    assert hunted.tried == [(0, "no answer")]
    hunted.world.receive(answer(second, 180))
    hunted.world.advance(60)
    assert hunted.invited() == [], "the silent one gets nothing any more"
    assert [type(event) for event in hunted.world.events] == [Alerting]
    del first


def test_a_silent_gateway_that_comes_back_is_cancelled_or_hung_up() -> None:
    hunted = Hunted(2)
    [(_, first)] = hunted.invited()
    hunted.world.advance(PATIENCE + 0.1)
    hunted.world.take()
    hunted.world.receive(answer(first, 180, tag="late"))
    assert hunted.world.summaries() == ["CANCEL"]
    hunted.world.receive(answer(first, 200, tag="late", sdp="sendrecv"))
    assert hunted.world.summaries() == ["ACK", "BYE"]
    assert hunted.world.events == []


def test_a_gateway_that_says_100_is_waited_for() -> None:
    hunted = Hunted()
    [(_, first)] = hunted.invited()
    hunted.world.receive(answer(first, 100))
    hunted.world.advance(30)
    assert hunted.invited() == []


def test_the_last_gateway_has_all_the_time() -> None:
    hunted = Hunted(1)
    hunted.world.advance(20)
    assert hunted.tried == []
    hunted.world.advance(20)
    assert hunted.world.events == [Finished(ours=False, trouble=Trouble.NO_RESPONSE)]


def test_what_is_given_up_goes_nowhere_else() -> None:
    hunted = Hunted()
    [(_, first)] = hunted.invited()
    hunted.world.receive(answer(first, 100))
    hunted.hunt.hang_up()
    hunted.world.receive(answer(first, 503))
    assert hunted.invited() == []
    [event] = hunted.world.events
    assert isinstance(event, Finished)


def test_nothing_goes_to_the_next_gateway_too_late() -> None:
    """The lease is over: somebody else may be dialling."""
    hunted = Hunted(2)
    [(_, first)] = hunted.invited()
    hunted.in_time = False
    hunted.world.receive(answer(first, 503))
    assert hunted.invited() == []
    assert hunted.world.events == [Finished(ours=False, trouble=Trouble.NO_RESPONSE)]


def test_nothing_can_be_sent() -> None:
    hunted = Hunted(2)
    hunted.world.take()
    hunted.world.broken = True
    hunted.world.advance(40)
    assert hunted.tried[0][0] == 0
    assert isinstance(hunted.world.events[-1], Finished)
