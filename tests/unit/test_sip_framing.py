"""Messages out of a stream, however it is cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.telephony.sip.framing import PING, Framer, content_length
from ringback.telephony.sip.message import MAX_MESSAGE

BODY = b"v=0\r\n\r\nOPTIONS sip:b@h SIP/2.0\r\n\r\n"
"""A body that looks like messages."""
WITH_BODY = b"INVITE sip:b@h SIP/2.0\r\nContent-Length: %d\r\nVia: x\r\n\r\n" % len(BODY) + BODY
COMPACT = b"BYE sip:b@h SIP/2.0\r\nl:0\r\n\r\n"
FOLDED = b"BYE sip:b@h SIP/2.0\nContent-Length\t:\n 3\n\nabc"
ANSWER = b"SIP/2.0 200 OK\r\nCONTENT-LENGTH : 0\r\n\r\n"
STREAM = PING + WITH_BODY + b"\r\n" + COMPACT + PING + PING + FOLDED + ANSWER
MESSAGES = [PING, WITH_BODY, COMPACT, PING, PING, FOLDED, ANSWER]


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_messages_come_whole_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    framer, found, edges = Framer(), [], [0, *sorted(cuts), len(STREAM)]
    for start, end in itertools.pairwise(edges):
        found += framer.feed(STREAM[start:end])
    assert found == MESSAGES
    assert not framer.broken
    assert not framer.partial


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_rubbish_is_bounded(pieces: list[bytes]) -> None:
    framer = Framer()
    for piece in pieces:
        for message in framer.feed(piece):
            assert len(message) <= MAX_MESSAGE + 200


@pytest.mark.parametrize(
    "head",
    [
        b"OPTIONS sip:b@h SIP/2.0\r\nVia: x\r\n\r\n",
        b"OPTIONS sip:b@h SIP/2.0\r\nContent-Length: -4\r\n\r\n",
        b"OPTIONS sip:b@h SIP/2.0\r\nContent-Length: 1e3\r\n\r\n",
        b"OPTIONS sip:b@h SIP/2.0\r\nContent-Length: 5\r\nl: 6\r\n\r\n",
        b"OPTIONS sip:b@h SIP/2.0\r\nContent-Length: 99999\r\n\r\n",
    ],
)
def test_without_a_sound_length_the_head_is_the_last_message(head: bytes) -> None:
    framer = Framer()
    assert framer.feed(COMPACT + head + COMPACT) == [COMPACT, head]
    assert framer.broken
    assert framer.feed(COMPACT) == []


def test_an_endless_head_is_given_up() -> None:
    framer = Framer()
    for _ in range(MAX_MESSAGE // 1000):
        assert framer.feed(b"A" * 1000) == []
    (taken,) = framer.feed(b"A" * 1000)
    assert framer.broken
    assert len(taken) <= MAX_MESSAGE + 1000


def test_what_is_read_of_a_head() -> None:
    assert content_length(b"X\r\nContent-Length: 12\r\nContent-Length:12\r\n\r\n") == 12
    assert content_length(b"X\r\nX-Content-Length: 12\r\n\r\n") is None
    assert content_length(b"X\r\nContent-Length: 12345678\r\n\r\n") is None
    assert content_length(b"X\r\nContent-Length:\r\n\r\n") is None
