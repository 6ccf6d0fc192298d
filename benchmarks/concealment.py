"""What concealment does for a voice on a line that loses packets, beside silence and a repeated frame that fades.

Sentences of one voice, lost frames by seed. `mel_db` is the distance of the spectra in 24 bands where somebody speaks,
`word_errors_percent` what Whisper makes of it, `us` the cost of a made-up frame. Ends in one line of JSON.

    python -m benchmarks.concealment [--words]
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from ringback.demo.words import errors
from ringback.media.concealment import Concealment
from ringback.media.frame import FRAME_SAMPLES, SILENCE, Frame, Samples
from ringback.media.g711 import Codec
from ringback.speech.hibari import HibariVoice
from ringback.speech.weights import WHISPER_BASE, whisper_directory
from ringback.speech.whisper import WhisperModel
from tests.support.telephone_sentences import SENTENCES

LINES: Final = {"5": (0.05, 0.05), "10": (0.10, 0.10), "10_in_bursts": (0.10, 0.5)}
"""Percent of frames lost: the chance of a loss after a frame that came, and after one that did not."""
_BANDS: Final = 24


class Filler(Protocol):
    def heard(self, frame: Frame) -> Frame: ...

    def missing(self) -> Frame: ...


class Silent:
    def heard(self, frame: Frame) -> Frame:
        return frame

    def missing(self) -> Frame:
        return SILENCE


class Repeated:
    def __init__(self) -> None:
        self._last, self._missing = SILENCE, 0

    def heard(self, frame: Frame) -> Frame:
        self._last, self._missing = frame, 0
        return frame

    def missing(self) -> Frame:
        loudness = (0.75, 0.4, 0.15, 0.0)[min(self._missing, 3)]
        self._missing += 1
        return (self._last * loudness).astype(np.int16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--words", action="store_true", help="also let Whisper listen")
    voice, listens = HibariVoice(), parser.parse_args().words
    said = {line: Codec.PCMU.decode(Codec.PCMU.encode(voice.speak(line))) for line in SENTENCES}
    whisper = WhisperModel(whisper_directory(WHISPER_BASE, Path(tempfile.gettempdir()))) if listens else None
    report: dict[str, Any] = {"us": round(cost_us(), 1)}
    for name, chances in LINES.items():
        for filler in (Silent, Repeated, Concealment):
            distances, wrong, words = [], 0, 0
            for seed, (line, sound) in enumerate(said.items()):
                frames = np.resize(sound, len(sound) // FRAME_SAMPLES * FRAME_SAMPLES).reshape(
                    -1, FRAME_SAMPLES
                )
                heard = lost(frames, filler(), chances, random.Random(seed))
                distances.append(mel_distance(frames.ravel(), heard))
                if whisper is not None:
                    here, of = errors(
                        line, whisper.transcribe(np.concatenate([heard, np.zeros(2400, np.int16)]))
                    )
                    wrong, words = wrong + here, words + of
            entry = {"mel_db": round(float(np.mean(distances)), 2)}
            if words:
                entry["word_errors_percent"] = round(100 * wrong / words, 1)
            report[f"{filler.__name__.lower()}_{name}"] = entry
    print(json.dumps(report))


def lost(frames: Samples, filler: Filler, chances: tuple[float, float], chance: random.Random) -> Samples:
    out, gone = [], False
    for frame in frames:
        gone = chance.random() < chances[gone]
        out.append(filler.missing() if gone else filler.heard(frame))
    return np.concatenate(out)


def mel_distance(clean: Samples, heard: Samples) -> float:
    ours, theirs = _bands(clean), _bands(heard)
    loud = ours.max(axis=1) > 65
    return float(np.sqrt(((ours - theirs) ** 2).mean(axis=1))[loud].mean())


def _bands(samples: Samples) -> npt.NDArray[np.float64]:
    """Decibels of each band, every 10 ms."""
    windows = np.lib.stride_tricks.sliding_window_view(samples.astype(float), 256)[::80] * np.hanning(256)
    mels = np.linspace(*(2595 * np.log10(1 + hertz / 700) for hertz in (100, 3600)), _BANDS + 2)
    edges = 700 * (10 ** (mels / 2595) - 1) / 4000 * 128
    bins = np.arange(129)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    powers = np.abs(np.fft.rfft(windows)) ** 2 @ np.clip(np.minimum(rising, falling), 0, None).T
    decibels: npt.NDArray[np.float64] = 10 * np.log10(powers + 1e5)
    return decibels


def cost_us(rounds: int = 3_000) -> float:
    """Of a lost frame between two that came."""
    concealment = Concealment()
    frame = (8000 * np.sin(np.arange(FRAME_SAMPLES) / 7)).astype(np.int16)
    began = time.perf_counter()
    for _ in range(rounds):
        concealment.heard(frame)
        concealment.missing()
    return (time.perf_counter() - began) / rounds * 1e6


if __name__ == "__main__":
    main()
