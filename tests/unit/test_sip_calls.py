"""Flows of calls over a wire in the test's hands, in virtual time: first of all where other stacks fell."""

from __future__ import annotations

import pytest

from ringback.telephony.causes import Trouble
from ringback.telephony.sip.events import Alerting, Connected, Early, Finished, MediaChanged
from ringback.telephony.sip.header import Reason
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.incoming import IncomingInvite
from ringback.telephony.sip.message import Request, Response
from ringback.telephony.sip.outgoing import OutgoingCall
from ringback.telephony.sip.sdp import Negotiation
from tests.support.sip_world import PEER, World, answer, peer_request

CHALLENGE = 'Digest realm="ringback.example", nonce="n1", qop="auth"'


@pytest.fixture
def world() -> World:
    return World()


def established(world: World) -> tuple[OutgoingCall, Request]:
    """A call that is answered, and its INVITE."""
    call = world.call()
    invite = world.sent_request("INVITE")
    world.receive(answer(invite, 200, sdp="sendrecv"))
    assert world.summaries() == ["ACK"]
    assert [type(event) for event in world.events] == [Connected]
    world.events.clear()
    return call, invite


class TestTooLate:
    """The lease of a dial may be over between any two packets; then somebody else may be dialling."""

    def test_no_packet_leaves_too_late(self, world: World) -> None:
        world.call(in_time=lambda: False)
        assert world.summaries() == []
        assert world.events == [Finished(ours=False, trouble=Trouble.NO_RESPONSE)]
        assert world.timers.pending == 0

    def test_an_invite_is_not_sent_again_too_late(self, world: World) -> None:
        world.call(in_time=lambda: world.timers.now < 3)
        world.advance(64)
        assert [sent.at for sent in world.take()] == [0, 0.5, 1.5]
        assert world.events == [Finished(ours=False, trouble=Trouble.NO_RESPONSE)]

    def test_a_challenge_is_not_answered_too_late(self, world: World) -> None:
        world.call(password="secret", in_time=lambda: world.timers.now < 3)
        invite = world.sent_request("INVITE")
        world.receive(answer(invite, 100))
        world.advance(4)
        world.receive(answer(invite, 401, WWW_Authenticate=CHALLENGE))
        assert world.summaries() == ["ACK"]
        assert world.events == [Finished(ours=False, trouble=Trouble.NO_RESPONSE)]

    def test_what_rings_goes_on(self, world: World) -> None:
        call = world.call(in_time=lambda: world.timers.now < 3)
        invite = world.sent_request("INVITE")
        world.receive(answer(invite, 180))
        world.advance(20)
        assert (world.summaries(), world.events) == ([], [Alerting()])
        call.hang_up()
        assert world.summaries() == ["CANCEL"]


