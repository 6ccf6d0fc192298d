"""The interfaces of speech: what a conversation asks of ears and voices, whoever provides them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from ringback.media.frame import Frame, Samples


class SpeechError(Exception):
    """A transcriber or synthesizer failed; the message is one clear sentence that names the provider."""


@dataclass(frozen=True, slots=True)
class Transcription:
    """The words of one utterance; empty text where there was no speech."""

    text: str
    audio_ms: int
    """Length of the audio that was transcribed (what is metered)."""
    finality: float | None = None
    """How well the words end a sentence, by words alone: the natural logarithm of the probability that a full stop
    (or the question mark that was heard) comes next. About -1 after whole sentences, below -5 after "my address
    is"; None where it is not known."""
    confidence: float | None = None
    """How sure the transcriber is of the words: the mean natural logarithm of the probabilities of its tokens, that of
    the end included. About -0.2 of words that were said clearly, mostly below -0.6 of a murmur or a noise that was
    made into words; None where it is not known."""


@dataclass(frozen=True, slots=True)
class WordEnds:
    """Where each word of a text (split at white space) ends in its audio, in milliseconds."""

    ends_ms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Voice:
    """How to speak: names mean what the provider says they mean."""

    name: str = ""
    language: str = "en"
    speed: float = 1.0


class Transcriber(Protocol):
    """Words out of the audio of one utterance."""

    @property
    def provider(self) -> str: ...

    @property
    def model(self) -> str: ...

    async def transcribe(self, audio: Samples, language: str) -> Transcription:
        """Transcribe 8 kHz mono audio of one utterance. Raises SpeechError (also on a timeout)."""
        ...


class Synthesizer(Protocol):
    """Audio out of a text."""

    @property
    def provider(self) -> str: ...

    @property
    def model(self) -> str: ...

    def synthesize(self, text: str, voice: Voice) -> AsyncIterator[Samples | WordEnds]:
        """8 kHz mono audio of the text in pieces as they become ready, and at any time, at most once, where its
        words end, if that is known. Raises SpeechError (also on a timeout)."""
        ...


class VoiceStream(Protocol):
    """The voice detector's view of one call."""

    def push(self, frame: Frame) -> None:
        """Give the next 20 ms heard from the person. Cheap: inference happens in `VoiceDetector.run`."""
        ...

    def take(self) -> list[float]:
        """The speech probabilities (0..1) of the windows completed since the last `take`, oldest first."""
        ...

    def close(self) -> None: ...


class VoiceDetector(Protocol):
    """Speech or not, for all calls of a process in one batch a tick."""

    window_ms: int

    def open(self) -> VoiceStream: ...

    def run(self) -> None:
        """One batched inference over every stream that has a complete window. Called once a tick."""
        ...
