"""The embedded synthesizer: hibari's small English voice, brought to the telephone's rate and level."""

from __future__ import annotations

import textwrap
from functools import lru_cache
from typing import Any, Final

import numpy as np

from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.speech import SpeechError
from ringback.speech.resample import resample, to_int16
from ringback.speech.weights import HIBARI, WeightsError

VOICE: Final = "heart"
"""The one voice that the package holds; the others would be downloads."""
LANGUAGES: Final = ("en-US",)

_GAIN: Final = 2.4 * 32767
"""Full scale 1.0 to int16 units: speech then lies about -20 dBov, the level of a near telephone talker."""
_PEAK: Final = 0.95 * 32767
_MAX_CHARACTERS: Final = 300
"""About 20 s of speech."""
_MIN_SPEED: Final = 0.5
_MAX_SPEED: Final = 2.0
_SEED: Final = 0
"""Of the breath noise: the same sentence always sounds the same, so it may be cached and compared."""


class HibariVoice:
    """The loaded voice. It blocks, and belongs to one thread at a time.

    threads: CPU threads of the network; cached: how many sentences to remember (about 50 kB each, 400 kB the
    longest): an agent says the same ones in every call. Raises WeightsError at creation.
    """

    def __init__(self, *, threads: int = 1, cached: int = 128) -> None:
        model, *_ = [file.verified() for file in HIBARI]
        from hibari import Hibari

        try:
            self._tts: Any = Hibari(model=str(model), threads=threads)
        except Exception as error:  # onnxruntime raises its own kinds
            raise WeightsError(f"Cannot load the hibari voice: {error}") from error
        self._rate = int(self._tts.sample_rate)
        self._remembered = lru_cache(maxsize=cached)(self._speak)

    def sentences(self, text: str) -> list[str]:
        """The pieces that `speak` takes, so short that nobody waits long for another's."""
        return [
            piece
            for sentence in self._tts.split_sentences(text)
            for piece in textwrap.wrap(sentence, _MAX_CHARACTERS, break_on_hyphens=False)
        ]

    def speak(self, sentence: str, voice: str = "", speed: float = 1.0) -> Samples:
        """8 kHz mono audio, read-only. speed: 0.5 to 2.0. Raises SpeechError for what it cannot be."""
        if voice not in ("", VOICE):
            raise SpeechError(f"The hibari synthesizer has no voice {voice!r}; it has {VOICE!r}.")
        if not _MIN_SPEED <= speed <= _MAX_SPEED:
            raise SpeechError(f"The hibari synthesizer speaks at speed 0.5 to 2.0, not {speed:g}.")
        return self._remembered(sentence.strip(), speed)

    def _speak(self, sentence: str, speed: float) -> Samples:
        audio = self._tts(sentence, speed=speed, seed=_SEED) * np.float32(_GAIN)
        telephone = resample(audio, self._rate, SAMPLE_RATE)
        peak = float(np.abs(telephone).max(initial=0.0))
        if peak > _PEAK:
            telephone *= np.float32(_PEAK / peak)
        samples = to_int16(telephone)
        samples.setflags(write=False)
        return samples
