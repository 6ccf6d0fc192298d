"""The cases of RFC 4475, in messages of our own: what is odd but sound is taken, what is broken named as such."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ringback.telephony.sip.header import NameAddr
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.incoming import IncomingInvite
from ringback.telephony.sip.message import Headers, MalformedMessage, Request, Response, parse
from ringback.telephony.sip.sdp import Negotiation
from ringback.telephony.sip.transaction import always
from tests.support.sip_world import PEER, Sent, World
from tests.support.torture import OTHERS, SDP, VALID, message

TAKEN = ["100 INVITE", "200 INVITE"]


class Wire(World):
    """Takes what it sends as it is: an answer to broken fields repeats them."""

    def send(
        self, data: bytes, to: Hop, failed: Callable[[], None], in_time: Callable[[], bool] = always
    ) -> None:
        try:
            super().send(data, to, failed, in_time)
        except MalformedMessage:
            _, status, _ = data.split(b" ", 2)
            self.sent.append(Sent(self.timers.now, Response(int(status), "", headers=BROKEN), to))


BROKEN = Headers([("CSeq", "1 BROKEN")])


@pytest.fixture
def world() -> World:
    world = Wire()

    def take(invite: IncomingInvite) -> None:
        invite.accept(Negotiation("192.0.2.1", 6000))

    world.agent.on_invite = take
    return world


def answers(world: World, data: bytes) -> list[str]:
    world.agent.receive(data, PEER)
    return world.summaries()


@pytest.mark.parametrize("data", VALID.values(), ids=VALID)
def test_odd_and_sound_calls_are_taken(world: World, data: bytes) -> None:
    assert answers(world, data) == TAKEN


@pytest.mark.parametrize(("data", "status"), OTHERS.values(), ids=OTHERS)
def test_the_right_answer(world: World, data: bytes, status: int) -> None:
    found = answers(world, data)
    assert [int(answer.split()[0]) for answer in found if not answer.startswith("100 ")] == [status]


def test_unsupported_extensions_are_named(world: World) -> None:
    world.agent.receive(OTHERS["extensions of nobody"][0], PEER)
    (sent,) = world.take()
    assert sent.message.headers.get("Unsupported") == "nothingSupportsThis, nothingSupportsThisEither"


def test_only_the_first_message_of_a_datagram_counts(world: World) -> None:
    data = message("OPTIONS sip:b@h SIP/2.0") + message("INVITE sip:b@h SIP/2.0", body=SDP)
    assert answers(world, data) == ["200 OPTIONS"]


def test_two_requests_with_nothing_but_the_cookie_are_two(world: World) -> None:
    via = "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK"
    assert answers(world, message("OPTIONS sip:b@h SIP/2.0", via)) == ["200 OPTIONS"]
    assert answers(world, message("OPTIONS sip:b@h SIP/2.0", via, "Call-ID: two")) == ["200 OPTIONS"]
    world.agent.receive(message("OPTIONS sip:b@h SIP/2.0", via, "Call-ID: two"), PEER)
    assert world.agent.transactions == 2


RESPONSES = {
    "words in another script": "SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое",
    "no words": "SIP/2.0 100 ",
    "a code that is none": "SIP/2.0 4294967301 better not break the receiver",
    "for somebody else": "SIP/2.0 200 OK",
}


@pytest.mark.parametrize("start", RESPONSES.values(), ids=RESPONSES)
def test_responses_of_nobody_have_no_effect(world: World, start: str) -> None:
    data = message("OPTIONS sip:b@h SIP/2.0", "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23")
    assert answers(world, data.replace(b"OPTIONS sip:b@h SIP/2.0", start.encode())) == []
    assert world.agent.transactions == 0


def test_words_of_a_response_may_be_missing_or_foreign() -> None:
    for start in (RESPONSES["words in another script"], RESPONSES["no words"]):
        read = parse(message("OPTIONS sip:b@h SIP/2.0").replace(b"OPTIONS sip:b@h SIP/2.0", start.encode()))
        assert isinstance(read, Response)
    with pytest.raises(MalformedMessage):
        parse(
            message("OPTIONS sip:b@h SIP/2.0").replace(
                b"OPTIONS sip:b@h SIP/2.0", RESPONSES["a code that is none"].encode()
            )
        )


def test_what_a_tortuous_message_says() -> None:
    read = parse(next(iter(VALID.values())))
    assert isinstance(read, Request)
    assert (read.cseq.number, read.cseq.method) == (9, "INVITE")
    assert (read.from_.display, read.from_.tag) == ('J. Doe \\"', "98asjd8")
    assert [via.split()[-1][:10] for via in read.headers.all("Via")]
    assert len(read.headers.all("Via")) == 3
    assert read.contact == NameAddr(
        "sip:jdoe@example.com",
        'Quoted string ""',
        (("newparam", "newvalue"), ("secondparam", None), ("q", "0.33")),
    )


def test_a_call_without_a_caller_s_tag_has_its_dialog(world: World) -> None:
    world.agent.receive(VALID["what RFC 2543 allowed: no tag, no branch"], PEER)
    ok = world.take()[-1].message
    assert isinstance(ok, Response)
    ours = ok.to.tag
    ack = message(
        "ACK sip:us@192.0.2.1 SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.9", "From: <sip:+13035551111@192.0.2.9;user=phone>",
        f"To: <sip:+16505552222@example.net;user=phone>;tag={ours}",
    )  # fmt: skip
    assert answers(world, ack) == []
    bye = message(
        "BYE sip:us@192.0.2.1 SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.9", "From: <sip:+13035551111@192.0.2.9;user=phone>",
        f"To: <sip:+16505552222@example.net;user=phone>;tag={ours}", cseq="8 BYE",
    )  # fmt: skip
    assert answers(world, bye) == ["200 BYE"]
    assert world.agent.calls == []
