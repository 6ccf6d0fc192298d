"""What remains of a conversation when the call is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ringback.conversation.screening.verdict import Verdict
from ringback.conversation.transcript import Failure, Turn
from ringback.media.leg import Ended, HangupCause

Provided = Literal["transcriber", "synthesizer", "llm"]
Unit = Literal["milliseconds", "characters", "input_tokens", "output_tokens"]
Purpose = Literal["conversation", "welcome_message", "routing", "hangup", "voicemail"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What one provider is to be paid for."""

    component: Provided
    provider: str
    model: str
    unit: Unit
    quantity: int
    detail: str = ""
    """"estimated" for tokens that the provider did not count."""
    turn: int | None = None
    """Number of the turn that it was for, as they were told to the observer, from 0; None: for none."""
    at_ms: int = 0
    """When it began, since the answer."""
    purpose: Purpose = "conversation"


@dataclass(frozen=True, slots=True)
class ConversationResult:
    turns: tuple[Turn, ...]
    """In the order of their beginnings."""
    slots: Mapping[str, Any]
    context: Mapping[str, Any]
    """Where a graph stood at the end (contract 4.4, row 14); empty for other dialogues."""
    usage: tuple[Usage, ...]
    ended: Ended
    """The leg's last event: who ended the call, and how the record words it."""
    cause: HangupCause | None
    """Why we hung up; None where we did not."""
    failure: Failure | None
    answered_by: Verdict | None = None
    """Who or what took the call; None where nobody wanted to know, or it ended too soon."""

    @property
    def latencies_ms(self) -> list[int]:
        """Of each agent turn that answered the person: end of speech to the first frame on the leg."""
        return [turn.latency_ms for turn in self.turns if turn.latency_ms is not None]
