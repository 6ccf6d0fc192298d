"""Session timers in both roles, and what we negotiate anew, in virtual time (RFC 4028, RFC 3261 section 14)."""

from __future__ import annotations

import itertools

import pytest

from ringback.telephony.causes import Trouble
from ringback.telephony.sip.events import Connected, Finished, MediaChanged
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.incoming import IncomingInvite
from ringback.telephony.sip.message import Request
from ringback.telephony.sip.outgoing import OutgoingCall
from ringback.telephony.sip.sdp import Negotiation
from tests.support.sip_world import World, answer, peer_request


@pytest.fixture
def world() -> World:
    return World()


def placed(world: World, **fields: str) -> OutgoingCall:
    """A call of ours that the peer answers with these header fields."""
    call = world.call(password="secret")
    world.receive(answer(world.sent_request("INVITE"), 200, sdp="sendrecv", **fields))
    assert world.summaries() == ["ACK"]
    assert isinstance(world.events.pop(), Connected)
    return call


def taken(world: World, **fields: str) -> IncomingInvite:
    """A call of the peer, with these header fields in its INVITE, that we answer."""
    calls: list[IncomingInvite] = []
    world.agent.on_invite = calls.append
    world.receive(peer_request("INVITE", 1, sdp="sendrecv", **fields))
    (call,) = calls
    call.listen(world.events.append)
    call.accept(Negotiation("192.0.2.1", 6000))
    return call


def acknowledged(world: World, call: IncomingInvite) -> None:
    world.take()
    world.receive(peer_request("ACK", 1, to_tag=call.local_tag))
    world.events.clear()


class TestWeRefresh:
    def test_every_half_interval_by_update(self, world: World) -> None:
        placed(world, Session_Expires="600;refresher=uac", Allow="INVITE, UPDATE", Require="timer")
        for number in range(3):
            world.advance(299)
            assert world.take() == []
            world.advance(1)
            update = world.sent_request("UPDATE")
            assert (update.body, update.headers.get("Session-Expires")) == (b"", "600;refresher=uac")
            assert "timer" in update.headers.all("Supported")
            assert update.cseq.number == 2 + number
            world.receive(answer(update, 200, Session_Expires="600;refresher=uac"))
        assert world.events == []

    def test_by_an_invite_that_changes_nothing(self, world: World) -> None:
        call = world.call()
        invite = world.sent_request("INVITE")
        assert invite.headers.get("Session-Expires") == "1800"
        world.receive(answer(invite, 200, sdp="sendrecv", Session_Expires="600;refresher=uac"))
        world.take()
        world.advance(300)
        again = world.sent_request("INVITE")
        assert again.body == invite.body
        assert (again.to.tag, again.from_.tag) == ("peer", call.local_tag)
        ok = answer(again, 200, sdp="sendrecv", Session_Expires="600;refresher=uac")
        world.receive(ok, ok)
        first, second = world.take()
        assert (first.summary, first.message.cseq.number) == ("ACK", again.cseq.number)
        assert first.message.encode() == second.message.encode()

    def test_update_refused_then_invite(self, world: World) -> None:
        placed(world, Session_Expires="600;refresher=uac", Allow="UPDATE")
        world.advance(300)
        world.receive(answer(world.sent_request("UPDATE"), 501))
        invite = world.sent_request("INVITE")
        world.receive(answer(invite, 200, sdp="sendrecv", Session_Expires="600;refresher=uac"))
        world.take()
        world.advance(300)
        assert world.summaries() == ["INVITE"]

    def test_challenged(self, world: World) -> None:
        placed(world, Session_Expires="600;refresher=uac", Allow="UPDATE")
        world.advance(300)
        challenge = 'Digest realm="r", nonce="n", qop="auth"'
        world.receive(answer(world.sent_request("UPDATE"), 407, Proxy_Authenticate=challenge))
        again = world.sent_request("UPDATE")
        assert again.headers.get("Proxy-Authorization")
        assert again.headers.get("Session-Expires")

    @pytest.mark.parametrize("status", [408, 481])
    def test_the_peer_knows_the_call_no_more(self, world: World, status: int) -> None:
        placed(world, Session_Expires="600;refresher=uac", Allow="UPDATE")
        world.advance(300)
        world.receive(answer(world.sent_request("UPDATE"), status))
        assert world.summaries() == ["BYE"]
        assert world.events == [Finished(ours=True, trouble=Trouble.EXPIRED)]

    @pytest.mark.parametrize("allow", ["INVITE", "UPDATE"])
    def test_the_peer_answers_no_more(self, world: World, allow: str) -> None:
        placed(world, Session_Expires="600;refresher=uac", Allow=allow)
        world.advance(300 + 32)
        assert world.summaries()[-1] == "BYE"
        assert world.events == [Finished(ours=True, trouble=Trouble.EXPIRED)]
        world.advance(600)
        assert world.timers.pending == 0

    def test_the_peer_says_trying_and_no_more(self, world: World) -> None:
        placed(world, Session_Expires="600;refresher=uac")
        world.advance(300)
        invite = world.sent_request("INVITE")
        world.receive(answer(invite, 100))
        world.advance(32)
        assert world.events == [Finished(ours=True, trouble=Trouble.EXPIRED)]
        assert world.summaries() == ["BYE"] * 1
        world.receive(answer(invite, 200, sdp="sendrecv"))  # and answers after all
        assert world.sent_request("ACK").cseq.number == invite.cseq.number

    def test_refused_for_the_moment(self, world: World) -> None:
        placed(world, Session_Expires="600;refresher=uac")
        world.advance(300)
        world.receive(answer(world.sent_request("INVITE"), 500))
        world.take()
        world.advance(10)
        world.receive(
            answer(world.sent_request("INVITE"), 200, sdp="sendrecv", Session_Expires="600;refresher=uac")
        )
        world.take()
        world.advance(299)
        assert (world.summaries(), world.events) == ([], [])

    def test_refused_for_good(self, world: World) -> None:
        placed(world, Session_Expires="600;refresher=uac")
        for _ in range(600):
            world.advance(1)
            for sent in world.take():
                if sent.summary == "INVITE":
                    assert isinstance(sent.message, Request)
                    world.receive(answer(sent.message, 500))
        assert world.events == [Finished(ours=True, trouble=Trouble.EXPIRED)]
        assert world.timers.now - 600 < 1e-6

    def test_the_peer_wants_no_timer_any_more(self, world: World) -> None:
        placed(world, Session_Expires="600;refresher=uac", Allow="UPDATE")
        world.advance(300)
        world.receive(answer(world.sent_request("UPDATE"), 200))
        world.advance(10_000)
        assert (world.take(), world.events, world.timers.pending) == ([], [], 0)

    def test_a_call_that_ends_refreshes_no_more(self, world: World) -> None:
        call = placed(world, Session_Expires="600;refresher=uac")
        call.hang_up()
        world.receive(answer(world.sent_request("BYE"), 200))
        world.advance(10_000)
        assert world.take() == []
        assert world.timers.pending == 0


