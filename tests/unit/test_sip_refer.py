"""Blind transfers: a REFER of ours and the NOTIFYs of its progress, in virtual time."""

from __future__ import annotations

import pytest

from ringback.telephony.sip.events import Connected, Finished, ReferProgress
from ringback.telephony.sip.header import NameAddr
from ringback.telephony.sip.message import Request
from ringback.telephony.sip.outgoing import OutgoingCall
from ringback.telephony.sip.params import SipSyntaxError
from ringback.telephony.sip.refer import PATIENCE, refer_to
from tests.support.sip_world import World, answer, peer_request


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def call(world: World) -> OutgoingCall:
    call = world.call(password="secret")
    world.receive(answer(world.sent_request("INVITE"), 200, sdp="sendrecv"))
    world.take()
    assert isinstance(world.events.pop(), Connected)
    return call


def notify(
    call: OutgoingCall, cseq: int, fragment: str, state: str = "active;expires=60", event: str = "refer"
) -> Request:
    request = peer_request("NOTIFY", cseq, to_tag=call.local_tag, Event=event, Subscription_State=state)
    if fragment:
        request.set_body("message/sipfrag;version=2.0", f"SIP/2.0 {fragment}\r\n".encode())
    return request


class TestProgress:
    def test_accepted_ringing_answered(self, world: World, call: OutgoingCall) -> None:
        call.refer("+15550177")
        refer = world.sent_request("REFER")
        assert refer.headers.get("Refer-To") == "<sip:+15550177@192.0.2.9>"
        assert refer.headers.get("Referred-By") == "<sip:+15550100@192.0.2.9>"
        assert (refer.to.tag, refer.cseq.number) == ("peer", 2)
        assert refer.contact is not None
        world.receive(answer(refer, 202))
        world.receive(notify(call, 1, "100 Trying"), notify(call, 2, "180 Ringing"))
        world.receive(notify(call, 3, "200 OK", "terminated;reason=noresource"))
        assert world.summaries() == ["200 NOTIFY"] * 3
        assert world.events == [
            ReferProgress(202, False),
            ReferProgress(100, False),
            ReferProgress(180, False),
            ReferProgress(200, True),
        ]
        world.advance(PATIENCE)
        assert len(world.events) == 4

    def test_the_target_is_busy_and_the_call_goes_on(self, world: World, call: OutgoingCall) -> None:
        call.refer("+15550177")
        world.receive(answer(world.sent_request("REFER"), 202), notify(call, 1, "486 Busy Here"))
        assert world.events[-1] == ReferProgress(486, True)
        # The subscription's own end, told apart, is no news.
        world.receive(notify(call, 2, "486 Busy Here", "terminated"))
        assert world.summaries() == ["200 NOTIFY"] * 2
        assert len(world.events) == 2
        call.refer("+15550178")
        assert world.summaries() == ["REFER"]

    def test_a_notify_overtakes_the_202(self, world: World, call: OutgoingCall) -> None:
        call.refer("+15550177")
        refer = world.sent_request("REFER")
        world.receive(notify(call, 1, "200 OK"), answer(refer, 202))
        assert world.events == [ReferProgress(200, True)]

    @pytest.mark.parametrize("status", [300, 403, 405, 481, 603])
    def test_refused(self, world: World, call: OutgoingCall, status: int) -> None:
        call.refer("+15550177")
        world.receive(answer(world.sent_request("REFER"), status))
        assert world.events == [ReferProgress(status, True)]

    def test_challenged(self, world: World, call: OutgoingCall) -> None:
        call.refer("+15550177")
        refer = world.sent_request("REFER")
        world.receive(answer(refer, 401, WWW_Authenticate='Digest realm="r", nonce="n", qop="auth"'))
        again = world.sent_request("REFER")
        assert again.headers.get("Authorization")
        world.receive(answer(again, 202), notify(call, 1, "200 OK", event=f"refer;id={again.cseq.number}"))
        assert world.events == [ReferProgress(202, False), ReferProgress(200, True)]

    def test_a_peer_that_tells_nothing_by_agreement(self, world: World, call: OutgoingCall) -> None:
        call.refer("+15550177")
        refer = world.sent_request("REFER")
        assert "norefersub" in refer.headers.all("Supported")
        world.receive(answer(refer, 200, Refer_Sub="false"))
        assert world.events == [ReferProgress(202, True)]

    def test_a_peer_that_tells_nothing_has_failed_in_time(self, world: World, call: OutgoingCall) -> None:
        call.refer("+15550177")
        world.receive(answer(world.sent_request("REFER"), 202))
        world.advance(PATIENCE)
        assert world.events[-1] == ReferProgress(408, True)

    def test_no_answer_at_all(self, world: World, call: OutgoingCall) -> None:
        call.refer("+15550177")
        world.advance(33)
        assert world.events == [ReferProgress(408, True)]

    def test_nothing_can_be_sent(self, world: World, call: OutgoingCall) -> None:
        world.broken = True
        call.refer("+15550177")
        world.advance(0)
        assert world.events == [ReferProgress(503, True)]

    def test_a_subscription_that_ends_without_a_result(self, world: World, call: OutgoingCall) -> None:
        call.refer("+15550177")
        world.receive(answer(world.sent_request("REFER"), 202), notify(call, 1, "180 Ringing"))
        world.receive(notify(call, 2, "", "terminated;reason=timeout"))
        assert world.events[-1] == ReferProgress(180, True)

    def test_the_peer_hangs_up_once_it_has_taken_over(self, world: World, call: OutgoingCall) -> None:
        call.refer("+15550177")
        world.receive(answer(world.sent_request("REFER"), 202), peer_request("BYE", 1, to_tag=call.local_tag))
        assert world.events == [ReferProgress(202, False), Finished(ours=False)]
        world.advance(64)
        assert world.timers.pending == 0
        world.advance(PATIENCE)
        assert len(world.events) == 2

    def test_one_at_a_time(self, world: World, call: OutgoingCall) -> None:
        call.refer("+15550177")
        world.take()
        call.refer("+15550178")
        assert (world.summaries(), world.events) == ([], [])


