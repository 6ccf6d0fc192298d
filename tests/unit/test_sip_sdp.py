"""Descriptions as other phones write them, and what we answer."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.media.g711 import Codec
from ringback.telephony.sip.sdp import MAX_SDP, Direction, Negotiation, SdpError, parse

OFFER = (
    b"v=0\r\no=root 1 1 IN IP4 192.0.2.7\r\ns=call\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
    b"m=audio 11000 RTP/AVP 9 8 0 96 13\r\n"
    b"a=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-16\r\n"
    b"a=sendrecv\r\na=ptime:20\r\n"
)
VIDEO = b"m=video 11002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n"


def negotiation() -> Negotiation:
    return Negotiation("192.0.2.1", 6000)


def test_our_offer() -> None:
    (stream,) = parse(negotiation().offer())
    assert (stream.host, stream.port, stream.protocol) == ("192.0.2.1", 6000, "RTP/AVP")
    assert stream.formats == ("0", "8", "101")
    assert stream.codecs == (Codec.PCMU, Codec.PCMA)
    assert (stream.event_type, stream.direction) == (101, Direction.SENDRECV)
    assert b"a=ptime:20\r\n" in negotiation().offer()


def test_answer_takes_the_first_codec_of_the_offer_that_we_speak() -> None:
    body, media = negotiation().answer(OFFER)
    assert media.remote == ("192.0.2.7", 11000)
    assert (media.codec, media.dtmf_payload_type, media.may_send) == (Codec.PCMA, 96, True)
    (ours,) = parse(body)
    assert ours.formats == ("8", "96")


def test_other_streams_are_refused_in_their_place() -> None:
    body, _ = negotiation().answer(
        VIDEO.join(OFFER.split(b"m=", 1)[:1]) + VIDEO + b"m=" + OFFER.split(b"m=", 1)[1]
    )
    video, audio = parse(body)
    assert (video.kind, video.port, audio.kind, audio.port) == ("video", 0, "audio", 6000)


def test_answer_to_our_offer() -> None:
    ours = negotiation()
    ours.offer()
    media = ours.accept(OFFER.replace(b"9 8 0 96 13", b"0"))
    assert (media.codec, media.dtmf_payload_type) == (Codec.PCMU, None)
    (again,) = parse(ours.offer())
    assert again.formats == ("0",)


@pytest.mark.parametrize(
    ("direction", "mirrored", "may_send"),
    [
        (b"sendrecv", Direction.SENDRECV, True),
        (b"sendonly", Direction.RECVONLY, False),
        (b"recvonly", Direction.SENDONLY, True),
        (b"inactive", Direction.INACTIVE, False),
    ],
)
def test_directions_are_mirrored(direction: bytes, mirrored: Direction, may_send: bool) -> None:
    body, media = negotiation().answer(OFFER.replace(b"sendrecv", direction))
    (ours,) = parse(body)
    assert ours.direction is mirrored
    assert media.may_send is may_send


def test_hold_as_rfc_2543_wrote_it() -> None:
    _, media = negotiation().answer(OFFER.replace(b"c=IN IP4 192.0.2.7", b"c=IN IP4 0.0.0.0"))
    assert (media.remote, media.may_send) == (None, False)


def test_session_level_direction_and_media_level_address() -> None:
    offer = OFFER.replace(b"t=0 0\r\n", b"t=0 0\r\na=inactive\r\n").replace(b"a=sendrecv\r\n", b"")
    offer = offer.replace(b"a=ptime", b"c=IN IP6 2001:db8::1\r\na=ptime")
    (stream,) = parse(offer)
    assert (stream.direction, stream.host) == (Direction.INACTIVE, "2001:db8::1")


def test_versions_grow() -> None:
    ours = negotiation()
    first, second = ours.offer().split()[1], ours.offer().split()[1]
    assert first.startswith(b"o=-")
    assert (first, second) == (b"o=-", b"o=-")
    assert ours.offer().split()[3] == b"3"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"v=0\r\n",
        OFFER.replace(b"9 8 0 96 13", b"9 18"),
        OFFER.replace(b"m=audio 11000", b"m=audio 0"),
        OFFER.replace(b"m=audio 11000", b"m=audio 99999"),
        OFFER.replace(b"m=audio 11000", b"m=audio x"),
        OFFER.replace(b"RTP/AVP", b"RTP/SAVP"),
        OFFER.replace(b"c=IN IP4 192.0.2.7", b"c=IN IP4 media.example"),
        OFFER.replace(b"c=IN IP4 192.0.2.7", b"c="),
        OFFER.replace(b"c=IN IP4 192.0.2.7\r\n", b""),
        OFFER.replace(b"a=rtpmap:8 PCMA/8000", b"a=rtpmap:8 G729/8000").replace(b"9 8 0", b"9 8"),
        OFFER + VIDEO * 20,
        OFFER + b"a=x\r\n" * MAX_SDP,
    ],
)
def test_what_cannot_be_agreed_on(body: bytes) -> None:
    with pytest.raises(SdpError):
        negotiation().answer(body)


@given(st.data())
def test_damage_raises_only_its_own_error(data: st.DataObject) -> None:
    damaged = bytearray(OFFER + VIDEO)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(SdpError):
        negotiation().answer(bytes(damaged))
