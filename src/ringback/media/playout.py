"""The agent's voice on one leg: a queue of utterances that knows what was really played."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ringback.media.frame import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame, Samples

_FADE: Final = SAMPLE_RATE * 5 // 1000
"""5 ms: too short to hear, long enough not to click."""
_FADE_IN: Final = np.linspace(0.0, 1.0, _FADE, dtype=np.float32)
_REMEMBERED: Final = 256
"""Ended utterances whose played time can still be asked for."""


@dataclass(frozen=True, slots=True)
class Started:
    """The first audio of the utterance goes out."""

    utterance_id: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last audio of the utterance went out; nothing was cut."""

    utterance_id: str
    played_ms: int


@dataclass(frozen=True, slots=True)
class Flushed:
    """The utterance was cut off after so much of it."""

    utterance_id: str
    played_ms: int


class PlayoutFullError(Exception):
    """More audio was appended than the queue may hold."""


class _Utterance:
    def __init__(self, utterance_id: str) -> None:
        self.id = utterance_id
        self.pieces: deque[Samples] = deque()
        self.waiting = 0
        """Samples not yet played."""
        self.played = 0
        """Samples played."""
        self.complete = False
        self.buffering = True

    @property
    def played_ms(self) -> int:
        return self.played * 1000 // SAMPLE_RATE

    def take(self, count: int) -> Samples:
        """The next samples, at most `count`, from one piece: a view, no copy."""
        piece = self.pieces.popleft()
        if len(piece) > count:
            self.pieces.appendleft(piece[count:])
            piece = piece[:count]
        self.waiting -= len(piece)
        self.played += len(piece)
        return piece


