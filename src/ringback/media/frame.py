"""The unit of audio: 20 ms of 8 kHz mono 16-bit linear PCM."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

SAMPLE_RATE: Final = 8000
"""Samples per second inside Ringback (the telephone's rate)."""

FRAME_MS: Final = 20
FRAME_SAMPLES: Final = SAMPLE_RATE * FRAME_MS // 1000

Samples = npt.NDArray[np.int16]
"""Any length of 8 kHz mono int16 audio."""

Frame = npt.NDArray[np.int16]
"""Exactly FRAME_SAMPLES samples."""

SILENCE: Final[Frame] = np.zeros(FRAME_SAMPLES, dtype=np.int16)
SILENCE.setflags(write=False)