class TestOutgoing:
    def test_ring_answer_and_hang_up(self, world: World) -> None:
        call = world.call(Subject="hello")
        invite = world.sent_request("INVITE")
        assert invite.headers.get("Subject") == "hello"
        world.receive(answer(invite, 100, tag=None), answer(invite, 180), answer(invite, 180))
        world.receive(answer(invite, 200, sdp="sendrecv"))
        (ack,) = world.take()
        assert ack.message.via.branch != invite.via.branch  # the dialog's ACK, not the transaction's
        assert isinstance(ack.message, Request)
        assert ack.message.uri == "sip:peer@192.0.2.9:5080;transport=UDP"
        assert ack.to == Hop("192.0.2.9", 5080)
        call.hang_up(Reason("Q.850", 16))
        call.hang_up()
        bye = world.sent_request("BYE")
        assert (bye.cseq.number, bye.to.tag, bye.headers.get("Reason")) == (2, "peer", "Q.850;cause=16")
        world.receive(answer(bye, 200))
        assert [type(event) for event in world.events] == [Alerting, Connected, Finished]
        assert world.events[-1] == Finished(ours=True)
        assert not world.agent.calls

    def test_invite_is_repeated_at_doubling_intervals_until_timer_b(self, world: World) -> None:
        world.call()
        world.advance(40)
        sent = world.take()
        assert [entry.at for entry in sent] == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
        assert len({entry.message.encode() for entry in sent}) == 1
        assert world.events == [Finished(ours=False, trouble=Trouble.NO_RESPONSE)]

    def test_a_provisional_response_ends_the_repetition(self, world: World) -> None:
        world.call()
        invite = world.sent_request("INVITE")
        world.receive(answer(invite, 100, tag=None))
        world.advance(300)
        assert world.take() == []

    def test_failure_is_acknowledged_by_the_transaction_towards_the_peer(self, world: World) -> None:
        world.call()
        invite = world.sent_request("INVITE")
        refusal = answer(invite, 302, Contact="<sip:elsewhere@203.0.113.7>")
        world.receive(refusal, refusal)
        first, again = world.take()
        assert (first.summary, again.summary) == ("ACK", "ACK")
        assert first.to == PEER  # not the new target
        assert isinstance(first.message, Request)
        assert first.message.via.branch == invite.via.branch
        assert first.message.uri == invite.uri
        assert first.message.to.tag == "peer"
        assert world.events == [Finished(ours=False, status=302)]

    def test_repeated_2xx_is_acknowledged_again_with_the_same_ack(self, world: World) -> None:
        world.call()
        invite = world.sent_request("INVITE")
        ok = answer(invite, 200, sdp="sendrecv")
        world.receive(ok, ok, ok)
        sent = world.take()
        assert [entry.summary for entry in sent] == ["ACK"] * 3
        assert len({entry.message.encode() for entry in sent}) == 1
        assert len(world.events) == 1

    def test_cancel_waits_for_a_provisional_response(self, world: World) -> None:
        call = world.call()
        invite = world.sent_request("INVITE")
        call.hang_up()
        assert world.take() == []
        world.receive(answer(invite, 180))
        cancel = world.sent_request("CANCEL")
        assert (cancel.via, cancel.cseq.number, cancel.to.tag) == (invite.via, 1, None)
        world.receive(answer(cancel, 200), answer(invite, 487))
        assert world.summaries() == ["ACK"]
        assert world.events == [Finished(ours=True, status=487)]

    def test_cancel_that_crosses_200_is_followed_by_ack_and_bye(self, world: World) -> None:
        call = world.call()
        invite = world.sent_request("INVITE")
        world.receive(answer(invite, 180))
        call.hang_up()
        world.receive(answer(invite, 200, sdp="sendrecv"))
        assert world.summaries() == ["CANCEL", "ACK", "BYE"]
        assert world.events == [Alerting(), Finished(ours=True)]

    def test_cancelled_call_ends_even_if_no_final_response_comes(self, world: World) -> None:
        call = world.call()
        invite = world.sent_request("INVITE")
        world.receive(answer(invite, 180))
        call.hang_up()
        world.receive(answer(world.sent_request("CANCEL"), 200))
        world.advance(4)
        assert world.events[-1] == Finished(ours=True)
        world.receive(answer(invite, 200, sdp="sendrecv"))  # and answered after all
        assert world.summaries() == ["ACK", "BYE"]
        assert isinstance(world.events[-1], Finished)
        assert len(world.events) == 2

    def test_cancelled_transaction_is_forgotten_after_64_t1(self, world: World) -> None:
        call = world.call()
        invite = world.sent_request("INVITE")
        world.receive(answer(invite, 180))
        call.hang_up()
        world.advance(33)
        world.take()
        world.receive(answer(invite, 200, sdp="sendrecv"))
        assert world.take() == []

    def test_second_200_of_a_fork_gets_ack_and_bye(self, world: World) -> None:
        call, invite = established(world)
        world.receive(answer(invite, 200, tag="other", sdp="sendrecv"))
        ack, bye = world.take()
        assert (ack.summary, bye.summary) == ("ACK", "BYE")
        assert ack.message.to.tag == bye.message.to.tag == "other"
        assert world.events == []
        call.hang_up()
        assert world.sent_request("BYE").to.tag == "peer"

    @pytest.mark.parametrize("status", [401, 407])
    def test_challenge_is_answered_in_a_new_transaction(self, world: World, status: int) -> None:
        asks, answers = {
            401: ("WWW-Authenticate", "Authorization"),
            407: ("Proxy-Authenticate", "Proxy-Authorization"),
        }[status]
        world.call(password="secret")
        first = world.sent_request("INVITE")
        assert first.headers.get(answers) is None
        world.receive(answer(first, status, **{asks: CHALLENGE}))
        ack, again = world.take()
        assert ack.summary == "ACK"
        second = again.message
        assert (
            second.headers.get(
                answers,
            )
            is not None
        )
        assert second.cseq.number == 2
        assert second.via.branch != first.via.branch
        assert (second.call_id, second.from_) == (first.call_id, first.from_)
        assert second.to.tag is None

    def test_wrong_password_ends_at_the_second_challenge(self, world: World) -> None:
        world.call(password="wrong")
        for nonce in ("n1", "n2"):
            challenge = f'Digest realm="r", nonce="{nonce}", qop="auth"'
            world.receive(answer(world.sent_request("INVITE"), 401, WWW_Authenticate=challenge))
        assert world.summaries() == ["ACK"]
        assert world.events == [Finished(ours=False, status=401)]

    def test_stale_nonce_is_answered_anew_but_not_for_ever(self, world: World) -> None:
        world.call(password="secret")
        attempts = 0
        for nonce in range(10):
            invites = [entry.message for entry in world.take() if entry.summary == "INVITE"]
            if not invites:
                break
            attempts += 1
            (invite,) = invites
            assert isinstance(invite, Request)
            challenge = f'Digest realm="r", nonce="{nonce}", stale=true'
            world.receive(answer(invite, 401, WWW_Authenticate=challenge))
        assert attempts == 4
        assert world.events == [Finished(ours=False, status=401)]

    def test_challenge_without_credentials_is_the_end(self, world: World) -> None:
        world.call()
        world.receive(answer(world.sent_request("INVITE"), 401, WWW_Authenticate=CHALLENGE))
        assert world.summaries() == ["ACK"]
        assert world.events == [Finished(ours=False, status=401)]

    def test_challenge_after_a_cancel_is_not_answered(self, world: World) -> None:
        call = world.call(password="secret")
        invite = world.sent_request("INVITE")
        call.hang_up()
        world.receive(answer(invite, 401, WWW_Authenticate=CHALLENGE))
        assert world.summaries() == ["ACK"]
        assert world.events == [Finished(ours=True, status=401)]

    def test_bye_is_challenged(self, world: World) -> None:
        call = world.call(password="secret")
        world.receive(answer(world.sent_request("INVITE"), 200, sdp="sendrecv"))
        world.take()
        call.hang_up()
        bye = world.sent_request("BYE")
        world.receive(answer(bye, 401, WWW_Authenticate=CHALLENGE))
        again = world.sent_request("BYE")
        assert again.cseq.number == bye.cseq.number + 1
        assert 'uri="sip:peer@192.0.2.9:5080;transport=UDP"' in (again.headers.get("Authorization") or "")
        world.receive(answer(again, 200))
        assert not world.agent.calls

    def test_bye_without_an_answer_is_given_up(self, world: World) -> None:
        call, _ = established(world)
        call.hang_up()
        world.advance(32)
        assert world.summaries() == ["BYE"] * 11
        assert not world.agent.calls

    def test_early_media_then_answer(self, world: World) -> None:
        world.call()
        invite = world.sent_request("INVITE")
        world.receive(answer(invite, 183, sdp="sendrecv"), answer(invite, 200))
        early, connected = world.events
        assert isinstance(early, Early)
        assert isinstance(connected, Connected)  # the description of the 183 holds
        assert connected.media == early.media

    def test_answer_without_common_audio_is_hung_up(self, world: World) -> None:
        world.call()
        response = answer(world.sent_request("INVITE"), 200)
        response.set_body("application/sdp", b"v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 18\r\n")
        world.receive(response)
        assert world.summaries() == ["ACK", "BYE"]
        assert world.events == [Finished(ours=True, trouble=Trouble.NO_MEDIA)]

    def test_nothing_can_be_sent(self, world: World) -> None:
        world.broken = True
        world.call()
        world.advance(0)
        assert world.events == [Finished(ours=False, trouble=Trouble.UNREACHABLE)]

    def test_bye_that_overtook_its_200(self, world: World) -> None:
        call = world.call()
        invite = world.sent_request("INVITE")
        world.receive(answer(invite, 180), peer_request("BYE", 7, to_tag=call.local_tag))
        world.receive(answer(invite, 200, sdp="sendrecv"))
        assert world.summaries() == ["200 BYE", "ACK"]
        assert [type(event) for event in world.events] == [Alerting, Connected, Finished]
        assert world.events[-1] == Finished(ours=False)

    def test_record_routes_lead_the_way(self, world: World) -> None:
        world.call()
        response = answer(
            world.sent_request("INVITE"), 200, sdp="sendrecv",
            Record_Route="<sip:near.example:5070;lr>, <sip:192.0.2.77;lr>",
        )  # fmt: skip
        world.receive(response)
        (ack,) = world.take()
        assert ack.message.headers.all("Route") == ["<sip:192.0.2.77;lr>", "<sip:near.example:5070;lr>"]
        assert ack.to == Hop("192.0.2.77", 5060)

    def test_a_late_and_a_foreign_response_change_nothing(self, world: World) -> None:
        call, invite = established(world)
        foreign = answer(invite, 486)
        foreign.headers.set("Via", str(invite.via).replace("z9hG4bK", "z9hG4bKx"))
        world.receive(foreign, answer(invite, 486), answer(invite, 180))
        assert world.take() == []
        assert world.events == []
        assert call in world.agent.calls


