"""The labelled answers of tests/data/voicemail, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.turns.labels import Manner, Split

FOLDER: Final = Path(__file__).parents[2] / "tests" / "data" / "voicemail"


@dataclass(frozen=True, slots=True)
class Tone:
    hz: tuple[int, ...]
    """Sounding together."""
    ms: int
    level_db: float
    """Against the active level of the speech."""


@dataclass(frozen=True, slots=True)
class Part:
    """Words or a tone, and the silence after it."""

    text: str
    tone: Tone | None
    pause_ms: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What is heard of a telephone that was called."""

    id: str
    split: Split
    label: str
    kind: str
    lead_ms: int
    """Silence between the answer and the first sound."""
    parts: tuple[Part, ...]
    manner: Manner

    @property
    def text(self) -> str:
        return " ".join(part.text for part in self.parts if part.text)


@dataclass(frozen=True, slots=True)
class Words:
    """Words of an answer, without its sound."""

    id: str
    split: Split
    label: str
    language: str
    text: str


def answers(split: str = "all") -> list[Answer]:
    return [_answer(row) for row in _rows("greetings.json", split)]


def words(split: str = "all") -> list[Words]:
    return [Words(**row) for row in _rows("words.json", split)]


def _rows(name: str, split: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((FOLDER / name).read_text())
    return [row for row in rows if split in ("all", row["split"])]


def _answer(row: Mapping[str, Any]) -> Answer:
    manner = Manner(row["voice"], row["speed"], row["level_db"], row["noise"]["kind"], row["noise"]["snr_db"])
    parts = tuple(_part(segment) for segment in row["segments"])
    return Answer(row["id"], row["split"], row["label"], row["kind"], row["lead_ms"], parts, manner)


def _part(segment: Mapping[str, Any]) -> Part:
    tone = segment.get("tone")
    made = Tone(tuple(tone["hz"]), tone["ms"], tone["level_db"]) if tone else None
    return Part(segment.get("text", ""), made, segment["pause_ms"])
