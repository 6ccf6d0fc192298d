"""Keys that we press, one after the other, a tick at a time."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Final

from ringback.media.dtmf import KEYS, TelephoneEvent
from ringback.media.frame import FRAME_SAMPLES

PAUSE: Final = "w"
"""Half a second in which nothing is pressed."""
MAX_KEYS: Final = 100

_TONE: Final = 5
"""Ticks (100 ms) that a key is held; slow detectors want 80 ms."""
_ENDS: Final = 3
"""Times that the end is told: one packet may be lost, even two (RFC 4733 section 2.5.1.4)."""
_EACH: Final = 10
"""Ticks from key to key: 100 ms of them are a gap."""
_PAUSED: Final = 25
_VOLUME: Final = 10
"""-dBm0."""
_TYPED: Final = re.compile(rf"[{re.escape(KEYS)}{PAUSE}]{{1,{MAX_KEYS}}}")


def pressable(keys: str) -> bool:
    """Whether all of it are keys and pauses, and not too many."""
    return _TYPED.fullmatch(keys) is not None


@dataclass(frozen=True, slots=True)
class Pressed:
    """What one tick sends of a key."""

    key: str
    tick: int
    """Since the key was pressed."""

    @property
    def sounds(self) -> bool:
        """The key is still down; afterwards only its end is told again."""
        return self.tick < _TONE

    @property
    def event(self) -> TelephoneEvent:
        """All its packets carry the RTP timestamp of the first; the end packets say the same three times."""
        last = _TONE - 1
        duration = (min(self.tick, last) + 1) * FRAME_SAMPLES
        return TelephoneEvent(KEYS.index(self.key), self.tick >= last, _VOLUME, duration)


class DtmfSender:
    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._tick = 0

    def press(self, keys: str) -> None:
        """After those that wait. Raises ValueError, with nothing pressed, unless they are `pressable`."""
        if not pressable(keys):
            raise ValueError(f"keys are 1 to {MAX_KEYS} of {KEYS} and {PAUSE} (a pause)")
        if len(self._waiting) + len(keys) > MAX_KEYS:
            raise ValueError(f"more than {MAX_KEYS} keys are waiting")
        self._waiting.extend(keys)

    def next(self) -> Pressed | None:
        """Of this tick; None: it is free for audio."""
        if not self._waiting:
            return None
        key, tick = self._waiting[0], self._tick
        self._tick += 1
        if self._tick == (_PAUSED if key == PAUSE else _EACH):
            self._waiting.popleft()
            self._tick = 0
        silent = key == PAUSE or tick >= _TONE - 1 + _ENDS
        return None if silent else Pressed(key, tick)
