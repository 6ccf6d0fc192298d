"""The agent's voice: what is queued, what was played, what was cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ringback.media.frame import FRAME_SAMPLES, SILENCE
from ringback.media.playout import Finished, Flushed, Playout, PlayoutFullError, Started

FADE = 40


def make(**options):
    events = []
    return Playout(events.append, **options), events


def tone(samples, level=8000):
    return np.full(samples, level, np.int16)


def test_silence_when_there_is_nothing_to_say():
    playout, events = make()
    assert playout.next_frame() is SILENCE
    assert playout.idle
    assert events == []


def test_an_utterance_is_played_sample_by_sample():
    playout, events = make()
    audio = np.arange(1, 1001, dtype=np.int16)
    playout.append("a", audio[:300])
    playout.append("a", audio[300:])
    playout.finish("a")
    played = np.concatenate([playout.next_frame() for _ in range(8)])
    assert np.array_equal(played[:1000], audio)
    assert not played[1000:].any()
    assert events == [Started("a"), Finished("a", 125)]


def test_started_is_told_with_the_first_frame_and_finished_with_the_last():
    playout, events = make()
    playout.append("a", tone(2 * FRAME_SAMPLES))
    playout.finish("a")
    assert events == []
    playout.next_frame()
    assert events == [Started("a")]
    playout.next_frame()
    assert events == [Started("a"), Finished("a", 40)]


def test_utterances_follow_each_other_without_a_gap():
    playout, events = make()
    playout.append("a", tone(200, 1))
    playout.append("b", tone(120, 2))
    playout.append("a", tone(40, 3))
    playout.finish("a")
    playout.finish("b")
    played = np.concatenate([playout.next_frame(), playout.next_frame(), playout.next_frame()])
    assert played[:360].tolist() == [1] * 200 + [3] * 40 + [2] * 120
    assert events == [Started("a"), Finished("a", 30), Started("b"), Finished("b", 15)]


def test_an_utterance_without_audio_finishes_too():
    playout, events = make()
    playout.finish("a")
    playout.next_frame()
    assert events == [Finished("a", 0)]
    assert playout.idle


def test_a_pause_fades_within_five_milliseconds_and_keeps_the_place():
    playout, _ = make()
    ramp = np.arange(10_000, 12_000, dtype=np.int16)
    playout.append("a", ramp)
    playout.next_frame()
    playout.pause()
    faded = playout.next_frame()
    assert faded[0] == ramp[160]
    assert np.all(np.diff(faded[:FADE].astype(int)) < 0)
    assert not faded[FADE:].any()
    assert playout.next_frame() is SILENCE
    assert playout.played_ms("a") == 25
    playout.resume()
    back = playout.next_frame()
    assert back[0] == 0
    assert np.array_equal(back[FADE:], ramp[200 + FADE : 360])
    assert np.array_equal(playout.next_frame(), ramp[360:520])


def test_a_flush_says_what_was_played_and_drops_the_rest():
    playout, events = make()
    playout.append("a", tone(8000))
    playout.append("b", tone(8000))
    for _ in range(5):
        playout.next_frame()
    assert playout.flush() == Flushed("a", 105)
    assert playout.next_frame()[:FADE].any()
    assert playout.next_frame() is SILENCE
    assert playout.idle
    assert (playout.played_ms("a"), playout.played_ms("b")) == (105, 0)
    assert events == [Started("a")]


def test_a_flush_ends_a_pause_and_late_audio_of_the_flushed_is_dropped():
    playout, events = make()
    playout.append("a", tone(8000))
    playout.next_frame()
    playout.pause()
    assert playout.flush() == Flushed("a", 25)
    playout.append("a", tone(8000))
    playout.finish("a")
    playout.append("b", tone(FRAME_SAMPLES, 5))
    playout.next_frame()
    assert playout.next_frame().tolist() == [5] * FRAME_SAMPLES
    assert events == [Started("a"), Started("b")]


def test_flush_of_nothing_is_none():
    assert make()[0].flush() is None


def test_an_utterance_flushed_before_it_began_was_not_played():
    playout, _ = make()
    playout.append("a", tone(800))
    assert playout.flush() == Flushed("a", 0)
    assert playout.next_frame() is SILENCE


def test_running_dry_waits_for_the_buffer_to_fill_again():
    playout, events = make(prebuffer_ms=60)
    playout.append("a", tone(320))
    assert playout.next_frame() is SILENCE
    playout.append("a", tone(200))
    frames = [playout.next_frame() for _ in range(4)]
    assert frames[0].all()
    assert frames[3][0] == 8000
    assert frames[3][39] == 0
    assert playout.underruns == 1
    playout.append("a", tone(320))
    assert playout.next_frame() is SILENCE
    playout.finish("a")
    assert playout.next_frame()[0] == 0
    assert playout.next_frame()[159] == 8000
    assert events == [Started("a"), Finished("a", 105)]


def test_pieces_that_come_just_in_time_are_no_underrun():
    playout, _ = make()
    for _ in range(10):
        playout.append("a", tone(FRAME_SAMPLES))
        assert playout.next_frame().tolist() == [8000] * FRAME_SAMPLES
    assert playout.underruns == 0


def test_the_queue_is_bounded():
    playout, _ = make(capacity_s=1.0)
    playout.append("a", tone(8000))
    with pytest.raises(PlayoutFullError, match="more than 1 s"):
        playout.append("a", tone(1))
    playout.next_frame()
    playout.append("a", tone(FRAME_SAMPLES))
    assert playout.buffered_ms == 1000


def test_a_murmur_plays_where_nothing_else_does():
    playout, events = make()
    assert playout.murmur(tone(200, 5))
    assert not playout.murmur(tone(200, 6)), "one at a time"
    assert playout.idle
    assert playout.next_frame().tolist() == [5] * FRAME_SAMPLES
    assert playout.next_frame().tolist() == [5] * 40 + [0] * 120
    assert playout.next_frame() is SILENCE
    playout.append("a", tone(1))
    assert not playout.murmur(tone(200, 6))
    assert events == []


@pytest.mark.parametrize("gives_way_to", ["append", "pause", "flush"])
@pytest.mark.parametrize("begun", [False, True])
def test_a_murmur_gives_way(gives_way_to, begun):
    playout, _ = make(prebuffer_ms=40)
    playout.murmur(tone(800))
    if begun:
        playout.next_frame()
    if gives_way_to == "append":
        playout.append("a", tone(10, 1))  # that alone does not play yet
    else:
        getattr(playout, gives_way_to)()
    frame = playout.next_frame()
    if begun:
        assert np.all(np.diff(frame[:FADE].astype(int)) < 0)
    assert not frame[FADE if begun else 0 :].any()
    playout.resume()
    assert playout.next_frame() is SILENCE


def test_there_is_no_murmur_in_a_pause():
    playout, _ = make()
    playout.pause()
    assert not playout.murmur(tone(200))
    playout.resume()
    assert playout.next_frame() is SILENCE


def test_the_end_of_an_utterance_is_told_to_who_watches():
    playout, _ = make()
    ended = []
    playout.watch(ended.append)
    playout.append("a", tone(FRAME_SAMPLES))
    playout.append("b", tone(FRAME_SAMPLES))
    playout.finish("a")
    playout.next_frame()
    assert ended == ["a"]
    playout.flush()
    assert ended == ["a"]


class PlayoutMachine(RuleBasedStateMachine):
    """Whatever the order of calls: nothing is played that was not appended, and every utterance adds up."""

    def __init__(self):
        super().__init__()
        self.events = []
        self.playout = Playout(self.events.append, prebuffer_ms=40)
        self.appended = {}
        self.finished = set()
        self.flushed = {}
        self.next_id = 0

    @rule(samples=st.integers(1, 700))
    def begin(self, samples):
        self.next_id += 1
        self.appended[f"u{self.next_id}"] = 0
        self.append(samples)

    @precondition(lambda self: self.next_id)
    @rule(samples=st.integers(0, 700))
    def append(self, samples):
        name = f"u{self.next_id}"
        self.playout.append(name, tone(samples))
        if name not in self.finished and not self.was_flushed(name):
            self.appended[name] += samples

    @precondition(lambda self: self.next_id)
    @rule()
    def finish(self):
        self.playout.finish(f"u{self.next_id}")
        self.finished.add(f"u{self.next_id}")

    @rule()
    def pause(self):
        self.playout.pause()

    @rule()
    def resume(self):
        self.playout.resume()

    @rule()
    def flush(self):
        flushed = self.playout.flush()
        if flushed:
            assert flushed.played_ms == self.playout.played_ms(flushed.utterance_id)
        self.flushed |= {name: self.playout.played_ms(name) for name in self.appended if not self.ended(name)}
        assert self.playout.idle
        assert not self.playout.paused

    @rule(samples=st.integers(1, 700))
    def murmur(self, samples):
        assert not (
            self.playout.murmur(tone(samples, 9000)) and (self.playout.paused or not self.playout.idle)
        )

    @rule(ticks=st.integers(1, 8))
    def play(self, ticks):
        paused = self.playout.paused
        busy = not self.playout.idle
        frames = [self.playout.next_frame() for _ in range(ticks)]
        assert not (busy and (frames[0][FADE:] > 8000).any()), "an utterance and a murmur at a time"
        assert all(frame.shape == (FRAME_SAMPLES,) and frame.dtype == np.int16 for frame in frames)
        if paused:
            assert not frames[0][FADE:].any()
            assert not any(frame.any() for frame in frames[1:])

    def was_flushed(self, name):
        return name in self.flushed

    def ended(self, name):
        return name in self.flushed or any(
            isinstance(event, Finished) and event.utterance_id == name for event in self.events
        )

    @invariant()
    def played_never_exceeds_appended(self):
        for name, samples in self.appended.items():
            assert 0 <= self.playout.played_ms(name) <= samples // 8

    @invariant()
    def a_flushed_utterance_never_plays_again(self):
        for name, played_ms in self.flushed.items():
            assert self.playout.played_ms(name) == played_ms

    @invariant()
    def events_tell_the_truth(self):
        assert len(self.events) == len(set(self.events))
        for event in self.events:
            if isinstance(event, Finished):
                assert event.utterance_id not in self.flushed
                assert event.played_ms == self.appended[event.utterance_id] // 8


TestPlayoutMachine = PlayoutMachine.TestCase


@given(st.lists(st.integers(1, 900), min_size=1, max_size=20), st.integers(0, 100))
def test_every_sample_is_played_once_in_order_however_it_is_cut(lengths, prebuffer_ms):
    playout, events = make(prebuffer_ms=prebuffer_ms)
    audio = np.arange(1, sum(lengths) + 1, dtype=np.int16)
    start = 0
    for length in lengths:
        playout.append("a", audio[start : start + length])
        start += length
    playout.finish("a")
    played = np.concatenate([playout.next_frame() for _ in range(len(audio) // FRAME_SAMPLES + 1)])
    assert np.array_equal(played[: len(audio)], audio)
    assert events[-1] == Finished("a", len(audio) // 8)
