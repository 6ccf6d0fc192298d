"""Keys in session descriptions (RFC 4568), and what offer and answer make of them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.media.srtp import SrtpKey, Suite
from ringback.telephony.sip.crypto import CryptoLine, Encryption, read_lines
from ringback.telephony.sip.sdp import Media, Negotiation, SdpError, parse

OCTETS = bytes(range(30))
KEY = base64.b64encode(OCTETS).decode()
LINE = CryptoLine(1, SrtpKey(Suite.SHA1_80, OCTETS))
PEER = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"


def description(protocol: str = "RTP/AVP", *crypto: str) -> bytes:
    lines = "".join(f"a=crypto:{line}\r\n" for line in crypto)
    return f"{PEER}m=audio 4000 {protocol} 0\r\n{lines}".encode()


def negotiated(ours: Encryption, theirs: Encryption) -> tuple[Media | None, Media | None]:
    """What two of us agree on, the caller's view first; None where a side refuses."""
    caller, callee = Negotiation("192.0.2.1", 6000, ours), Negotiation("192.0.2.2", 6000, theirs)
    try:
        body, at_callee = callee.answer(caller.offer())
    except SdpError:
        return None, None
    try:
        return caller.accept(body), at_callee
    except SdpError:
        return None, at_callee


class TestLines:
    @pytest.mark.parametrize(
        "value",
        [
            f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
            f"1 aes_cm_128_hmac_sha1_80 INLINE:{KEY}|2^31",
            f"1  AES_CM_128_HMAC_SHA1_80  inline:{KEY}|1048576  WSH=64",
            f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} -KDR=3",
        ],
    )
    def test_usable(self, value: str) -> None:
        assert read_lines([value]) == (LINE,)

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "1",
            "1 AES_CM_128_HMAC_SHA1_80",
            f"x AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
            f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",
            f"1 AES_CM_128_HMAC_SHA1_80 prompt:{KEY}",
            f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4",  # an index that every packet would carry
            f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:1;inline:{KEY}|2:1",
            f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY[:-8]}",
            "1 AES_CM_128_HMAC_SHA1_80 inline:!!!!",
            f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP",
            f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNAUTHENTICATED_SRTP",
        ],
    )
    def test_left_out(self, value: str) -> None:
        assert read_lines([value]) == ()

    @given(st.lists(st.text(max_size=80), max_size=5))
    def test_rubbish_is_left_out(self, values: list[str]) -> None:
        read_lines(values)

    def test_round_trip(self) -> None:
        assert read_lines([str(LINE).removeprefix("a=crypto:")]) == (LINE,)

    def test_a_key_is_never_shown(self) -> None:
        assert repr(OCTETS) not in repr(LINE)
        assert KEY not in repr(LINE)


NONE, OPTIONAL, REQUIRED = Encryption


@pytest.mark.parametrize(
    ("ours", "theirs", "protocol", "encrypted"),
    [
        (NONE, NONE, "RTP/AVP", False),
        (NONE, OPTIONAL, "RTP/AVP", False),
        (OPTIONAL, NONE, "RTP/AVP", False),
        (OPTIONAL, OPTIONAL, "RTP/AVP", True),
        (OPTIONAL, REQUIRED, "RTP/AVP", True),
        (REQUIRED, NONE, "RTP/SAVP", True),
        (REQUIRED, OPTIONAL, "RTP/SAVP", True),
        (REQUIRED, REQUIRED, "RTP/SAVP", True),
    ],
)
def test_two_sides_agree(ours: Encryption, theirs: Encryption, protocol: str, encrypted: bool) -> None:
    caller, callee = negotiated(ours, theirs)
    assert caller is not None
    assert callee is not None
    assert caller.protocol == callee.protocol == protocol
    if not encrypted:
        assert caller.srtp is callee.srtp is None
        return
    assert caller.srtp is not None
    assert callee.srtp is not None
    assert (caller.srtp.ours, caller.srtp.theirs) == (callee.srtp.theirs, callee.srtp.ours)
    assert caller.srtp.ours.octets != caller.srtp.theirs.octets
    assert caller.srtp.ours.suite is Suite.SHA1_80


def test_plain_audio_is_refused_where_encryption_is_required() -> None:
    assert negotiated(NONE, REQUIRED) == (None, None)
    caller = Negotiation("192.0.2.1", 6000, REQUIRED)
    caller.offer()
    for answer in (description(), description("RTP/SAVP")):
        with pytest.raises(SdpError):
            caller.accept(answer)


def test_an_answer_must_take_a_line_that_was_offered() -> None:
    caller = Negotiation("192.0.2.1", 6000, REQUIRED)
    caller.offer()
    for wrong in (f"9 {Suite.SHA1_80} inline:{KEY}", f"1 {Suite.SHA1_32} inline:{KEY}"):
        with pytest.raises(SdpError):
            caller.accept(description("RTP/SAVP", wrong))
    taken = caller.accept(description("RTP/SAVP", f"2 {Suite.SHA1_32} inline:{KEY}")).srtp
    assert taken is not None
    assert (taken.ours.suite, taken.theirs.octets) == (Suite.SHA1_32, OCTETS)


def test_the_first_line_that_we_can_use_is_answered_with_its_tag() -> None:
    callee = Negotiation("192.0.2.1", 6000)
    body, media = callee.answer(
        description("RTP/SAVP", f"3 AES_256_CM_HMAC_SHA1_80 inline:{KEY}", f"7 {Suite.SHA1_32} inline:{KEY}")
    )
    (line,) = parse(body)[0].crypto
    assert (line.tag, line.key.suite) == (7, Suite.SHA1_32)
    assert media.srtp is not None
    assert media.srtp.ours == line.key


def test_secure_audio_without_a_key_for_us_is_refused() -> None:
    for lines in ((), (f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",)):
        with pytest.raises(SdpError):
            Negotiation("192.0.2.1", 6000).answer(description("RTP/SAVP", *lines))


def test_our_key_stays_when_a_call_is_negotiated_anew() -> None:
    caller, callee = Negotiation("192.0.2.1", 6000, REQUIRED), Negotiation("192.0.2.2", 6000, REQUIRED)
    first = caller.accept(callee.answer(caller.offer())[0])
    again = caller.accept(callee.answer(caller.offer())[0])
    other_way = callee.accept(caller.answer(callee.offer())[0])
    refreshed = callee.accept(caller.answer(callee.again())[0])
    assert first.srtp == again.srtp
    assert other_way.srtp is not None
    assert first.srtp is not None
    assert (other_way.srtp.ours, other_way.srtp.theirs) == (first.srtp.theirs, first.srtp.ours)
    assert refreshed.srtp == other_way.srtp
