"""The test tone of a call, and what is made of what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ringback.media.frame import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame

_PERIOD: Final = 50
_ON: Final = 20
_FIRST: Final = 50
"""Frames: a second of silence, then in every second a burst of 0.4 s."""
_AMPLITUDE: Final = 8000
_LOUD: Final = 100
"""Root mean square of a frame that is not silence; a line's own noise is below."""
_PRESENT: Final = 0.4
"""Of a frame's energy at the tone's frequency, where it is the tone."""
_CLEAN: Final = 0.95
"""The same where nothing has distorted it: G.711 and back leaves 0.99, one law taken for the other 0.9."""


def burst(number: int, hertz: float) -> Frame:
    """The nth frame that we send."""
    if number < _FIRST or (number - _FIRST) % _PERIOD >= _ON:
        return SILENCE
    at = np.arange(number * FRAME_SAMPLES, (number + 1) * FRAME_SAMPLES) / SAMPLE_RATE
    return (_AMPLITUDE * np.sin(2 * np.pi * hertz * at)).astype(np.int16)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came in, judged."""

    loud_frames: int
    tone_frames: int
    clean: bool
    """Whether the tone is still a tone; True without one."""
    delay_ms: int | None
    """From when the first burst left, had both ends begun at once, to when it came; None without one."""


def judge(frames: list[Frame], hertz: float) -> Heard:
    """`frames` began when the sending of `burst` did; `hertz` is the frequency to listen for."""
    loud = [number for number, frame in enumerate(frames) if _level(frame) > _LOUD]
    shares = {number: _share(frames[number], hertz) for number in loud}
    tone = [number for number, share in shares.items() if share > _PRESENT]
    # The edges of a burst hold a part of it only.
    inner = [shares[number] for number in tone if {number - 1, number + 1} <= shares.keys()]
    return Heard(
        loud_frames=len(loud),
        tone_frames=len(tone),
        clean=not inner or float(np.median(inner)) > _CLEAN,
        delay_ms=(tone[0] - _FIRST) * FRAME_MS if tone else None,
    )


def _level(frame: Frame) -> float:
    """Around its mean: the wrong law makes a constant of silence."""
    return float(np.std(frame))


def _share(frame: Frame, hertz: float) -> float:
    """Of the frame's energy, what lies at this frequency: 0 to 1."""
    samples = frame.astype(np.float64)
    at = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / SAMPLE_RATE)
    return float(2 * abs(np.dot(samples, at)) ** 2 / (len(samples) * np.dot(samples, samples)))
