"""The telephone line between a caller and us: its band, its noise, its codec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfiltfilt

from benchmarks.turns import voices
from ringback.media.frame import SAMPLE_RATE

Floats = npt.NDArray[np.float64]

LOOP_S: Final = 12
"""Noise is a loop of so many seconds."""
_BAND_HZ: Final = (300, 3400)
_LENGTH: Final = LOOP_S * SAMPLE_RATE
_TABLE_TALK: Final = (
    "We went down to the harbour after dinner and there was nobody about.",
    "She told me it would take another two weeks until the kitchen is ready.",
    "Then he said that the meeting had been moved to the other building.",
    "I still think that we should have taken the train instead of the car.",
    "Did you hear what happened to the people who lived next to the school?",
    "They always have the same soup on Wednesdays but it is rather good.",
)


@lru_cache(maxsize=1)
def _filter() -> Any:
    return butter(4, _BAND_HZ, btype="bandpass", fs=SAMPLE_RATE, output="sos")


def band(audio: npt.NDArray[Any]) -> Floats:
    """Only what a telephone carries, without a shift in time."""
    filtered: Floats = sosfiltfilt(_filter(), audio.astype(np.float64))
    return filtered


@lru_cache(maxsize=8)
def noise(kind: str) -> Floats:
    """A loop of noise of one kind, in the band, with an RMS of 1; always the same."""
    made = _KINDS[kind](np.random.default_rng(sum(kind.encode())))
    # Filtered with its own end before it and its beginning after it, so that the loop has no seam.
    filtered = band(np.concatenate([made[-SAMPLE_RATE:], made, made[:SAMPLE_RATE]]))[SAMPLE_RATE:-SAMPLE_RATE]
    loop: Floats = filtered / np.sqrt(np.mean(filtered**2))
    loop.setflags(write=False)
    return loop


def _line(random: np.random.Generator) -> Floats:
    return random.standard_normal(_LENGTH)


def _hum(random: np.random.Generator) -> Floats:
    """A mains hum's overtones over a little hiss."""
    at = 2 * np.pi * np.arange(_LENGTH) / SAMPLE_RATE
    overtones = sum(np.sin(50 * n * at + random.uniform(0, 6)) / (n / 6) for n in range(6, 25))
    return np.asarray(overtones + 0.3 * random.standard_normal(_LENGTH))


def _street(random: np.random.Generator) -> Floats:
    """Brown noise that swells and falls as cars pass."""
    brown = np.cumsum(random.standard_normal(_LENGTH))
    brown -= np.linspace(brown[0], brown[-1], _LENGTH)
    brown /= brown.std()
    swell = 1 + 0.6 * np.sin(2 * np.pi * 3 * np.arange(_LENGTH) / _LENGTH + random.uniform(0, 6))
    # What is left of brown noise over 300 Hz is little; tyres and wind are in it too.
    return (brown + 0.02 * random.standard_normal(_LENGTH)) * swell


def _crackle(random: np.random.Generator) -> Floats:
    """Clicks of a bad contact over hiss."""
    clicks = np.where(random.random(_LENGTH) < 4 / SAMPLE_RATE, random.uniform(-12, 12, _LENGTH), 0.0)
    decay = np.exp(-np.arange(40) / 8) * np.cos(np.arange(40))
    return np.convolve(clicks, decay, mode="same") + random.standard_normal(_LENGTH)


def _talk(names: tuple[str, ...], random: np.random.Generator) -> Floats:
    """Several people at other tables."""
    mixed = np.zeros(_LENGTH)
    for number, text in enumerate(_TABLE_TALK):
        said = voices.speak(text, names[number % len(names)], 1.0).astype(np.float64)
        said /= max(1.0, np.sqrt(np.mean(said**2)))
        start = int(random.integers(_LENGTH))
        for turn in range(2):
            at = (start + turn * _LENGTH // 2 + np.arange(len(said))) % _LENGTH
            mixed[at] += said
    return mixed + 0.1 * random.standard_normal(_LENGTH)


_KINDS: Final[Mapping[str, Callable[[np.random.Generator], Floats]]] = {
    "line": _line,
    "hum": _hum,
    "babble": lambda random: _talk(("flite-awb", "flite-slt", "hibari-low", "flite-rms-high"), random),
    "street": _street,
    "crackle": _crackle,
    "cafe": lambda random: _talk(("flite-kal16", "joe", "hibari-deep", "joe-high"), random),
}
KINDS: Final = tuple(_KINDS)
