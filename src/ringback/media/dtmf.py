"""Keypad keys as telephone-event packets (RFC 4733)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ringback.media.frame import SAMPLE_RATE
from ringback.media.leg import Digit
from ringback.media.sequence import signed_difference

KEYS: Final = "0123456789*#ABCD"
"""Event codes 0 to 15 (RFC 4733 table 3)."""

_EVENT: Final = struct.Struct("!BBH")
_LONGEST_SEGMENT: Final = 0xFFFF
_TIMEOUT_S: Final = 0.5
"""Silence after which a key whose end packets were all lost counts as released."""


class DtmfError(ValueError):
    """Not a telephone-event payload."""


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """One payload (RFC 4733 section 2.3); `duration` in timestamp units (1/8000 s), `volume` in -dBm0."""

    event: int
    end: bool
    volume: int
    duration: int

    @classmethod
    def parse(cls, payload: bytes) -> TelephoneEvent:
        """Raises DtmfError on a payload shorter than four octets; what follows them is ignored."""
        if len(payload) < _EVENT.size:
            raise DtmfError(f"{len(payload)} octets are shorter than a telephone-event")
        event, flags, duration = _EVENT.unpack_from(payload)
        return cls(event, flags >= 0x80, flags & 0x3F, duration)

    def serialize(self) -> bytes:
        return _EVENT.pack(self.event, self.end << 7 | self.volume, self.duration)


@dataclass(slots=True)
class _Press:
    event: int
    timestamp: int
    """RTP timestamp of the current segment: the identity of the event."""
    duration: int
    earlier_segments: int
    heard_at: float
    reported: bool = False


class DtmfReceiver:
    """Reports each key once, when released: at its first end packet, at the next key, or after a timeout."""

    def __init__(self, report: Callable[[Digit], None]) -> None:
        self._report = report
        self._press: _Press | None = None

    def receive(self, timestamp: int, payload: bytes, now: float) -> None:
        """Take one telephone-event packet; `now` in seconds. Malformed ones and other events are ignored."""
        try:
            event = TelephoneEvent.parse(payload)
        except DtmfError:
            return
        if event.event >= len(KEYS):
            return
        press = self._press_of(event, timestamp, now)
        if press is None:
            return
        press.duration = max(press.duration, event.duration)
        press.heard_at = now
        if event.end:
            self._finish(press)

    def poll(self, now: float) -> None:
        """Report a key that has gone silent without an end packet; call it about once a tick."""
        press = self._press
        if press is not None and not press.reported and now - press.heard_at > _TIMEOUT_S:
            self._finish(press)

    def reset(self) -> None:
        """Another source begins: finish what is pressed and compare no timestamps across."""
        if self._press is not None:
            self._finish(self._press)
        self._press = None

    def _press_of(self, event: TelephoneEvent, timestamp: int, now: float) -> _Press | None:
        """The press that this packet belongs to; None for a late packet of an earlier one."""
        press = self._press
        if press is not None:
            later = signed_difference(timestamp, press.timestamp, 32)
            if later < 0:
                return None
            if later == 0 and event.event == press.event:
                return press
            if later == _LONGEST_SEGMENT and event.event == press.event and not press.reported:
                # The next segment of a key held longer than 8.2 s (RFC 4733 section 2.5.1.3).
                press.earlier_segments += _LONGEST_SEGMENT
                press.timestamp, press.duration = timestamp, 0
                return press
            self._finish(press)
        self._press = _Press(event.event, timestamp, 0, 0, now)
        return self._press

    def _finish(self, press: _Press) -> None:
        if not press.reported:
            press.reported = True
            duration = press.earlier_segments + press.duration
            self._report(Digit(KEYS[press.event], duration * 1000 // SAMPLE_RATE))
