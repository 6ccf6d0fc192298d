"""The transcript's turns and the log's entries, and how much of a sentence was heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

MS_PER_CHARACTER: Final = 65
"""Speech takes about so long; used only while the length of an utterance's audio is not known yet."""


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
    """To the end of its answer; None also where the agent began to speak before it."""
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
    latency_ms: int | None = None
    """From the end of the person's speech to the first agent frame on the leg; None for no answer to anybody."""
    timing: TurnTiming | None = None
    """Of the same: where it went."""


Component = Literal["transcriber", "llm", "synthesizer", "system", "graph_routing"]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the execution's log (contract 3.4)."""

    type: Literal["request", "response", "event", "error"]
    component: Component
    data: str
    provider: str = ""


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


def heard(text: str, played_ms: int, audio_ms: int | None) -> str:
    """The words of `text` that `played_ms` of its audio (`audio_ms` long, None: unknown) made heard.

    Time is spread evenly over the characters; a word counts as heard once its middle was played.
    """
    length_ms = audio_ms if audio_ms is not None else max(played_ms, len(text) * MS_PER_CHARACTER)
    if length_ms <= 0 or played_ms <= 0:
        return ""
    played_characters = len(text) * min(1.0, played_ms / length_ms)
    words: list[str] = []
    position = 0
    for word in text.split():
        start = text.index(word, position)
        position = start + len(word)
        if (start + position) / 2 > played_characters:
            break
        words.append(word)
    return " ".join(words)
