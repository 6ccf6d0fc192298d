"""A sound in the silence after speech, by its level alone."""

from __future__ import annotations

import numpy as np
import pytest

from ringback.media.frame import FRAME_SAMPLES, Frame, Samples
from ringback.media.sound_watch import SPEECH_FRAMES, SoundWatch, rises

SPEECH_DB = 70.0


def hiss(frames: int, decibels: float, seed: int = 0) -> Samples:
    """White noise of a level in dB (int16 units)."""
    loud = 10 ** (decibels / 20) * np.random.default_rng(seed).standard_normal(frames * FRAME_SAMPLES)
    return np.rint(loud).astype(np.int16)


def frame(decibels: float) -> Frame:
    return hiss(1, decibels, seed=7)


def after_speech(line_db: float, speech_db: float = SPEECH_DB) -> SoundWatch:
    return SoundWatch(np.concatenate([hiss(80, line_db), hiss(50, speech_db, 1), hiss(10, line_db, 2)]))


@pytest.mark.parametrize("line_db", [0.0, 30.0, 40.0])
def test_the_person_who_goes_on_softly(line_db: float) -> None:
    watch = after_speech(line_db)
    assert watch.hears(frame(SPEECH_DB - 15))
    assert not watch.hears(frame(SPEECH_DB - 25)), "far below the person's level"
    assert not watch.hears(frame(line_db))


def test_over_a_loud_line_a_sound_must_stand_out() -> None:
    watch = after_speech(line_db=60.0)
    assert not watch.hears(frame(65.0))
    assert watch.hears(frame(72.0))


def test_it_follows_the_level_of_this_person() -> None:
    assert after_speech(20.0, speech_db=50.0).hears(frame(40.0))
    assert not after_speech(20.0, speech_db=80.0).hears(frame(40.0))


def test_it_needs_no_more_than_a_frame_of_the_past_and_takes_digital_silence() -> None:
    quiet = np.zeros(FRAME_SAMPLES, dtype=np.int16)
    assert SoundWatch(quiet).hears(frame(SPEECH_DB))
    assert not SoundWatch(quiet).hears(quiet)


def test_what_was_long_ago_does_not_count() -> None:
    past = np.concatenate([hiss(100, 90.0), hiss(SPEECH_FRAMES - 10, 55.0), hiss(10, 20.0)])
    assert SoundWatch(past).hears(frame(45.0))


@pytest.mark.parametrize(
    ("frames", "louder_db", "so"), [(10, 12, True), (3, 12, True), (10, 4, False), (0, 0, False)]
)
def test_somebody_who_begins_to_speak_over_a_noise(frames: int, louder_db: float, so: bool) -> None:
    noise = hiss(45, 50.0)
    assert rises(np.concatenate([noise, hiss(frames, 50.0 + louder_db, 1)])) is so


def test_who_has_begun_to_speak_a_while_ago_is_louder_than_the_beginning() -> None:
    assert rises(np.concatenate([hiss(45, 50.0), hiss(60, 62.0, 1)]))


def test_whoever_goes_on_as_loud_as_before_does_not_rise() -> None:
    assert not rises(np.concatenate([hiss(10, 40.0), hiss(50, 60.0, 1)]))
    assert not rises(hiss(20, 60.0)), "too short to tell"
