"""The jitter buffer on a simulated network: packets with their delays, a pop every 20 ms."""

import heapq
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.media.frame import FRAME_SAMPLES, SILENCE
from ringback.media.jitter_buffer import MAX_DEPTH, JitterBuffer

LOUD = 10_000
"""Sample 1 of every frame sent; sample 0 is its number."""


def numbered(index, samples=FRAME_SAMPLES):
    frame = np.zeros(samples, np.int16)
    frame[:2] = index, LOUD
    return frame


def number_of(frame):
    """None for silence, and for a frame that is missing."""
    return int(frame[0]) if frame is not None and frame[1] == LOUD else None


def run(delays, *, first_timestamp=0, tail=60, phase=0.01):
    """Send frame i at 20 ms x i, to arrive `delays[i]` seconds later (None: lost); return what was played."""
    buffer = JitterBuffer()
    arrivals = [(0.02 * i + delay, i) for i, delay in enumerate(delays) if delay is not None]
    heapq.heapify(arrivals)
    played = []
    for tick in range(len(delays) + tail):
        now = 0.02 * tick + phase
        while arrivals and arrivals[0][0] <= now:
            at, i = heapq.heappop(arrivals)
            buffer.push((first_timestamp + FRAME_SAMPLES * i) % 2**32, numbered(i), at)
        played.append(number_of(buffer.pop(now)))
    return buffer, played


def heard(played):
    return [number for number in played if number is not None]


def test_an_even_stream_is_played_whole_two_frames_late():
    buffer, played = run([0.0] * 90)
    assert played[:93] == [None, None, *range(90), None]
    assert buffer.late == 0


@pytest.mark.parametrize("first", [2**32 - 800, 2**31 - 800])
def test_timestamps_wrap(first):
    _, played = run([0.0] * 20, first_timestamp=first)
    assert heard(played) == list(range(20))


def test_a_lost_frame_is_missing_and_its_place_kept():
    buffer = JitterBuffer()
    for index in (0, 3):
        buffer.push(index * FRAME_SAMPLES, numbered(1 + index), 0.0)
    frames = [buffer.pop(0.02 * i) for i in range(6)]
    assert [number_of(frame) for frame in frames] == [None, None, 1, None, None, 4]
    assert frames[3:5] == [None, None]
    assert buffer.concealed == 2


def test_reordered_frames_are_played_in_order():
    _, played = run([0.035 if i % 5 == 0 else 0.0 for i in range(100)])
    assert heard(played) == list(range(100))


def test_a_late_frame_is_waited_for_when_nothing_newer_was_played():
    delays = [0.0] * 20 + [0.2] + [0.2 - 0.02 * i for i in range(1, 10)] + [0.0] * 50
    buffer, played = run(delays)
    assert heard(played) == list(range(80))
    assert buffer.late == 0


def test_a_late_frame_after_its_turn_is_dropped_and_counted():
    buffer, played = run([0.0] * 20 + [0.3] + [0.0] * 50)
    assert heard(played) == [i for i in range(71) if i != 20]
    assert buffer.late == 1


def test_the_delay_grows_with_jitter_and_shrinks_without():
    source = random.Random(3)
    _, played = run([source.uniform(0, 0.1) for _ in range(500)] + [0.0] * 500, tail=0)
    rough, even = played[400:500], played[-1]
    assert rough.count(None) <= 1
    assert {tick - number for tick, number in enumerate(rough, 400) if number is not None} == {5}
    assert 999 - even == 0


@pytest.mark.parametrize(("phase", "late"), [(0.009, 0), (0.007, 1)])
def test_without_jitter_a_frame_waits_for_the_tick_that_it_reaches_safely(phase, late):
    _, played = run([0.0] * 300, tail=0, phase=phase)
    assert 299 - played[-1] == late


def test_a_delay_that_jitter_needs_is_kept():
    source = random.Random(5)
    _, played = run([0.0] * 200 + [source.uniform(0, 0.012) for _ in range(2000)], tail=0)
    assert played[300:].count(None) <= 1


