"""A sound in the silence after speech: sooner than the voice detector can know whether it is speech.

Silero needs a window or two of a word, soft beginnings even 0.2 s. That somebody may be going on can be told by the
level alone, within one frame; it is a hint, no more.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ringback.media.frame import FRAME_SAMPLES, Frame, Samples

NEAR_DB: Final = 20.0
"""Below the speech before it, a sound may be the same person's: soft consonants are."""
ABOVE_DB: Final = 9.0
"""Above the silence, a sound is not only the line's noise."""
SPEECH_FRAMES: Final = 150
"""The level of speech is taken from the last 3 s: that of the loudest tenth."""
SILENCE_FRAMES: Final = 5
"""The level of silence is taken from the last 100 ms, which the voice detector has found silent."""
_BEGINNING_FRAMES: Final = 30
_RISE_FRAMES: Final = 15
_RISE_DB: Final = 6.0
"""The talk of other tables is never so much louder than before (1.7 dB in 99 of 100 moments); who begins to speak over
it is after 0.2 s (10 dB in 49 of 50)."""
_FAINT: Final = 1e-12

_Decibels = npt.NDArray[np.float64]


class SoundWatch:
    """Made when the voice detector tells of silence, for the frames that follow."""

    def __init__(self, past: Samples) -> None:
        """`past`: what was heard up to now, with the silence at its end; whole frames, at least one."""
        levels = _levels(past[-SPEECH_FRAMES * FRAME_SAMPLES :])
        silence = np.median(levels[-SILENCE_FRAMES:])
        self._threshold = float(max(_loudest_tenth(levels) - NEAR_DB, silence + ABOVE_DB))

    def hears(self, frame: Frame) -> bool:
        """Whether there is a sound in the frame."""
        return bool(_levels(frame)[0] > self._threshold)


def rises(past: Samples) -> bool:
    """Whether it is much louder by now (0.3 s) than it began (0.6 s): somebody nearer has begun to speak."""
    beginning, now = past[: _BEGINNING_FRAMES * FRAME_SAMPLES], past[-_RISE_FRAMES * FRAME_SAMPLES :]
    if len(past) < len(beginning) + _RISE_FRAMES * FRAME_SAMPLES:
        return False
    return _loudest_tenth(_levels(now)) > _loudest_tenth(_levels(beginning)) + _RISE_DB


def _loudest_tenth(levels: _Decibels) -> float:
    """What the loudest tenth of the frames is louder than."""
    return float(np.sort(levels)[-max(1, len(levels) // 10)])


def _levels(audio: Samples) -> _Decibels:
    """Of each frame, in dB (int16 units)."""
    frames = (
        audio[: len(audio) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES).astype(np.float64)
    )
    levels: _Decibels = 10.0 * np.log10(np.mean(frames * frames, axis=1) + _FAINT)
    return levels
