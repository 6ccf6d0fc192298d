"""Ears, voices and language models that cost nothing: loud is speech, and words are carried by loudness.

A word of the person is a tone of 200 ms whose level names it; the transcriber reads the levels back.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import numpy as np

from ringback.agents.chat import Ask, ChatError, ChatMessage, ChatPiece, ChatText, ChatUsage, ToolCall
from ringback.agents.tools import HttpTool, ToolResult, TransferCall
from ringback.media.frame import SAMPLE_RATE, Frame, Samples
from ringback.media.speech import SpeechError, Transcription, Voice, WordEnds

WINDOW = 256
_STEP = 500
_WORD = SAMPLE_RATE // 5
_GAP = SAMPLE_RATE // 20


class LoudnessDetector:
    """Implements `media.speech.VoiceDetector`, without batching: a window is judged when it is complete."""

    window_ms = 32

    def __init__(self) -> None:
        self.streams: list[LoudnessStream] = []

    def open(self) -> LoudnessStream:
        self.streams.append(LoudnessStream())
        return self.streams[-1]

    def run(self) -> None: ...


class LoudnessStream:
    def __init__(self) -> None:
        self._audio: Samples = np.zeros(0, dtype=np.int16)
        self.closed = False

    def push(self, frame: Frame) -> None:
        self._audio = np.concatenate([self._audio, frame])

    def take(self) -> list[float]:
        probabilities = []
        while len(self._audio) >= WINDOW:
            probabilities.append(1.0 if np.abs(self._audio[:WINDOW].astype(np.int32)).max() > 100 else 0.0)
            self._audio = self._audio[WINDOW:]
        return probabilities

    def close(self) -> None:
        self.closed = True


def tones(*words: str, vocabulary: Sequence[str]) -> Samples:
    """The person's audio of words of a vocabulary."""
    parts = []
    for word in words:
        level = (vocabulary.index(word) + 1) * _STEP
        parts += [np.full(_WORD, level, dtype=np.int16), np.zeros(_GAP, dtype=np.int16)]
    return np.concatenate(parts)


class ToneTranscriber:
    """Implements `media.speech.Transcriber`."""

    provider = "fake"
    model = "tones"

    def __init__(self, vocabulary: Sequence[str], delay_s: float = 0.15, fails: bool = False) -> None:
        self._vocabulary = vocabulary
        self._delay_s = delay_s
        self._fails = fails
        self.requests = 0

    async def transcribe(self, audio: Samples, language: str) -> Transcription:
        self.requests += 1
        await asyncio.sleep(self._delay_s)
        if self._fails:
            raise SpeechError("The transcriber fake is out of order.")
        levels = audio[np.flatnonzero(np.diff(audio, prepend=0) > 0)]
        words = [self._vocabulary[int(level) // _STEP - 1] for level in levels]
        return Transcription(" ".join(words), len(audio) * 1000 // SAMPLE_RATE)


class ToneSynthesizer:
    """Implements `media.speech.Synthesizer`: 50 ms of tone a character, in two pieces, and where words end."""

    provider = "fake"
    model = "tone"

    def __init__(self, delay_s: float = 0.03, fails_at: int | None = None, stalls: bool = False) -> None:
        self._delay_s = delay_s
        self._fails_at = fails_at
        self._stalls = stalls
        self.texts: list[str] = []

    async def synthesize(self, text: str, voice: Voice) -> AsyncIterator[Samples | WordEnds]:
        self.texts.append(text)
        await asyncio.sleep(3600 if self._stalls else self._delay_s)
        if self._fails_at is not None and len(self.texts) > self._fails_at:
            raise SpeechError("The synthesizer fake is out of order.")
        yield WordEnds(tuple(50 * word.end() for word in re.finditer(r"\S+\s*", text)))
        for _ in range(2):
            yield np.full(len(text) * SAMPLE_RATE // 40, 8000, dtype=np.int16)


class FakeChat:
    """Implements `agents.chat.ChatModel`. A reply is a text, or the names of functions that are to be called."""

    provider = "fake"

    def __init__(self, *replies: str | tuple[str, ...], fails: bool = False, delay_s: float = 0.2) -> None:
        self._delay_s = delay_s
        self._replies = list(replies)
        self._fails = fails
        self.asked: list[Sequence[ChatMessage]] = []

    async def stream(self, ask: Ask) -> AsyncIterator[ChatPiece]:
        self.asked.append(ask.messages)
        await asyncio.sleep(self._delay_s)
        if self._fails:
            raise ChatError("The language model fake (m) is out of order.")
        reply = self._replies.pop(0)
        for word in reply.split() if isinstance(reply, str) else ():
            yield ChatText(word + " ")
            await asyncio.sleep(0.02)
        for place, name in enumerate(() if isinstance(reply, str) else reply):
            yield ToolCall(f"call_{len(self.asked)}_{place}", name, {})
        yield ChatUsage(100, 20)


class FakeRunner:
    """Implements `agents.tools.ToolRunner`."""

    def __init__(self, delay_s: float = 0.5) -> None:
        self._delay_s = delay_s
        self.ran: list[str] = []
        self.announced: list[str] = []

    async def run(
        self, tool: HttpTool, arguments: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> ToolResult:
        self.ran.append(tool.spec.name)
        await asyncio.sleep(self._delay_s)
        return ToolResult("It is Monday.")

    def announce(
        self, tool: HttpTool | TransferCall, arguments: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> None:
        self.announced.append(tool.spec.name)
