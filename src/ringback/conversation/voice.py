"""What the core knows of its voice: playing, paused, or being flushed."""

from __future__ import annotations

from collections.abc import Callable

from ringback.conversation.actions import Action, FlushVoice, PauseVoice, ResumeVoice


class Voice:
    def __init__(self, do: Callable[[Action], None]) -> None:
        self._do = do
        self.paused_at: float | None = None
        self.remaining_ms: int | None = None
        """Audio left to play since the pause; None while unknown."""
        self.flushing = False
        """A flush was asked for and has not been answered."""

    def pause(self, now: float) -> None:
        if self.paused_at is None:
            self.paused_at = now
            self._do(PauseVoice())

    def resume(self) -> None:
        if self.paused_at is not None:
            self.paused_at = self.remaining_ms = None
            self._do(ResumeVoice())

    def flush(self) -> None:
        if not self.flushing:
            self.flushing = True
            self._do(FlushVoice())

    def flushed(self, now: float) -> float:
        """The flush was answered; since when the voice has been silent."""
        stopped = now if self.paused_at is None else self.paused_at
        self.flushing = False
        self.paused_at = self.remaining_ms = None
        return stopped
