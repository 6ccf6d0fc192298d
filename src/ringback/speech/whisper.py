"""The embedded transcriber: Whisper on CTranslate2 with an encoder context as short as the utterance.

Whisper always looks at 30 s; of what people say on the telephone nearly all of that is silence. Encoding
only the utterance and a margin costs a sixth of the time at the same word error rate.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.speech import SpeechError
from ringback.speech.mel import MEL_RATE, LogMel
from ringback.speech.repeats import cut_repeats
from ringback.speech.resample import Floats, resample

MAX_UTTERANCE_S: Final = 30
"""What the model can hear at once; longer audio is transcribed in pieces of this length."""

MAX_CONTEXT: Final = 3000
MIN_CONTEXT: Final = 800
_MARGIN: Final = 400
"""Encoder context in mel frames of 10 ms; with less the model loses its place and starts over."""

_LANGUAGE: Final = re.compile(r"<\|([a-z]{2,3})\|>")

_MIN_SAMPLES: Final = SAMPLE_RATE // 10
"""Nobody says a word in less than 100 ms."""
_SILENCE_RMS: Final = 16.0
"""int16 units (-66 dBov): below, there is only the noise of the line, and the model would invent words."""
_NO_SPEECH_PROBABILITY: Final = 0.6
_NO_SPEECH_LOGPROB: Final = -1.0
"""Whisper's own rule: no speech when it says so and was unsure of the words besides."""


_MAX_FINALITY_TOKENS: Final = 16
"""The last words of a long text tell as well as all of it whether they end a sentence."""
_NOTHING_FRAMES: Final = 200
_LEAST_PROBABILITY: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Heard:
    """The words of some audio, "" where there are none; the figures as in `media.speech.Transcription`."""

    text: str
    finality: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Ids of the special tokens of one model's vocabulary, and of the marks that may end a text."""

    start: int
    transcribe: int
    no_timestamps: int
    end: int
    full_stop: int
    question_mark: int
    marks: frozenset[int]


