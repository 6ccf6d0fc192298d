"""What the questions about one call brought, and how the record says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ringback.aftercall.stage import FinishedCall, StageError
from ringback.agents.chat import ChatUsage
from ringback.executions.record import ExecutionChanges, LogRow
from ringback.llm.structured import Answer


@dataclass(slots=True)
class Findings:
    """Adds up the answers of one stage."""

    stage: str
    usage: list[ChatUsage] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    """Why there is no answer; each once."""
    notes: list[str] = field(default_factory=list)
    """For the log."""
    log: list[LogRow] = field(default_factory=list)
    """What language models answered."""
    answered: int = 0
    unanswered: int = 0
    unavailable: int = 0

    def take(self, answer: Answer, provider: str, about: str = "") -> None:
        """`about` tells questions of one stage apart."""
        self.usage.extend(answer.usage)
        asked = f"{self.stage} ({about})" if about else self.stage
        self.log += (LogRow(0, "response", "llm", provider, f"{asked}: {text}") for text in answer.said)
        if answer.reason:
            self.fail(answer.reason)
            self.unanswered += 1
            self.unavailable += answer.unavailable
        else:
            self.answered += 1
            if answer.repaired:
                self.notes.append("an answer was repaired")

    def fail(self, reason: str) -> None:
        if reason not in self.reasons:
            self.reasons.append(reason)

    def try_again(self) -> None:
        """Raises StageError where nobody answered, and nothing was paid for: later somebody may."""
        if self.unavailable and not self.answered and not self.usage:
            raise StageError(self.reasons[0])

    def failure(self, call: FinishedCall) -> ExecutionChanges:
        """The execution's message, where something could not be found out."""
        if not self.reasons:
            return ExecutionChanges()
        message = f"{self.stage} failed: {self.reasons[0]}"
        before = call.execution.error_message
        return ExecutionChanges(error_message=f"{before}; {message}" if before else message)

    def note(self, *found: str) -> str:
        said: Sequence[str] = [
            *found,
            *dict.fromkeys(self.notes),
            *(f"not found out: {r}" for r in self.reasons),
        ]
        return "; ".join(said)
