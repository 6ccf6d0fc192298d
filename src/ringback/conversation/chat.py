"""The dialogue of a simple agent: a system prompt, what was heard, and a language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringback.agents.chat import ChatMessage
from ringback.agents.prompts import fill
from ringback.conversation.dialogue import Reply


class ChatDialogue:
    """Implements `dialogue.Dialogue`. The model sees what the person heard, not what it meant to say."""

    def __init__(self, system_prompt: str, variables: Mapping[str, Any]) -> None:
        self._messages: tuple[ChatMessage, ...] = ()
        prompt = fill(system_prompt, variables).strip()
        if prompt:
            self._messages = (ChatMessage("system", prompt),)

    @property
    def slots(self) -> Mapping[str, Any]:
        """Always empty: a simple agent's data are extracted after the call."""
        return {}

    def opening(self) -> Reply:
        """Only the welcome message is said before the person speaks."""
        return Reply()

    def answer(self, text: str) -> Reply:
        self._messages = (*self._messages, ChatMessage("user", text))
        return Reply(messages=self._messages)

    def heard(self, text: str) -> None:
        if text:
            self._messages = (*self._messages, ChatMessage("assistant", text))

    def mark(self) -> object:
        return self._messages

    def rewind(self, mark: object) -> None:
        assert isinstance(mark, tuple)
        self._messages = mark
