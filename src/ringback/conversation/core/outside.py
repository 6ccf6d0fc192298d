"""Events from outside (contract 8), which wait for a moment in which nobody speaks."""

from __future__ import annotations

from collections import deque
from typing import Final

from ringback.conversation.core.scene import Scene
from ringback.conversation.dialogue.dialogue import Dialogue, Reply
from ringback.conversation.events import Injected

MAX_INJECTED: Final = 100


class Outside:
    def __init__(self, scene: Scene, dialogue: Dialogue) -> None:
        self._scene = scene
        self._dialogue = dialogue
        self._waiting: deque[Injected] = deque()

    def add(self, event: Injected) -> None:
        if self._scene.over or len(self._waiting) >= MAX_INJECTED:
            self._scene.out.log("system", f"event dropped: {event.name}")
        else:
            self._waiting.append(event)

    def reply(self) -> Reply | None:
        """What the dialogue says to the next event that it takes up; None where there is none."""
        while self._waiting:
            event = self._waiting.popleft()
            if (reply := self._dialogue.inject(event.name, event.properties)) is not None:
                return reply
        return None

    def drop(self) -> None:
        """Nobody is left to be told."""
        for event in self._waiting:
            self._scene.out.log("system", f"event dropped: {event.name}")
