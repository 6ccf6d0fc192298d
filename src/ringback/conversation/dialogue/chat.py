"""The dialogue of a simple agent: a system prompt, what was heard, a language model and its functions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ringback.agents.chat import Ask, ChatMessage, ToolCall
from ringback.agents.plan import ChatPlan
from ringback.agents.prompts import fill
from ringback.agents.tools import EndCall, Tool, ToolResult
from ringback.conversation.dialogue.dialogue import Expectation, ModelAnswer, Reply, only_keys
from ringback.conversation.transcript import LogEntry

MAX_ROUNDS: Final = 6
"""Times in one turn that the model may call functions before it has to speak."""
INTERRUPTED: Final = "No answer: the call was given up because the user spoke."
"""Told of a function whose result nobody waited for; strict servers want every call answered."""

Messages = tuple[ChatMessage, ...]


@dataclass(frozen=True, slots=True)
class _State:
    messages: Messages
    turn: int
    """Where the agent's present turn begins in `messages`."""
    rounds: int = 0


class ChatDialogue:
    """Implements `dialogue.Dialogue`. The model sees what the person heard, not what it meant to say."""

    def __init__(self, plan: ChatPlan, tools: Mapping[str, Tool], variables: Mapping[str, Any]) -> None:
        self._settings = plan.chat
        self._notes = plan.notes
        self._tools = tools
        prompt = fill(plan.system_prompt, variables).strip()
        messages = (ChatMessage("system", prompt),) if prompt else ()
        self._state = _State(messages, len(messages))

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
        return Reply(log=tuple(LogEntry("event", "system", note) for note in self._notes))

    def answer(self, text: str) -> Reply:
        return self._begin(text)

    def answered(self, answer: ModelAnswer) -> Reply:
        if not answer.calls:
            return Reply()
        calls = [call for call in answer.calls if not isinstance(self._tools.get(call.name), EndCall)]
        if not calls:
            return Reply(ends=True)
        wanted = _distinct(calls, self._state.messages)
        # To hang up beside other functions would leave their results untold: asked again, it can say goodbye.
        self._extend(ChatMessage("assistant", answer.text, wanted))
        return Reply(calls=wanted)

    def unanswered(self, message: str) -> Reply | None:
        return None

    def results(self, results: Sequence[tuple[ToolCall, ToolResult]]) -> Reply:
        waiting = _open_calls(self._state.messages)
        told = [
            ChatMessage("tool", result.content, call_id=call.id)
            for call, result in results
            if call.id in waiting
        ]
        if not told:
            return Reply()
        self._extend(*told)
        self._state = replace(self._state, rounds=self._state.rounds + 1)
        # Whoever presses keys listens to what the machine says to them.
        return Reply() if only_keys(self._tools, results) else self._ask()

    def inject(self, name: str, properties: Mapping[str, Any]) -> Reply | None:
        """The model is told in a message of its own and says what it makes of it. Not as the system: several
        servers refuse a second system message."""
        told = json.dumps(dict(properties), ensure_ascii=False, default=str)
        return self._begin(f"[Event {name}: {told}]")

    def repeat(self) -> Reply | None:
        return None

    def judge(self, text: str) -> Expectation:
        return Expectation.OPEN

    def fills(self, keys: str) -> bool:
        return False

    def heard(self, text: str) -> None:
        """What was said before a function's call was taken down as it was meant; now it is known what of the
        whole turn was heard, and that stands after the results."""
        messages, turn = _closed(self._state.messages), self._state.turn
        calls = tuple(replace(m, content="") if m.calls else m for m in messages[turn:])
        messages = (*messages[:turn], *calls)
        if text:
            messages = _spoken(messages, ChatMessage("assistant", text))
        self._state = replace(self._state, messages=messages, turn=len(messages))

    def mark(self) -> object:
        return self._state

    def rewind(self, mark: object) -> None:
        assert isinstance(mark, _State)
        self._state = mark

    def _begin(self, text: str) -> Reply:
        """A turn of the agent's, after a text that is not its own."""
        messages = _spoken(_closed(self._state.messages), ChatMessage("user", text))
        self._state = _State(messages, len(messages))
        return self._ask()

    def _extend(self, *messages: ChatMessage) -> None:
        self._state = replace(self._state, messages=(*self._state.messages, *messages))

    def _ask(self) -> Reply:
        state = self._state
        tools = tuple(tool.spec for tool in self._tools.values()) if state.rounds < MAX_ROUNDS else ()
        return Reply(ask=Ask(_closed(state.messages), self._settings, tools))


def _spoken(messages: Messages, message: ChatMessage) -> Messages:
    """With one message more; who has spoken last goes on in the same one, for some servers want turns."""
    last = messages[-1] if messages else None
    if last is None or last.role != message.role or last.calls:
        return (*messages, message)
    return (*messages[:-1], replace(last, content=f"{last.content}\n{message.content}"))


def _distinct(calls: Sequence[ToolCall], messages: Messages) -> tuple[ToolCall, ...]:
    """With ids that were not used before: some servers count from nought in every answer."""
    used = sum(len(message.calls) for message in messages)
    taken = {call.id for message in messages for call in message.calls}
    return tuple(
        replace(call, id=f"{call.id}_{number}") if call.id in taken else call
        for number, call in enumerate(calls, used)
    )


def _closed(messages: Messages) -> Messages:
    """With every call answered."""
    lost = (ChatMessage("tool", INTERRUPTED, call_id=id_) for id_ in _open_calls(messages))
    return (*messages, *lost)


def _open_calls(messages: Messages) -> list[str]:
    """Ids of the calls that have no answer yet."""
    answered = {message.call_id for message in messages if message.role == "tool"}
    return [call.id for message in messages for call in message.calls if call.id not in answered]
