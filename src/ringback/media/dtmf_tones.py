"""Keypad keys as pairs of tones in the audio (ITU-T Q.23), for peers that know no telephone-events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from ringback.media.frame import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame, Samples
from ringback.media.leg import Digit

_ROWS: Final = (697, 770, 852, 941)
_COLUMNS: Final = (1209, 1336, 1477, 1633)
_KEYS: Final = "123A456B789C*0#D"
_AMPLITUDES: Final = (5200.0, 6500.0)
"""About -9 and -7 dBm0: the higher tone a little louder, for lines weaken it more."""

_WINDOW: Final = FRAME_SAMPLES
_HOP: Final = _WINDOW // 2
_SHIFTS: Final = (0.99, 1.0, 1.01)
"""Where each tone is looked for: Q.24 wants it recognised within 1.5 % of its frequency."""
_PURITY: Final = 0.8
"""Part of the energy that the two tones have; that of speech is spread over many harmonics."""
_QUIETEST: Final = 150.0
"""Root mean square; about -40 dBm0."""
_COLUMN_LOUDER: Final = 10 ** (6 / 10)
_ROW_LOUDER: Final = 10 ** (9 / 10)
"""Energies of one tone over the other: Q.24 wants 4 and 8 dB."""
_SURE: Final = 4
"""Windows in a row: 50 ms. Telephones hold a key for 65 ms at least, and vowels keep a shape for 40."""
_OVER: Final = 3
"""Windows without it: a shorter gap is a crackle."""
_LIKELY: Final = 2
"""Windows in a row after which ears hear nothing of it."""


def tone(key: str, tick: int) -> Frame:
    """The nth 20 ms of a key held down."""
    row, column = divmod(_KEYS.index(key), 4)
    at = np.arange(tick * FRAME_SAMPLES, (tick + 1) * FRAME_SAMPLES) / SAMPLE_RATE
    low, high = (
        amplitude * np.sin(2 * np.pi * hertz * at)
        for amplitude, hertz in zip(_AMPLITUDES, (_ROWS[row], _COLUMNS[column]), strict=True)
    )
    return (low + high).astype(np.int16)


def _detectors() -> npt.NDArray[np.complex64]:
    """A column for each place where a tone is looked for; a window times it is its amplitude (Goertzel's filter)."""
    hertz = np.array([tone * shift for tone in (*_ROWS, *_COLUMNS) for shift in _SHIFTS])
    turns = np.exp(-2j * np.pi * np.outer(np.arange(_WINDOW) / SAMPLE_RATE, hertz))
    return turns.astype(np.complex64)


_DETECTORS: Final = _detectors()


class ToneReceiver:
    """Reports each key once, when it is released."""

    def __init__(self, report: Callable[[Digit], None]) -> None:
        self._report = report
        self._before: Samples = SILENCE[:_HOP]
        self._key: str | None = None
        self._hits = 0
        """Windows in a row with the key."""
        self._misses = 0

    def hear(self, frame: Frame) -> Frame:
        """Take 20 ms; gives what is left of it for ears, which take tones for speech."""
        audio = np.concatenate((self._before, frame))
        self._before = frame[_HOP:]
        for key in _keys_in(audio):
            self._take(key)
        return SILENCE if self._hits >= _LIKELY else frame

    def _take(self, key: str | None) -> None:
        if key is not None and key == self._key:
            self._hits += 1 + self._misses
            self._misses = 0
            return
        self._misses += 1
        if self._key is None or key is not None or self._misses >= _OVER or self._hits < _SURE:
            self._release()
            self._key, self._hits = key, int(key is not None)

    def _release(self) -> None:
        if self._key is not None and self._hits >= _SURE:
            self._report(Digit(self._key, (self._hits + 1) * FRAME_MS // 2))
        self._misses = 0


def _keys_in(audio: Samples) -> list[str | None]:
    """Of each window of half a frame more audio than a frame."""
    windows = np.stack((audio[:_WINDOW], audio[_HOP:])).astype(np.float32)
    total = np.einsum("ij,ij->i", windows, windows)
    if total.max() < _QUIETEST**2 * _WINDOW:
        return [None, None]
    found = np.abs(windows @ _DETECTORS) ** 2 * (2 / _WINDOW)
    tones = found.reshape(2, 8, len(_SHIFTS)).max(axis=2)
    return [_key_of(tones[n, :4], tones[n, 4:], float(total[n])) for n in range(2)]


def _key_of(rows: npt.NDArray[np.float32], columns: npt.NDArray[np.float32], total: float) -> str | None:
    row, column = int(rows.argmax()), int(columns.argmax())
    low, high = float(rows[row]), float(columns[column])
    pure = low + high >= _PURITY * total >= _PURITY * _QUIETEST**2 * _WINDOW
    balanced = high <= low * _COLUMN_LOUDER and low <= high * _ROW_LOUDER
    return _KEYS[row * 4 + column] if pure and balanced else None