class TestThePeerRefreshes:
    def test_in_time(self, world: World) -> None:
        call = placed(world, Session_Expires="600;refresher=uas")
        for cseq in range(1, 5):
            world.advance(300)
            world.receive(
                peer_request(
                    "UPDATE",
                    cseq,
                    to_tag=call.local_tag,
                    Supported="timer",
                    Session_Expires="600;refresher=uac",
                )
            )
            (ok,) = world.take()
            assert ok.summary == "200 UPDATE"
            assert ok.message.headers.get("Session-Expires") == "600;refresher=uac"
            assert ok.message.headers.all("Require") == ["timer"]
        assert world.events == []

    def test_not_in_time(self, world: World) -> None:
        placed(world, Session_Expires="600;refresher=uas")
        world.advance(567)
        assert world.take() == []
        world.advance(1.1)
        assert world.summaries() == ["BYE"]
        assert world.events == [Finished(ours=True, trouble=Trouble.EXPIRED)]

    def test_a_short_session_ends_a_third_before(self, world: World) -> None:
        placed(world, Session_Expires="90;refresher=uas")
        world.advance(59.9)
        assert world.take() == []
        world.advance(0.2)
        assert world.summaries() == ["BYE"]

    def test_the_peer_wants_no_timer_any_more(self, world: World) -> None:
        call = placed(world, Session_Expires="600;refresher=uas")
        world.receive(peer_request("UPDATE", 1, to_tag=call.local_tag))
        assert world.summaries() == ["200 UPDATE"]
        world.advance(10_000)
        assert (world.take(), world.events) == ([], [])

    def test_a_reinvite_does_it_too(self, world: World) -> None:
        call = placed(world, Session_Expires="600;refresher=uas")
        world.advance(500)
        world.receive(
            peer_request(
                "INVITE",
                1,
                to_tag=call.local_tag,
                sdp="sendrecv",
                Supported="timer",
                Session_Expires="600;refresher=uac",
            )
        )
        world.receive(peer_request("ACK", 1, to_tag=call.local_tag))
        world.take()
        world.advance(500)
        assert world.take() == []

    def test_without_session_expires_no_timer_runs(self, world: World) -> None:
        placed(world)
        world.advance(100_000)
        assert (world.take(), world.timers.pending) == ([], 0)


