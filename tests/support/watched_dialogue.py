"""A dialogue under watch: what the core may not do to it, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ringback.agents.chat import ToolCall
from ringback.agents.tools import ToolResult
from ringback.conversation.core.agent_turn import CUT_MARK
from ringback.conversation.dialogue.dialogue import Dialogue, Expectation, ModelAnswer, Reply


class WatchedDialogue:
    """Passes everything on. Raises AssertionError where going back would undo what has had an effect."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self.effects = 0
        """What cannot be taken back: functions that were run, utterances that were begun. Others count them."""
        self.heard_turns: list[str] = []
        """What the person heard of each of the agent's turns, with a mark where it was cut."""
        self.answered_texts: list[str] = []
        """What the person said, as far as it was not taken back."""
        self.rewinds = self.injected = self.unknown = 0

    @property
    def slots(self) -> Mapping[str, Any]:
        return self._dialogue.slots

    @property
    def context(self) -> Mapping[str, Any]:
        return self._dialogue.context

    @property
    def repeat_after_s(self) -> float | None:
        return self._dialogue.repeat_after_s

    def opening(self) -> Reply:
        return self._dialogue.opening()

    def answer(self, text: str) -> Reply:
        self.answered_texts.append(text)
        return self._dialogue.answer(text)

    def answered(self, answer: ModelAnswer) -> Reply:
        return self._dialogue.answered(answer)

    def unanswered(self, message: str) -> Reply | None:
        return self._dialogue.unanswered(message)

    def results(self, results: Sequence[tuple[ToolCall, ToolResult]]) -> Reply:
        self.unknown += sum(result.content.startswith("There is no") for _, result in results)
        return self._dialogue.results(results)

    def inject(self, name: str, properties: Mapping[str, Any]) -> Reply | None:
        self.injected += 1
        return self._dialogue.inject(name, properties)

    def repeat(self) -> Reply | None:
        return self._dialogue.repeat()

    def judge(self, text: str) -> Expectation:
        return self._dialogue.judge(text)

    def fills(self, keys: str) -> bool:
        return self._dialogue.fills(keys)

    def heard(self, text: str) -> None:
        if text:
            assert text != CUT_MARK.strip(), "a cut turn of which nothing was heard"
            self.heard_turns.append(text)
        self._dialogue.heard(text)

    def mark(self) -> object:
        return self._dialogue.mark(), self.effects, len(self.heard_turns), len(self.answered_texts)

    def rewind(self, mark: object) -> None:
        assert isinstance(mark, tuple)
        inner, effects, heard, answered = mark
        assert self.effects == effects, "takes back what had an effect"
        assert len(self.heard_turns) == heard, "takes back what was heard"
        assert len(self.answered_texts) == answered + 1, "takes back more than one answer"
        self.answered_texts.pop()
        self.rewinds += 1
        self._dialogue.rewind(inner)