class TestInDialog:
    def test_bye_of_the_peer(self, world: World) -> None:
        call, _ = established(world)
        bye = peer_request(
            "BYE", 1, to_tag=call.local_tag, Reason='Q.850;cause=16;text="Bye, now", SIP;cause=200'
        )
        world.receive(bye, bye)
        assert world.summaries() == ["200 BYE", "200 BYE"]
        assert world.events == [
            Finished(ours=False, reasons=(Reason("Q.850", 16, "Bye, now"), Reason("SIP", 200)))
        ]
        world.receive(peer_request("INFO", 2, to_tag=call.local_tag))
        assert world.summaries() == ["481 INFO"]

    def test_byes_cross(self, world: World) -> None:
        call, _ = established(world)
        call.hang_up()
        bye = world.sent_request("BYE")
        world.receive(peer_request("BYE", 1, to_tag=call.local_tag), answer(bye, 481))
        assert world.summaries() == ["200 BYE"]
        assert world.events == [Finished(ours=True)]

    def test_hold_and_resume(self, world: World) -> None:
        call, _ = established(world)
        for cseq, direction, mirrored, may_send in [
            (1, "sendonly", b"a=recvonly", False),
            (2, "inactive", b"a=inactive", False),
            (3, "sendrecv", b"a=sendrecv", True),
        ]:
            world.receive(peer_request("INVITE", cseq, to_tag=call.local_tag, sdp=direction))
            (ok,) = world.take()
            assert ok.summary == "200 INVITE"
            assert mirrored in ok.message.body
            event = world.events.pop()
            assert isinstance(event, MediaChanged)
            assert event.media.may_send is may_send
            world.receive(peer_request("ACK", cseq, to_tag=call.local_tag))
        world.advance(60)
        assert world.take() == []

    def test_update_holds_too(self, world: World) -> None:
        call, _ = established(world)
        world.receive(peer_request("UPDATE", 1, to_tag=call.local_tag, sdp="sendonly"))
        assert world.summaries() == ["200 UPDATE"]
        (event,) = world.events
        assert isinstance(event, MediaChanged)
        assert not event.media.may_send

    def test_2xx_to_a_reinvite_is_repeated_until_its_ack(self, world: World) -> None:
        call, _ = established(world)
        world.receive(peer_request("INVITE", 1, to_tag=call.local_tag, sdp="sendrecv"))
        world.advance(1.6)
        assert world.summaries() == ["200 INVITE"] * 3
        world.receive(peer_request("ACK", 1, to_tag=call.local_tag))
        world.advance(60)
        assert world.take() == []

    def test_reinvite_without_an_offer_gets_ours(self, world: World) -> None:
        call, _ = established(world)
        world.receive(peer_request("INVITE", 1, to_tag=call.local_tag))
        (ok,) = world.take()
        assert b"m=audio 6000 RTP/AVP 0 101" in ok.message.body
        world.receive(peer_request("ACK", 1, to_tag=call.local_tag, sdp="sendonly"))
        (event,) = world.events
        assert isinstance(event, MediaChanged)
        assert not event.media.may_send

    def test_second_reinvite_before_the_ack_is_glare(self, world: World) -> None:
        call, _ = established(world)
        world.receive(peer_request("INVITE", 1, to_tag=call.local_tag, sdp="sendonly"))
        world.receive(peer_request("INVITE", 2, to_tag=call.local_tag, sdp="sendonly"))
        world.receive(peer_request("UPDATE", 3, to_tag=call.local_tag, sdp="sendonly"))
        assert world.summaries() == ["200 INVITE", "491 INVITE", "491 UPDATE"]

    def test_offer_while_ours_is_open_is_glare(self, world: World) -> None:
        call = world.call()
        world.receive(answer(world.sent_request("INVITE"), 183))
        world.receive(peer_request("UPDATE", 1, to_tag=call.local_tag, sdp="sendonly"))
        assert world.summaries() == ["491 UPDATE"]

    def test_unacceptable_reinvite_leaves_the_call_as_it_was(self, world: World) -> None:
        call, _ = established(world)
        request = peer_request("INVITE", 1, to_tag=call.local_tag)
        request.set_body("application/sdp", b"v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 18\r\n")
        world.receive(request)
        image = peer_request("INVITE", 2, to_tag=call.local_tag)
        image.set_body("image/png", b"png")
        world.receive(image)
        assert world.summaries() == ["488 INVITE", "415 INVITE"]
        assert world.events == []

    @pytest.mark.parametrize(
        ("method", "status"),
        [("INFO", 200), ("NOTIFY", 481), ("REFER", 603), ("FROBNICATE", 501), ("OPTIONS", 200)],
    )
    def test_other_requests_are_answered(self, world: World, method: str, status: int) -> None:
        call, _ = established(world)
        world.receive(peer_request(method, 1, to_tag=call.local_tag))
        assert world.summaries() == [f"{status} {method}"]
        assert world.events == []

    def test_old_number_and_wrong_tag(self, world: World) -> None:
        call, _ = established(world)
        world.receive(peer_request("INFO", 5, to_tag=call.local_tag))
        world.receive(peer_request("BYE", 4, to_tag=call.local_tag))
        world.receive(peer_request("BYE", 6, to_tag=call.local_tag, from_tag="stranger"))
        assert world.summaries() == ["200 INFO", "500 BYE", "481 BYE"]
        assert world.events == []

    def test_unknown_extension_is_refused_by_name(self, world: World) -> None:
        call, _ = established(world)
        world.receive(peer_request("INFO", 1, to_tag=call.local_tag, Require="teleportation"))
        (refusal,) = world.take()
        assert refusal.summary == "420 INFO"
        assert refusal.message.headers.get("Unsupported") == "teleportation"


