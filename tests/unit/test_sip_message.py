"""Messages: what is written can be read back; what peers write is read tolerantly; what is broken is named."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.telephony.sip.header import CSeq, NameAddr, Reason, Via
from ringback.telephony.sip.hop import Hop, Transport
from ringback.telephony.sip.message import (
    MAX_MESSAGE,
    Headers,
    MalformedMessage,
    Request,
    Response,
    canonical,
    parse,
)
from ringback.telephony.sip.params import SipSyntaxError, quoted, unquote
from ringback.telephony.sip.uri import SipUri

INVITE = (
    b"INVITE sip:bob@biloxi.example SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP pc33.atlanta.example;branch=z9hG4bK776asdhds\r\n"
    b'From: "Alice \\"A\\" <x>" <sip:alice@atlanta.example>;tag=1928301774\r\n'
    b"To: Bob <sip:bob@biloxi.example>\r\n"
    b"Call-ID: a84b4c76e66710@pc33.atlanta.example\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Contact: <sip:alice@pc33.atlanta.example>\r\n"
    b"Content-Length: 4\r\n\r\nbodytrailing"
)

tokens = st.from_regex(r"[A-Za-z0-9.!%*_+`'~-]{1,20}", fullmatch=True)
field_values = st.text(st.characters(min_codepoint=32, exclude_categories=["Cc", "Cs"]), min_size=1).map(
    str.strip
)
own_fields = st.tuples(tokens.map("X-{}".format), field_values.filter(bool))


def test_the_parts_of_an_invite() -> None:
    message = parse(INVITE)
    assert isinstance(message, Request)
    assert (message.method, message.uri, message.body) == ("INVITE", "sip:bob@biloxi.example", b"body")
    assert message.from_.display == 'Alice "A" <x>'
    assert (message.from_.tag, message.to.tag) == ("1928301774", None)
    assert message.cseq == CSeq(314159, "INVITE")
    assert message.via.branch == "z9hG4bK776asdhds"


@given(st.lists(own_fields, max_size=8), st.binary(max_size=200), tokens, st.booleans())
def test_what_is_written_is_read_back(
    fields: list[tuple[str, str]], body: bytes, method: str, is_request: bool
) -> None:
    headers = Headers(
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport"),
            ("From", "<sip:a@192.0.2.1>;tag=1"),
            ("To", "<sip:b@192.0.2.2>"),
            ("Call-ID", "x"),
            ("CSeq", f"1 {method}"),
            *fields,
        ]
    )
    message: Request | Response
    if is_request:
        message = Request(method, "sip:b@192.0.2.2", headers=headers, body=body)
    else:
        message = Response(200, "OK", headers=headers, body=body)
    read = parse(message.encode())
    assert read is not None
    assert read.body == body
    assert [pair for pair in read.headers if pair[0] != "Content-Length"] == list(headers)
    assert read.encode() == message.encode()


@given(st.binary(max_size=400))
def test_rubbish_raises_only_its_own_error(data: bytes) -> None:
    with contextlib.suppress(MalformedMessage):
        parse(data)


@given(st.data())
def test_a_damaged_invite_raises_only_its_own_error(data: st.DataObject) -> None:
    damaged = bytearray(INVITE)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        message = parse(bytes(damaged))
    except MalformedMessage:
        return
    if message is not None:
        message.encode()


def test_compact_and_folded_fields_and_several_vias() -> None:
    message = parse(
        b"OPTIONS sip:b@h SIP/2.0\n"
        b"v: SIP/2.0/UDP a;branch=z9hG4bK1 , SIP / 2.0 / UDP b:5070;branch=z9hG4bK2\n"
        b"VIA: SIP/2.0/UDP c;branch=z9hG4bK3\n"
        b"f: <sip:a@h>;tag=1\nt:\n  <sip:b@h>\nI: x\ncseq: 1 OPTIONS\nl: 0\n"
        b"Subject: I know you're there,\n\tpick up the phone\n\n"
    )
    assert message is not None
    assert [Via.parse(via).host for via in message.headers.all("Via")] == ["a", "b", "c"]
    assert message.to.uri == "sip:b@h"
    assert message.headers.get("subject") == "I know you're there, pick up the phone"
    assert (canonical("l"), canonical("www-authenticate")) == ("Content-Length", "WWW-Authenticate")


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia", 505),
        (b"CSeq: 314159 INVITE", b"CSeq: 314159 BYE", 400),
        (b"CSeq: 314159 INVITE", b"CSeq: 9999999999 INVITE", 400),
        (b"CSeq: 314159 INVITE\r\n", b"", 400),
        (b"Call-ID: a84b4c76e66710@pc33.atlanta.example", b"Call-ID:", 400),
        (b"Content-Length: 4", b"Content-Length: 400", 400),
        (b"Content-Length: 4", b"Content-Length: -4", 400),
        (b"Contact:", b"Con tact:", 400),
        (b"To: Bob <sip:bob@biloxi.example>", b"To: Bob <sip:bob@biloxi.example", 400),
        (b"Via: SIP/2.0/UDP pc33.atlanta.example;", b"Via: SIP/2.0/UDP pc33.atlanta.example:99999;", 400),
        (b"Contact:", b"Subject: bell\x07\r\nContact:", 400),
        (b"Contact:", b"A: b\r\n" * 300 + b"Contact:", 513),
        (b"body", b"x" * MAX_MESSAGE, 513),
    ],
)
def test_broken_twins_name_their_status(old: bytes, new: bytes, status: int) -> None:
    assert old in INVITE
    with pytest.raises(MalformedMessage) as caught:
        parse(INVITE.replace(old, new))
    assert caught.value.status == status
    assert caught.value.request is not None


def test_keep_alives_are_no_messages() -> None:
    assert parse(b"\r\n\r\n") is None
    assert parse(b"\0") is None


def test_a_field_cannot_smuggle_another() -> None:
    with pytest.raises(ValueError, match="control characters"):
        Headers([("Subject", "a\r\nRoute: <sip:evil>")])


def test_response_copies_what_it_must() -> None:
    request = parse(INVITE.replace(b"Via:", b"Via: SIP/2.0/UDP proxy;branch=z9hG4bKp\r\nVia:"))
    assert isinstance(request, Request)
    response = request.response(180, "tag1")
    assert response.headers.all("Via") == request.headers.all("Via")
    assert (response.to.tag, response.cseq, response.reason) == ("tag1", request.cseq, "Ringing")


class TestUri:
    @pytest.mark.parametrize(
        "text",
        [
            "sip:alice:secret@atlanta.example;transport=UDP",
            "sips:alice@atlanta.example?subject=project%20x&priority=urgent",
            "sip:+1-212-555-1212:1234@gateway.example;user=phone",
            "sip:atlanta.example:5070;lr;method=REGISTER",
            "sip:alice;day=tuesday@atlanta.example",
            "sip:[2001:db8::9:1]:5060",
        ],
    )
    def test_round_trip(self, text: str) -> None:
        assert str(SipUri.parse(text)) == text

    def test_where_it_leads(self) -> None:
        assert SipUri.parse("sip:a@[::1]:5070").hop == Hop("::1", 5070)
        assert SipUri.parse("sip:a@h;maddr=192.0.2.3").hop == Hop("192.0.2.3")
        assert SipUri.parse("sip:a@h;transport=tcp").hop == Hop("h", None, Transport.TCP)
        assert SipUri.parse("sips:a@h:5099").hop == Hop("h", 5099, Transport.TLS)
        assert SipUri.parse("sip:a@h;transport=sctp").hop == Hop("h")
        assert SipUri.parse("SIP:a@h;Transport=UDP").param("transport") == "UDP"

    @pytest.mark.parametrize(
        "text", ["", "sip:", "tel:+1555", "sip:a@", "sip:a@h:0", "sip:a@h:70000", "sip:a@h:x", "sip:a@h h"]
    )
    def test_broken(self, text: str) -> None:
        with pytest.raises(SipSyntaxError):
            SipUri.parse(text)

    def test_users_are_escaped(self) -> None:
        assert str(SipUri.of('a "b"\r\n<c>@d', "h")) == "sip:a%20%22b%22%0D%0A%3Cc%3E%40d@h"


class TestHeaderValues:
    def test_addresses_with_and_without_brackets(self) -> None:
        assert NameAddr.parse("sip:a@h;tag=7").tag == "7"
        assert NameAddr.parse("<sip:a@h;lr>;tag=7") == NameAddr("sip:a@h;lr", params=(("tag", "7"),))
        assert NameAddr.parse('"a, <b>;c" <sip:x@h>').display == "a, <b>;c"
        assert str(NameAddr("sip:a@h").with_tag("1").with_tag("2")) == "<sip:a@h>;tag=2"

    @pytest.mark.parametrize("text", ["", "<>", "<sip:a@h", '"a <sip:a@h>', '"a"'])
    def test_broken_addresses(self, text: str) -> None:
        with pytest.raises(SipSyntaxError):
            NameAddr.parse(text)

    def test_via_is_answered_where_it_came_from(self) -> None:
        via = Via.parse("SIP/2.0/UDP 10.0.0.1:5080;branch=z9hG4bK1;rport;received=203.0.113.1")
        assert via.seen_from(("198.51.100.1", 4000)).reply_address == ("198.51.100.1", 4000)
        plain = Via.parse("SIP/2.0/udp 10.0.0.1:5080;branch=z9hG4bK1")
        assert plain.seen_from(("198.51.100.1", 4000)).reply_address == ("198.51.100.1", 5080)

    def test_reasons(self) -> None:
        assert Reason.parse_all(
            ['Q.850;cause=16;text="a, b", sip ;cause=200', "nonsense", "X;cause=abc"]
        ) == [
            Reason("Q.850", 16, "a, b"),
            Reason("SIP", 200),
        ]

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_quoting(self, text: str) -> None:
        assert unquote(quoted(text)) == text
