"""The person's side of the core: speech, its words, when they are a turn, and whether they interrupt the agent."""

from __future__ import annotations

from typing import Protocol

from ringback.agents.plan import Plan
from ringback.conversation import events
from ringback.conversation.core import timing
from ringback.conversation.core.barge_in import interrupts, is_noise
from ringback.conversation.core.endpointing import wait_s
from ringback.conversation.core.keypad import Keypad
from ringback.conversation.core.murmuring import Murmuring
from ringback.conversation.core.phase import Phase
from ringback.conversation.core.scene import Scene
from ringback.conversation.core.utterance import Utterance
from ringback.conversation.dialogue.dialogue import Dialogue, Expectation
from ringback.conversation.events import Timer
from ringback.conversation.transcript import Component


class Floor(Protocol):
    """What listening leads to; the core does it."""

    @property
    def yields(self) -> bool:
        """The agent may be interrupted: no function of its runs, whose effect could not be taken back."""
        ...

    def be_busy(self) -> None:
        """Somebody speaks."""
        ...

    def cut_off(self) -> None:
        """Silence the agent in the middle of what it says or is about to say."""
        ...

    def answer(self, person: Utterance, text: str) -> None: ...

    def await_person(self, noise: bool = False) -> None:
        """Nobody speaks; it was a mere `noise` that made it seem otherwise."""
        ...

    def fail(self, component: Component, message: str) -> None: ...


