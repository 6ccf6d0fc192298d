"""What is said in the calls of the benchmark, and how long the fake services take: the same for every platform."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from ringback.media.frame import FRAME_SAMPLES, Samples

ENDPOINTING_S: Final = 0.400
"""Silence that ends the person's turn, as every platform is configured."""
TRANSCRIPTION_S: Final = 0.150
"""From the end of the audio to its text."""
FIRST_TOKEN_S: Final = 0.250
TOKEN_S: Final = 0.020
FIRST_AUDIO_S: Final = 0.080
PIECE_S: Final = 0.040
"""Between pieces of synthesized audio, each PIECE_SAMPLES long: five times faster than it is played."""
PIECE_SAMPLES: Final = 1600

WELCOME: Final = "Hello, this is the surgery, how can I help you?"
REPLY: Final = "Thank you, I have noted that for you. Is there anything else that I can do?"
HEARD: Final = "Okay, that's all, thank you very much, bye."
"""What the fake transcriber understands, whatever was said: surely whole, so that the silence waited for is known."""
PERSON: Final = (
    "Hello, I would like to move my appointment to Thursday morning.",
    "My name is Margaret Hill, and I was there last in the spring.",
    "Could you also send the bill to my new address in the village?",
    "No, the afternoon does not suit me, I have to be at work by two.",
)

_QUIET: Final = 200
"""Samples up to this (-44 dBov) around an utterance are cut, so that its beginning and end are what they seem."""


def tokens(text: str) -> list[str]:
    """The text as a language model streams it: a word a token."""
    words = text.split()
    return [word + " " for word in words[:-1]] + words[-1:]


def prepare(path: Path) -> None:
    """Synthesize everything once into a file for the processes of the benchmark."""
    from ringback.speech.hibari import HibariVoice

    voice = HibariVoice()
    texts = {"welcome": WELCOME, **{f"reply-{n}": s for n, s in enumerate(sentences(REPLY))}}
    texts |= {f"person-{n}": text for n, text in enumerate(PERSON)}
    np.savez(path, **{name: _trimmed(voice.speak(text)) for name, text in texts.items()})  # type: ignore[arg-type]


def sentences(text: str) -> list[str]:
    return [part.strip() for part in text.replace("? ", "?|").replace(". ", ".|").split("|")]


class Sounds:
    """The prepared audio."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            self._audio: dict[str, Samples] = {name: file[name] for name in file.files}
        self.person = [self._audio[f"person-{n}"] for n in range(len(PERSON))]
        self._by_text = {WELCOME: self._audio["welcome"]}
        self._by_text |= {s: self._audio[f"reply-{n}"] for n, s in enumerate(sentences(REPLY))}

    def of(self, text: str) -> Samples:
        """The agent's audio of a sentence, or of several at once."""
        known = [self._by_text[sentence] for sentence in sentences(text) if sentence in self._by_text]
        if not known:
            raise KeyError(f"nobody prepared audio for {text!r}")
        return np.concatenate(known)


def _trimmed(audio: Samples) -> Samples:
    """Whole frames, without the silence around."""
    loud = np.flatnonzero(np.abs(audio.astype(np.int32)) > _QUIET)
    audio = audio[loud[0] : loud[-1] + 1]
    return np.pad(audio, (0, -len(audio) % FRAME_SAMPLES))
