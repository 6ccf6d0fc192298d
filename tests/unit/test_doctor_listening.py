"""The test tone of a call, judged from what comes back."""

from __future__ import annotations

import random

import numpy as np
import pytest

from ringback.app.doctor.listening import burst, judge
from ringback.media.frame import FRAME_SAMPLES, SILENCE, Frame
from ringback.media.g711 import Codec

SENT = [burst(number, 1100.0) for number in range(250)]


def through(sent: Codec, taken: Codec) -> list[Frame]:
    return [taken.decode(sent.encode(frame)) for frame in SENT]


def test_the_tone_begins_after_a_second_and_comes_in_bursts() -> None:
    loud = [number for number, frame in enumerate(SENT) if frame.any()]
    assert loud[:20] == list(range(50, 70))
    assert loud[20] == 100


@pytest.mark.parametrize("codec", list(Codec))
def test_it_is_known_after_the_telephone(codec: Codec) -> None:
    heard = judge(through(codec, codec), 1100.0)
    assert (heard.tone_frames, heard.clean, heard.delay_ms) == (80, True, 0)


def test_one_law_taken_for_the_other_is_not_clean() -> None:
    for sent, taken in ((Codec.PCMU, Codec.PCMA), (Codec.PCMA, Codec.PCMU)):
        heard = judge(through(sent, taken), 1100.0)
        assert heard.tone_frames == 80
        assert not heard.clean


def test_how_late_it_comes() -> None:
    assert judge([SILENCE] * 30 + SENT, 1100.0).delay_ms == 600
    assert judge(SENT[10:], 1100.0).delay_ms == -200, "the other end began earlier"


def test_another_tone_is_loud_but_not_ours() -> None:
    heard = judge(SENT, 700.0)
    assert (heard.loud_frames, heard.tone_frames, heard.delay_ms) == (80, 0, None)


def test_silence_and_hum_of_a_wrong_law_are_silence() -> None:
    steady = np.full(FRAME_SAMPLES, 848, np.int16)
    heard = judge([SILENCE] * 50 + [steady] * 50, 1100.0)
    assert (heard.loud_frames, heard.tone_frames, heard.clean) == (0, 0, True)


def test_noise_is_no_tone() -> None:
    noise = np.random.default_rng(1).integers(-8000, 8000, (200, FRAME_SAMPLES)).astype(np.int16)
    heard = judge(list(noise), 1100.0)
    assert heard.loud_frames == 200
    assert heard.tone_frames == 0


def test_lost_frames_do_not_make_it_unclean() -> None:
    source = random.Random(3)
    kept = [SILENCE if source.random() < 0.1 else frame for frame in SENT]
    assert judge(kept, 1100.0).clean
