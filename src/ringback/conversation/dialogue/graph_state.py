"""Where a graph dialogue stands: one immutable value, so that going back is putting an old one in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ringback.agents.chat import ChatMessage, ToolCall
from ringback.agents.plan import Edge
from ringback.agents.tools import ToolResult

PATH_LENGTH: Final = 500
"""Nodes of the way that are remembered."""


@dataclass(frozen=True, slots=True)
class Route:
    """The language model is asked which of `edges` to take; `rest` is tried when it takes none."""

    edges: tuple[Edge, ...]
    rest: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Talk:
    """The language model speaks for the node."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The language model is asked for the arguments of the node's function."""

    function: str


@dataclass(frozen=True, slots=True)
class Calls:
    """Functions run; `entering` where they belong to entering the node."""

    calls: tuple[ToolCall, ...]
    entering: bool
    text: str = ""
    """What the language model said before it called."""


@dataclass(frozen=True, slots=True)
class State:
    node: str
    slots: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    """Variables from events and functions."""
    path: tuple[str, ...] = ()
    history: tuple[ChatMessage, ...] = ()
    """What was said, as heard, and what functions answered."""
    waiting: Route | Talk | Arguments | Calls | None = None
    heard: str = ""
    """What the person said in this turn; empty where the agent speaks on its own."""
    reprompts: int = 0
    node_turns: int = 0
    total_turns: int = 0
    silence_repeats: int = 0
    hops: int = 0
    """Nodes entered in this turn."""
    rounds: int = 0
    """Times in this turn that the language model had functions called."""
    routed: bool = False
    """Llm edges were decided in this turn."""
    opening: bool = True

    def told(self, *messages: ChatMessage) -> State:
        return replace(self, history=(*self.history, *messages))

    def called(self, waiting: Calls, results: Sequence[tuple[ToolCall, ToolResult]]) -> State:
        """With the results of functions in the history: every call answered, under an id of its own."""
        taken = {call.id for message in self.history for call in message.calls}
        calls: list[ToolCall] = []
        for number, (call, _) in enumerate(results, len(self.history)):
            calls.append(replace(call, id=f"{call.id}_{number}") if call.id in taken else call)
            taken.add(call.id)
        answers = [
            ChatMessage("tool", result.content, call_id=call.id)
            for call, (_, result) in zip(calls, results, strict=True)
        ]
        return self.told(ChatMessage("assistant", waiting.text, tuple(calls)), *answers)

    def heard_of_the_agent(self, text: str) -> State:
        """What was said before a call stands in `text` too, as far as it was heard."""
        history = tuple(replace(m, content="") if m.calls else m for m in self.history)
        return replace(self, history=(*history, ChatMessage("assistant", text)) if text else history)

    @property
    def counters(self) -> dict[str, int]:
        """The vendor's names of what expressions may count."""
        return {
            "_node_turns": self.node_turns,
            "_total_turns": self.total_turns,
            "_silence_repeats": self.silence_repeats,
        }
