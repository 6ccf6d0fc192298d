"""Wyoming's transcript with a field of our own: how likely the words are to be the end of a sentence. Whoever does
not know the field passes over it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from wyoming.asr import Transcript
from wyoming.event import Event, Eventable


@dataclass
class TranscriptEvent(Eventable):
    text: str
    language: str | None = None
    finality: float | None = None
    """As in `media.speech.Transcription`."""

    @staticmethod
    def is_type(event_type: str) -> bool:
        return Transcript.is_type(event_type)

    def event(self) -> Event:
        event = Transcript(self.text, language=self.language).event()
        if self.finality is not None:
            event.data["finality"] = round(self.finality, 2)
        return event

    @staticmethod
    def from_event(event: Event) -> TranscriptEvent:
        """Of a stranger too, who may leave out or add anything."""
        data = event.data or {}
        text, finality = data.get("text"), data.get("finality")
        return TranscriptEvent(str(text or "").strip(), None, _log_probability(finality))


def _log_probability(value: object) -> float | None:
    return value if isinstance(value, float) and math.isfinite(value) and value <= 0 else None
