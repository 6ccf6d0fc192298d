"""A call leg in memory: what the person hears is kept, what the person says is given to it."""

from __future__ import annotations

import asyncio
from collections import deque

import numpy as np

from ringback.media.frame import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame, Samples
from ringback.media.leg import Ended, EndedBy, HangupCause, LegEvent, Outcome, Referred

LOUD = 200
"""Samples beyond this are the agent's voice and not its fading."""

HANGUP_S = 0.04
"""Until the far end confirms."""


class FakeLeg:
    """Implements `media.leg.Leg` for an answered call. Positions are samples since the first tick."""

    def __init__(self) -> None:
        self.call_id = "fake"
        self.written: list[Frame] = []
        self.hangups: list[HangupCause] = []
        self.pressed = ""
        self.referred: list[str] = []
        """Whom it was asked to be transferred to."""
        self.progress: list[LegEvent] = [Referred(501, final=True)]
        """What it tells of that."""
        self.said_at: list[int] = []
        """Where each `say` began."""
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._speech: deque[Frame] = deque()
        self._ticked = asyncio.Event()
        self.ended = False

    @property
    def position(self) -> int:
        return len(self.written) * FRAME_SAMPLES

    @property
    def agent(self) -> Samples:
        """All that the person has heard."""
        return np.concatenate(self.written) if self.written else np.zeros(0, dtype=np.int16)

    async def next_event(self) -> LegEvent:
        return await self._events.get()

    def read_frame(self) -> Frame:
        return self._speech.popleft() if self._speech else SILENCE

    def write_frame(self, frame: Frame) -> None:
        if not self.ended:
            self.written.append(frame)
            self._ticked.set()

    def send_digits(self, keys: str) -> None:
        self.pressed += keys

    async def hangup(self, cause: HangupCause) -> None:
        self.hangups.append(cause)
        await asyncio.sleep(HANGUP_S)
        self._end(EndedBy.US)

    async def refer(self, target: str) -> None:
        self.referred.append(target)
        for event in self.progress:
            self.give(event)

    def hang_up_by_person(self) -> None:
        self._end(EndedBy.PEER)

    def give(self, event: LegEvent) -> None:
        self._events.put_nowait(event)

    def say(self, audio: Samples) -> None:
        """Begin to say this with the next tick."""
        self.said_at.append(self.position)
        padded = np.concatenate([audio, np.zeros(-len(audio) % FRAME_SAMPLES, dtype=np.int16)])
        self._speech.extend(padded.reshape(-1, FRAME_SAMPLES))

    async def spoken_to(self, seconds: float = 10.0) -> None:
        """Wait until the agent has begun to speak."""
        await self._until(lambda: bool(self.written) and _loud(self.written[-1]), seconds)

    async def left_alone(self, silence_ms: int = 500, seconds: float = 20.0) -> None:
        """Wait until the agent has spoken and been silent for a while, and the person too."""
        await self.spoken_to(seconds)
        frames = silence_ms // FRAME_MS
        quiet = lambda: not self._speech and not any(map(_loud, self.written[-frames:]))  # noqa: E731
        await self._until(quiet, seconds)

    async def _until(self, condition: object, seconds: float) -> None:
        assert callable(condition)
        async with asyncio.timeout(seconds):
            while not condition():
                self._ticked.clear()
                await self._ticked.wait()

    def _end(self, by: EndedBy) -> None:
        if not self.ended:
            self.ended = True
            self._events.put_nowait(Ended(Outcome.HUNG_UP, by, "Normal Hangup", 4000))


def _loud(frame: Frame) -> bool:
    return bool(np.abs(frame.astype(np.int32)).max() > LOUD)


def first_loud(audio: Samples, start: int = 0) -> int:
    """The first loud sample from `start` on."""
    return start + int(np.flatnonzero(np.abs(audio[start:].astype(np.int32)) > LOUD)[0])


def milliseconds(samples: int) -> int:
    return samples * 1000 // SAMPLE_RATE
