"""What is thought of who took the call."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    HUMAN = "human"
    MACHINE = "machine"
    """An answering machine, a mailbox, an announcement of the network."""
    IVR = "ivr"
    """A menu or a queue."""
    SCREENER = "screener"
    """A program that asks who calls and why before it connects."""
    FAX = "fax"
    """A fax machine or a modem."""
    SILENCE = "silence"
    """Nobody has said anything yet."""


@dataclass(frozen=True, slots=True)
class Verdict:
    kind: Kind
    confidence: float
    """0 to 1; below 0.7 it is a guess."""
    reason: str
    """Words for the log: the phrase, the tone or the cadence that decided."""