class WhisperModel:
    """A loaded model. `transcribe` blocks, and may be called from as many threads as there are workers.

    directory: CTranslate2 files (model.bin, config.json, vocabulary, tokenizer.json).
    threads: CPU threads of one transcription. min_context: mel frames that the encoder sees at least;
    MAX_CONTEXT is Whisper's own 30 s window. Raises SpeechError at creation.
    """

    def __init__(
        self, directory: Path, *, threads: int = 1, workers: int = 1, min_context: int = MIN_CONTEXT
    ) -> None:
        import ctranslate2
        import tokenizers

        self._storage = ctranslate2.StorageView.from_array
        try:
            self._model: Any = ctranslate2.models.Whisper(
                str(directory),
                device="cpu",
                compute_type="int8",
                intra_threads=threads,
                inter_threads=workers,
            )
            self._tokenizer: Any = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
        except Exception as error:  # the bindings raise bare RuntimeError and Exception
            raise SpeechError(f"Cannot load the Whisper model in {directory}: {error}") from error
        self._mel = LogMel(self._model.n_mels)
        self._min_context = min_context
        self._tokens = _Tokens(
            start=self._token("<|startoftranscript|>"),
            transcribe=self._token("<|transcribe|>"),
            no_timestamps=self._token("<|notimestamps|>"),
            end=self._token("<|endoftext|>"),
            full_stop=self._token("."),
            question_mark=self._token("?"),
            marks=frozenset(map(self._token, (".", "?", "!", ",", "...", "-", ";", ":"))),
        )
        silence = np.zeros((self._model.n_mels, _NOTHING_FRAMES), dtype=np.float32)
        self._nothing = self._model.encode(self._storage(silence[None] - np.float32(0.5)))

    @property
    def languages(self) -> list[str]:
        """Codes of the languages that the model was trained on."""
        if not self._model.is_multilingual:
            return ["en"]
        return sorted(
            code[1] for token in self._tokenizer.get_vocab() if (code := _LANGUAGE.fullmatch(token))
        )

    def transcribe(self, audio: Samples, language: str = "en") -> str:
        """The words alone of what `hear` tells."""
        return self.hear(audio, language).text

    def hear(self, audio: Samples, language: str = "en") -> Heard:
        """The words of 8 kHz mono audio, how well they end a sentence (English only), and how sure they are.

        language: ISO 639-1 code, also with a region ("en-US"); "" lets the model find out.
        Raises SpeechError for a language that the model doesn't know.
        """
        length = MAX_UTTERANCE_S * SAMPLE_RATE
        pieces = (audio[start : start + length] for start in range(0, len(audio), length))
        heard = [one for piece in pieces if (one := self._hear_piece(piece, language)).text]
        if not heard:
            return Heard("")
        sure = [one.confidence for one in heard if one.confidence is not None]
        return Heard(" ".join(one.text for one in heard), heard[-1].finality, min(sure, default=None))

    def _hear_piece(self, audio: Samples, language: str) -> Heard:
        if len(audio) < _MIN_SAMPLES or _rms(audio) < _SILENCE_RMS:
            return Heard("")
        encoded = self._encode(audio)
        prompt = self._prompt(encoded, language)
        seconds = len(audio) / SAMPLE_RATE
        result = self._model.generate(
            encoded,
            [prompt],
            beam_size=1,
            max_length=len(prompt) + 8 + math.ceil(8 * seconds),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=[-1],
        )[0]
        if result.no_speech_prob > _NO_SPEECH_PROBABILITY and result.scores[0] < _NO_SPEECH_LOGPROB:
            return Heard("")
        words = [token for token in result.sequences_ids[0] if token < self._tokens.end]
        finality = self._finality(words) if language.partition("-")[0].lower() == "en" else None
        return Heard(
            cut_repeats(self._tokenizer.decode(words)), finality, _confidence(result.scores[0], len(words))
        )

    def _finality(self, words: list[int]) -> float | None:
        """The decoder as a mere model of language: what it expects after the words where it hears nothing.

        While it hears the person it expects a full stop wherever the sound ends, whatever the words are.
        """
        end = self._tokens.full_stop
        while words and words[-1] in self._tokens.marks:
            end = self._tokens.question_mark if words[-1] == self._tokens.question_mark else end
            words = words[:-1]
        if not words:
            return None
        text = [*words[-_MAX_FINALITY_TOKENS:], end]
        prompt = self._prompt(self._nothing, "en")[:-1]  # aligning sets the token against timestamps itself
        (aligned,) = self._model.align(self._nothing, prompt, [text], _NOTHING_FRAMES)
        return math.log(max(aligned.text_token_probs[-1], _LEAST_PROBABILITY))

    def _encode(self, audio: Samples) -> Any:
        mel = self._mel(resample(audio, SAMPLE_RATE, MEL_RATE) / np.float32(32768))
        return self._model.encode(
            self._storage(_padded(mel, context_frames(mel.shape[1], self._min_context))[None])
        )

    def _prompt(self, encoded: Any, language: str) -> list[int]:
        if not self._model.is_multilingual:
            return [self._tokens.start, self._tokens.no_timestamps]
        if language:
            token = f"<|{language.partition('-')[0].lower()}|>"
        else:
            token = self._model.detect_language(encoded)[0][0][0]
        return [self._tokens.start, self._token(token), self._tokens.transcribe, self._tokens.no_timestamps]

    def _token(self, token: str) -> int:
        identifier = self._tokenizer.token_to_id(token)
        if identifier is None:
            raise SpeechError(
                f"The Whisper model doesn't know {token}: is that a language it was trained on?"
            )
        return int(identifier)


def _confidence(score: float, tokens: int) -> float:
    """`score` is the sum over the tokens and the end, but divided by the tokens alone: unfair to short texts."""
    return min(0.0, score * tokens / (tokens + 1))


def context_frames(frames: int, shortest: int = MIN_CONTEXT) -> int:
    """How many mel frames the encoder sees for an utterance of `frames` frames."""
    return min(MAX_CONTEXT, max(shortest, math.ceil((frames + _MARGIN) / 100) * 100))


def _padded(mel: Floats, frames: int) -> Floats:
    """Cut to `frames`, or filled up with the silence that is its minimum."""
    padded = np.full((mel.shape[0], frames), mel.min(), dtype=np.float32)
    padded[:, : mel.shape[1]] = mel[:, :frames]
    return padded


def _rms(audio: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float32))))
