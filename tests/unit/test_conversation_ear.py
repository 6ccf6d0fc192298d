"""The ear: what it remembers, and when it tells that the person speaks."""

import numpy as np
import pytest

from ringback.conversation.ear import MEMORY_S, PRE_ROLL_S, Ear
from ringback.media.activity import SpeechStarted, SpeechStopped
from ringback.media.frame import FRAME_SAMPLES, SAMPLE_RATE

PRE_ROLL = int(PRE_ROLL_S * SAMPLE_RATE)


class Windows:
    """A voice stream whose windows a test completes by hand."""

    def __init__(self):
        self.ready, self.closed = [], False

    def push(self, frame):
        pass

    def take(self):
        ready, self.ready = self.ready, []
        return ready

    def close(self):
        self.closed = True


@pytest.fixture
def windows():
    return Windows()


@pytest.fixture
def changes():
    return []


@pytest.fixture
def ear(windows, changes):
    return Ear(windows, 32, lambda change, ago_s: changes.append((change, ago_s)))


def hear(ear, frames, start=0):
    """Frames whose samples count up from `start` (modulo 30,000), so that each tells its place."""
    numbers = (np.arange(start, start + frames * FRAME_SAMPLES) % 30_000).astype(np.int16)
    for frame in numbers.reshape(-1, FRAME_SAMPLES):
        ear.push(frame)


@pytest.mark.parametrize("frames", [1, 40, 1499, 1500, 1501, 1510, 3007])
@pytest.mark.parametrize("seconds", [0.0, 0.05, 2.0, 29.7, 60.0])
def test_the_last_seconds_are_what_was_heard_last(ear, frames, seconds):
    hear(ear, frames)
    heard = ear.last(seconds)
    position = frames * FRAME_SAMPLES
    count = min(int(seconds * SAMPLE_RATE) + PRE_ROLL, position, MEMORY_S * SAMPLE_RATE)
    expected = np.arange(position - count, position) % 30_000
    np.testing.assert_array_equal(heard, expected)


def test_what_was_given_out_does_not_change_with_what_is_heard_next(ear):
    hear(ear, 100)
    heard = ear.last(1.0)
    kept = heard.copy()
    hear(ear, 1500, start=7)
    np.testing.assert_array_equal(heard, kept)


def test_speech_is_told_when_its_windows_are_taken_and_dated_back(ear, windows, changes):
    hear(ear, 8)
    windows.ready = [0.1, 0.9, 0.9]
    assert changes == []
    assert ear.take() == []
    assert changes == [(SpeechStarted(32), pytest.approx(0.128))]
    hear(ear, 12)
    windows.ready = [0.1] * 6
    ear.take()
    assert changes[1:] == [(SpeechStopped(96), pytest.approx(0.304))]


def test_closing_gives_the_stream_back(ear, windows):
    ear.close()
    assert windows.closed
