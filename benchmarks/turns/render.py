"""Audio of a labelled utterance, with the truth about where in it somebody speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.turns import line, voices
from benchmarks.turns.labels import Manner, Utterance
from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.g711 import Codec

_STEP: Final = SAMPLE_RATE // 100
"""Speech is looked for in steps of 10 ms."""
_FLOOR: Final = 10 ** (-36 / 20)
"""Of the loudest step: what is quieter before and after it is not heard as speech."""
ACTIVE_RMS: Final = 32768 * 10 ** (-20 / 20)
_ACTIVE: Final = 10 ** (-25 / 20)
"""Of the loudest step: what counts for the active level."""
_PEAK: Final = 30000.0


@dataclass(frozen=True, slots=True)
class Rendered:
    """What the person's telephone sends."""

    utterance: Utterance
    speech: line.Floats
    """The clean voice in the telephone's band, beginning and ending with the first and last sound of speech."""
    spans: tuple[tuple[int, int], ...]
    """Where each segment begins and ends in it, in milliseconds."""
    noise: line.Floats
    """The line's noise at its level, a loop."""

    @property
    def end_ms(self) -> int:
        """Where the person has said everything."""
        return self.spans[-1][1]

    def on_the_wire(self, before_ms: int, after_ms: int) -> Samples:
        """As the far end decodes it: with noise before, during and after, through mu-law."""
        speech = np.concatenate([_silence(before_ms), self.speech, _silence(after_ms)])
        return through_codec(speech + np.resize(self.noise, len(speech)))


def render(utterance: Utterance) -> Rendered:
    manner = utterance.manner
    pieces: list[line.Floats] = []
    spans: list[tuple[int, int]] = []
    at = 0
    for segment in utterance.segments:
        spoken = said(segment.text, manner)
        spans.append((_ms(at), _ms(at + len(spoken))))
        pieces += [spoken, _silence(segment.pause_ms)]
        at += len(spoken) + len(pieces[-1])
    speech = np.concatenate(pieces)
    active = ACTIVE_RMS * 10 ** (manner.level_db / 20)
    return Rendered(
        utterance, speech, tuple(spans), line.noise(manner.noise) * active * 10 ** (-manner.snr_db / 20)
    )


def through_codec(audio: npt.NDArray[Any]) -> Samples:
    """What arrives of it by mu-law."""
    samples = np.rint(np.clip(audio, -32768, 32767)).astype(np.int16)
    return Codec.PCMU.decode(Codec.PCMU.encode(samples))


def said(text: str, manner: Manner) -> line.Floats:
    """One segment at its level, cut to its speech, whole steps long."""
    raw = voices.speak(text, manner.voice, manner.speed)
    audio = line.band(np.pad(raw, (SAMPLE_RATE // 4, SAMPLE_RATE // 4 + -len(raw) % _STEP)))
    steps = np.sqrt(np.mean(audio.reshape(-1, _STEP) ** 2, axis=1))
    heard = np.flatnonzero(steps > steps.max() * _FLOOR)
    cut = audio[heard[0] * _STEP : (heard[-1] + 1) * _STEP]
    active = np.sqrt(np.mean(steps[steps > steps.max() * _ACTIVE] ** 2))
    loud = cut * (ACTIVE_RMS * 10 ** (manner.level_db / 20) / active)
    return np.asarray(loud * min(1.0, _PEAK / float(np.abs(loud).max())))


def _silence(ms: int) -> line.Floats:
    return np.zeros(ms * SAMPLE_RATE // 1000)


def _ms(samples: int) -> int:
    return samples * 1000 // SAMPLE_RATE