class TestCallee:
    def test_the_caller_refreshes_if_it_can(self, world: World) -> None:
        call = taken(world, Session_Expires="300", Supported="timer, 100rel")
        ok = world.take()[-1].message
        assert (ok.headers.get("Session-Expires"), ok.headers.all("Require")) == (
            "300;refresher=uac",
            ["timer"],
        )
        acknowledged(world, call)
        world.advance(269)
        assert world.events[-1] == Finished(ours=True, trouble=Trouble.EXPIRED)

    @pytest.mark.parametrize(
        "fields",
        [
            {"Session_Expires": "300;refresher=uas", "Supported": "timer"},
            {"Session_Expires": "300;refresher=uac"},  # asked for by a proxy: the caller knows no timers
        ],
    )
    def test_we_refresh(self, world: World, fields: dict[str, str]) -> None:
        call = taken(world, Allow="UPDATE", **fields)
        ok = world.take()[-1].message
        assert (ok.headers.get("Session-Expires"), ok.headers.all("Require")) == ("300;refresher=uas", [])
        acknowledged(world, call)
        world.advance(150)
        assert world.sent_request("UPDATE").headers.get("Session-Expires") == "300;refresher=uac"

    def test_too_brief(self, world: World) -> None:
        world.agent.on_invite = lambda _: pytest.fail("too brief")
        world.receive(peer_request("INVITE", 1, sdp="sendrecv", Session_Expires="60", Supported="timer"))
        (refusal,) = world.take()
        assert (refusal.summary, refusal.message.headers.get("Min-SE")) == ("422 INVITE", "90")

    def test_just_long_enough(self, world: World) -> None:
        taken(world, Session_Expires="90", Supported="timer")
        assert world.take()[-1].message.headers.get("Session-Expires") == "90;refresher=uac"

    def test_too_brief_for_a_peer_that_knows_no_422(self, world: World) -> None:
        taken(world, Session_Expires="60")
        assert world.take()[-1].message.headers.get("Session-Expires") == "90;refresher=uas"

    def test_too_brief_in_the_call(self, world: World) -> None:
        call = placed(world)
        for cseq, method in enumerate(("UPDATE", "INVITE"), 1):
            world.receive(
                peer_request(
                    method,
                    cseq,
                    to_tag=call.local_tag,
                    sdp="sendrecv",
                    Session_Expires="9",
                    Supported="timer",
                )
            )
        assert world.summaries() == ["422 UPDATE", "422 INVITE"]

    @pytest.mark.parametrize("value", ["", "x", "-5", ";refresher=uac", "1" * 30, "٣٠٠", "90" + ";a" * 100])
    def test_illegible(self, world: World, value: str) -> None:
        taken(world, Session_Expires=value, Supported="timer")
        assert world.take()[-1].message.headers.get("Session-Expires") is None


class TestTooBriefForThem:
    def test_the_interval_is_raised_once(self, world: World) -> None:
        world.call()
        world.receive(answer(world.sent_request("INVITE"), 422, Min_SE="3600"))
        again = world.sent_request("INVITE")
        assert (again.headers.get("Session-Expires"), again.headers.get("Min-SE")) == ("3600", "3600")
        world.receive(answer(again, 422, Min_SE="3600"))
        assert world.summaries() == ["ACK"]
        assert world.events == [Finished(ours=False, status=422)]

    def test_in_a_refresh(self, world: World) -> None:
        placed(world, Session_Expires="600;refresher=uac", Allow="UPDATE")
        world.advance(300)
        world.receive(answer(world.sent_request("UPDATE"), 422, Min_SE="900"))
        again = world.sent_request("UPDATE")
        assert again.headers.get("Session-Expires") == "900;refresher=uac"
        world.receive(answer(again, 200, Session_Expires="900;refresher=uac"))
        world.advance(449)
        assert world.take() == []
        world.advance(1)
        assert world.summaries() == ["UPDATE"]


