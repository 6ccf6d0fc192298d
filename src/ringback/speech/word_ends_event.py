"""Our addition to Wyoming: where the words of a synthesis end. Whoever does not know the event passes over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wyoming.event import Event, Eventable

_TYPE: Final = "ringback-word-ends"
_MAX_WORDS: Final = 10_000


@dataclass
class WordEndsEvent(Eventable):
    """At most once between the audio's start and stop: for each word of the text (split at white space) the
    milliseconds of audio at which it ends."""

    ends_ms: list[int]

    @staticmethod
    def is_type(event_type: str) -> bool:
        return event_type == _TYPE

    def event(self) -> Event:
        return Event(_TYPE, {"ends_ms": self.ends_ms})

    @staticmethod
    def from_event(event: Event) -> WordEndsEvent:
        """No ends where they make no sense: nobody needs them."""
        ends = event.data.get("ends_ms") if event.data else None
        if not isinstance(ends, list) or len(ends) > _MAX_WORDS or not _rise(ends):
            return WordEndsEvent([])
        return WordEndsEvent(ends)


def _rise(ends: list[object]) -> bool:
    last = 0
    for end in ends:
        if not isinstance(end, int) or end < last:
            return False
        last = end
    return True
