"""Where the parts of the core put what they want done."""

from __future__ import annotations

from ringback.conversation.actions import Action, Log
from ringback.conversation.transcript import Component, LogEntry


class Outbox:
    def __init__(self) -> None:
        self._actions: list[Action] = []
        self._numbers = 0

    def do(self, action: Action) -> None:
        self._actions.append(action)

    def log(self, component: Component, data: str) -> None:
        self.entry(LogEntry("event", component, data))

    def entry(self, entry: LogEntry) -> None:
        self.do(Log(entry))

    def number(self) -> int:
        """A fresh number for a transcription, a reply or an utterance."""
        self._numbers += 1
        return self._numbers

    def take(self) -> list[Action]:
        """What has been wanted since the last time, in order."""
        actions, self._actions = self._actions, []
        return actions
