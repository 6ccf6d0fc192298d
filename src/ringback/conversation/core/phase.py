"""Where a conversation stands."""

from __future__ import annotations

from enum import Enum, auto


class Phase(Enum):
    RINGING = auto()
    GREETING = auto()
    """Answered; the welcome message waits for its delay or for the person's hello to end."""
    TALKING = auto()
    MACHINE = auto()
    """A machine took the call: the agent is silent until the beep."""
    CLOSING = auto()
    """The last words are being spoken; nothing interrupts them."""
    HANGING_UP = auto()
    ENDED = auto()
    """Nothing reaches the person any more; their last words may still be transcribed."""
