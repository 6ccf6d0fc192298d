"""What decides what the agent says: the core's interface to an agent's script or language model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ringback.agents.chat import ChatMessage
from ringback.conversation.transcript import LogEntry


class DialogueError(ValueError):
    """A plan that cannot be talked by; the message names the node or setting and what to do."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What comes next: `text` is spoken at once, `messages` go to the language model, whose answer is spoken.

    With `ends` the agent hangs up when everything is said.
    """

    text: str = ""
    messages: tuple[ChatMessage, ...] = ()
    ends: bool = False
    log: tuple[LogEntry, ...] = ()


class Dialogue(Protocol):
    """One conversation's script. No I/O, no clock."""

    @property
    def slots(self) -> Mapping[str, Any]:
        """What has been learned from the person."""
        ...

    def opening(self) -> Reply:
        """What follows the welcome message before anybody answers; called once."""
        ...

    def answer(self, text: str) -> Reply:
        """The reply to what the person said."""
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
