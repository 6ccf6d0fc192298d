"""The labelled utterances of tests/data/turns, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

FOLDER: Final = Path(__file__).parents[2] / "tests" / "data" / "turns"

Split = Literal["tune", "held-out"]


@dataclass(frozen=True, slots=True)
class Manner:
    """Who says it and over what line."""

    voice: str
    speed: float
    level_db: float
    """Against an active level of -20 dBov."""
    noise: str
    snr_db: float
    """The speech's active level over the noise."""


@dataclass(frozen=True, slots=True)
class Segment:
    text: str
    pause_ms: int
    """Silence after it; 0 for the last."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A person's whole turn."""

    id: str
    split: Split
    manner: Manner
    segments: tuple[Segment, ...]
    kind: str = ""
    expects: Mapping[str, Any] | None = None
    """What the question asks for: "type" and, by type, "digits" or "any"; None for what answers no question."""
    question: str = ""

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)


def utterances(split: str = "all") -> list[Utterance]:
    """Answers to an agent's questions."""
    return [_utterance(row) for row in _rows("utterances.json", split)]


def backchannels(split: str = "all") -> list[Utterance]:
    return [_remark(row, "backchannel") for row in _rows("backchannels.json", split)]


def interruptions(split: str = "all") -> list[Utterance]:
    return [_remark(row, "interruption") for row in _rows("interruptions.json", split)]


def _rows(name: str, split: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((FOLDER / name).read_text())
    return [row for row in rows if split in ("all", row["split"])]


def _utterance(row: Mapping[str, Any]) -> Utterance:
    segments = tuple(Segment(part["text"], part["pause_ms"]) for part in row["segments"])
    return Utterance(
        row["id"], row["split"], _manner(row), segments, row["kind"], row["expects"], row["question"]
    )


def _remark(row: Mapping[str, Any], kind: str) -> Utterance:
    return Utterance(row["id"], row["split"], _manner(row), (Segment(row["text"], 0),), kind)


def _manner(row: Mapping[str, Any]) -> Manner:
    return Manner(row["voice"], row["speed"], row["level_db"], row["noise"]["kind"], row["noise"]["snr_db"])
