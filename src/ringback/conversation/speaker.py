"""The agent's mouth on one leg: utterances synthesized one after the other into the playout."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ringback.conversation.events import AudioReady, Event, UtteranceFailed, VoiceFlushed, VoicePaused
from ringback.conversation.trimmer import Trimmer
from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.playout import Playout, PlayoutFullError
from ringback.media.speech import SpeechError, Synthesizer, Voice, WordEnds

PIECE_TIMEOUT_S: Final = 10.0
"""Longest wait for the next piece of audio."""
AHEAD: Final = 2
"""Utterances synthesized beyond the one that plays: what a flush wastes."""
AHEAD_MS: Final = 3000
"""With less audio than this left to play, more than AHEAD are: short ones must not leave a gap."""
RETRY_WITHIN_S: Final = 1.0
RETRY_AFTER_S: Final = 0.2
"""A synthesizer that refuses within RETRY_WITHIN_S, before any audio, is asked once more after so long: it may be
restarting, or shedding load."""
MURMUR_WITHIN_S: Final = 0.5
"""A murmur that takes longer to synthesize comes too late to mean anything."""
MURMUR_MAX_S: Final = 1.5
_MURMUR_GAIN: Final = 0.6
_MAX_WAITING: Final = 1000


@dataclass(slots=True)
class _Utterance:
    number: int
    text: str
    samples: int = 0
    """Appended to the playout so far."""
    complete: bool = False
    word_ends_ms: tuple[int, ...] | None = None
    """In the audio as it came, before the trimmer cut it."""
    trimmer: Trimmer = field(default_factory=Trimmer)


class Speaker:
    def __init__(
        self,
        synthesizer: Synthesizer,
        voice: Voice,
        playout: Playout,
        post: Callable[[Event], None],
        metered: Callable[[int], None],
    ) -> None:
        """`post` is told AudioReady and UtteranceFailed, `metered` how many characters the synthesizer is given. They
        must not raise."""
        self._synthesizer = synthesizer
        self._voice = voice
        self._playout = playout
        self._post = post
        self._metered = metered
        self._waiting: deque[_Utterance] = deque()
        self._begun: dict[int, _Utterance] = {}
        """Given to the synthesizer, and neither played to the end nor flushed."""
        self._room = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._murmur: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        playout.watch(self._played)

    def speak(self, utterance: int, text: str) -> None:
        self._drop_murmur()
        if len(self._waiting) >= _MAX_WAITING:
            self._post(
                UtteranceFailed(utterance, f"More than {_MAX_WAITING} sentences are waiting to be spoken.")
            )
            return
        self._waiting.append(_Utterance(utterance, text))
        if self._work is None or self._work.done():
            self._work = self._start(self._synthesize_all())

    def murmur(self, text: str) -> None:
        """Say a short "mhm" under the other's speech, if it can be had at once and nothing else is to be said.

        An utterance, a pause or a flush drops it. Nobody is told anything.
        """
        idle = self._murmur is None or self._murmur.done()
        if idle and not self._pending and self._playout.idle and not self._playout.paused:
            self._murmur = self._start(self._say_quietly(text))

    def pause(self) -> VoicePaused:
        self._drop_murmur()
        self._playout.pause()
        return VoicePaused(None if self._pending else self._playout.buffered_ms)

    def resume(self) -> None:
        self._playout.resume()

    def flush(self) -> VoiceFlushed:
        """Fall silent and forget every utterance."""
        self._drop_murmur()
        self._waiting.clear()
        if self._work is not None:
            self._work.cancel()
            self._work = None  # it may still be ending when the next utterance comes
        flushed = self._playout.flush()
        begun, self._begun = self._begun, {}
        if flushed is None:
            return VoiceFlushed()
        utterance = begun.get(int(flushed.utterance_id))
        if utterance is None:
            return VoiceFlushed(int(flushed.utterance_id), flushed.played_ms)
        audio_ms = utterance.samples * 1000 // SAMPLE_RATE if utterance.complete else None
        return VoiceFlushed(utterance.number, flushed.played_ms, audio_ms, _trimmed_ends(utterance))

    async def close(self) -> None:
        self.flush()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def _name(self) -> str:
        return f"The synthesizer {self._synthesizer.provider}"

    @property
    def _pending(self) -> bool:
        """Something is yet to be synthesized."""
        return bool(self._waiting) or (self._work is not None and not self._work.done())

    @property
    def _has_room(self) -> bool:
        return len(self._begun) <= AHEAD or self._playout.buffered_ms < AHEAD_MS

    def _played(self, utterance_id: str) -> None:
        self._begun.pop(int(utterance_id), None)
        self._room.set()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task is self._work and (task.cancelled() or task.exception() is not None):
            # Cancelled by others than us: by a library, say.
            for utterance in [*self._begun.values(), *self._waiting]:
                if not utterance.complete:
                    self._fail(utterance, f"{self._name} broke.")
                    return

    async def _synthesize_all(self) -> None:
        while self._waiting:
            if not self._has_room:
                self._room.clear()
                await self._room.wait()
                continue
            utterance = self._waiting.popleft()
            self._begun[utterance.number] = utterance
            self._metered(len(utterance.text))
            try:
                await self._synthesize_or_retry(utterance)
            except TimeoutError:
                self._fail(utterance, f"{self._name} gave no audio for {PIECE_TIMEOUT_S:g} s.")
            except (SpeechError, PlayoutFullError) as error:
                self._fail(utterance, str(error))
            except Exception as error:
                self._fail(utterance, f"{self._name} failed: {type(error).__name__}.")

    def _fail(self, utterance: _Utterance, message: str) -> None:
        if not utterance.samples:
            self._begun.pop(utterance.number, None)
        self._post(UtteranceFailed(utterance.number, message))

    async def _synthesize_or_retry(self, utterance: _Utterance) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            await self._synthesize(utterance)
        except SpeechError:
            if utterance.samples or loop.time() - begun > RETRY_WITHIN_S:
                raise
            await asyncio.sleep(RETRY_AFTER_S)
            await self._synthesize(utterance)

    async def _synthesize(self, utterance: _Utterance) -> None:
        utterance.trimmer = Trimmer()
        async with self._pieces(utterance.text) as pieces:
            while (piece := await _next(pieces)) is not None:
                if isinstance(piece, WordEnds):
                    utterance.word_ends_ms = piece.ends_ms
                else:
                    self._append(utterance, utterance.trimmer.push(piece))
        self._append(utterance, utterance.trimmer.finish())
        if utterance.samples == 0:
            raise SpeechError(f"{self._name} gave no audio for a sentence.")
        utterance.complete = True
        self._playout.finish(str(utterance.number))

    def _append(self, utterance: _Utterance, audio: Samples) -> None:
        if not len(audio):
            return
        self._playout.append(str(utterance.number), audio)
        if not utterance.samples:
            self._post(AudioReady(utterance.number))
        utterance.samples += len(audio)

    async def _say_quietly(self, text: str) -> None:
        self._metered(len(text))
        trimmer = Trimmer()
        parts: list[Samples] = []
        try:
            async with asyncio.timeout(MURMUR_WITHIN_S), self._pieces(text) as pieces:
                while (piece := await _next(pieces)) is not None:
                    if not isinstance(piece, WordEnds):
                        parts.append(trimmer.push(piece))
        except Exception:
            return  # too late, or not at all: nobody misses it
        audio = np.concatenate([*parts, trimmer.finish()])
        if 0 < len(audio) <= MURMUR_MAX_S * SAMPLE_RATE:
            self._playout.murmur((audio * np.float32(_MURMUR_GAIN)).astype(np.int16))

    def _drop_murmur(self) -> None:
        """Before it sounds; one that sounds already gives way to the next audio."""
        if self._murmur is not None:
            self._murmur.cancel()
            self._murmur = None

    @asynccontextmanager
    async def _pieces(self, text: str) -> AsyncIterator[AsyncIterator[Samples | WordEnds]]:
        """What the synthesizer gives, which stops when it is left."""
        pieces = self._synthesizer.synthesize(text, self._voice)
        try:
            yield pieces
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()


async def _next(pieces: AsyncIterator[Samples | WordEnds]) -> Samples | WordEnds | None:
    async with asyncio.timeout(PIECE_TIMEOUT_S):
        return await anext(pieces, None)


def _trimmed_ends(utterance: _Utterance) -> tuple[int, ...] | None:
    if utterance.word_ends_ms is None:
        return None
    cut_ms = utterance.trimmer.cut * 1000 // SAMPLE_RATE
    return tuple(max(0, end - cut_ms) for end in utterance.word_ends_ms)
