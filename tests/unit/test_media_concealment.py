"""What is made up where frames are missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.media.concealment import Concealment
from ringback.media.frame import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame, Samples


def voice(hertz: float, frames: int) -> list[Frame]:
    """A buzz with its overtones, as a voice has them."""
    at = np.arange(frames * FRAME_SAMPLES) / SAMPLE_RATE
    sound = sum(np.sin(2 * np.pi * hertz * n * at) / n for n in range(1, int(3000 / hertz)))
    return list((4000 * np.asarray(sound)).astype(np.int16).reshape(-1, FRAME_SAMPLES))


def played(frames: list[Frame], lost: set[int]) -> Samples:
    concealment = Concealment()
    return np.concatenate(
        [
            concealment.missing() if number in lost else concealment.heard(frame)
            for number, frame in enumerate(frames)
        ]
    )


def error(clean: list[Frame], heard: Samples, frame: int) -> float:
    """The error's power over that of the sound, in one frame."""
    difference = clean[frame].astype(float) - heard[frame * FRAME_SAMPLES : (frame + 1) * FRAME_SAMPLES]
    return float((difference**2).sum() / (clean[frame].astype(float) ** 2).sum())


@pytest.mark.parametrize("hertz", [80, 110, 150, 210, 300, 390])
def test_a_steady_voice_goes_on(hertz: float) -> None:
    frames = voice(hertz, 10)
    heard = played(frames, {5})
    assert error(frames, heard, 5) < 0.35, "silence would be 1, and a repeated frame about 2"
    assert error(frames, heard, 6) < 0.05
    assert np.array_equal(heard[7 * FRAME_SAMPLES :], np.concatenate(frames[7:]))


@pytest.mark.parametrize("hertz", [80, 110, 150, 210, 300, 390])
def test_nothing_clicks(hertz: float) -> None:
    """No step is greater than those of the voice itself, by much."""
    frames = voice(hertz, 12)
    steepest = np.abs(np.diff(np.concatenate(frames).astype(int))).max()
    heard = played(frames, {5, 8, 9}).astype(int)
    assert np.abs(np.diff(heard)).max() < 1.6 * steepest


def test_a_long_loss_fades_into_silence() -> None:
    heard = played(voice(150, 12), set(range(4, 12))).reshape(-1, FRAME_SAMPLES).astype(float)
    power = [float((frame**2).mean()) for frame in heard[4:]]
    assert power[0] > power[1] > power[2] > power[3] > power[4] > 0
    assert power[5:] == [0, 0, 0]


def test_the_end_of_a_long_loss_begins_softly() -> None:
    frames = voice(150, 12)
    heard = played(frames, set(range(2, 11)))
    first = heard[11 * FRAME_SAMPLES :]
    assert abs(int(first[0])) < 500
    assert np.array_equal(first[60:], frames[11][60:])


def test_silence_stays_silence() -> None:
    concealment = Concealment()
    assert not concealment.missing().any()
    concealment.heard(SILENCE)
    assert not concealment.missing().any()
    assert not concealment.heard(SILENCE).any()


def test_frames_that_come_are_played_as_they_are() -> None:
    frames = voice(150, 5)
    concealment = Concealment()
    assert all(concealment.heard(frame) is frame for frame in frames)


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 2**32 - 1))
def test_anything_loud(came: list[bool], seed: int) -> None:
    """Bounded in length and range, whatever it is."""
    source = np.random.default_rng(seed)
    concealment = Concealment()
    for here in came:
        noise = source.choice(np.array([-32768, 32767, 0], np.int16), FRAME_SAMPLES)
        frame = concealment.heard(noise) if here else concealment.missing()
        assert (len(frame), frame.dtype) == (FRAME_SAMPLES, np.int16)
