"""What decides what the agent says: the core's interface to an agent's script or language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from ringback.agents.chat import Ask, ToolCall
from ringback.agents.tools import PressDigits, Tool, ToolResult
from ringback.conversation.transcript import LogEntry


class DialogueError(ValueError):
    """A plan that cannot be talked by; the message names the node or setting and what to do."""


class Expectation(Enum):
    """How what was heard so far relates to what the dialogue waits for."""

    COMPLETE = auto()
    """A whole answer to what was asked: a closed question answered, a slot filled."""
    ANSWERED = auto()
    """Holds an answer, and more words than it needs: it may go on."""
    PARTIAL = auto()
    """Visibly a part of one: a number with digits missing."""
    OPEN = auto()
    """The dialogue cannot tell."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What comes next. `text` is spoken at once. Then the language model is asked (`Dialogue.answered` follows),
    or functions are called side by side (`Dialogue.results` follows), or the agent's turn is over.

    With `ends` the agent hangs up when everything is said.
    """

    text: str = ""
    ask: Ask | None = None
    calls: tuple[ToolCall, ...] = ()
    ends: bool = False
    log: tuple[LogEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """All that came of an Ask."""

    text: str
    calls: tuple[ToolCall, ...] = ()


class Dialogue(Protocol):
    """One conversation's script. No I/O, no clock. Nothing but `mark` and `rewind` goes back."""

    @property
    def slots(self) -> Mapping[str, Any]:
        """What has been learned from the person."""
        ...

    @property
    def context(self) -> Mapping[str, Any]:
        """Where the dialogue stands, for the record (contract 4.4, row 14); empty for one without a graph."""
        ...

    @property
    def repeat_after_s(self) -> float | None:
        """Silence of the person after which `repeat` is due; None for never."""
        ...

    def opening(self) -> Reply:
        """What follows the welcome message before anybody answers; called once."""
        ...

    def answer(self, text: str) -> Reply:
        """The reply to what the person said."""
        ...

    def answered(self, answer: ModelAnswer) -> Reply:
        """The language model has answered the Ask of the last reply; a spoken text is being said already."""
        ...

    def unanswered(self, message: str) -> Reply | None:
        """The language model failed. How to go on without it; None where that cannot be done."""
        ...

    def results(self, results: Sequence[tuple[ToolCall, ToolResult]]) -> Reply:
        """All calls of the last reply are done, in their order."""
        ...

    def inject(self, name: str, properties: Mapping[str, Any]) -> Reply | None:
        """An event from outside (contract 8); None where it changes nothing that is to be said now."""
        ...

    def repeat(self) -> Reply | None:
        """The person has been silent for `repeat_after_s`."""
        ...

    def judge(self, text: str) -> Expectation:
        """Whether `text`, heard so far, answers what was asked. Changes nothing."""
        ...

    def fills(self, keys: str) -> bool:
        """Whether `keys`, typed so far, answer what was asked, and no further key can belong to them."""
        ...

    def heard(self, text: str) -> None:
        """The person has heard this much of the agent's turn (at its end, or where it was cut)."""
        ...

    def mark(self) -> object:
        """The present state, for `rewind`."""
        ...

    def rewind(self, mark: object) -> None:
        """Go back: the reply since `mark` was never heard, because the person went on speaking."""
        ...


def only_keys(tools: Mapping[str, Tool], results: Sequence[tuple[ToolCall, ToolResult]]) -> bool:
    """Keys were pressed, and nothing else was done."""
    return all(isinstance(tools.get(call.name), PressDigits) and not done.failed for call, done in results)