class Listening:
    def __init__(self, plan: Plan, dialogue: Dialogue, scene: Scene, floor: Floor) -> None:
        self._talk = plan.talk
        self._language = plan.transcriber.language
        self._dialogue = dialogue
        self._scene = scene
        self._floor = floor
        self._murmuring = Murmuring(plan, scene.out, scene.timers)
        self.keypad = Keypad(plan, dialogue, scene, floor)

    def greeted(self) -> None:
        """The agent begins; what is being said now is the beginning of a turn."""
        if self._scene.speaking:
            self._scene.person = Utterance(self._scene.out, self._scene.now)

    # Speech

    def speech_started(self, at: float) -> None:
        scene = self._scene
        self._floor.be_busy()
        scene.timers.cancel(Timer.ENDPOINT)
        scene.timers.cancel(Timer.DOUBT)
        if scene.person is None:
            scene.person = Utterance(scene.out, at)
            if scene.phase is Phase.TALKING:
                self._murmuring.began(at)
        else:
            self._go_on(scene.person)
        if scene.agent is not None and scene.phase is Phase.TALKING and not scene.voice.flushing:
            scene.voice.pause(scene.now)
            scene.timers.set(Timer.INTERIM, at + timing.INTERIM_S)

    def _go_on(self, person: Utterance) -> None:
        """The pause was only a pause: transcribe anew, and take back an answer that nobody has heard."""
        if person.answered and self._scene.phase is not Phase.HANGING_UP:
            self._scene.phase = Phase.TALKING
            if person.mark is not None:
                self._dialogue.rewind(person.mark)
            self._floor.cut_off()
            self._scene.out.log("system", "the person went on: the answer that was not heard is withdrawn")
        person.go_on()

    def speech_stopped(self, at: float) -> None:
        person = self._scene.person
        if person is not None:
            person.ended = at
            self._scene.timers.cancel(Timer.INTERIM)
            person.transcribe(self._scene.now)

    def sound_heard(self) -> None:
        """The person may be going on: an answer that nobody has heard waits until the voice detector can tell."""
        scene, person = self._scene, self._scene.person
        if person is None or scene.speaking or scene.held or scene.over:
            return
        until = person.doubt(scene.now)
        if scene.timers.due(Timer.ENDPOINT, before=until):
            scene.timers.set(Timer.ENDPOINT, until)
        unheard = person.answered and scene.agent is not None and scene.agent.started is None
        if unheard and until > scene.now and not scene.voice.flushing:
            scene.voice.pause(scene.now)
            scene.timers.set(Timer.DOUBT, until)

    def no_more_doubt(self) -> None:
        """It was a mere sound."""
        scene = self._scene
        if scene.agent is not None and scene.agent.clock is not None and scene.voice.paused_at is not None:
            scene.agent.clock.kept_back(scene.voice.paused_at, scene.now)
        scene.voice.resume()

    def murmur_due(self) -> None:
        scene = self._scene
        holds_the_floor = scene.speaking and scene.agent is None and not scene.held
        if holds_the_floor and scene.person is not None:
            scene.person.tells = True
        self._murmuring.due(scene.now, holds_the_floor)

    def leg_ended(self) -> None:
        """The last words count, also those that were still being said."""
        self.keypad.leg_ended()
        scene, person = self._scene, self._scene.person
        if person is None or person.text is not None:
            scene.settle()
        elif scene.speaking or person.request is None:
            person.ended = person.ended or scene.now
            person.transcribe(scene.now)
        scene.speaking = False

    # Words

    def transcription_failed(self, event: events.TranscriptionFailed) -> None:
        scene, person = self._scene, self._scene.person
        if person is None or person.request != event.request:
            return
        if scene.phase is Phase.TALKING and not scene.speaking and not scene.away:
            scene.person = None
            self._floor.fail("transcriber", event.message)
        else:
            scene.out.log("transcriber", event.message)
            self.transcribed(events.Transcribed(event.request, ""))

    def transcribed(self, event: events.Transcribed) -> None:
        scene, person = self._scene, self._scene.person
        if person is None or person.request != event.request:
            return
        text = event.text.strip()
        person.transcribed(text, scene.now)
        person.confidence = event.confidence
        if scene.speaking and scene.phase is not Phase.ENDED:
            self._weigh_interim(person, text, event.rises)
            return
        person.text = text
        if scene.phase is Phase.ENDED:
            scene.settle()
        elif scene.phase is not Phase.HANGING_UP:
            self._weigh(person, text)
            self._await_endpoint(person, text, event.finality)

    # The end of the turn

    def _await_endpoint(self, person: Utterance, text: str, finality: float | None) -> None:
        assert person.ended is not None
        expectation = self._dialogue.judge(text) if text else Expectation.OPEN
        spoken_s = person.ended - person.began
        deadline = person.ended + wait_s(
            text, expectation, self._talk, spoken_s, finality, person.confidence, tells=person.tells
        )
        deadline = max(deadline, person.doubted_until)
        if person.cut_agent:
            deadline += self._talk.interruption_backoff_period_ms / 1000
        if deadline > self._scene.now:
            self._scene.timers.set(Timer.ENDPOINT, deadline)
        else:
            self.endpoint()

    def endpoint(self) -> None:
        """The silence has lasted long enough."""
        if self._scene.person is not None:
            self._scene.person.due = True
            self.consider()

    def consider(self) -> None:
        """If the person's turn is complete, answer it; over an agent who goes on speaking it was none."""
        if self.keypad.consider():
            return
        scene, person = self._scene, self._scene.person
        if person is None or person.text is None or not person.due or person.answered or scene.voice.flushing:
            return
        if scene.phase in (Phase.CLOSING, Phase.MACHINE) or scene.away:
            scene.settle()
        elif scene.phase is not Phase.TALKING or not self._floor.yields:
            return
        elif scene.agent is None:
            self._take_turn(person, person.text)
        elif self._interrupts(person, person.text):
            self._floor.cut_off()
        else:
            if person.text:
                scene.out.log("system", f"did not interrupt: {person.text}")
            self._murmuring.stop()
            scene.person = None
            scene.voice.resume()

    def _take_turn(self, person: Utterance, text: str) -> None:
        self._murmuring.stop()
        if text:
            person.mark = self._dialogue.mark()
            person.answered = True
            self._floor.answer(person, text)
        else:
            self._scene.person = None
            self._floor.await_person(noise=True)

    # Barge-in

    def look_at_words(self) -> None:
        """The person has been speaking over the agent for a while: what is it about?"""
        scene = self._scene
        if scene.speaking and scene.person is not None and scene.agent is not None:
            scene.person.transcribe(scene.now)

    def _weigh(self, person: Utterance, text: str) -> None:
        """Over an agent who speaks, the words decide at once whether it stops or goes on."""
        scene = self._scene
        if scene.agent is None or person.answered or scene.phase is not Phase.TALKING or scene.voice.flushing:
            return
        if self._interrupts(person, text) and self._floor.yields:
            person.cut_agent = True
            self._floor.cut_off()
        else:
            scene.voice.resume()

    def _weigh_interim(self, person: Utterance, text: str, rises: bool) -> None:
        """The voice waits through the first looks at words, but not for a noise to end. Somebody who begins to speak in
        the noise, because the agent fell silent, gets looks of their own."""
        if self._interrupts(person, text):
            self._weigh(person, text)
        elif rises and not person.risen:
            person.risen, person.looks = True, 0
        else:
            person.looks += 1
            if is_noise(text, person.confidence) or person.looks >= timing.MAX_INTERIMS:
                self._weigh(person, text)
        if self._scene.agent is not None and not self._scene.voice.flushing:
            self._scene.timers.set(Timer.INTERIM, self._scene.now + timing.INTERIM_S)

    def _interrupts(self, person: Utterance, text: str) -> bool:
        scene, agent = self._scene, self._scene.agent
        if agent is None or not text:
            return False
        needed, spoken_s = self._talk.number_of_words_for_interruption, person.spoken_s(scene.now)
        meant = interrupts(text, needed, self._language, spoken_s, person.confidence)
        if agent.started is None or meant:
            return True
        remaining_ms = scene.voice.remaining_ms
        if not agent.closed or remaining_ms is None or remaining_ms > timing.LAST_WORDS_MS:
            return False
        # Nearly at its end the agent has asked what it asks, and a short answer is one, however badly it is heard.
        answers = agent.asks or self._dialogue.judge(text) is Expectation.COMPLETE
        return answers or interrupts(text, 1, self._language, spoken_s, None)
