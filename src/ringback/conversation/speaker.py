"""The agent's mouth on one leg: utterances synthesized one after the other into the playout."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final

from ringback.conversation.events import UtteranceFailed, VoiceFlushed, VoicePaused
from ringback.conversation.trimmer import Trimmer
from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.playout import Playout, PlayoutFullError
from ringback.media.speech import SpeechError, Synthesizer, Voice, WordEnds

PIECE_TIMEOUT_S: Final = 10.0
"""Longest wait for the next piece of audio."""


class Speaker:
    def __init__(
        self,
        synthesizer: Synthesizer,
        voice: Voice,
        playout: Playout,
        on_failed: Callable[[UtteranceFailed], None],
    ) -> None:
        self._synthesizer = synthesizer
        self._voice = voice
        self._playout = playout
        self._on_failed = on_failed
        self._waiting: deque[tuple[int, str]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._samples: dict[int, int] = {}
        """Samples synthesized of each utterance that is not flushed."""
        self._complete: set[int] = set()
        self.characters = 0
        """Characters given to the synthesizer (what is metered)."""

    def speak(self, utterance: int, text: str) -> None:
        self._waiting.append((utterance, text))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._synthesize_all())

    def pause(self) -> VoicePaused:
        self._playout.pause()
        pending = self._waiting or (self._task is not None and not self._task.done())
        return VoicePaused(None if pending else self._playout.buffered_ms)

    def resume(self) -> None:
        self._playout.resume()

    def flush(self) -> VoiceFlushed:
        """Fall silent and forget every utterance."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
        flushed = self._playout.flush()
        answer = VoiceFlushed()
        if flushed is not None:
            utterance = int(flushed.utterance_id)
            audio_ms = self._samples.get(utterance, 0) * 1000 // SAMPLE_RATE
            complete = utterance in self._complete
            answer = VoiceFlushed(utterance, flushed.played_ms, audio_ms if complete else None)
        self._samples.clear()
        self._complete.clear()
        return answer

    async def close(self) -> None:
        self.flush()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _synthesize_all(self) -> None:
        while self._waiting:
            utterance, text = self._waiting.popleft()
            try:
                await self._synthesize(utterance, text)
            except TimeoutError:
                message = (
                    f"The synthesizer {self._synthesizer.provider} gave no audio for {PIECE_TIMEOUT_S:g} s."
                )
                self._on_failed(UtteranceFailed(utterance, message))
            except (SpeechError, PlayoutFullError) as error:
                self._on_failed(UtteranceFailed(utterance, str(error)))
            except Exception as error:
                message = f"The synthesizer {self._synthesizer.provider} failed: {type(error).__name__}."
                self._on_failed(UtteranceFailed(utterance, message))

    async def _synthesize(self, utterance: int, text: str) -> None:
        self.characters += len(text)
        self._samples[utterance] = 0
        trimmer = Trimmer()
        pieces = self._synthesizer.synthesize(text, self._voice)
        try:
            while (piece := await self._next(pieces)) is not None:
                if not isinstance(piece, WordEnds):
                    self._append(utterance, trimmer.push(piece))
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
        self._append(utterance, trimmer.finish())
        if self._samples[utterance] == 0:
            raise SpeechError(f"The synthesizer {self._synthesizer.provider} gave no audio for a sentence.")
        self._complete.add(utterance)
        self._playout.finish(str(utterance))

    async def _next(self, pieces: AsyncIterator[Samples | WordEnds]) -> Samples | WordEnds | None:
        async with asyncio.timeout(PIECE_TIMEOUT_S):
            return await anext(pieces, None)

    def _append(self, utterance: int, audio: Samples) -> None:
        self._samples[utterance] += len(audio)
        self._playout.append(str(utterance), audio)