class TestIncoming:
    @pytest.fixture
    def calls(self, world: World) -> list[IncomingInvite]:
        calls: list[IncomingInvite] = []

        def take(invite: IncomingInvite) -> None:
            invite.listen(world.events.append)
            calls.append(invite)

        world.agent.on_invite = take
        return calls

    def test_ring_answer_and_bye_of_the_caller(self, world: World, calls: list[IncomingInvite]) -> None:
        world.receive(peer_request("INVITE", 1, sdp="sendrecv", branch="z9hG4bKi"))
        (call,) = calls
        assert call.caller.uri == "sip:peer@192.0.2.9"
        call.ring()
        call.accept(Negotiation("192.0.2.1", 6000))
        sent = world.take()
        assert [entry.summary for entry in sent] == ["100 INVITE", "180 INVITE", "200 INVITE"]
        assert {entry.message.to.tag for entry in sent[1:]} == {call.local_tag}
        world.receive(peer_request("ACK", 1, to_tag=call.local_tag))
        world.receive(peer_request("BYE", 2, to_tag=call.local_tag))
        assert world.summaries() == ["200 BYE"]
        assert [type(event) for event in world.events] == [Connected, Finished]

    def test_repeated_invite_is_one_call(self, world: World, calls: list[IncomingInvite]) -> None:
        invite = peer_request("INVITE", 1, sdp="sendrecv", branch="z9hG4bKi")
        world.receive(invite, invite)
        calls[0].ring()
        world.receive(invite)
        assert len(calls) == 1
        assert world.summaries() == ["100 INVITE", "100 INVITE", "180 INVITE", "180 INVITE"]

    def test_refusal_is_repeated_until_its_ack(self, world: World, calls: list[IncomingInvite]) -> None:
        world.receive(peer_request("INVITE", 1, sdp="sendrecv", branch="z9hG4bKi"))
        calls[0].reject(486)
        world.advance(1.6)
        assert world.summaries() == ["100 INVITE"] + ["486 INVITE"] * 3
        world.receive(peer_request("ACK", 1, to_tag=calls[0].local_tag, branch="z9hG4bKi"))
        world.advance(60)
        assert world.take() == []
        assert world.events == [Finished(ours=True, status=486)]

    def test_cancel_of_the_caller(self, world: World, calls: list[IncomingInvite]) -> None:
        world.receive(peer_request("INVITE", 1, sdp="sendrecv", branch="z9hG4bKi"))
        world.receive(peer_request("CANCEL", 1, branch="z9hG4bKi", Reason="SIP;cause=200"))
        assert world.summaries() == ["100 INVITE", "200 CANCEL", "487 INVITE"]
        assert world.events == [Finished(ours=False, reasons=(Reason("SIP", 200),))]
        calls[0].accept(Negotiation("192.0.2.1", 6000))  # too late
        assert world.take() == []

    def test_cancel_of_nothing(self, world: World) -> None:
        world.receive(peer_request("CANCEL", 1))
        assert world.summaries() == ["481 CANCEL"]

    def test_bye_waits_for_the_ack(self, world: World, calls: list[IncomingInvite]) -> None:
        world.receive(peer_request("INVITE", 1, sdp="sendrecv", branch="z9hG4bKi"))
        call = calls[0]
        call.accept(Negotiation("192.0.2.1", 6000))
        call.hang_up()
        assert world.summaries() == ["100 INVITE", "200 INVITE"]
        world.receive(peer_request("ACK", 1, to_tag=call.local_tag))
        assert world.summaries() == ["BYE"]

    def test_answer_that_nobody_acknowledges(self, world: World, calls: list[IncomingInvite]) -> None:
        world.receive(peer_request("INVITE", 1, sdp="sendrecv", branch="z9hG4bKi"))
        calls[0].accept(Negotiation("192.0.2.1", 6000))
        world.advance(32)
        assert world.summaries()[-1] == "BYE"
        assert world.events[-1] == Finished(ours=True, trouble=Trouble.NO_ACK)

    def test_call_without_an_offer(self, world: World, calls: list[IncomingInvite]) -> None:
        world.receive(peer_request("INVITE", 1, branch="z9hG4bKi"))
        calls[0].accept(Negotiation("192.0.2.1", 6000))
        assert b"RTP/AVP 0 8 101" in world.take()[-1].message.body
        assert world.events == []
        world.receive(peer_request("ACK", 1, to_tag=calls[0].local_tag, sdp="sendrecv"))
        assert [type(event) for event in world.events] == [Connected]

    def test_nobody_decides(self, world: World, calls: list[IncomingInvite]) -> None:
        world.receive(peer_request("INVITE", 1, sdp="sendrecv", branch="z9hG4bKi"))
        world.advance(180)
        assert "480 INVITE" in world.summaries()
        assert len(calls) == 1
        assert not world.agent.calls

    def test_no_handler(self, world: World) -> None:
        world.receive(peer_request("INVITE", 1, sdp="sendrecv"))
        assert world.summaries() == ["480 INVITE"]


