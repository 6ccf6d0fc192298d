"""Providers with a stopwatch: how long each request took until there was something, and which failed."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TypeVar, cast

from ringback.aftercall.stage import FinishedCall, Outcome, Stage
from ringback.agents.chat import Ask, ChatModel, ChatPiece, ChatUsage
from ringback.app.telemetry import catalogue
from ringback.app.telemetry.telemetry import Telemetry
from ringback.media.frame import Samples
from ringback.media.speech import Synthesizer, Transcriber, Transcription, Voice, WordEnds

_T = TypeVar("_T")


class MeasuredTranscriber:
    """Implements `Transcriber` around another."""

    def __init__(self, inner: Transcriber, telemetry: Telemetry) -> None:
        self._inner = inner
        self._telemetry = telemetry

    @property
    def provider(self) -> str:
        return self._inner.provider

    @property
    def model(self) -> str:
        return self._inner.model

    async def transcribe(self, audio: Samples, language: str) -> Transcription:
        watch = _Stopwatch(self._telemetry, "transcriber", self.provider)
        with watch:
            heard = await self._inner.transcribe(audio, language)
            watch.stop()
        return heard


class MeasuredSynthesizer:
    """Implements `Synthesizer` around another."""

    def __init__(self, inner: Synthesizer, telemetry: Telemetry) -> None:
        self._inner = inner
        self._telemetry = telemetry
        self.first_audio_ms: int | None = None
        """Of the first text that was spoken; None until its audio was there."""

    @property
    def provider(self) -> str:
        return self._inner.provider

    @property
    def model(self) -> str:
        return self._inner.model

    async def synthesize(self, text: str, voice: Voice) -> AsyncIterator[Samples | WordEnds]:
        watch = _Stopwatch(self._telemetry, "synthesizer", self.provider)
        with watch:
            async with aclosing(_generator(self._inner.synthesize(text, voice))) as pieces:
                async for piece in pieces:
                    if not isinstance(piece, WordEnds):
                        self._heard(watch.stop())
                    yield piece

    def _heard(self, seconds: float | None) -> None:
        if seconds is not None and self.first_audio_ms is None:
            self.first_audio_ms = round(seconds * 1000)


class MeasuredChat:
    """Implements `ChatModel` around another. `component` tells what it is asked for apart."""

    def __init__(self, inner: ChatModel, telemetry: Telemetry, component: str = "llm") -> None:
        self._inner = inner
        self._telemetry = telemetry
        self._component = component

    @property
    def provider(self) -> str:
        return self._inner.provider

    async def stream(self, ask: Ask) -> AsyncIterator[ChatPiece]:
        watch = _Stopwatch(self._telemetry, self._component, self.provider)
        with watch:
            async with aclosing(_generator(self._inner.stream(ask))) as pieces:
                async for piece in pieces:
                    if not isinstance(piece, ChatUsage):
                        watch.stop()
                    yield piece


class MeasuredStage:
    """Implements `Stage` around another."""

    def __init__(self, inner: Stage, telemetry: Telemetry) -> None:
        self._inner = inner
        self._telemetry = telemetry

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def tries(self) -> int:
        return self._inner.tries

    async def run(self, call: FinishedCall) -> Outcome:
        start = time.perf_counter()
        try:
            outcome = await self._inner.run(call)
        except Exception:
            self._telemetry.record(catalogue.AFTER_CALL_FAILED, 1, self.name)
            raise
        self._telemetry.record(catalogue.AFTER_CALL, time.perf_counter() - start, self.name)
        for result, count in (("answered", outcome.answered), ("unanswered", outcome.unanswered)):
            if count:
                self._telemetry.record(catalogue.QUESTIONS, count, self.name, result)
        return outcome


class _Stopwatch:
    """Runs from its making; `stop` tells once. An error within the block is the provider's."""

    def __init__(self, telemetry: Telemetry, component: str, provider: str) -> None:
        self._telemetry = telemetry
        self._names = component, provider
        self._start = time.perf_counter()
        self._stopped = False

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        # Cancelled, or closed before its end: nobody wanted the rest.
        if isinstance(error, Exception):
            self._telemetry.provider_failed(*self._names)

    def stop(self) -> float | None:
        """Seconds; None if it was stopped before."""
        if self._stopped:
            return None
        self._stopped = True
        seconds = time.perf_counter() - self._start
        self._telemetry.provider_answered(*self._names, seconds)
        return seconds


def _generator(pieces: AsyncIterator[_T]) -> AsyncGenerator[_T, None]:
    """Providers are generators: their requests end when these are closed."""
    return cast("AsyncGenerator[_T, None]", pieces)
