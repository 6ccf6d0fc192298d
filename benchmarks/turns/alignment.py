"""Where each word of a known text ends in its audio, by Whisper's attention: independent of the synthesizer's word."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.speech.mel import MEL_RATE, LogMel
from ringback.speech.resample import resample

_FRAME_MS: Final = 20
"""Of the encoder's output."""
_WINDOW: Final = 3000
"""Mel frames of 10 ms: the model was trained on nothing shorter, and here is time for it."""


class Aligner:
    def __init__(self, directory: Path) -> None:
        import ctranslate2
        import tokenizers

        self._storage = ctranslate2.StorageView.from_array
        self._model: Any = ctranslate2.models.Whisper(str(directory), device="cpu", compute_type="int8")
        self._tokenizer: Any = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._mel = LogMel(self._model.n_mels)
        names = ("<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>")
        self._start = [self._tokenizer.token_to_id(name) for name in names]

    def word_ends_ms(self, text: str, audio: Samples) -> list[int]:
        """Of the words of `text` (split at white space), in 8 kHz audio of up to 30 s."""
        words = text.split()
        tokens = [self._tokenizer.encode(f" {word}", add_special_tokens=False).ids for word in words]
        mel = self._mel(resample(audio, SAMPLE_RATE, MEL_RATE) / np.float32(32768))
        window = np.full((mel.shape[0], _WINDOW), mel.min(), dtype=np.float32)
        window[:, : mel.shape[1]] = mel[:, :_WINDOW]
        encoded = self._model.encode(self._storage(window[None]))
        flat = [token for word in tokens for token in word]
        found = self._model.align(encoded, self._start, [flat], min(mel.shape[1], _WINDOW))[0]
        begins: dict[int, int] = {}
        for token, frame in found.alignments:
            begins.setdefault(token, frame * _FRAME_MS)
        counts = np.cumsum([len(word) for word in tokens])
        length_ms = len(audio) * 1000 // SAMPLE_RATE
        return [int(begins.get(int(count), length_ms)) for count in counts]
