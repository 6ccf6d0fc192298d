"""Changing the sampling rate: whole utterances at once, streams in pieces without seams."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

Floats = npt.NDArray[np.float32]


def to_int16(audio: Floats) -> npt.NDArray[np.int16]:
    """Round float audio in int16 units, saturating instead of wrapping around."""
    return np.rint(np.clip(audio, -32768, 32767)).astype(np.int16)


def resample(audio: npt.NDArray[np.int16] | Floats, rate: int, new_rate: int) -> Floats:
    """The same sound at `new_rate` samples a second; units unchanged."""
    floats = audio.astype(np.float32)
    if rate == new_rate or not len(floats):
        return floats
    common = math.gcd(rate, new_rate)
    return np.asarray(resample_poly(floats, new_rate // common, rate // common), dtype=np.float32)


class StreamResampler:
    """Mono audio in pieces of any length; the pieces that come out join as if resampled at once.

    Every piece is resampled together with a margin of its neighbours longer than half the filter, and only
    its own part is given out, so what comes out is late by the margin (about 20 ms at worst).
    """

    def __init__(self, rate: int, new_rate: int) -> None:
        common = math.gcd(rate, new_rate)
        self._up, self._down = new_rate // common, rate // common
        half_filter = math.ceil(10 * max(self._up, self._down) / self._up) + 1
        self._margin = math.ceil(half_filter / self._down) * self._down
        self._held: Floats = np.zeros(self._margin, dtype=np.float32)

    def push(self, audio: npt.NDArray[np.int16] | Floats) -> Floats:
        """What is certain by now of the output."""
        if self._up == self._down:
            return audio.astype(np.float32)
        self._held = np.concatenate([self._held, audio.astype(np.float32)])
        ready = (len(self._held) - 2 * self._margin) // self._down * self._down
        if ready <= 0:
            return np.zeros(0, dtype=np.float32)
        out = self._resample(self._held[: ready + 2 * self._margin], ready)
        self._held = self._held[ready:]
        return out

    def flush(self) -> Floats:
        """The rest, at the end of the stream."""
        left = len(self._held) - self._margin
        if self._up == self._down or left <= 0:
            return np.zeros(0, dtype=np.float32)
        padded = np.pad(self._held, (0, self._margin + self._down))
        return self._resample(padded, left)

    def _resample(self, audio: Floats, samples: int) -> Floats:
        start = self._margin * self._up // self._down
        length = math.ceil(samples * self._up / self._down)
        return np.asarray(resample_poly(audio, self._up, self._down), dtype=np.float32)[
            start : start + length
        ]
