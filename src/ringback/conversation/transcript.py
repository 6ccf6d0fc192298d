"""The transcript's turns and the log's entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class TurnTiming:
    """Where the time went between the end of the person's speech and the agent's first audio, in milliseconds.

    None where a part did not take place. Parts may overlap: transcription starts while the silence is still
    being waited for.
    """

    total_ms: int
    """From the end of speech, as the voice detector sees it, to the first frame on the leg."""
    endpointing_ms: int
    """Until the silence counted as the end of the turn."""
    overhead_ms: int
    """What is left of the total without the waits for the end of the turn and for providers: our own share."""
    transcriptions: tuple[tuple[int, str], ...] = ()
    """Each transcription that was finished: from its request to its text, and the text."""
    first_token_ms: int | None = None
    """From the question to the language model to the first piece of its answer."""
    last_token_ms: int | None = None
    """To the end of its answer."""
    first_audio_ms: int | None = None
    """From the order to speak to the first synthesized audio."""
    tools_ms: int | None = None
    """Longest wait for functions that were called."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said before the other's turn. An agent's text is what the person heard of it."""

    role: Literal["assistant", "user"]
    text: str
    start_ms: int
    """Milliseconds since the answer."""
    end_ms: int
    interrupted: bool = False
    """The person cut the agent short."""
    timing: TurnTiming | None = None
    """Where the time went before it was heard; None for no answer to anybody."""

    @property
    def latency_ms(self) -> int | None:
        """From the end of the person's speech to the first agent frame on the leg."""
        return None if self.timing is None else self.timing.total_ms


Component = Literal["transcriber", "llm", "synthesizer", "tool", "system", "graph_routing", "llm_hangup"]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the execution's log (contract 3.4)."""

    type: Literal["request", "response", "event", "error"]
    component: Component
    data: str
    provider: str = ""
    tool_name: str = ""
    """Of the function, on its rows."""
    reasoning: str = ""
    """What a language model thought before its answer."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a conversation could not go on."""

    component: Component
    message: str
    """One sentence for people."""


class Observer(Protocol):
    """Whoever follows a call while it runs. Both are called on the event loop and must not block or raise."""

    def log(self, entry: LogEntry) -> None: ...

    def turn(self, turn: Turn) -> None: ...
