"""Keys as tones: read in every frequency, level and noise that Q.24 asks for, and not in what people say."""

from __future__ import annotations

import random

import numpy as np
import pytest

from ringback.media.dtmf_tones import ToneReceiver, tone
from ringback.media.frame import FRAME_SAMPLES, SAMPLE_RATE, Samples
from ringback.media.g711 import Codec
from ringback.media.leg import Digit

LAYOUT = {"1": (697, 1209), "5": (770, 1336), "9": (852, 1477), "D": (941, 1633), "0": (941, 1336)}
KEYS = "0123456789*#ABCD"


def read(audio: Samples) -> tuple[list[Digit], Samples]:
    """The keys, and what is left for the ears."""
    padded = np.concatenate([audio, np.zeros(-len(audio) % FRAME_SAMPLES + 10 * FRAME_SAMPLES, np.int16)])
    keys: list[Digit] = []
    receiver = ToneReceiver(keys.append)
    frames = padded.astype(np.int16).reshape(-1, FRAME_SAMPLES)
    left = [receiver.hear(Codec.PCMU.decode(Codec.PCMU.encode(frame))) for frame in frames]
    return keys, np.concatenate(left)


def pair(low: float, high: float, ms: int, level: float = 5000.0, twist_db: float = 0.0) -> Samples:
    """`twist_db`: how much louder the higher tone is."""
    at = np.arange(ms * SAMPLE_RATE // 1000) / SAMPLE_RATE
    up = 10 ** (twist_db / 40)
    wave = level * (np.sin(2 * np.pi * low * at) / up + np.sin(2 * np.pi * high * at + 1) * up)
    return np.clip(wave, -32000, 32000).astype(np.int16)


def silence(ms: int) -> Samples:
    return np.zeros(ms * SAMPLE_RATE // 1000, np.int16)


def keys_of(audio: Samples) -> str:
    return "".join(digit.key for digit in read(audio)[0])


def test_our_own_tones_are_read_with_their_lengths() -> None:
    audio = [np.concatenate([*(tone(key, tick) for tick in range(5)), silence(100)]) for key in KEYS]
    keys, left = read(np.concatenate(audio))
    assert "".join(digit.key for digit in keys) == KEYS
    assert all(80 <= digit.duration_ms <= 120 for digit in keys)
    audible = np.abs(left.astype(np.int32)) > 300
    assert audible.sum() <= len(KEYS) * 0.04 * SAMPLE_RATE, "the ears hear more than 40 ms of a key"


@pytest.mark.parametrize("key", LAYOUT)
@pytest.mark.parametrize("shift", [-0.015, -0.005, 0.0, 0.01, 0.015])
@pytest.mark.parametrize("offset_ms", [0, 3, 7, 13])
def test_short_tones_beside_their_frequencies_are_read(key: str, shift: float, offset_ms: int) -> None:
    low, high = (hertz * (1 + shift) for hertz in LAYOUT[key])
    assert keys_of(np.concatenate([silence(100 + offset_ms), pair(low, high, 55)])) == key


@pytest.mark.parametrize("shift", [-0.035, 0.035])
def test_tones_far_beside_their_frequencies_are_not(shift: float) -> None:
    low, high = (hertz * (1 + shift) for hertz in LAYOUT["5"])
    assert keys_of(pair(low, high, 200)) == ""


@pytest.mark.parametrize(("twist_db", "expected"), [(4, "5"), (-8, "5"), (12, ""), (-14, "")])
def test_one_tone_may_be_louder_within_limits(twist_db: float, expected: str) -> None:
    assert keys_of(pair(*LAYOUT["5"], 100, 3000, twist_db)) == expected


@pytest.mark.parametrize(("level", "expected"), [(12000, "9"), (250, "9"), (40, "")])
def test_loud_and_soft(level: float, expected: str) -> None:
    assert keys_of(pair(*LAYOUT["9"], 100, level)) == expected


def test_a_blip_is_no_key() -> None:
    assert keys_of(pair(*LAYOUT["1"], 20)) == ""


def test_a_crackle_does_not_make_two_of_one() -> None:
    audio = pair(*LAYOUT["1"], 200)
    audio[800:840] = 0
    assert keys_of(audio) == "1"


def test_the_same_key_twice() -> None:
    one = pair(*LAYOUT["1"], 80)
    assert keys_of(np.concatenate([one, silence(50), one])) == "11"


@pytest.mark.parametrize("snr_db", [15, 10])
def test_in_noise(snr_db: float) -> None:
    chance = np.random.default_rng(7)
    audio = np.concatenate([np.concatenate([pair(*LAYOUT[key], 80), silence(80)]) for key in "1590D" * 5])
    noise = chance.normal(0, 5000 * 10 ** (-snr_db / 20), len(audio))
    assert keys_of((audio + noise).astype(np.int16)) == "1590D" * 5


def test_no_single_tone_is_a_key() -> None:
    for hertz in range(300, 3400, 23):
        at = np.arange(1600) / SAMPLE_RATE
        assert keys_of((6000 * np.sin(2 * np.pi * hertz * at)).astype(np.int16)) == ""


def test_vowels_without_consonants_are_hardly_ever_keys() -> None:
    """Two minutes of harmonics of a gliding pitch under formants that move: purer than anybody speaks."""
    chance = random.Random(3)
    taken = sum(len(keys_of(vowels(chance, 5.0))) for _ in range(24))
    assert taken <= 4


def vowels(chance: random.Random, seconds: float) -> Samples:
    count = int(seconds * SAMPLE_RATE)
    knots = max(2, int(seconds * 5))
    place = np.linspace(0, knots - 1, count)

    def glide(low: float, high: float) -> np.ndarray:
        return np.interp(place, range(knots), [chance.uniform(low, high) for _ in range(knots)])

    phase = 2 * np.pi * np.cumsum(glide(80, 300)) / SAMPLE_RATE
    pitch = np.gradient(phase) * SAMPLE_RATE / (2 * np.pi)
    formants = [(glide(300, 950), 80.0, 1.0), (glide(900, 2300), 110.0, chance.uniform(0.3, 1.5))]
    wave = np.zeros(count)
    for harmonic in range(1, 30):
        hertz = harmonic * pitch
        gain = sum(peak / (1 + ((hertz - centre) / width) ** 2) for centre, width, peak in formants)
        wave += gain * (hertz < 3600) * np.sin(harmonic * phase)
    return (wave / np.abs(wave).max() * 12000).astype(np.int16)
