from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wyoming.audio import AudioChunk

from ringback.media.speech import SpeechError
from ringback.speech.pcm import PcmConverter, PcmReader
from ringback.speech.resample import StreamResampler, resample, to_int16

RATES = [8000, 11025, 16000, 22050, 24000, 44100, 48000]


def tone(rate: int, hertz: float = 440.0, seconds: float = 0.5) -> np.ndarray:
    return (10_000 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.int16)


@pytest.mark.parametrize("rate", RATES)
@given(cuts=st.lists(st.integers(0, 24_000), max_size=12))
def test_a_stream_in_any_pieces_is_the_whole_resampled_at_once(rate: int, cuts: list[int]) -> None:
    whole = tone(rate)
    edges = [0, *sorted(cut % len(whole) for cut in cuts), len(whole)]
    stream = StreamResampler(rate, 8000)
    pieces = [stream.push(whole[start:end]) for start, end in pairwise(edges)]
    joined = np.concatenate([*pieces, stream.flush()])
    expected = resample(whole, rate, 8000)
    assert len(joined) == len(expected)
    np.testing.assert_allclose(joined, expected, atol=1.0)


def test_a_tone_keeps_its_pitch_and_level() -> None:
    out = resample(tone(24_000), 24_000, 8000)[200:-200]
    np.testing.assert_allclose(out, tone(8000)[200 : 200 + len(out)], atol=100)


def test_too_loud_saturates_and_does_not_wrap() -> None:
    assert to_int16(np.array([40_000.0, -40_000.0], dtype=np.float32)).tolist() == [32767, -32768]


@pytest.mark.parametrize(
    ("width", "raw"),
    [
        (1, np.array([128, 255, 0], dtype=np.uint8)),
        (2, np.array([0, 32512, -32768], dtype="<i2")),
        (4, np.array([0, 32512 << 16, -(32768 << 16)], dtype="<i4")),
    ],
)
def test_every_width_means_the_same_level(width: int, raw: np.ndarray) -> None:
    assert PcmConverter(8000).push(AudioChunk(8000, width, 1, raw.tobytes())).tolist() == [0, 32512, -32768]


def test_channels_are_averaged_and_half_a_frame_is_dropped() -> None:
    stereo = np.array([100, 300, -100, -300, 7], dtype="<i2").tobytes()
    assert PcmConverter(8000).push(AudioChunk(8000, 2, 2, stereo)).tolist() == [200, -200]


@pytest.mark.parametrize("bad", [(0, 2, 1), (8000, 3, 1), (8000, 2, 0), (8000, 2, 99), (10**9, 2, 1)])
def test_a_format_that_makes_no_sense_is_refused(bad: tuple[int, int, int]) -> None:
    with pytest.raises(SpeechError, match="not understood"):
        PcmConverter(8000).push(AudioChunk(*bad, audio=b"\0" * 8))


def test_a_format_may_not_change_and_an_utterance_not_grow_without_end() -> None:
    converter = PcmConverter(8000)
    converter.push(AudioChunk(8000, 2, 1, b"\0\0"))
    with pytest.raises(SpeechError, match="changed"):
        converter.push(AudioChunk(16000, 2, 1, b"\0\0"))
    reader = PcmReader(8000, max_s=1)
    reader.push(AudioChunk(8000, 2, 1, bytes(16_000)))
    with pytest.raises(SpeechError, match="too long"):
        reader.push(AudioChunk(8000, 2, 1, bytes(2)))
