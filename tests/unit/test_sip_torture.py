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

SDP = "v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\nm=audio 4000 RTP/AVP 0\n"
TAKEN = ["100 INVITE", "200 INVITE"]


def message(
    start: str,
    *lines: str,
    body: str = "",
    without: tuple[str, ...] = (),
    length: str | None = None,
    cseq: str | None = None,
) -> bytes:
    """A message with the usual fields, those of `lines` in their place or beside them."""
    method = start.split(" ", 1)[0]
    usual = {
        "Via": "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKtorture;rport",
        "From": "<sip:caller@example.com>;tag=98",
        "To": "<sip:person@example.com>",
        "Call-ID": "torture@example.com",
        "CSeq": cseq or f"7 {method}",
        "Contact": "<sip:caller@192.0.2.9>",
        "Max-Forwards": "70",
    }
    given = {line.partition(":")[0].strip() for line in lines}
    fields = [f"{name}: {value}" for name, value in usual.items() if name not in (*given, *without)]
    if body and not any(name in given for name in ("Content-Type", "c")):
        fields.append("Content-Type: application/sdp")
    if length != "":
        fields.append(f"Content-Length: {len(body.encode()) if length is None else length}")
    head = "\r\n".join([start, *fields, *lines]).replace("\n ", "\r\n ").replace("\r\r", "\r")
    return f"{head}\r\n\r\n{body}".encode()


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


VALID = {
    "white space, folded lines, short names and what nobody knows": (
        b"INVITE sip:person@example.com;unknownparam SIP/2.0\r\n"
        b"TO :\r\n sip:person@example.com\r\n"
        b'from   : "J. Doe \\\\\\""       <sip:jdoe@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n'
        b"MaX-fOrWaRdS: 0068\r\nCall-ID: wsinv.ndaks@192.0.2.1\r\n"
        b"Content-Length   : %d\r\ncseq: 0009\r\n  INVITE\r\n"
        b"Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=z9hG4bKws\r\n"
        b"s :\r\nNewFangledHeader:   newfangled value\r\n continued\r\n"
        b"UnknownHeaderWithUnusualValue: ;;,,;;,;\r\nContent-Type: application/sdp\r\n"
        b"v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n"
        b" SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n"
        b'm:"Quoted string \\"\\"" <sip:jdoe@example.com> ; newparam =\r\n      newvalue ;\r\n'
        b"  secondparam ; q = 0.33\r\n\r\n%s"
    )
    % (len(SDP), SDP.encode()),
    "escapes in a URI": message(
        "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0",
        "To: sip:%75se%72@example.com",
        body=SDP,
    ),
    "long values": message(
        f"INVITE sip:{'user' * 50}@{'host.' * 40}example.com SIP/2.0",
        f'From: "{"long " * 100}" <sip:{"caller" * 100}@example.com>;tag={"8" * 120};{"param" * 50}={"v" * 200}',
        f"Call-ID: {'longreq.' * 60}",
        f"Unknown-{'Long' * 10}: {'value ' * 300}",
        *(f"Via: SIP/2.0/TCP sip{number}.example.com;branch=z9hG4bK{'x' * 80}" for number in range(30)),
        "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKlong",
        body=SDP,
    ),
    "white space at the end of the start line": message("INVITE sip:person@example.com SIP/2.0  ", body=SDP),
    "header fields in the request URI": message(
        "INVITE sip:person@example.com?Route=%3Csip:example.com%3E SIP/2.0", body=SDP
    ),
    "a date in another zone": message(
        "INVITE sip:person@example.com SIP/2.0", "Date: Fri, 01 Jan 2010 16:00:00 EST", body=SDP
    ),
    "what RFC 2543 allowed: no tag, no branch": message(
        "INVITE sip:person@example.com SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.9",
        "From: <sip:+13035551111@192.0.2.9;user=phone>",
        "To: sip:+16505552222@example.net;user=phone",
        "Record-Route: <sip:person@example.com;maddr=192.0.2.5>",
        body=SDP,
        length="",
    ),
}


@pytest.mark.parametrize("data", VALID.values(), ids=VALID)
def test_odd_and_sound_calls_are_taken(world: World, data: bytes) -> None:
    assert answers(world, data) == TAKEN


