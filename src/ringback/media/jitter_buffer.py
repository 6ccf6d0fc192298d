"""The adaptive jitter buffer: RTP packets in, one 20 ms frame a tick out."""

from __future__ import annotations

import math
from typing import Final

from ringback.media.frame import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame, Samples
from ringback.media.sequence import signed_difference

MAX_DEPTH: Final = 10
"""Frames: the bound of the delay."""

_START_DEPTH: Final = 2
_DISCONTINUITY: Final = 50
"""Frames: a timestamp that jumps further is a new stream, not jitter."""
_BLOCK: Final = 25
_BLOCKS: Final = 4
"""The delay shrinks by a frame a block when every frame of the last _BLOCKS blocks waited long enough."""
_SPARE_S: Final = 0.008
"""What a frame must still have waited without the frame of delay that is given up; or twice the jitter."""
_FRAME_S: Final = FRAME_MS / 1000


class JitterBuffer:
    """Ordered by RTP timestamp, so any packet length, loss, reordering and discontinuous transmission fit.

    The playing position moves one frame a `pop`. What the frames wait between their arrival and their turn is the
    measure of the delay: a packet that comes too late grows it, a wait that nothing needed for two seconds
    shrinks it.
    """

    def __init__(self) -> None:
        self.late = 0
        """Packets that came after their turn and were dropped."""
        self.concealed = 0
        """Frames to be made up because nothing was there."""
        self.jitter_ms = 0.0
        """Interarrival jitter (RFC 3550 section 6.4.1)."""
        self._blocks: tuple[float, ...] = ()
        self._least_wait = math.inf
        self._counted = 0
        self.reset()

    @property
    def depth(self) -> int:
        """Frames of delay now held: the newest frame's distance from the playing position."""
        return max(0, self._newest - self._next + 1) if self._started else 0

    def reset(self) -> None:
        """Forget the stream (a new SSRC); counters stay."""
        self._started = False
        self._transit: float | None = None
        self._frames: dict[int, Frame] = {}
        self._arrivals: dict[int, float] = {}
        self._timestamp = 0
        self._position = 0
        self._next = 0
        self._newest = -1
        self._played = -1
        self._measure_anew()

    def push(self, timestamp: int, samples: Samples, now: float) -> None:
        """Take one packet's audio; `timestamp` is its 32-bit RTP timestamp, `now` its arrival in seconds.

        The caller drops duplicates (`SequenceTracker`).
        """
        if len(samples) == 0:
            return
        position = self._position + signed_difference(timestamp, self._timestamp, 32)
        slot = position // FRAME_SAMPLES
        if not self._started or abs(slot - self._next) > _DISCONTINUITY:
            self.reset()
            self._started = True
            self._next = -_START_DEPTH
            position = slot = 0
        self._timestamp, self._position = timestamp, position
        self._measure_jitter(now - position / SAMPLE_RATE)
        if slot < self._next and not self._wait_for(slot):
            self.late += 1
            return
        self._store(slot, position % FRAME_SAMPLES, samples, now)
        excess = self._newest - self._next - MAX_DEPTH
        if excess > 0:
            self._skip(excess)

    def pop(self, now: float) -> Frame | None:
        """The frame whose turn it is at `now`, in seconds; None where it is missing. Never waits."""
        if not self._started:
            return SILENCE
        slot = self._next
        self._next = slot + 1
        frame = self._frames.pop(slot, None)
        if frame is None:
            if slot < 0:
                return SILENCE
            self.concealed += 1
            return None
        self._played = slot
        self._adapt(now - self._arrivals.pop(slot))
        return frame

    def _store(self, slot: int, offset: int, samples: Samples, now: float) -> None:
        if offset == 0 and len(samples) == FRAME_SAMPLES:
            self._frames[slot] = samples
            self._arrivals[slot] = now
            self._newest = max(self._newest, slot)
            return
        taken = 0
        while taken < len(samples) and slot <= self._next + _DISCONTINUITY:
            piece = samples[taken : taken + FRAME_SAMPLES - offset]
            if slot >= self._next:
                frame = self._frames.get(slot, SILENCE).copy()
                frame[offset : offset + len(piece)] = piece
                self._frames[slot] = frame
                self._arrivals[slot] = now
                self._newest = max(self._newest, slot)
            taken += len(piece)
            offset = 0
            slot += 1

    def _wait_for(self, slot: int) -> bool:
        """A late packet: grow the delay. True if it can still be played because nothing newer was."""
        if slot > self._played:
            self._next = slot
            self._measure_anew()
            return True
        if self.depth < MAX_DEPTH:
            self._next -= 1
            self._measure_anew()
        return False

    def _adapt(self, waited: float) -> None:
        """Give up a frame of delay that no frame needed of late."""
        self._least_wait = min(self._least_wait, waited)
        self._counted += 1
        if self._counted < _BLOCK:
            return
        self._blocks = (*self._blocks[1 - _BLOCKS :], self._least_wait)
        self._counted, self._least_wait = 0, math.inf
        spare = max(_SPARE_S, 2 * self.jitter_ms / 1000)
        if len(self._blocks) == _BLOCKS and min(self._blocks) >= _FRAME_S + spare:
            self._skip(1)
            self._blocks = tuple(block - _FRAME_S for block in self._blocks)

    def _skip(self, count: int) -> None:
        for slot in range(self._next, self._next + count):
            self._frames.pop(slot, None)
            self._arrivals.pop(slot, None)
        self._next += count

    def _measure_anew(self) -> None:
        self._least_wait = math.inf
        self._counted = 0
        self._blocks = ()

    def _measure_jitter(self, transit: float) -> None:
        if self._transit is not None:
            change_ms = min(abs(transit - self._transit) * 1000, MAX_DEPTH * FRAME_MS)
            self.jitter_ms += (change_ms - self.jitter_ms) / 16
        self._transit = transit
