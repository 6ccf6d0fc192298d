"""The agent's side of the core: one turn, made of utterances that are spoken one after the other."""

from __future__ import annotations

from ringback.conversation.transcript import Turn, heard
from ringback.media.leg import HangupCause


class AgentTurn:
    def __init__(self, answers: float | None = None, ends: HangupCause | None = None) -> None:
        self.answers = answers
        """When the person's speech ended that this turn answers; None where it answers nothing."""
        self.ends = ends
        """Why the agent hangs up after this turn; None if it does not."""
        self.closed = False
        """No further utterance will come."""
        self.started: float | None = None
        self.cut = False
        self.spoke = False
        """It has been given at least one utterance."""
        self._left: dict[int, str] = {}
        self._heard: list[str] = []

    @property
    def over(self) -> bool:
        return self.closed and not self._left

    @property
    def text(self) -> str:
        """What the person has heard."""
        return " ".join(self._heard)

    def add(self, utterance: int, text: str) -> None:
        self._left[utterance] = text
        self.spoke = True

    def holds(self, utterance: int | None) -> bool:
        """Whether the utterance belongs to this turn and is not over."""
        return utterance in self._left

    def finish(self, utterance: int) -> None:
        """The utterance was played to its end."""
        self._heard.append(self._left.pop(utterance))

    def flush(self, utterance: int | None, played_ms: int, audio_ms: int | None) -> None:
        """All that is left was dropped; `utterance` had been played for `played_ms`."""
        if utterance is not None and utterance in self._left:
            part = heard(self._left[utterance], played_ms, audio_ms)
            if part:
                self._heard.append(part)
        self.cut = self.cut or bool(self._left) or not self.closed
        self._left.clear()
        self.closed = True

    def turn(self, origin: float, ended: float) -> Turn | None:
        """Its turn in the transcript, of a call answered at `origin`; None where nothing was heard."""
        if not self.text or self.started is None:
            return None
        return Turn(
            "assistant",
            self.text,
            round((self.started - origin) * 1000),
            round((ended - origin) * 1000),
            interrupted=self.cut,
            latency_ms=None if self.answers is None else round((self.started - self.answers) * 1000),
        )
