"""Provisional responses that must arrive (RFC 3262), theirs and ours, in virtual time."""

from __future__ import annotations

import pytest

from ringback.telephony.sip.events import Alerting, Connected, Early, Finished
from ringback.telephony.sip.incoming import IncomingInvite
from ringback.telephony.sip.message import Response
from ringback.telephony.sip.sdp import Negotiation
from tests.support.sip_world import World, answer, peer_request


@pytest.fixture
def world() -> World:
    return World()


class TestTheirs:
    def test_each_is_acknowledged_once(self, world: World) -> None:
        call = world.call()
        invite = world.sent_request("INVITE")
        assert "100rel" in invite.headers.all("Supported")
        ringing = answer(invite, 180, Require="100rel", RSeq="7")
        world.receive(ringing, ringing)
        prack = world.sent_request("PRACK")
        assert (prack.headers.get("RAck"), prack.cseq.number) == ("7 1 INVITE", 2)
        assert (prack.to.tag, prack.uri) == ("peer", "sip:peer@192.0.2.9:5080;transport=UDP")
        world.receive(answer(prack, 200))
        world.receive(answer(invite, 183, sdp="sendrecv", Require="100rel", RSeq="8"))
        second = world.sent_request("PRACK")
        assert (second.headers.get("RAck"), second.cseq.number) == ("8 1 INVITE", 3)
        world.receive(answer(second, 200), answer(invite, 200))
        assert [type(event) for event in world.events] == [Alerting, Early, Connected]
        assert world.sent_request("ACK").cseq.number == 1
        call.hang_up()
        assert world.sent_request("BYE").cseq.number == 4

    def test_out_of_turn(self, world: World) -> None:
        world.call()
        invite = world.sent_request("INVITE")
        world.receive(answer(invite, 183, sdp="sendrecv", Require="100rel", RSeq="1"))
        world.take()
        world.receive(answer(invite, 180, Require="100rel", RSeq="3"))  # the second one was lost
        assert (world.take(), [type(event) for event in world.events]) == ([], [Early])
        world.receive(answer(invite, 180, Require="100rel", RSeq="2"))
        assert world.summaries() == ["PRACK"]

    @pytest.mark.parametrize("rseq", ["", "x", "-1", "9" * 40])
    def test_illegible(self, world: World, rseq: str) -> None:
        world.call()
        world.receive(answer(world.sent_request("INVITE"), 180, Require="100rel", RSeq=rseq))
        assert (world.take(), world.events) == ([], [])

    def test_every_fork_counts_for_itself(self, world: World) -> None:
        world.call()
        invite = world.sent_request("INVITE")
        for tag in ("a", "b"):
            world.receive(answer(invite, 180, tag, Require="100rel", RSeq="1"))
        first, second = (sent.message for sent in world.take())
        assert (first.to.tag, second.to.tag) == ("a", "b")
        assert first.cseq.number == second.cseq.number == 2

    def test_a_cancelled_call_acknowledges_too(self, world: World) -> None:
        call = world.call()
        invite = world.sent_request("INVITE")
        call.hang_up()
        world.receive(answer(invite, 180, Require="100rel", RSeq="1"))
        assert world.summaries() == ["PRACK", "CANCEL"]

    def test_the_early_audio_moves(self, world: World) -> None:
        call = world.call()
        invite = world.sent_request("INVITE")
        world.receive(answer(invite, 183, sdp="sendrecv", Require="100rel", RSeq="1"))
        world.take()
        update = peer_request("UPDATE", 1, to_tag=call.local_tag, sdp="sendrecv")
        update.body = update.body.replace(b"m=audio 4000", b"m=audio 4400")
        world.receive(update)
        (ok,) = world.take()
        assert (ok.summary, b"m=audio 6000" in ok.message.body) == ("200 UPDATE", True)
        event = world.events[-1]
        assert isinstance(event, Early)
        assert event.media.remote == ("192.0.2.9", 4400)


