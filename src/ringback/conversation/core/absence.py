"""When nobody listens to the agent: the far end holds the call, or somebody else has the person."""

from __future__ import annotations

from collections.abc import Callable

from ringback.conversation.core.patience import Patience
from ringback.conversation.core.scene import Scene


class Absence:
    """The voice pauses for as long as it lasts, and what the person says meanwhile is not the agent's."""

    def __init__(self, scene: Scene, patience: Patience, back: Callable[[bool], None]) -> None:
        """`back` is told that somebody listens again, and whether the person is speaking."""
        self._scene = scene
        self._patience = patience
        self._back = back
        self.speech = False
        """There was speech in it, which has not stopped."""

    def held(self) -> None:
        self._scene.out.log("system", "call held")
        self._scene.on_hold = True
        self._begin()

    def resumed(self) -> None:
        if self._scene.on_hold:
            self._scene.out.log("system", "call resumed")
            self._scene.on_hold = False
            self._end()

    def leave(self) -> None:
        """The person is in somebody else's hands."""
        self._scene.away = True
        self._begin()

    def come_back(self) -> None:
        if self._scene.away:
            self._scene.away = False
            self._end()

    def _begin(self) -> None:
        self._patience.stop()
        self._scene.voice.hold(self._scene.now)

    def _end(self) -> None:
        if not self._scene.held:
            self._scene.voice.release()
            self._patience.renew()
            self._back(self.speech)
