"""What the core knows of its voice: playing, paused, or being flushed."""

from __future__ import annotations

from ringback.conversation.actions import FlushVoice, PauseVoice, ResumeVoice
from ringback.conversation.core.outbox import Outbox


class Voice:
    def __init__(self, out: Outbox) -> None:
        self._out = out
        self.paused_at: float | None = None
        self.remaining_ms: int | None = None
        """Audio left to play since the pause; None while unknown."""
        self.flushing = False
        """A flush was asked for and has not been answered."""
        self._held = False

    def pause(self, now: float) -> None:
        if self.paused_at is None:
            self.paused_at = now
            self._out.do(PauseVoice())

    def hold(self, now: float) -> None:
        """Pause until `release`: nobody is listening."""
        self.pause(now)
        self._held = True

    def release(self) -> None:
        self._held = False
        self.resume()

    def resume(self) -> None:
        if self.paused_at is not None and not self._held:
            self.paused_at = self.remaining_ms = None
            self._out.do(ResumeVoice())

    def left_to_play(self, remaining_ms: int | None) -> None:
        """The answer to a pause."""
        if self.paused_at is not None:
            self.remaining_ms = remaining_ms

    def flush(self) -> None:
        if not self.flushing:
            self.flushing = True
            self._out.do(FlushVoice())

    def flushed(self, now: float) -> float:
        """The flush was answered; since when the voice has been silent."""
        stopped = now if self.paused_at is None else self.paused_at
        self.flushing = False
        self.paused_at = self.remaining_ms = None
        if self._held:
            self.pause(now)
        return stopped
