"""A room behind the agent's voice: loops of sound that is made here, or out of the operator's own files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from ringback.media.frame import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame, Samples

LEVEL: Final = 32768 * 10 ** (-42 / 20)
"""Root mean square of a loop: -42 dBov, some 20 dB under the voice."""
LOOP_S: Final = 20
MAX_FILE_S: Final = 120
MIN_FILE_S: Final = 1
_RATES: Final = range(4000, 192_001)
_MAX_FILE_BYTES: Final = 64 << 20
_PEAK: Final = 8 * LEVEL
_SEAM: Final = SAMPLE_RATE // 10
"""Over which the end of a file turns into its beginning."""
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

_Floats = npt.NDArray[np.float64]


class AmbienceError(Exception):
    """The track cannot be had; the message is a sentence that says what to do."""


class Ambience:
    """One call's place in a loop."""

    def __init__(self, loop: Samples, seed: str) -> None:
        """`seed`, the call's id, says where in the loop the call begins."""
        frames = loop[: len(loop) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
        self._frames = frames
        self._next = crc32(seed.encode()) % len(frames)

    def mix(self, frame: Frame) -> Frame:
        """`frame` with the next 20 ms behind it, saturating. Not to be written to."""
        noise: Frame = self._frames[self._next]
        self._next = (self._next + 1) % len(self._frames)
        if frame is SILENCE:
            return noise
        mixed = np.add(frame, noise, dtype=np.int32)
        np.maximum(mixed, -32768, out=mixed)
        np.minimum(mixed, 32767, out=mixed)
        spoken: Frame = mixed.astype(np.int16)
        return spoken


def load(track: str, folder: Path) -> Samples:
    """The loop of a track, read-only: one of TRACKS, or the id of a file `<id>.wav` in `folder`.

    The first time it takes up to half a second of computing: call it on a thread. Raises AmbienceError.
    """
    if track in TRACKS:
        return _made(track)
    path = folder / f"{track}.wav"
    if not _ID.fullmatch(track) or not path.is_file():
        raise AmbienceError(
            f"There is no ambient noise track {track!r}: use one of {', '.join(TRACKS)}, "
            f"or put the sound into {folder.name}/ of the data folder as <id>.wav."
        )
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        raise AmbienceError(f"The ambient noise track {path.name} cannot be used: {error}.") from error


# Files


@lru_cache(maxsize=16)
def _read(path: Path, changed_ns: int) -> Samples:
    """`changed_ns` makes a file that was replaced another one. Raises ValueError and OSError."""
    from scipy.io import wavfile
    from scipy.signal import resample_poly

    if path.stat().st_size > _MAX_FILE_BYTES:
        raise ValueError(f"it is larger than {_MAX_FILE_BYTES >> 20} MiB")
    try:
        rate, sound = wavfile.read(path)
    except Exception as error:  # it raises whatever it stumbles over
        raise ValueError("it is no WAV file of whole or floating-point samples") from error
    if rate not in _RATES:
        raise ValueError(f"it has {rate} samples a second")
    if not MIN_FILE_S <= len(sound) / rate <= MAX_FILE_S:
        raise ValueError(f"it is not {MIN_FILE_S} to {MAX_FILE_S} s long")
    mono = sound.reshape(len(sound), -1).astype(np.float64).mean(axis=1)
    mono -= mono.mean()
    common = np.gcd(rate, SAMPLE_RATE)
    telephone = resample_poly(mono, SAMPLE_RATE // common, rate // common)
    if not np.isfinite(telephone).all() or not telephone.any():
        raise ValueError("it holds no sound")
    rise = np.linspace(0.0, 1.0, _SEAM)
    telephone[:_SEAM] *= np.sqrt(rise)
    telephone[:_SEAM] += telephone[-_SEAM:] * np.sqrt(1 - rise)
    return _levelled(telephone[:-_SEAM])


# Made here: everything wraps around, so that a loop has no seam


@lru_cache(maxsize=8)
def _made(track: str) -> Samples:
    random = np.random.default_rng(crc32(track.encode()))
    return _levelled(TRACKS[track](random))


def _levelled(sound: _Floats) -> Samples:
    sound = sound[: len(sound) // FRAME_SAMPLES * FRAME_SAMPLES]
    # Twice, because cutting the peaks takes some of the level.
    for _ in range(2):
        sound = np.clip(sound * (LEVEL / np.sqrt(np.mean(np.square(sound)))), -_PEAK, _PEAK)
    loop = np.rint(sound).astype(np.int16)
    loop.setflags(write=False)
    return loop


def _coffee_shop(random: np.random.Generator) -> _Floats:
    room = 0.5 * _noise(random, 60, 600, slope=1.0)
    people = sum((_talker(random) for _ in range(9)), start=np.zeros(_LENGTH))
    machine = 0.9 * _noise(random, 900, 3200) * _swell(random, times=1, length_s=4.0)
    cups = _strokes(random, random.uniform(0, LOOP_S, 14), (1700.0, 3400.0), decay_s=0.05)
    return room + people * 0.5 + machine * 0.5 + cups * 3.0


def _office(random: np.random.Generator) -> _Floats:
    air = _noise(random, 150, 1800, slope=1.0)
    people = sum((_talker(random) for _ in range(2)), start=np.zeros(_LENGTH))
    return air + people * 0.25 + _typing(random, bursts=6) * 1.5


def _call_center(random: np.random.Generator) -> _Floats:
    air = 0.5 * _noise(random, 80, 500, slope=1.0)
    people = sum((_talker(random) for _ in range(14)), start=np.zeros(_LENGTH))
    return air + people * 0.5 + _typing(random, bursts=9) * 1.2


TRACKS: Final[Mapping[str, Callable[[np.random.Generator], _Floats]]] = {
    "coffee-shop": _coffee_shop,
    "office-ambience": _office,
    "call-center": _call_center,
}

_LENGTH: Final = LOOP_S * SAMPLE_RATE


def _noise(random: np.random.Generator, low: float, high: float, slope: float = 0.0) -> _Floats:
    """Noise of level 1 between two frequencies, falling by 6 dB an octave times `slope`."""
    hertz = np.fft.rfftfreq(_LENGTH, 1 / SAMPLE_RATE)
    shape = np.where((hertz >= low) & (hertz <= high), np.maximum(hertz, 1.0) ** -slope, 0.0)
    phases = np.exp(2j * np.pi * random.random(len(hertz)))
    noise = np.fft.irfft(shape * phases, _LENGTH)
    return np.asarray(noise / noise.std())


def _talker(random: np.random.Generator) -> _Floats:
    """Somebody far away: bands where vowels and consonants are, syllables, and pauses between sentences."""
    pitch = random.uniform(0.85, 1.2)
    voice = _noise(random, 180 * pitch, 750 * pitch, slope=0.5) + 0.4 * _noise(
        random, 900 * pitch, 2200 * pitch
    )
    rate = random.uniform(3.0, 5.0)
    syllables = np.square(np.maximum(_noise(random, rate * 0.6, rate * 1.4) + 0.4, 0.0))
    sentences = np.clip(_noise(random, 0.1, 0.4) * 2 + 0.8, 0.0, 1.0)
    return np.asarray(voice * syllables * sentences * random.uniform(0.3, 1.0))


def _swell(random: np.random.Generator, times: int, length_s: float) -> _Floats:
    """0, and at some times up to 1 and back."""
    length = int(length_s * SAMPLE_RATE)
    swell = np.zeros(_LENGTH)
    for begin in random.integers(0, _LENGTH, times):
        swell[(begin + np.arange(length)) % _LENGTH] += np.hanning(length)
    return swell


def _strokes(
    random: np.random.Generator, times_s: _Floats, hertz: tuple[float, float], decay_s: float
) -> _Floats:
    """Something hard is struck: two damped tones each."""
    sound = np.zeros(_LENGTH)
    seconds = np.arange(int(8 * decay_s * SAMPLE_RATE)) / SAMPLE_RATE
    for begin in times_s:
        one, other = random.uniform(*hertz, 2)
        ring = np.sin(2 * np.pi * one * seconds) + 0.6 * np.sin(2 * np.pi * other * seconds)
        place = (int(begin * SAMPLE_RATE) + np.arange(len(seconds))) % _LENGTH
        sound[place] += ring * np.exp(-seconds / decay_s) * random.uniform(0.2, 1.0) ** 2
    return sound


def _typing(random: np.random.Generator, bursts: int) -> _Floats:
    """Keys, a few seconds at a time."""
    times = [
        begin + np.cumsum(random.uniform(0.09, 0.22, random.integers(8, 24)))
        for begin in random.uniform(0, LOOP_S, bursts)
    ]
    return _strokes(random, np.concatenate(times), (900.0, 2600.0), decay_s=0.006)
