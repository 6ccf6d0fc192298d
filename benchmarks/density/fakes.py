"""Remote services that answer with a fixed delay. No model, no network: what is left is the platform's own work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from benchmarks.density import scene
from benchmarks.density.scene import Sounds
from ringback.agents.chat import Ask, ChatPiece, ChatText, ChatUsage
from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.speech import Transcription, Voice


@dataclass(slots=True)
class Asked:
    """When one call's services were last asked, in monotonic seconds."""

    transcriber: float = 0.0
    chat: float = 0.0
    synthesizer: float = 0.0
    """The first sentence since the language model was asked."""


class FakeTranscriber:
    """Implements `media.speech.Transcriber`."""

    provider = "fake"
    model = "fixed delay"

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    async def transcribe(self, audio: Samples, language: str) -> Transcription:
        self._asked.transcriber = time.monotonic()
        await asyncio.sleep(scene.TRANSCRIPTION_S)
        return Transcription(scene.HEARD, len(audio) * 1000 // SAMPLE_RATE)


class FakeChat:
    """Implements `agents.chat.ChatModel`."""

    provider = "fake"

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    async def stream(self, ask: Ask) -> AsyncIterator[ChatPiece]:
        now = time.monotonic()
        self._asked.chat, self._asked.synthesizer = now, 0.0
        due = now + scene.FIRST_TOKEN_S
        for token in scene.tokens(scene.REPLY):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            yield ChatText(token)
            due += scene.TOKEN_S
        yield ChatUsage(200, 20)


class FakeSynthesizer:
    """Implements `media.speech.Synthesizer`."""

    provider = "fake"
    model = "fixed delay"

    def __init__(self, asked: Asked, sounds: Sounds) -> None:
        self._asked = asked
        self._sounds = sounds

    async def synthesize(self, text: str, voice: Voice) -> AsyncIterator[Samples]:
        now = time.monotonic()
        self._asked.synthesizer = self._asked.synthesizer or now
        audio = self._sounds.of(text)
        due = now + scene.FIRST_AUDIO_S
        for start in range(0, len(audio), scene.PIECE_SAMPLES):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            yield audio[start : start + scene.PIECE_SAMPLES]
            due += scene.PIECE_S
