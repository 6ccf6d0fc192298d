"""Who or what took the call, found out beside the conversation, and what is done about a machine.

The agent greets and listens as always. Words come from the person's transcriptions; who speaks on without a pause is
overheard in between. A machine is hung up on, or gets a message after its beep; a call screener is told who calls; a
person who speaks up meanwhile gets the agent back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from ringback.agents.plan import Plan
from ringback.agents.prompts import fill
from ringback.conversation import actions, events
from ringback.conversation.core.listening import Listening
from ringback.conversation.core.phase import Phase
from ringback.conversation.core.scene import Scene
from ringback.conversation.events import Timer
from ringback.conversation.screening.phrases import weigh
from ringback.conversation.screening.screening import BEEPS_HZ, Screening
from ringback.conversation.screening.verdict import Kind, Verdict
from ringback.media.leg import HangupCause
from ringback.media.tones import ToneKind

LONGEST_GREETING_S: Final = 45.0
"""The beep is awaited no longer; then the message is left all the same."""
NO_BEEP_S: Final = 4.0
"""Who has been silent for so long after a greeting records already: its beep was not heard."""
_HELD_S: Final = 1.0
"""While nobody is there, it is looked again so often."""
_TALKING: Final = (Phase.GREETING, Phase.TALKING)


class Ending(Protocol):
    """What the core does about a machine."""

    def be_busy(self) -> None: ...

    def cut_off(self) -> None: ...

    def say_last(self, text: str, cause: HangupCause) -> None: ...

    def hang_up(self, cause: HangupCause) -> None: ...


class Vetting:
    """Does nothing for a plan without `talk.voicemail`."""

    def __init__(
        self, plan: Plan, variables: Mapping[str, Any], scene: Scene, listening: Listening, ending: Ending
    ) -> None:
        wanted = plan.talk.voicemail
        self._language = plan.transcriber.language
        self._screening = Screening(self._language, wanted) if wanted else None
        self._message = fill(wanted.message, variables).strip() if wanted else ""
        self._scene = scene
        self._listening = listening
        self._ending = ending
        self._told: tuple[Kind, bool] | None = None
        """The last verdict that was looked at, and whether it was sure."""
        self._began = 0.0
        """When the last speech began."""
        self._request: int | None = None
        self._since = 0.0
        self._give_up = 0.0
        self._beeped = False
        self._left = False
        """The message is being left: nothing matters any more."""
        self._tones = wanted is not None
        self.handlers: dict[type, Callable[[Any], None]] = {
            events.Overheard: self._overheard,
            events.ToneHeard: self._tone,
        }
        self.alarms: dict[Timer, Callable[[], None]] = {
            Timer.SCREEN: self._due,
            Timer.BEEP: self._leave_message,
        }

    @property
    def verdict(self) -> Verdict | None:
        return self._screening.verdict if self._screening else None

    # What is heard

    def answered(self) -> None:
        if self._screening is not None:
            self._screening.answered(self._scene.now)
            self._plan()

    def speech_started(self, at: float) -> None:
        if self._screening is not None:
            self._began = at
            self._screening.speech_started(at)
            self._await_beep(self._give_up)
            self._plan()

    def speech_stopped(self, at: float) -> None:
        if self._screening is not None:
            person = self._scene.person
            self._screening.speech_stopped(at)
            if person is None or person.began > self._began:
                self._overhear()  # nobody else asks for the words
            self._await_beep(min(self._give_up, at + NO_BEEP_S))
            self._plan()

    def transcribed(self, event: events.Transcribed) -> None:
        """The words of the person's turn: they count for the verdict before they are answered."""
        person = self._scene.person
        if self._screening is not None and person is not None and person.request == event.request:
            self._words(person.began, event.text)
        self._listening.transcribed(event)

    def _overheard(self, event: events.Overheard) -> None:
        if event.request == self._request:
            self._request = None
            self._words(self._since, event.text)

    def _words(self, since: float, text: str) -> None:
        if self._screening is not None and not self._scene.over and not self._left:
            self._screening.heard(since, text, self._scene.now)
            self._act()
            self._plan()

    def _tone(self, event: events.ToneHeard) -> None:
        if self._screening is None or self._scene.over or self._scene.held or not self._tones:
            return
        self._screening.tone(event.tone, self._scene.now)
        if event.tone.kind is ToneKind.INFORMATION and self._scene.phase in (*_TALKING, Phase.MACHINE):
            self._message = ""  # nobody will ever hear it
        self._act()
        vowel = self._scene.speaking and event.tone.hz < BEEPS_HZ
        beeps = event.tone.kind in (ToneKind.BEEP, ToneKind.CALLING) and not vowel
        if self._scene.phase is Phase.MACHINE and beeps:
            self._beeped = True
            self.flushed()

    # Time

    def _plan(self) -> None:
        """Look again when something can have changed."""
        screening, scene = self._screening, self._scene
        if screening is None or scene.over or self._left:
            return
        if scene.now >= screening.ends and scene.phase is not Phase.MACHINE:
            scene.timers.cancel(Timer.SCREEN)
            self._stop_tones()
            return
        due = min(at for at in (screening.again, screening.look, screening.ends) if at is not None)
        scene.timers.set(Timer.SCREEN, max(due, scene.now + _HELD_S if scene.held else scene.now))

    def _due(self) -> None:
        screening, scene = self._screening, self._scene
        if screening is None:
            return
        if not scene.held:
            if screening.look is not None and scene.now >= screening.look:
                screening.looked(scene.now)
                self._overhear()
            screening.judge(scene.now)
            self._act()
        if not scene.over and scene.phase is not Phase.MACHINE:
            self._plan()

    def _overhear(self) -> None:
        """Ask for the words so far, unless somebody has asked already."""
        scene, person = self._scene, self._scene.person
        if self._request is not None or (person is not None and person.request is not None) or scene.over:
            return
        self._request, self._since = scene.out.number(), self._began
        if person is not None and person.began < self._began:
            self._since = person.began
        scene.out.do(actions.Overhear(self._request, self._since))

    def _stop_tones(self) -> None:
        if self._tones:
            self._tones = False
            self._scene.out.do(actions.StopTones())

    # What is done about it

    def _act(self) -> None:
        verdict, scene = self.verdict, self._scene
        if verdict is None or self._screening is None or (verdict.kind, self._screening.sure) == self._told:
            return
        self._told = verdict.kind, self._screening.sure
        scene.out.log("system", f"answered by: {verdict.kind} ({verdict.confidence:.2f}, {verdict.reason})")
        if verdict.kind is Kind.FAX and scene.phase in _TALKING:
            self._ending.hang_up(HangupCause.FAX)
        elif verdict.kind is Kind.MACHINE and self._screening.sure and scene.phase in _TALKING:
            if self._message:
                self._fall_silent()
            else:
                self._ending.hang_up(HangupCause.VOICEMAIL)
        elif verdict.kind is Kind.HUMAN and scene.phase is Phase.MACHINE:
            scene.phase = Phase.TALKING
            scene.timers.cancel(Timer.BEEP)

    def _fall_silent(self) -> None:
        """The machine is let finish."""
        scene = self._scene
        scene.phase = Phase.MACHINE
        self._ending.be_busy()
        for timer in (Timer.WELCOME, Timer.INTERIM, Timer.DOUBT):
            scene.timers.cancel(timer)
        scene.settle_answered()
        self._ending.cut_off()
        self._give_up = scene.now + LONGEST_GREETING_S
        self._await_beep(self._give_up if scene.speaking else scene.now + NO_BEEP_S)

    def _await_beep(self, until: float) -> None:
        if self._scene.phase is Phase.MACHINE:
            self._scene.timers.set(Timer.BEEP, max(until, self._scene.now))

    def flushed(self) -> None:
        """The agent has fallen silent; or it was, and there was the beep."""
        if self._beeped and self._scene.phase is Phase.MACHINE and not self._scene.voice.flushing:
            self._leave_message()

    def _leave_message(self) -> None:
        self._left = True
        self._scene.timers.cancel(Timer.BEEP)
        self._scene.timers.cancel(Timer.SCREEN)
        self._stop_tones()
        self._scene.out.log("system", "leaves a message")
        self._ending.say_last(self._message, HangupCause.VOICEMAIL)

    def introduces(self, text: str) -> bool:
        """Whether a call screener asks who calls."""
        screened = self.verdict is not None and self.verdict.kind is Kind.SCREENER
        return screened and weigh(text, self._language).kind is Kind.SCREENER
