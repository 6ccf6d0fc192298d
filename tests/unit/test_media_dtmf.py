"""Keys over RFC 4733: each once, with its length, whatever is lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.media.dtmf import KEYS, DtmfError, DtmfReceiver, TelephoneEvent
from ringback.media.leg import Digit


def press(key, timestamp, duration_ms=100, ends=3):
    """The packets of one key as RFC 4733 section 2.5 sends them: an update every 20 ms, three end packets."""
    event = KEYS.index(key)
    updates = [TelephoneEvent(event, False, 10, 8 * ms) for ms in range(20, duration_ms, 20)]
    end = [TelephoneEvent(event, True, 10, 8 * duration_ms)] * ends
    return [(timestamp, packet.serialize()) for packet in updates + end]


def receive(packets):
    digits = []
    receiver = DtmfReceiver(digits.append)
    now = 0.0
    for timestamp, payload in packets:
        receiver.receive(timestamp % 2**32, payload, now)
        now += 0.02
        receiver.poll(now)
    return digits, receiver, now


def test_every_key_is_reported_once_with_its_length():
    packets = [packet for index, key in enumerate(KEYS) for packet in press(key, index * 1600)]
    digits, _, _ = receive(packets)
    assert digits == [Digit(key, 100) for key in KEYS]


def test_the_same_key_twice_is_two_keys():
    digits, _, _ = receive(press("5", 0) + press("5", 1600))
    assert digits == [Digit("5", 100)] * 2


def test_with_all_end_packets_lost_the_next_key_ends_it():
    digits, _, _ = receive(press("1", 0, ends=0) + press("2", 1600))
    assert digits == [Digit("1", 80), Digit("2", 100)]


def test_with_all_end_packets_lost_silence_ends_it():
    digits, receiver, now = receive(press("1", 0, ends=0))
    receiver.poll(now + 0.4)
    assert digits == []
    receiver.poll(now + 0.6)
    receiver.poll(now + 5)
    assert digits == [Digit("1", 80)]


def test_an_end_packet_after_the_timeout_is_not_another_key():
    digits, receiver, now = receive(press("1", 0, ends=0))
    receiver.poll(now + 1)
    receiver.receive(0, TelephoneEvent(1, True, 10, 800).serialize(), now + 1)
    assert digits == [Digit("1", 80)]


def test_only_end_packets_arrive():
    digits, _, _ = receive(press("#", 800)[-2:])
    assert digits == [Digit("#", 100)]


def test_a_late_packet_of_the_key_before_is_ignored():
    one, two = press("1", 0), press("2", 1600)
    digits, _, _ = receive([*one, two[0], one[-1], *two[1:]])
    assert digits == [Digit("1", 100), Digit("2", 100)]


def test_timestamps_wrap():
    digits, _, _ = receive(press("1", 2**32 - 800) + press("2", 2**32 + 800))
    assert digits == [Digit("1", 100), Digit("2", 100)]


def test_a_key_held_longer_than_a_segment_is_one_key():
    first = [(1000, TelephoneEvent(7, False, 10, 0xFFFF).serialize())]
    second = [(1000 + 0xFFFF, TelephoneEvent(7, end, 10, 800).serialize()) for end in (False, True)]
    digits, _, _ = receive(first + second)
    assert digits == [Digit("7", (0xFFFF + 800) * 1000 // 8000)]


def test_other_events_and_short_payloads_are_ignored():
    flash = TelephoneEvent(16, True, 10, 800).serialize()
    digits, _, _ = receive([(0, flash), (0, b"\x01\x80\x00"), (0, b"")])
    assert digits == []


def test_another_source_finishes_the_key_and_starts_anew():
    digits, receiver, now = receive(press("1", 2**31, ends=0))
    receiver.reset()
    for timestamp, payload in press("2", 0):
        receiver.receive(timestamp, payload, now)
    assert digits == [Digit("1", 80), Digit("2", 100)]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=8),
    st.integers(0, 2**32 - 1),
    st.data(),
)
def test_loss_and_doubling_never_double_or_invent_a_key(keys, start, data):
    """A key of which one packet arrives is reported exactly once, in order."""
    packets, expected = [], []
    for index, key in enumerate(keys):
        sent = press(key, start + index * 1600)
        kept = [packet for packet in sent for _ in range(data.draw(st.integers(0, 2)))]
        packets += kept
        expected += [key] if kept else []
    digits, receiver, now = receive(packets)
    receiver.poll(now + 1)
    assert [digit.key for digit in digits] == expected
    assert all(20 <= digit.duration_ms <= 100 for digit in digits)


@given(st.binary(max_size=8))
def test_a_payload_is_an_event_or_a_dtmf_error(payload):
    if len(payload) < 4:
        with pytest.raises(DtmfError):
            TelephoneEvent.parse(payload)
    else:
        event = TelephoneEvent.parse(payload)
        assert event.serialize()[0] == payload[0]
        assert event.duration == int.from_bytes(payload[2:4], "big")
        assert event.end == bool(payload[1] & 0x80)
