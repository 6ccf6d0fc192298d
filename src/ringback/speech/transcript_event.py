"""Wyoming's transcript with two fields of our own: how likely the words are to be the end of a sentence, and how sure
the transcriber is of them. Whoever does not know the fields passes over them."""

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
    confidence: float | None = None
    """Both as in `media.speech.Transcription`."""

    @staticmethod
    def is_type(event_type: str) -> bool:
        return Transcript.is_type(event_type)

    def event(self) -> Event:
        event = Transcript(self.text, language=self.language).event()
        figures = {"finality": self.finality, "confidence": self.confidence}
        event.data.update({name: round(value, 2) for name, value in figures.items() if value is not None})
        return event

    @staticmethod
    def from_event(event: Event) -> TranscriptEvent:
        """Of a stranger too, who may leave out or add anything."""
        data = event.data or {}
        text = str(data.get("text") or "").strip()
        figures = (_log_probability(data.get(name)) for name in ("finality", "confidence"))
        return TranscriptEvent(text, None, *figures)


def _log_probability(value: object) -> float | None:
    return value if isinstance(value, float) and math.isfinite(value) and value <= 0 else None
