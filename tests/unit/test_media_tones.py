"""Tones made here, without voices: what a beep is and what is none."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ringback.media.frame import FRAME_SAMPLES, SAMPLE_RATE, Samples
from ringback.media.g711 import Codec
from ringback.media.tones import Tone, ToneDetector, ToneKind

RMS = 2300.0


def tone(hz: float | tuple[float, ...], ms: int, level_db: float = 0.0) -> Samples:
    at = np.arange(SAMPLE_RATE * ms // 1000) / SAMPLE_RATE
    frequencies = hz if isinstance(hz, tuple) else (hz,)
    wave = np.asarray(sum(np.sin(2 * np.pi * one * at) for one in frequencies))
    audio: Samples = np.rint(wave * RMS * np.sqrt(2 / len(frequencies)) * 10 ** (level_db / 20)).astype(
        np.int16
    )
    return audio


def silence(ms: int) -> Samples:
    return np.zeros(SAMPLE_RATE * ms // 1000, dtype=np.int16)


def vowel(hz: float, ms: int, glide: float = 1.2) -> Samples:
    """Overtones of a voice whose pitch glides, loudest at two formants."""
    at = np.arange(SAMPLE_RATE * ms // 1000) / SAMPLE_RATE
    phase = 2 * np.pi * hz * (at + (glide - 1) * at**2 / (2 * ms / 1000))
    parts = [np.sin(n * phase) * np.exp(-(((n * hz - 500) / 300) ** 2)) for n in range(1, 12)]
    wave = np.asarray(sum(parts))
    audio: Samples = np.rint(wave / np.sqrt(np.mean(wave**2)) * RMS).astype(np.int16)
    return audio


def heard(*audio: Samples, noise_db: float | None = -25.0) -> list[tuple[int, Tone]]:
    """What is told, and after how many milliseconds, of this on a telephone line."""
    line = np.concatenate([silence(200), *audio, silence(400)]).astype(np.float64)
    if noise_db is not None:
        line += np.random.default_rng(1).standard_normal(len(line)) * RMS * 10 ** (noise_db / 20)
    wire = Codec.PCMU.decode(Codec.PCMU.encode(np.clip(line, -32768, 32767).astype(np.int16)))
    detector, told = ToneDetector(), []
    for start in range(0, len(wire) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        said = detector.hears(wire[start : start + FRAME_SAMPLES])
        if said is not None:
            told.append(((start + FRAME_SAMPLES) * 1000 // SAMPLE_RATE, said))
    return told


@pytest.mark.parametrize("hz", [440, 650, 850, 1000, 1400, 1633, 2000, 2400])
@pytest.mark.parametrize("ms", [240, 500, 1000])
@pytest.mark.parametrize("level_db", [-12.0, 0.0, 6.0])
def test_a_beep_is_told_of_when_it_is_over(hz: int, ms: int, level_db: float) -> None:
    [(at, said)] = heard(tone(hz, ms, level_db))
    assert said.kind is ToneKind.BEEP
    assert abs(said.hz - hz) <= 10
    assert abs(said.ms - ms) <= 40
    assert 200 + ms <= at <= 200 + ms + 100


@pytest.mark.parametrize("noise_db", [-12.0, -8.0])
def test_a_beep_is_heard_in_noise(noise_db: float) -> None:
    [(_, said)] = heard(tone(1000, 400), noise_db=noise_db)
    assert said.kind is ToneKind.BEEP
    assert abs(said.ms - 400) <= 40


def test_two_tones_together_are_a_beep() -> None:
    [(_, said)] = heard(tone((480.0, 620.0), 500))
    assert said.kind is ToneKind.BEEP


def test_information_tones_are_one_thing() -> None:
    [(_, said)] = heard(tone(950, 330), tone(1400, 330), tone(1800, 330))
    assert said.kind is ToneKind.INFORMATION
    assert abs(said.ms - 990) <= 60
    [(_, said)] = heard(tone(914, 276), tone(1371, 276), tone(1777, 380))
    assert said.kind is ToneKind.INFORMATION


def test_a_fax_machine_that_calls() -> None:
    told = heard(tone(1100, 500), silence(3000), tone(1100, 500))
    assert [said.kind for _, said in told] == [ToneKind.CALLING] * 2


@pytest.mark.parametrize("hz", [2100, 2225])
def test_a_fax_machine_or_modem_that_answers_is_told_of_at_once(hz: int) -> None:
    [(at, said)] = heard(tone(hz, 3000))
    assert said.kind is ToneKind.ANSWER
    assert at <= 200 + 700


@pytest.mark.parametrize("pitch", [110.0, 160.0, 220.0])
def test_voices_are_no_beeps(pitch: float) -> None:
    assert heard(*(part for n in range(8) for part in (vowel(pitch, 150 + 40 * n), silence(120)))) == []


def test_noise_and_silence_are_no_beeps() -> None:
    noise = np.random.default_rng(2).standard_normal(SAMPLE_RATE * 3) * RMS
    assert heard(noise.astype(np.int16)) == []
    assert heard(silence(2000), noise_db=None) == []


def test_keys_of_a_telephone_are_no_beeps() -> None:
    for low in (697.0, 770.0, 852.0, 941.0):
        for high in (1209.0, 1336.0, 1477.0):
            assert heard(tone((low, high), 200)) == [], (low, high)


def test_a_melody_is_no_beep() -> None:
    notes = (523, 659, 784, 1047, 784, 659)
    assert all(abs(a - b) > 50 for a, b in pairwise(notes))
    assert heard(*(tone(hz, 200) for hz in notes)) == []


def test_a_click_and_what_lasts_too_long_are_no_beeps() -> None:
    assert heard(tone(1000, 40)) == []
    assert heard(tone(1000, 5000)) == []
