"""The embedded synthesizer: hibari's small English voice, brought to the telephone's rate and level."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.speech import SpeechError
from ringback.speech.durations import with_phoneme_ends
from ringback.speech.resample import Floats, resample, to_int16
from ringback.speech.weights import HIBARI, WeightsError
from ringback.speech.word_phonemes import word_phonemes

VOICE: Final = "heart"
"""The one voice that the package holds; the others would be downloads."""
LANGUAGES: Final = ("en-US",)

_GAIN: Final = 2.4 * 32767
"""Full scale 1.0 to int16 units: speech then lies about -20 dBov, the level of a near telephone talker."""
_PEAK: Final = 0.95 * 32767
_MAX_CHARACTERS: Final = 300
"""About 20 s of speech."""
_MAX_PHONEMES: Final = 400
"""What the network takes at once; numbers read out become longer than they are written."""
_CLAUSES: Final = (", ", "; ", ": ", "— ")
_MIN_SPEED: Final = 0.5
_MAX_SPEED: Final = 2.0
_SEED: Final = 0
"""Of the breath noise: the same sentence always sounds the same, so it may be cached and compared."""


@dataclass(frozen=True, slots=True)
class Said:
    audio: Samples
    """8 kHz mono, read-only."""
    word_ends_ms: tuple[int, ...] | None
    """Where each word of the sentence (split at white space) ends in it; None where that could not be told."""


class HibariVoice:
    """The loaded voice. It blocks, and belongs to one thread at a time.

    threads: CPU threads of the network; cached: how many sentences to remember (about 50 kB each, 400 kB the
    longest): an agent says the same ones in every call. Raises WeightsError at creation.
    """

    def __init__(self, *, threads: int = 1, cached: int = 128) -> None:
        model, *_ = [file.verified() for file in HIBARI]
        from hibari import Hibari, dsp

        try:
            self._tts: Any = Hibari(model=with_phoneme_ends(model.read_bytes()), threads=threads)
        except Exception as error:  # onnxruntime raises its own kinds
            raise WeightsError(f"Cannot load the hibari voice: {error}") from error
        self._waveform = dsp.synth
        self._rate = int(self._tts.sample_rate)
        self._remembered = lru_cache(maxsize=cached)(self._say)

    def sentences(self, text: str) -> list[str]:
        """The pieces that `say` takes, so short that nobody waits long for another's."""
        return [
            piece
            for sentence in self._tts.split_sentences(text)
            for piece in textwrap.wrap(sentence, _MAX_CHARACTERS, break_on_hyphens=False)
        ]

    def speak(self, sentence: str, voice: str = "", speed: float = 1.0) -> Samples:
        """The audio of `say`."""
        return self.say(sentence, voice, speed).audio

    def say(self, sentence: str, voice: str = "", speed: float = 1.0) -> Said:
        """speed: 0.5 to 2.0. Raises SpeechError for what it cannot be."""
        if voice not in ("", VOICE):
            raise SpeechError(f"The hibari synthesizer has no voice {voice!r}; it has {VOICE!r}.")
        if not _MIN_SPEED <= speed <= _MAX_SPEED:
            raise SpeechError(f"The hibari synthesizer speaks at speed 0.5 to 2.0, not {speed:g}.")
        return self._remembered(sentence.strip(), speed)

    def _say(self, sentence: str, speed: float) -> Said:
        words = word_phonemes(sentence, self._tts.g2p)
        noise = np.random.default_rng(_SEED)
        waves: list[Floats] = []
        ends = [0.0]
        for phonemes in _pieces(words.phonemes):
            wave, phoneme_ends = self._synthesize(phonemes, speed, noise)
            ends += (phoneme_ends * len(wave) + sum(map(len, waves))).tolist()
            waves.append(wave)
        word_ends = None
        if words.ends is not None:
            samples = np.interp(words.ends, np.arange(len(ends)), ends)
            word_ends = tuple(int(end) * 1000 // self._rate for end in samples.tolist())
        return Said(_at_telephone_level(np.concatenate(waves), self._rate) if waves else _NOTHING, word_ends)

    def _synthesize(self, phonemes: str, speed: float, noise: np.random.Generator) -> tuple[Floats, Floats]:
        """Its waveform, and where each of the phonemes ends, as a part of the whole."""
        ids = np.asarray([self._tts.ids(phonemes)], np.int64)
        *spectrum, ends = self._tts.sess.run(None, {"ids": ids, "speed": np.asarray([speed], np.float32)})
        wave = self._waveform(*(part[0] for part in spectrum), noise)
        # The network knows only some characters; those that it does not know sound for no time.
        known = np.cumsum([character in self._tts.vocab for character in phonemes])
        return wave, ends[known] / ends[-1]


_NOTHING: Final[Samples] = np.zeros(0, dtype=np.int16)


def _pieces(phonemes: str) -> list[str]:
    """Of at most _MAX_PHONEMES, joining to the whole; cut after a clause if possible, else between words."""
    pieces = []
    while len(phonemes) > _MAX_PHONEMES:
        cut = max(phonemes.rfind(clause, 0, _MAX_PHONEMES - 1) + 1 for clause in _CLAUSES)
        cut = cut or phonemes.rfind(" ", 0, _MAX_PHONEMES - 1)
        cut = cut + 1 if cut > 0 else _MAX_PHONEMES
        pieces.append(phonemes[:cut])
        phonemes = phonemes[cut:]
    return [*pieces, phonemes] if phonemes else pieces


def _at_telephone_level(wave: Floats, rate: int) -> Samples:
    telephone = resample(wave * np.float32(_GAIN), rate, SAMPLE_RATE)
    peak = float(np.abs(telephone).max(initial=0.0))
    if peak > _PEAK:
        telephone *= np.float32(_PEAK / peak)
    samples = to_int16(telephone)
    samples.setflags(write=False)
    return samples