def test_a_fast_sender_does_not_grow_the_delay():
    """Its clock runs 1 % ahead: a frame must be skipped now and then."""
    buffer, played = run([-0.0002 * i for i in range(2000)], tail=0)
    assert buffer.depth <= 4
    assert len(heard(played)) > 1950


def test_a_slow_sender_is_waited_for():
    buffer, played = run([0.0002 * i for i in range(2000)], tail=40)
    assert len(heard(played)) >= 1999, "but for the frame of delay that was too much in the beginning"
    assert heard(played)[-1] == 1999
    assert buffer.late == 0


def test_a_burst_after_a_freeze_is_bounded():
    delays = [0.0] * 50 + [0.6 - 0.02 * i for i in range(30)] + [0.0] * 200
    buffer, played = run(delays, tail=0)
    assert buffer.depth <= MAX_DEPTH + 1
    assert heard(played)[-100:] == sorted(heard(played)[-100:])
    assert heard(played)[-1] > 270


@pytest.mark.parametrize("jump", [8000 * 60, -8000 * 60, 2**31])
def test_a_jump_of_the_timestamps_starts_anew(jump):
    buffer = JitterBuffer()
    played = []
    for i in range(40):
        buffer.push((i * FRAME_SAMPLES + (jump if i >= 20 else 0)) % 2**32, numbered(i), 0.02 * i)
        played.append(number_of(buffer.pop(0.02 * i)))
    assert 39 - heard(played)[-1] <= 2


def test_a_hold_whose_time_did_not_go_on_is_survived():
    buffer = JitterBuffer()
    played = []
    for i in range(40):
        buffer.push(i * FRAME_SAMPLES, numbered(i), 0.02 * i)
        played.append(number_of(buffer.pop(0.02 * i)))
        if i == 20:
            played += [number_of(buffer.pop(0.02 * i)) for _ in range(30)]
    assert heard(played) == list(range(len(heard(played))))
    assert len(heard(played)) >= 37


@pytest.mark.parametrize("length", [80, 240, 320, 480, 100])
def test_packets_of_any_length_are_cut_into_frames(length):
    signal = np.arange(1, 4801, dtype=np.int16)
    buffer = JitterBuffer()
    played, sent = [], 0
    for tick in range(40):
        while sent < len(signal) and sent <= (tick + 1) * FRAME_SAMPLES:
            buffer.push(sent, signal[sent : sent + length], sent / 8000)
            sent += length
        frame = buffer.pop(0.02 * tick)
        played.append(SILENCE if frame is None else frame)
    audio = np.concatenate(played)
    assert np.array_equal(audio[audio != 0][: len(signal)], signal)


def test_before_the_first_packet_there_is_silence():
    buffer = JitterBuffer()
    assert buffer.pop(0.0) is SILENCE
    assert buffer.depth == 0
    assert buffer.concealed == 0


def test_interarrival_jitter_is_measured():
    buffer, _ = run([0.0] * 200, tail=0)
    assert buffer.jitter_ms == pytest.approx(0.0, abs=0.01)
    buffer, _ = run([0.0, 0.01] * 300, tail=0)
    assert buffer.jitter_ms == pytest.approx(10.0, abs=0.5)


@given(
    st.lists(st.none() | st.floats(0, 0.4), min_size=1, max_size=150),
    st.integers(0, 2**32 - 1),
)
def test_whatever_the_network_does(delays, first_timestamp):
    buffer, played = run(delays, first_timestamp=first_timestamp)
    numbers = heard(played)
    assert numbers == sorted(set(numbers)), "played twice or out of order"
    assert len(numbers) + buffer.late <= sum(delay is not None for delay in delays)
    assert buffer.depth <= MAX_DEPTH + 1


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 1600)), max_size=60))
def test_any_timestamps_and_lengths_stay_bounded(packets):
    buffer = JitterBuffer()
    for timestamp, length in packets:
        buffer.push(timestamp, np.ones(length, np.int16), 0.0)
        frame = buffer.pop(0.0)
        assert frame is None or len(frame) == FRAME_SAMPLES
        assert len(buffer._frames) <= 120