class TestStrangers:
    def test_options(self, world: World) -> None:
        world.receive(peer_request("OPTIONS", 1))
        (sent,) = world.take()
        assert sent.summary == "200 OPTIONS"
        assert "INVITE" in (sent.message.headers.get("Allow") or "")
        assert sent.to == PEER

    def test_who_drains_tells_balancers_so_but_not_its_calls(self, world: World) -> None:
        call, _ = established(world)
        world.agent.draining = True
        world.receive(
            peer_request("OPTIONS", 1, from_tag="balancer"), peer_request("INVITE", 2, from_tag="new")
        )
        sent = world.take()
        assert [entry.summary for entry in sent] == ["503 OPTIONS", "503 INVITE"]
        assert [entry.message.headers.get("Retry-After") for entry in sent] == ["10", "10"]
        world.receive(peer_request("OPTIONS", 3, to_tag=call.local_tag))
        assert world.summaries() == ["200 OPTIONS"]

    @pytest.mark.parametrize(
        ("method", "status"),
        [("BYE", 481), ("UPDATE", 481), ("MESSAGE", 405), ("REGISTER", 405), ("HELLO", 501)],
    )
    def test_requests_outside_calls(self, world: World, method: str, status: int) -> None:
        world.receive(peer_request(method, 1))
        assert world.summaries() == [f"{status} {method}"]

    def test_unknown_scheme(self, world: World) -> None:
        request = peer_request("INVITE", 1)
        request.uri = "mailto:us@192.0.2.1"
        world.receive(request)
        assert world.summaries() == ["416 INVITE"]

    def test_broken_requests_get_400_and_other_rubbish_silence(self, world: World) -> None:
        broken = peer_request("OPTIONS", 1).encode()
        world.agent.receive(broken.replace(b"Max-Forwards: 70", b"Max-Forwards 70"), PEER)
        world.agent.receive(broken.replace(b"SIP/2.0\r\nVia", b"SIP/9.0\r\nVia"), PEER)
        world.agent.receive(broken.replace(b"Content-Length: 0", b"Content-Length: 10"), PEER)
        world.agent.receive(broken[:-2] + b"X: " + b"x" * 40_000 + b"\r\n\r\n", PEER)
        statuses = [entry.message.status for entry in world.take() if isinstance(entry.message, Response)]
        assert statuses == [400, 505, 400, 513]
        for rubbish in (
            b"",
            b"\r\n\r\n",
            b"\0" * 30_000,
            b"hello",
            b"\xff\xfe" * 99,
            broken.replace(b"Via", b"Vie"),
        ):
            world.agent.receive(rubbish, PEER)
        assert world.take() == []

    def test_responses_go_where_the_request_came_from(self, world: World) -> None:
        world.agent.receive(peer_request("OPTIONS", 1).encode(), Hop("198.51.100.4", 7777))
        (sent,) = world.take()
        assert sent.to == Hop("198.51.100.4", 7777)
        assert sent.message.via.param("received") == "198.51.100.4"
