"""Whisper's input: the log-mel spectrogram (Radford et al. 2022, "Robust Speech Recognition via Large-Scale
Weak Supervision", section 2.2; Slaney's mel scale). Computed here and not with faster-whisper, whose import
loads a bundled FFmpeg that contains GPL libraries."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft
from scipy.sparse import csr_array

MEL_RATE: Final = 16000
"""Samples a second of the audio that goes in."""
HOP: Final = 160
"""Samples a frame: 10 ms."""
_WINDOW: Final = 400

Floats = npt.NDArray[np.float32]


class LogMel:
    """Audio to frames for a model with `bands` mel bands (80; 128 for large-v3)."""

    def __init__(self, bands: int) -> None:
        # Two in a hundred weights aren't zero; and a dense product would wake the algebra library's threads.
        self._filters = csr_array(_filters(bands))
        self._window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)

    def __call__(self, audio: Floats) -> Floats:
        """(bands, frames) of 16 kHz audio in -1..1 that is at least 200 samples long."""
        padded = np.pad(audio, _WINDOW // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[: len(audio) // HOP * HOP : HOP]
        power = np.abs(rfft(frames * self._window, axis=1)) ** 2
        log = np.log10(np.maximum(self._filters @ power.T, 1e-10))
        return np.asarray((np.maximum(log, log.max() - 8.0) + 4.0) / 4.0, dtype=np.float32)


def _filters(bands: int) -> Floats:
    """(bands, bins) triangles of equal area, evenly spaced on Slaney's mel scale from 0 to half the rate."""
    edges = _hertz(np.linspace(0.0, _mel(MEL_RATE / 2), bands + 2))
    bins = np.fft.rfftfreq(_WINDOW, 1 / MEL_RATE)
    widths = np.diff(edges)[:, None]
    rising = (bins - edges[:-2, None]) / widths[:-1]
    falling = (edges[2:, None] - bins) / widths[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None], dtype=np.float32)


_LINEAR_HERTZ: Final = 200.0 / 3.0
"""Hertz a mel below 1 kHz; above, 27 mels a factor of 6.4."""
_BREAK_MEL: Final = 15.0
_LOG_STEP: Final = np.log(6.4) / 27.0


def _mel(hertz: float) -> float:
    return (
        float(_BREAK_MEL + np.log(hertz / 1000.0) / _LOG_STEP) if hertz >= 1000.0 else hertz / _LINEAR_HERTZ
    )


def _hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above = 1000.0 * np.exp(_LOG_STEP * (mel - _BREAK_MEL))
    return np.asarray(np.where(mel >= _BREAK_MEL, above, mel * _LINEAR_HERTZ))
