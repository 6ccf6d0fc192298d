"""The room behind the voice: its level, its seam, its files, and that it never wraps around."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import wavfile

from ringback.media.ambience import LEVEL, LOOP_S, TRACKS, Ambience, AmbienceError, load
from ringback.media.frame import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Samples


def rms(sound: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


@pytest.mark.parametrize("track", TRACKS)
def test_a_track_is_a_quiet_loop_in_the_telephone_band_without_a_seam(track: str, tmp_path: Path) -> None:
    loop = load(track, tmp_path)
    assert len(loop) == LOOP_S * SAMPLE_RATE
    assert rms(loop) == pytest.approx(LEVEL, rel=0.01)
    assert np.abs(loop.astype(np.int32)).max() <= 8 * LEVEL + 1
    assert abs(int(loop[0]) - int(loop[-1])) <= 3 * np.abs(np.diff(loop.astype(np.int32))).mean() + LEVEL
    power = np.square(np.abs(np.fft.rfft(loop.astype(np.float64))))
    hertz = np.fft.rfftfreq(len(loop), 1 / SAMPLE_RATE)
    assert power[(hertz > 200) & (hertz < 3400)].sum() > 0.5 * power.sum()
    seconds = [rms(second) for second in loop.reshape(LOOP_S, -1)]
    assert min(seconds) > LEVEL / 4
    assert load(track, tmp_path) is loop, "made once"


def test_tracks_differ(tmp_path: Path) -> None:
    loops = [load(track, tmp_path) for track in TRACKS]
    assert not any(np.array_equal(one, other) for one in loops for other in loops if one is not other)


@given(st.integers(-32768, 32767), st.integers(-2100, 2100))
def test_the_sum_saturates(voice: int, room: int) -> None:
    mixed = Ambience(np.full(FRAME_SAMPLES, room, np.int16), "").mix(np.full(FRAME_SAMPLES, voice, np.int16))
    assert mixed.dtype == np.int16
    assert set(mixed.tolist()) == {max(-32768, min(32767, voice + room))}


def test_a_call_goes_round_from_a_place_of_its_own() -> None:
    loop = np.arange(5 * FRAME_SAMPLES + 3, dtype=np.int16)
    starts = set()
    for call in "abcdefgh":
        ambience = Ambience(loop, call)
        frames = [ambience.mix(SILENCE) for _ in range(6)]
        assert np.array_equal(frames[0], frames[5])
        assert {int(frame[0]) for frame in frames} == {0, 160, 320, 480, 640}
        assert np.array_equal(frames[0], Ambience(loop, call).mix(SILENCE.copy())), (
            "a call sounds the same again"
        )
        starts.add(int(frames[0][0]))
    assert len(starts) > 1
    assert not SILENCE.any()


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("kind", ["int16", "int32", "float32", "uint8"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_of_any_kind_is_brought_to_rate_and_level(
    tmp_path: Path, rate: int, kind: str, channels: int
) -> None:
    sound = np.sin(2 * np.pi * 440 * np.arange(3 * rate) / rate) * 0.3
    scaled = {"int16": sound * 32767, "int32": sound * 2**31, "float32": sound, "uint8": sound * 127 + 128}[
        kind
    ]
    data = np.repeat(scaled.astype(kind)[:, None], channels, axis=1)
    wavfile.write(tmp_path / "rain-2.wav", rate, data if channels > 1 else data[:, 0])
    loop = load("rain-2", tmp_path)
    assert rms(loop) == pytest.approx(LEVEL, rel=0.02)
    assert len(loop) % FRAME_SAMPLES == 0
    assert 2.8 <= len(loop) / SAMPLE_RATE <= 3.0
    heard = np.abs(np.fft.rfft(loop.astype(np.float64)))
    assert np.fft.rfftfreq(len(loop), 1 / SAMPLE_RATE)[heard.argmax()] == pytest.approx(440, abs=1)


def test_the_end_of_a_file_becomes_its_beginning(tmp_path: Path) -> None:
    ramp = np.linspace(-8000, 8000, 2 * SAMPLE_RATE).astype(np.int16)
    wavfile.write(tmp_path / "ramp.wav", SAMPLE_RATE, ramp)
    loop = load("ramp", tmp_path).astype(np.int32)
    assert abs(loop[0] - loop[-1]) <= 20
    assert np.abs(np.diff(loop)).max() <= 20


def test_a_replaced_file_is_read_again(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    path = tmp_path / "x.wav"
    wavfile.write(path, SAMPLE_RATE, random.integers(-99, 99, 2 * SAMPLE_RATE).astype(np.int16))
    first = load("x", tmp_path)
    assert load("x", tmp_path) is first
    wavfile.write(path, SAMPLE_RATE, random.integers(-99, 99, 3 * SAMPLE_RATE).astype(np.int16))
    import os

    os.utime(path, ns=(1, 1))
    assert len(load("x", tmp_path)) > len(first)


@pytest.mark.parametrize("track", ["rain", "", "../rain", "/etc/passwd", "a/b", "x" * 65, "a\0b", ".hidden"])
def test_an_unknown_track_is_a_sentence(tmp_path: Path, track: str) -> None:
    (tmp_path.parent / "rain.wav").write_bytes(b"")
    with pytest.raises(
        AmbienceError, match=r"no ambient noise track .*coffee-shop, office-ambience, call-center"
    ):
        load(track, tmp_path / "ambient")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is no WAV file"),
        (b"ID3 an MP3", "it is no WAV file"),
        (b"RIFF" + bytes(60), "it is no WAV file"),
        ((1000, np.ones(4000, np.int16)), "it has 1000 samples a second"),
        ((8000, np.zeros(16000, np.int16)), "it holds no sound"),
        ((8000, np.full(16000, 5, np.int16)), "it holds no sound"),
        ((8000, np.ones(4000, np.int16)), "not 1 to 120 s long"),
        ((8000, np.ones(121 * 8000, np.int16)), "not 1 to 120 s long"),
        ((8000, np.full(16000, np.nan, np.float32)), "it holds no sound"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(
    tmp_path: Path, content: bytes | tuple[int, Samples], why: str
) -> None:
    path = tmp_path / "bad.wav"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        wavfile.write(path, *content)
    with pytest.raises(AmbienceError, match=f"The ambient noise track bad.wav .*{why}"):
        load("bad", tmp_path)