class TestOurs:
    @pytest.fixture
    def call(self, world: World) -> IncomingInvite:
        calls: list[IncomingInvite] = []
        world.agent.on_invite = calls.append
        world.receive(peer_request("INVITE", 1, sdp="sendrecv", Require="100rel"))
        (call,) = calls
        call.listen(world.events.append)
        assert world.summaries() == ["100 INVITE"]
        return call

    def prack(self, world: World, call: IncomingInvite, rack: str, cseq: int = 2) -> str:
        world.receive(peer_request("PRACK", cseq, to_tag=call.local_tag, RAck=rack))
        (status,) = world.summaries()
        return status

    def rang(self, world: World, call: IncomingInvite) -> Response:
        call.ring()
        (sent,) = world.take()
        assert isinstance(sent.message, Response)
        return sent.message

    def test_repeated_until_acknowledged(self, world: World, call: IncomingInvite) -> None:
        ringing = self.rang(world, call)
        assert (ringing.status, ringing.headers.all("Require")) == (180, ["100rel"])
        number = ringing.headers.get("RSeq")
        world.advance(3.6)
        assert world.summaries() == ["180 INVITE"] * 3
        assert self.prack(world, call, f"{number} 1 INVITE") == "200 PRACK"
        call.ring()
        world.advance(30)
        assert (world.take(), world.events) == ([], [])

    @pytest.mark.parametrize("rack", ["1 1 INVITE", "", "x"])
    def test_of_something_else(self, world: World, call: IncomingInvite, rack: str) -> None:
        number = self.rang(world, call).headers.get("RSeq")
        assert self.prack(world, call, rack or f"{number} 2 INVITE") == "481 PRACK"

    def test_never_acknowledged(self, world: World, call: IncomingInvite) -> None:
        self.rang(world, call)
        world.advance(32)
        assert world.summaries()[-1] == "504 INVITE"
        assert world.events == [Finished(ours=True, status=504)]

    def test_answered_before_it_is_acknowledged(self, world: World, call: IncomingInvite) -> None:
        number = self.rang(world, call).headers.get("RSeq")
        call.accept(Negotiation("192.0.2.1", 6000))
        assert world.summaries() == ["200 INVITE"]
        assert self.prack(world, call, f"{number} 1 INVITE") == "200 PRACK"
        world.receive(peer_request("ACK", 1, to_tag=call.local_tag))
        world.advance(60)
        assert world.take() == []
        world.receive(peer_request("BYE", 3, to_tag=call.local_tag))
        assert [type(event) for event in world.events] == [Connected, Finished]

    def test_the_caller_gives_up(self, world: World, call: IncomingInvite) -> None:
        self.rang(world, call)
        cancel = peer_request("CANCEL", 1, branch="z9hG4bKINVITE1peer")
        cancel.headers.set("Via", *call.request.headers.all("Via"))
        world.receive(cancel)
        world.take()
        world.advance(60)
        assert "180 INVITE" not in world.summaries()

    def test_a_caller_that_only_could_gets_a_plain_one(self, world: World) -> None:
        calls: list[IncomingInvite] = []
        world.agent.on_invite = calls.append
        world.receive(peer_request("INVITE", 1, sdp="sendrecv", Supported="100rel"))
        calls[0].ring()
        ringing = world.take()[-1].message
        assert ringing.headers.get("RSeq") is None
        world.advance(10)
        assert world.take() == []

    def test_what_we_do_not_know_is_refused_by_name(self, world: World) -> None:
        world.agent.on_invite = lambda _: pytest.fail("unknown extension")
        world.receive(peer_request("INVITE", 1, sdp="sendrecv", Require="100rel, teleport, timer"))
        (refusal,) = world.take()
        assert (refusal.summary, refusal.message.headers.get("Unsupported")) == ("420 INVITE", "teleport")
