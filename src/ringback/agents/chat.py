"""The interface of a language model: what a conversation or an extraction asks of it, whoever provides it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


class ChatError(Exception):
    """The language model failed; the message is one clear sentence that names the provider and the model."""


class ChatUnavailable(ChatError):
    """It cannot be reached, is overloaded or too slow: it will hardly do better for the next few seconds."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A function as the language model is told of it."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON schema of an object."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that the language model wants called."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    role: Literal["system", "user", "assistant", "tool"]
    content: str
    calls: tuple[ToolCall, ...] = ()
    """Of an assistant's message: what it called. Each is answered by one `tool` message."""
    call_id: str = ""
    """Of a tool's message: the call that it answers."""


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """Sampling settings of one agent; `extra` holds what only one provider knows and is passed through."""

    model: str
    max_tokens: int = 100
    temperature: float = 0.1
    top_p: float = 0.9
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to a language model."""

    messages: tuple[ChatMessage, ...]
    settings: ChatSettings
    tools: tuple[ToolSpec, ...] = ()
    must_call: bool = False
    """The answer has to be a call of one of the tools."""
    spoken: bool = True
    """The text is said as it comes; otherwise it is for the dialogue alone (which way a graph goes)."""
    logged: bool = True
    """Question and answer stand in the call's log; otherwise whoever asks says there what came of it."""
    schema: Mapping[str, Any] | None = None
    """JSON schema of the answer. A server that does not know of such is told less: the answer has to be checked."""
    purpose: Literal["conversation", "routing", "hangup"] = "conversation"
    """For the bill."""


@dataclass(frozen=True, slots=True)
class ChatText:
    """A piece of the reply, in order."""

    text: str


@dataclass(frozen=True, slots=True)
class ChatReasoning:
    """A piece of what the model thought before it spoke; for the log only."""

    text: str


@dataclass(frozen=True, slots=True)
class ChatUsage:
    """Token counts of the whole request, once for each model that was paid: a fallback makes two."""

    input_tokens: int
    output_tokens: int
    provider: str = ""
    """Empty: the one that was asked."""
    model: str = ""
    estimated: bool = False
    """The server did not count: these are from the length of the texts (`agents/tokens.py`)."""


@dataclass(frozen=True, slots=True)
class ChatFallback:
    """The model that was asked failed, and another one answers; for the log only."""

    message: str
    """What failed and who answers now, for people."""
    provider: str = ""
    model: str = ""


ChatPiece = ChatText | ChatReasoning | ToolCall | ChatUsage | ChatFallback


class ChatModel(Protocol):
    @property
    def provider(self) -> str: ...

    def stream(self, ask: Ask) -> AsyncIterator[ChatPiece]:
        """Stream the answer; a ToolCall comes when all of its arguments are there.

        Raises ChatError on refusal, timeout (first token, total) or a broken stream.
        """
        ...