class TestHold:
    def test_hold_and_resume(self, world: World) -> None:
        call = placed(world)
        for holding, direction, mirrored in [
            (True, b"a=sendonly", "recvonly"),
            (False, b"a=sendrecv", "sendrecv"),
        ]:
            call.hold(holding)
            call.hold(holding)
            invite = world.sent_request("INVITE")
            assert direction in invite.body
            world.receive(answer(invite, 200, sdp=mirrored))
            assert (world.summaries(), world.events) == (["ACK"], [])  # we go on sending

    def test_a_hold_outlives_what_the_peer_negotiates(self, world: World) -> None:
        call = placed(world)
        call.hold(True)
        world.receive(answer(world.sent_request("INVITE"), 200, sdp="recvonly"))
        world.take()
        for cseq, (offer, answered) in enumerate(
            [("sendrecv", b"a=sendonly"), ("sendonly", b"a=inactive")], 1
        ):
            world.receive(peer_request("UPDATE", cseq, to_tag=call.local_tag, sdp=offer))
            assert answered in world.take()[0].message.body

    def test_refused(self, world: World) -> None:
        call = placed(world, Session_Expires="600;refresher=uac")
        call.hold(True)
        world.receive(answer(world.sent_request("INVITE"), 488))
        assert world.summaries() == ["ACK"]
        world.advance(10)
        assert b"a=sendrecv" in world.sent_request("INVITE").body  # the refresh that was put off

    def test_both_at_once(self, world: World) -> None:
        call = placed(world)
        call.hold(True)
        invite = world.sent_request("INVITE")
        world.receive(peer_request("INVITE", 1, to_tag=call.local_tag, sdp="sendonly"))
        assert world.summaries() == ["491 INVITE"]
        world.receive(peer_request("ACK", 1, to_tag=call.local_tag, branch="z9hG4bKINVITE1peer"))
        world.receive(answer(invite, 491))
        assert world.summaries() == ["ACK"]
        world.advance(2)
        assert "INVITE" not in world.summaries()
        # Theirs comes through meanwhile.
        world.receive(peer_request("INVITE", 2, to_tag=call.local_tag, sdp="sendrecv"))
        world.receive(peer_request("ACK", 2, to_tag=call.local_tag))
        assert world.summaries() == ["200 INVITE"]
        for _ in range(205):
            world.advance(0.01)
            if world.sent:
                break
        world.receive(answer(world.sent_request("INVITE"), 200, sdp="inactive"))
        assert world.summaries() == ["ACK"]
        event = world.events[-1]
        assert isinstance(event, MediaChanged)
        assert not event.media.may_send

    def test_a_peer_that_is_always_busy(self, world: World) -> None:
        call = placed(world)
        call.hold(True)
        tries: list[float] = []
        for _ in range(3_100):
            for sent in world.take():
                if sent.summary == "INVITE":
                    assert isinstance(sent.message, Request)
                    tries.append(sent.at)
                    world.receive(answer(sent.message, 491))
            world.advance(0.01)
        assert len(tries) == 5
        assert all(2.1 <= later - earlier <= 4.02 for earlier, later in itertools.pairwise(tries))
        call.hold(True)  # it was refused, so that it may be asked for again
        assert world.summaries() == ["INVITE"]

    def test_whose_call_it_is_not_asks_again_sooner(self, world: World) -> None:
        call = taken(world)
        acknowledged(world, call)
        call.hold(True)
        world.receive(answer(world.sent_request("INVITE"), 491))
        world.take()
        world.advance(2.01)
        assert "INVITE" in world.summaries()

    def test_hung_up_while_it_waits(self, world: World) -> None:
        call = placed(world)
        call.hold(True)
        world.receive(answer(world.sent_request("INVITE"), 491))
        call.hang_up()
        world.take()
        world.advance(5)
        assert "INVITE" not in world.summaries()
        world.advance(64)
        assert world.timers.pending == 0

    @pytest.mark.parametrize("status", [300, 488])
    def test_refused_in_the_end(self, world: World, status: int) -> None:
        call = placed(world)
        call.hold(True)
        world.receive(answer(world.sent_request("INVITE"), status))
        assert world.summaries() == ["ACK"]
        world.advance(64)
        assert (world.take(), world.events, world.timers.pending) == ([], [], 0)

    def test_the_peer_answers_with_another_contact(self, world: World) -> None:
        call = placed(world)
        call.hold(True)
        ok = answer(world.sent_request("INVITE"), 200, sdp="recvonly")
        ok.headers.set("Contact", "<sip:peer@192.0.2.77:5090>")
        world.receive(ok)
        assert world.take()[0].to == Hop("192.0.2.77", 5090)
        call.hang_up()
        assert world.take()[0].to == Hop("192.0.2.77", 5090)

    def test_hung_up_meanwhile(self, world: World) -> None:
        call = placed(world)
        call.hold(True)
        invite = world.sent_request("INVITE")
        call.hang_up()
        world.receive(answer(invite, 200, sdp="recvonly"))
        assert world.summaries() == ["BYE", "ACK"]
        assert world.events == [Finished(ours=True)]

    def test_an_answer_without_audio(self, world: World) -> None:
        call = placed(world)
        call.hold(True)
        world.receive(answer(world.sent_request("INVITE"), 200))
        assert world.summaries() == ["ACK", "BYE"]
        assert world.events == [Finished(ours=True, trouble=Trouble.NO_MEDIA)]
