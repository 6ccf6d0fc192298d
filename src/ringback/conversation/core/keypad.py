"""The person's keys (contract 7, `dtmf_enabled`): up to `#`, or a pause, they become a turn.

A key silences the agent at once, for it is meant as no noise is. What is said beside the keys goes into the same turn,
before them. An answer that nobody has heard yet is withdrawn, as for somebody who goes on speaking.
"""

from __future__ import annotations

from typing import Final, Protocol

from ringback.agents.plan import Plan
from ringback.conversation import events
from ringback.conversation.core import timing
from ringback.conversation.core.barge_in import is_noise
from ringback.conversation.core.phase import Phase
from ringback.conversation.core.scene import Scene
from ringback.conversation.core.utterance import Utterance
from ringback.conversation.dialogue.dialogue import Dialogue
from ringback.conversation.dialogue.keys import typed
from ringback.conversation.events import Timer

MAX_KEYS: Final = 40
MAX_ENTRIES: Final = 20
"""Completed while a function ran; they are one turn."""
_END: Final = "#"


class Floor(Protocol):
    """What keys lead to; the core does it."""

    @property
    def yields(self) -> bool:
        """The agent may be interrupted: no function of its runs, whose effect could not be taken back."""
        ...

    def be_busy(self) -> None: ...

    def cut_off(self) -> None: ...

    def answer(self, person: Utterance, text: str) -> None: ...


class Keypad:
    def __init__(self, plan: Plan, dialogue: Dialogue, scene: Scene, floor: Floor) -> None:
        self._enabled = plan.talk.dtmf_enabled
        self._dialogue = dialogue
        self._scene = scene
        self._floor = floor
        self._keys = ""
        self._entries: list[str] = []
        """Those that are complete and wait to be answered."""
        self._impatient = False
        """They have waited for long enough for the person to stop speaking."""
        self._began = 0.0

    def press(self, event: events.Digit) -> None:
        scene, key = self._scene, event.key
        scene.out.log("system", f"keypad: {key}")
        if not self._takes(key):
            return
        self._silence_agent()
        self._began = self._began if scene.typing else scene.now
        scene.typing = True
        self._keys += "" if key == _END else key
        if key == _END or len(self._keys) >= MAX_KEYS or self._dialogue.fills(self._keys):
            self._finish()
        else:
            scene.timers.set(Timer.KEYPAD, scene.now + timing.KEYPAD_S)

    def due(self) -> None:
        """No further key has come, or those that are complete have waited for long."""
        if self._keys:
            self._finish()
        else:
            self._impatient = True
            self.consider()

    def consider(self) -> bool:
        """If they are complete and nobody speaks, answer them. Whether keys hold the floor: then words wait."""
        scene = self._scene
        if not scene.typing:
            return False
        if scene.phase is not Phase.TALKING or scene.away:
            self._settle()
            return False
        if not self._keys and self._floor.yields and not scene.voice.flushing:
            if scene.agent is not None:
                self._floor.cut_off()
            elif self._impatient or not self._speaks:
                self._take()
        return True

    def leg_ended(self) -> None:
        """The last keys count too."""
        if self._scene.typing:
            self._settle()

    @property
    def _speaks(self) -> bool:
        """The person does, or their words are not known yet."""
        scene = self._scene
        return scene.speaking or (scene.person is not None and scene.person.text is None)

    def _takes(self, key: str) -> bool:
        scene = self._scene
        wanted = self._enabled and scene.phase is Phase.TALKING and not scene.away
        return wanted and (key != _END or bool(self._keys)) and len(self._entries) < MAX_ENTRIES

    def _silence_agent(self) -> None:
        scene, person = self._scene, self._scene.person
        self._floor.be_busy()
        if person is not None and person.answered:
            person.answered = False
            if person.mark is not None:
                self._dialogue.rewind(person.mark)
            scene.out.log("system", "the person types: the answer that was not heard is withdrawn")
            self._floor.cut_off()
        elif scene.agent is not None and self._floor.yields:
            self._floor.cut_off()

    def _finish(self) -> None:
        scene = self._scene
        self._entries.append(self._keys)
        self._keys, self._impatient = "", False
        scene.timers.set(Timer.KEYPAD, scene.now + timing.BESIDE_KEYS_S)
        self.consider()

    def _take(self) -> None:
        scene = self._scene
        turn = self._turn()
        if not self._speaks and scene.person is not None:
            person, scene.person = scene.person, None
            turn.transcriptions = person.transcriptions
            if not is_noise(person.text or "", person.confidence):
                turn.began, turn.text = person.began, f"{person.text} {turn.text}"
            elif person.text:
                # What leaks of a key's tone is made into words.
                scene.out.log("system", f"beside the keys: {person.text}")
        self._write(turn)
        self._floor.answer(turn, turn.text or "")

    def _settle(self) -> None:
        """Nobody answers them any more."""
        self._write(self._turn())

    def _turn(self) -> Utterance:
        turn = Utterance(self._scene.out, self._began)
        entries = [*self._entries, self._keys] if self._keys else self._entries
        turn.text, turn.ended = " ".join(map(typed, entries)), self._scene.now
        return turn

    def _write(self, turn: Utterance) -> None:
        scene = self._scene
        self._keys, self._entries, scene.typing = "", [], False
        scene.timers.cancel(Timer.KEYPAD)
        written = turn.turn(scene.answered_at)
        if written is not None:
            scene.add(written)