OTHERS = {
    "a method of every character": (message("!interesting-Method0123456789_*+`.%indeed'~ sip:b@h SIP/2.0"), 501),
    "a method with escapes is another method": (message("RE%47IST%45R sip:h SIP/2.0"), 501),
    "escaped nulls": (message("REGISTER sip:h SIP/2.0", "To: sip:null-%00-null@h"), 405),
    "no space before the bracket": (message("OPTIONS sip:b@h SIP/2.0", "From: caller<sip:c@h>;tag=323"), 200),
    "semicolons in a user": (message("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0"), 200),
    "every transport": (
        message(
            "OPTIONS sip:b@h SIP/2.0",
            "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKt1",
            "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKt2",
            "Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bKt3",
            "Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKt4",
        ),
        200,
    ),
    "a body of several parts": (
        message(
            "MESSAGE sip:b@h SIP/2.0",
            "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655",
            body="--7a9cbec02ceef655\r\nContent-Type: text/plain\r\n\r\nHi\0\x01\r\n--7a9cbec02ceef655--",
        ),
        405,
    ),
    "no way further, but it is here": (message("OPTIONS sip:b@h SIP/2.0", "Max-Forwards: 0"), 200),
    "an unknown scheme of credentials": (
        message("REGISTER sip:h SIP/2.0", "Authorization: NoOneKnowsThisScheme opaque-data=here"), 405,
    ),
    "parameters of a contact's URI": (
        message("REGISTER sip:h SIP/2.0", "Contact: sip:+19725552222@gw1.example.net;unknownparam"), 405,
    ),
    "an escaped header in a contact": (
        message("REGISTER sip:h SIP/2.0", "Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>"), 405,
    ),
    "a branch that is only the cookie": (
        message("OPTIONS sip:b@h SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK"), 200,
    ),
    # Broken.
    "separators too many": (message("OPTIONS sip:b@h SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.15;;,;,,"), 400),
    "a length that is longer": (message("OPTIONS sip:b@h SIP/2.0", body="x", length="9999"), 400),
    "a negative length": (message("OPTIONS sip:b@h SIP/2.0", length="-999"), 400),
    "two lengths": (message("OPTIONS sip:b@h SIP/2.0", "Content-Length: 5", body="hello you"), 400),
    "a number out of range": (
        message("REGISTER sip:h SIP/2.0", cseq="36893488147419103232 REGISTER"), 400,
    ),
    "an unclosed quote": (message("OPTIONS sip:b@h SIP/2.0", 'To: "Mr. J. User <sip:j.user@example.com>'), 400),
    "brackets around the request URI": (message("INVITE <sip:b@h> SIP/2.0", body=SDP), 400),
    "white space in the request URI": (message("INVITE sip:b@h; lr SIP/2.0", body=SDP), 400),
    "white space between the parts of the start line": (message("INVITE  sip:b@h  SIP/2.0", body=SDP), 400),
    "tabs in the start line": (message("INVITE\tsip:b@h\tSIP/2.0", body=SDP, cseq="1 INVITE"), 400),
    "an unknown version": (message("OPTIONS sip:b@h SIP/7.0"), 505),
    "two methods": (message("OPTIONS sip:b@h SIP/2.0", cseq="8 INVITE"), 400),
    "two methods, one unknown": (message("NEWMETHOD sip:b@h SIP/2.0", cseq="34 INVITE"), 400),
    "fields missing": (message("INVITE sip:b@h SIP/2.0", without=("From", "To", "Call-ID")), 400),
    "values that contradict each other": (
        message("INVITE sip:b@h SIP/2.0", "From: <sip:a@h>;tag=1", "From: <sip:x@h>;tag=2", "Call-ID: 1",
                "Call-ID: 2", body=SDP),
        400,
    ),
    # Sound, but not for us.
    "an unknown scheme": (message("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0"), 416),
    "a scheme of others": (message("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"), 416),
    "extensions of nobody": (
        message("OPTIONS sip:b@h SIP/2.0", "Require: nothingSupportsThis, nothingSupportsThisEither"), 420,
    ),
    "a body that nobody reads": (
        message("INVITE sip:b@h SIP/2.0", "Content-Type: application/unknownformat", body="<audio/>"), 415,
    ),
    "a caller that wants no description": (
        message("INVITE sip:b@h SIP/2.0", "Accept: text/nobodyKnowsThis", body=SDP), 406,
    ),
}  # fmt: skip


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
