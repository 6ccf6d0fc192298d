"""Audio of a labelled answer, with the truth about where its tones are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.turns import line
from benchmarks.turns.render import ACTIVE_RMS, said, through_codec
from benchmarks.voicemail.labels import Answer, Tone
from ringback.media.frame import SAMPLE_RATE, Samples

AFTER_MS: Final = 4000
"""Only the line's noise, so long after the last sound."""
_FADE: Final = SAMPLE_RATE // 200


@dataclass(frozen=True, slots=True)
class Rendered:
    answer: Answer
    wire: Samples
    """From the moment of the answer on, as the far end decodes it."""
    beeps: tuple[tuple[int, int], ...]
    """Where each tone begins and ends in it, in milliseconds."""
    said_ms: int
    """Where the last words end; 0 without any."""


def render(answer: Answer) -> Rendered:
    manner = answer.manner
    active = ACTIVE_RMS * 10 ** (manner.level_db / 20)
    pieces = [_silence(answer.lead_ms)]
    beeps: list[tuple[int, int]] = []
    at, said_ms = len(pieces[0]), 0
    for part in answer.parts:
        sound = _tone(part.tone, active) if part.tone else said(part.text, manner)
        if part.tone:
            beeps.append((_ms(at), _ms(at + len(sound))))
        else:
            said_ms = _ms(at + len(sound))
        pieces += [sound, _silence(part.pause_ms)]
        at += len(sound) + len(pieces[-1])
    clean = np.concatenate([*pieces, _silence(AFTER_MS)])
    noise = line.noise(manner.noise) * active * 10 ** (-manner.snr_db / 20)
    return Rendered(answer, through_codec(clean + np.resize(noise, len(clean))), tuple(beeps), said_ms)


def _tone(tone: Tone, active: float) -> line.Floats:
    at = np.arange(tone.ms * SAMPLE_RATE // 1000) / SAMPLE_RATE
    waves = sum(np.sin(2 * np.pi * hz * at) for hz in tone.hz)
    wave = np.asarray(waves) * np.sqrt(2 / len(tone.hz)) * active * 10 ** (tone.level_db / 20)
    wave[:_FADE] *= np.linspace(0, 1, _FADE)
    wave[-_FADE:] *= np.linspace(1, 0, _FADE)
    return wave


def _silence(ms: int) -> line.Floats:
    return np.zeros(ms * SAMPLE_RATE // 1000)


def _ms(samples: int) -> int:
    return samples * 1000 // SAMPLE_RATE
