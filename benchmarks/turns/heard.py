"""What was heard of the agent before it was cut, against what the transcript claims. Two measures:

- by place: the last sound that the person's own recording has of the agent is found in the synthesizer's audio of the
  whole text, and the words before it are counted by Whisper's forced alignment of that audio (alignment.py), not by
  the synthesizer's own word times, which the claim rests on. A word counts when its middle was heard.
- by transcription: what Whisper writes of the recording up to the cut; the prefix of the text that is nearest to it.
  Whisper completes the word in which the cut fell, and may guess the next: this measure can be a word or two too long.
  Of prefixes that are equally near, the one nearest to the claim is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.signal import correlate

from benchmarks.turns.alignment import Aligner
from ringback.demo.words import errors, words
from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.speech.hibari import HibariVoice

_TAIL: Final = SAMPLE_RATE * 400 // 1000
"""So much of the end is looked for."""
_LOUD: Final = 200
_PAUSE: Final = SAMPLE_RATE * 250 // 1000
"""A silence that is longer may be the agent's, who fell silent and went on where it had stopped."""
_SAME: Final = 0.7
"""Correlation of what is the same sound through mu-law; it is over 0.95 where no pause is inside."""


@dataclass(frozen=True, slots=True)
class HeardError:
    """Of one interrupted turn, in words."""

    id: str
    claimed: int
    heard: int
    """By place; by transcription where the sound was not found."""
    transcribed: int
    claim: str
    transcription: str

    @property
    def error(self) -> int:
        return abs(self.claimed - self.heard)

    @property
    def error_by_transcription(self) -> int:
        return abs(self.claimed - self.transcribed)


class Reference:
    """Everything that the agent may say, as the synthesizer says it."""

    def __init__(self, voice: HibariVoice, aligner: Aligner, text: str) -> None:
        self.text = text
        self._voice = voice
        self._aligner = aligner

    @cached_property
    def _audio(self) -> tuple[Samples, list[float]]:
        """All sentences one after the other, and where each word's middle is in it, in samples."""
        audio: list[Samples] = []
        middles: list[float] = []
        at = 0
        for sentence in self._voice.sentences(self.text):
            said = self._voice.speak(sentence)
            begin = float(np.flatnonzero(np.abs(said.astype(np.int32)) > _LOUD)[0])
            for end_ms in self._aligner.word_ends_ms(sentence, said):
                end = end_ms * SAMPLE_RATE / 1000
                middles.append(at + (begin + end) / 2)
                begin = end
            audio.append(said)
            at += len(said)
        return np.concatenate(audio), middles

    def place(self, heard: Samples) -> int | None:
        """How many words were heard, by where the last sound of `heard` lies; None where it is not found."""
        place = self._place(heard)
        return self._place(_closed(heard)) if place is None else place

    def _place(self, heard: Samples) -> int | None:
        whole, middles = self._audio
        loud = _loud(heard)
        if not len(loud) or loud[-1] < _TAIL:
            return None
        tail = heard[loud[-1] + 1 - _TAIL : loud[-1] + 1].astype(np.float64)
        track = whole.astype(np.float64)
        matched = correlate(track, tail, mode="valid", method="fft")
        energy = np.convolve(track**2, np.ones(_TAIL), mode="valid")
        likeness = matched / np.sqrt(np.maximum(energy, 1.0) * float(tail @ tail))
        best = int(likeness.argmax())
        if likeness[best] < _SAME:
            return None
        return sum(middle <= best + _TAIL for middle in middles)


def _loud(heard: Samples) -> npt.NDArray[np.int64]:
    return np.flatnonzero(np.abs(heard.astype(np.int32)) > _LOUD)


def _closed(heard: Samples) -> Samples:
    """Without the pauses, in which the line is quite silent."""
    sounds = np.flatnonzero(heard)
    keep = np.ones(len(heard), dtype=bool)
    for n in np.flatnonzero(np.diff(sounds) > _PAUSE):
        keep[sounds[n] + 1 : sounds[n + 1]] = False
    return heard[keep]


def compare(
    name: str, claim: str, texts: Sequence[str], transcription: str, placed: int | None = None
) -> HeardError:
    """`texts` are what the agent may have been saying."""
    whole = words(spoken(claim, texts))
    claimed = len(words(claim))
    transcribed = min(
        range(len(whole) + 1),
        key=lambda count: (_distance(whole[:count], transcription), abs(count - claimed)),
    )
    return HeardError(
        name, claimed, transcribed if placed is None else placed, transcribed, claim, transcription
    )


def spoken(claim: str, texts: Sequence[str]) -> str:
    """Which of the texts a claim is the beginning of."""
    return min(texts, key=lambda text: _distance(words(text)[: len(words(claim))], claim))


def _distance(said: Sequence[str], heard: str) -> int:
    return errors(" ".join(said), heard)[0]
