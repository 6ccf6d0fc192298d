"""The dialogue of a simple agent: a system prompt, what was heard, a language model and its functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ringback.agents.chat import Ask, ChatMessage, ToolCall
from ringback.agents.plan import ChatPlan
from ringback.agents.prompts import fill
from ringback.agents.tools import EndCall, Tool, ToolResult
from ringback.conversation.dialogue import Expectation, ModelAnswer, Reply

MAX_ROUNDS = 6
"""Times in one turn that the model may call functions before it has to speak."""


class ChatDialogue:
    """Implements `dialogue.Dialogue`. The model sees what the person heard, not what it meant to say."""

    def __init__(self, plan: ChatPlan, tools: Mapping[str, Tool], variables: Mapping[str, Any]) -> None:
        self._settings = plan.chat
        self._tools = tools
        self._messages: tuple[ChatMessage, ...] = ()
        self._rounds = 0
        prompt = fill(plan.system_prompt, variables).strip()
        if prompt:
            self._messages = (ChatMessage("system", prompt),)

    @property
    def slots(self) -> Mapping[str, Any]:
        """Always empty: a simple agent's data are extracted after the call."""
        return {}

    @property
    def context(self) -> Mapping[str, Any]:
        return {}

    @property
    def repeat_after_s(self) -> float | None:
        return None

    def opening(self) -> Reply:
        """Only the welcome message is said before the person speaks."""
        return Reply()

    def answer(self, text: str) -> Reply:
        self._rounds = 0
        self._messages = (*self._messages, ChatMessage("user", text))
        return self._ask()

    def answered(self, answer: ModelAnswer) -> Reply:
        if not answer.calls:
            return Reply()
        self._messages = (*self._messages, ChatMessage("assistant", answer.text, answer.calls))
        if any(isinstance(self._tools.get(call.name), EndCall) for call in answer.calls):
            return Reply(ends=True)
        return Reply(calls=answer.calls)

    def unanswered(self, message: str) -> Reply | None:
        return None

    def results(self, results: Sequence[tuple[ToolCall, ToolResult]]) -> Reply:
        self._rounds += 1
        told = [ChatMessage("tool", result.content, call_id=call.id) for call, result in results]
        self._messages = (*self._messages, *told)
        return self._ask()

    def inject(self, name: str, properties: Mapping[str, Any]) -> Reply | None:
        return None

    def repeat(self) -> Reply | None:
        return None

    def judge(self, text: str) -> Expectation:
        return Expectation.OPEN

    def heard(self, text: str) -> None:
        if text:
            self._messages = (*self._messages, ChatMessage("assistant", text))

    def mark(self) -> object:
        return self._messages

    def rewind(self, mark: object) -> None:
        assert isinstance(mark, tuple)
        self._messages = mark

    def _ask(self) -> Reply:
        tools = tuple(tool.spec for tool in self._tools.values()) if self._rounds < MAX_ROUNDS else ()
        return Reply(ask=Ask(self._messages, self._settings, tools))