class Playout:
    """Utterances play in the order of their first `append`; `next_frame` is called once a tick.

    Pausing, flushing and running dry fade out over 5 ms; what follows fades in. What counts as played is what
    was handed out, the fade included.
    """

    def __init__(
        self,
        on_event: Callable[[Started | Finished], None],
        prebuffer_ms: int = 0,
        capacity_s: float = 300.0,
    ) -> None:
        """An utterance begins (and goes on after it ran dry) when `prebuffer_ms` of it or its end is there.

        `on_event` is called inside `next_frame`: it must be quick.
        """
        self._on_event = on_event
        self._prebuffer = prebuffer_ms * SAMPLE_RATE // 1000
        self._capacity = int(capacity_s * SAMPLE_RATE)
        self._queue: deque[_Utterance] = deque()
        self._ended: dict[str, int] = {}
        self._on_ended: Callable[[str], None] = lambda utterance_id: None
        self._murmur: Samples | None = None
        self._murmuring = False
        """Some of the murmur was played."""
        self._tail: Samples | None = None
        self._murmur_tail: Samples | None = None
        self._paused = False
        self._audible = False
        self._fade_in = False
        self.underruns = 0
        """Times an utterance ran dry before it was complete."""

    @property
    def paused(self) -> bool:
        return self._paused

    @property
    def idle(self) -> bool:
        """Nothing is queued or awaited."""
        return not self._queue

    @property
    def buffered_ms(self) -> int:
        """Audio not yet played."""
        return sum(utterance.waiting for utterance in self._queue) * 1000 // SAMPLE_RATE

    def played_ms(self, utterance_id: str) -> int:
        """How much of an utterance was played so far; 0 for an unknown or long forgotten one."""
        for utterance in self._queue:
            if utterance.id == utterance_id:
                return utterance.played_ms
        return self._ended.get(utterance_id, 0)

    def watch(self, on_ended: Callable[[str], None]) -> None:
        """Tell also `on_ended`, inside `next_frame`, that an utterance was played to its end."""
        self._on_ended = on_ended

    def append(self, utterance_id: str, samples: Samples) -> None:
        """Queue audio, which must not be changed afterwards. That of an ended utterance is dropped.

        Raises PlayoutFullError beyond the capacity, with nothing queued.
        """
        utterance = self._utterance(utterance_id)
        if utterance is None or utterance.complete or len(samples) == 0:
            return
        if sum(other.waiting for other in self._queue) + len(samples) > self._capacity:
            raise PlayoutFullError(
                f"more than {self._capacity // SAMPLE_RATE} s of speech are waiting: append as it is played"
            )
        self._hush()
        utterance.pieces.append(samples)
        utterance.waiting += len(samples)

    def finish(self, utterance_id: str) -> None:
        """No more audio is coming; `Finished` follows when all of it was played, at once if there is none."""
        utterance = self._utterance(utterance_id)
        if utterance is not None:
            utterance.complete = True

    def murmur(self, samples: Samples) -> bool:
        """Play a short sound while there is no utterance; False where there is one, a pause or another murmur.

        The first audio of an utterance, a pause and a flush fade it out over 5 ms; it is no utterance itself.
        """
        if self._queue or self._paused or self._tail is not None or self._murmur is not None:
            return False
        self._murmur = samples
        return True

    def next_frame(self) -> Frame:
        """20 ms to send; silence when there is nothing to say. Not to be written to."""
        if self._tail is not None:
            frame = _padded([self._tail])
            self._tail = None
            return frame
        parts: list[Samples] = []
        missing = FRAME_SAMPLES
        if self._murmur_tail is not None:
            parts.append(self._murmur_tail)
            missing -= len(self._murmur_tail)
            self._murmur_tail = None
        if self._paused:
            return _padded(parts) if parts else SILENCE
        while missing and (utterance := self._ready()) is not None:
            if utterance.waiting:
                parts.append(self._play(utterance, missing))
                missing -= len(parts[-1])
            if not utterance.waiting and utterance.complete:
                self._end(utterance)
                self._on_event(Finished(utterance.id, utterance.played_ms))
                self._on_ended(utterance.id)
            elif not utterance.waiting and missing:
                self._run_dry(utterance, parts)
        if not parts:
            self._audible = False
            return SILENCE if self._murmur is None else self._next_of_murmur(self._murmur)
        return parts[0] if len(parts[0]) == FRAME_SAMPLES else _padded(parts)

    def pause(self) -> None:
        """Fall silent within 5 ms of the next frame and keep the place. Idempotent."""
        if not self._paused:
            self._cut()
            self._hush()
            self._paused = True

    def resume(self) -> None:
        """Go on where `pause` stopped. Idempotent."""
        self._paused = False

    def flush(self) -> Flushed | None:
        """Drop everything; ends a pause too.

        Says how much of the first utterance in the queue was played: those behind it were not played at all.
        None if there was nothing.
        """
        self._cut()
        self._hush()
        self._paused = False
        self._fade_in = False
        if not self._queue:
            return None
        first = self._queue[0]
        while self._queue:
            self._end(self._queue[0])
        return Flushed(first.id, first.played_ms)

    def _utterance(self, utterance_id: str) -> _Utterance | None:
        """The one in the queue, or a new one; None if it has ended."""
        for utterance in self._queue:
            if utterance.id == utterance_id:
                return utterance
        if utterance_id in self._ended:
            return None
        self._queue.append(_Utterance(utterance_id))
        return self._queue[-1]

    def _ready(self) -> _Utterance | None:
        """The first utterance, if it may play now."""
        if not self._queue:
            return None
        utterance = self._queue[0]
        if utterance.buffering:
            enough = 0 < utterance.waiting >= self._prebuffer
            if not (enough or utterance.complete):
                return None
            utterance.buffering = False
        return utterance

    def _play(self, utterance: _Utterance, count: int) -> Samples:
        first = utterance.played == 0
        samples = utterance.take(count)
        self._audible = True
        if self._fade_in:
            self._fade_in = False
            samples = _faded(samples, slice(0, _FADE), _FADE_IN[: len(samples)])
        if first:
            self._on_event(Started(utterance.id))
        return samples

    def _run_dry(self, utterance: _Utterance, parts: list[Samples]) -> None:
        self.underruns += 1
        utterance.buffering = True
        self._fade_in = True
        if parts:
            parts[-1] = _faded_out(parts[-1])

    def _end(self, utterance: _Utterance) -> None:
        self._queue.remove(utterance)
        self._ended[utterance.id] = utterance.played_ms
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def _next_of_murmur(self, murmur: Samples) -> Frame:
        self._murmuring = len(murmur) > FRAME_SAMPLES
        self._murmur = murmur[FRAME_SAMPLES:] if self._murmuring else None
        return murmur[:FRAME_SAMPLES] if len(murmur) >= FRAME_SAMPLES else _padded([murmur])

    def _hush(self) -> None:
        """Let the next frame begin with the fading end of a murmur."""
        if self._murmur is not None and self._murmuring:
            self._murmur_tail = _faded_out(self._murmur[:_FADE])
        self._murmur, self._murmuring = None, False

    def _cut(self) -> None:
        """Let the next frame fade out what is audible."""
        if self._audible and self._queue and self._queue[0].played and self._queue[0].waiting:
            self._tail = _faded_out(self._queue[0].take(_FADE))
            self._fade_in = True
        self._audible = False


def _faded(samples: Samples, place: slice, gain: npt.NDArray[np.float32]) -> Samples:
    faded = samples.copy()
    faded[place] = (faded[place] * gain).astype(np.int16)
    return faded


def _faded_out(samples: Samples) -> Samples:
    count = min(_FADE, len(samples))
    return _faded(samples, slice(len(samples) - count, None), _FADE_IN[:count][::-1])


def _padded(parts: list[Samples]) -> Frame:
    frame = np.zeros(FRAME_SAMPLES, dtype=np.int16)
    joined = np.concatenate(parts)
    frame[: len(joined)] = joined
    return frame
