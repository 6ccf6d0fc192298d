"""RTP packets: round trips, the layout of the RFC, and a broken twin for every good packet."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.media.rtp import HeaderExtension, RtpError, RtpPacket

# Written out by hand from RFC 3550 section 5.1 and 5.3.1: padding, extension, two CSRCs, marker, type 101.
EVERYTHING = bytes.fromhex(
    "b2 e5 0102 00000010 deadbeef"  # version 2, P, X, CC 2 | M, 101 | sequence | timestamp | SSRC
    "00000001 00000002"  # CSRC list
    "bede 0001 10aa0000"  # extension of one word
    "0a0b0c"  # payload
    "0003 03"  # padding of three octets
)

uint32 = st.integers(0, 2**32 - 1)
packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence_number=st.integers(0, 2**16 - 1),
    timestamp=uint32,
    ssrc=uint32,
    payload=st.binary(max_size=400),
    marker=st.booleans(),
    csrc=st.lists(uint32, max_size=15).map(tuple),
    extension=st.none()
    | st.builds(
        HeaderExtension, st.integers(0, 2**16 - 1), st.binary(max_size=10).map(lambda data: data * 4)
    ),
    padding=st.integers(0, 255),
)


@given(packets)
def test_what_is_written_is_read_back(packet):
    assert RtpPacket.parse(packet.serialize()) == packet


@given(st.binary(max_size=100))
def test_any_bytes_are_a_packet_or_an_rtp_error(data):
    try:
        packet = RtpPacket.parse(data)
    except RtpError:
        return
    assert len(packet.payload) <= len(data) - 12


@given(packets, st.data())
def test_a_packet_cut_short_never_raises_anything_else(packet, data):
    wire = packet.serialize()
    cut = wire[: data.draw(st.integers(0, len(wire)))]
    with contextlib.suppress(RtpError):
        assert len(RtpPacket.parse(cut).payload) <= len(packet.payload) + packet.padding


def test_the_layout_on_the_wire():
    packet = RtpPacket.parse(EVERYTHING)
    assert packet == RtpPacket(
        payload_type=101,
        sequence_number=0x0102,
        timestamp=16,
        ssrc=0xDEADBEEF,
        payload=b"\x0a\x0b\x0c",
        marker=True,
        csrc=(1, 2),
        extension=HeaderExtension(0xBEDE, b"\x10\xaa\x00\x00"),
        padding=3,
    )


def test_a_plain_packet_is_twelve_octets_and_its_payload():
    wire = RtpPacket(0, 1, 160, 7, b"\xff\xff").serialize()
    assert wire == bytes.fromhex("80 00 0001 000000a0 00000007 ffff")


@pytest.mark.parametrize(
    ("twin", "complaint"),
    [
        (EVERYTHING[:11], "shorter than an RTP header"),
        (b"\x72" + EVERYTHING[1:], "version 1"),
        (EVERYTHING[:16], "CSRC list is cut off"),
        (EVERYTHING[:22], "extension is cut off"),
        (EVERYTHING[:22] + b"\xff\xff" + EVERYTHING[24:], "longer than the packet"),
        (EVERYTHING[:-1] + b"\x00", "padding of 0"),
        (EVERYTHING[:-1] + b"\x08", "padding of 8"),
    ],
)
def test_broken_twins_say_what_is_broken(twin, complaint):
    with pytest.raises(RtpError, match=complaint):
        RtpPacket.parse(twin)


@pytest.mark.parametrize(
    "fields",
    [
        {"payload_type": 128},
        {"sequence_number": 65536},
        {"timestamp": -1},
        {"ssrc": 2**32},
        {"csrc": (0,) * 16},
        {"csrc": (-1,)},
        {"padding": 256},
        {"extension": HeaderExtension(0, b"abc")},
    ],
)
def test_a_field_that_does_not_fit_is_refused(fields):
    good = {"payload_type": 0, "sequence_number": 0, "timestamp": 0, "ssrc": 0, "payload": b""}
    with pytest.raises(RtpError):
        RtpPacket(**good | fields).serialize()
