"""The interface of a language model: what a conversation or an extraction asks of it, whoever provides it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


class ChatError(Exception):
    """The language model failed; the message is one clear sentence that names the provider and the model."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """Sampling settings of one agent; `extra` holds what only one provider knows and is passed through."""

    model: str
    max_tokens: int = 100
    temperature: float = 0.1
    top_p: float = 0.9
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChatText:
    """A piece of the reply, in order."""

    text: str


@dataclass(frozen=True, slots=True)
class ChatUsage:
    """Token counts of the whole request; at most once, last."""

    input_tokens: int
    output_tokens: int


class ChatModel(Protocol):
    @property
    def provider(self) -> str: ...

    def stream(
        self, messages: Sequence[ChatMessage], settings: ChatSettings
    ) -> AsyncIterator[ChatText | ChatUsage]:
        """Stream the reply. Raises ChatError on refusal, timeout (first token, total) or a broken stream."""
        ...