class TestStrangeNotifies:
    def test_without_a_transfer(self, world: World, call: OutgoingCall) -> None:
        world.receive(notify(call, 1, "200 OK"))
        assert (world.summaries(), world.events) == (["481 NOTIFY"], [])

    @pytest.mark.parametrize("event", ["presence", "refer;id=99", "refer" + ";a" * 100, ""])
    def test_of_something_else(self, world: World, call: OutgoingCall, event: str) -> None:
        call.refer("+15550177")
        world.take()
        request = notify(call, 1, "200 OK", event=event or "x")
        world.receive(request)
        assert (world.summaries(), world.events) == (["481 NOTIFY"], [])

    @pytest.mark.parametrize("body", [b"", b"HTTP/1.1 200 OK", b"SIP/2.0 999 x", b"\xff\x00", b"SIP/2.0 20"])
    def test_illegible(self, world: World, call: OutgoingCall, body: bytes) -> None:
        call.refer("+15550177")
        world.take()
        request = notify(call, 1, "")
        request.set_body("message/sipfrag", body)
        world.receive(request)
        assert (world.summaries(), world.events) == (["200 NOTIFY"], [])


class TestTargets:
    @pytest.mark.parametrize(
        ("target", "uri"),
        [
            ("+15550177", "sip:+15550177@192.0.2.9"),
            (" 100 ", "sip:100@192.0.2.9"),
            ("sip:desk@pbx.example:5070;transport=tcp", "sip:desk@pbx.example:5070;transport=tcp"),
            ("tel:+15550177", "tel:+15550177"),
            ("front desk", "sip:front%20desk@192.0.2.9"),
        ],
    )
    def test_what_a_target_means(self, world: World, call: OutgoingCall, target: str, uri: str) -> None:
        call.refer(target)
        assert world.sent_request("REFER").headers.get("Refer-To") == f"<{uri}>"

    @pytest.mark.parametrize("target", ["", " ", "sip:", "+1555\r\nX: y", "a>b", "tel:+1\n"])
    def test_no_address(self, world: World, call: OutgoingCall, target: str) -> None:
        call.refer(target)
        assert (world.summaries(), world.events) == ([], [ReferProgress(400, True)])

    def test_a_peer_without_a_sip_address(self, world: World, call: OutgoingCall) -> None:
        assert call._session is not None
        dialog = call._session.dialog
        dialog.remote = NameAddr("tel:+15550199")
        assert refer_to("+15550177", dialog) == "sip:+15550177@192.0.2.9:5080"
        with pytest.raises(SipSyntaxError):
            refer_to("sip:a b@", dialog)
