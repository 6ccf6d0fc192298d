"""A whole call around the conversation core in virtual time: a person, ears, a voice and a language model.

Every word that the person says is unique, so it can be followed to the place where it ends up.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass, field
from datetime import date
from itertools import count

from ringback.agents.chat import ChatSettings
from ringback.agents.plan import (
    Always,
    Anything,
    ChatPlan,
    Edge,
    GraphPlan,
    Keywords,
    Node,
    Number,
    Plan,
    SpeechPart,
    TalkSettings,
)
from ringback.conversation import actions, events
from ringback.conversation.actions import Action
from ringback.conversation.chat import ChatDialogue
from ringback.conversation.core import ConversationCore
from ringback.conversation.dialogue import Dialogue
from ringback.conversation.events import Event, Timer
from ringback.conversation.scripted import ScriptedDialogue
from ringback.conversation.transcript import Turn

ONSET_S = 0.1
HANGOVER_S = 0.2
WORD_S = 0.3
LONGEST_PAUSE_S = 2.0
"""Of the voice after the person's last sound: the endpoint wait and the slowest transcription fit into it."""
REPLY = "I see what you mean. Let us go on with that, shall we? There is more."

GRAPH = GraphPlan(
    "scripted",
    "ask",
    {
        "ask": Node("ask", "static", "May I ask you something now?", edges=(Edge("count", Anything()),)),
        "count": Node(
            "count",
            "static",
            "How many of you will come on that day?",
            "Please say a number.",
            1,
            edges=(Edge("end", Number(), slots={"people": None}), Edge("route", Always())),
        ),
        "route": Node("route", "router", edges=(Edge("more", Always()),)),
        "more": Node(
            "more",
            "static",
            "Is there anything else that we can do for you?",
            edges=(Edge("end", Keywords(("seven",))), Edge("more", Anything(), priority=5)),
        ),
        "end": Node("end", "static", "Thank you for your time, and goodbye."),
    },
)


@dataclass
class Spoken:
    """An utterance in the simulated voice."""

    id: int
    text: str
    ready: float
    length: float
    fails: bool
    played: float = 0.0
    started: bool = False


@dataclass
class Call:
    """What became of the call."""

    turns: list[Turn] = field(default_factory=list)
    played: dict[int, Spoken] = field(default_factory=dict)
    said: list[tuple[str, float]] = field(default_factory=list)
    """The person's words and when each of them ended."""
    logged: list[str] = field(default_factory=list)
    hung_up: float | None = None
    greeted: float | None = None
    leg_ended: float = 0.0
    ended: float = 0.0
    transcriber_failed: bool = False
    events: int = 0


class SimulatedCall:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.call = Call()
        self._queue: list[tuple[float, int, Event | str]] = []
        self._order = count()
        self._words = count()
        self._voice: deque[Spoken] = deque()
        self._playing_since: float | None = None
        self._paused = False
        self._synthesized = 0.0
        self._timers: dict[Timer, float] = {}
        self._transcription: int | None = None
        self._reply: int | None = None
        self._leg_up = True
        self._speaking_until = 0.0
        self.plan = self._make_plan()
        self.core = ConversationCore(self.plan, self._make_dialogue(), {"name": "Ada"})

    def run(self) -> Call:
        """Play the call to its end. Raises AssertionError where the core breaks a rule."""
        self._later(0.0, events.Answered())
        self._later(self.random.uniform(0.0, 4.0), "talk")
        if self.random.random() < 0.5:
            self._later(self.random.uniform(0.0, 40.0), events.LegEnded())
        limit = self.plan.talk.call_terminate_s + 20.0
        while not self.core.over:
            self._step()
            assert self.now < limit, "the call does not end"
            assert self.call.events < 20_000, "the call is stuck in a loop"
        self.call.ended = self.now
        self._check_end()
        return self.call

    # Time

    def _later(self, seconds: float, event: Event | str) -> None:
        heapq.heappush(self._queue, (self.now + seconds, next(self._order), event))

    def _step(self) -> None:
        voice_at, timer_at = self._voice_due(), min(self._timers.values(), default=None)
        queue_at = self._queue[0][0] if self._queue else None
        due = min(at for at in (voice_at, timer_at, queue_at) if at is not None)
        self.now = max(self.now, due)
        stuck = self._paused and self._voice and self.now > self._speaking_until + LONGEST_PAUSE_S
        assert not stuck, "the voice stays paused although the person is silent"
        if due == queue_at:
            self._happen(heapq.heappop(self._queue)[2])
        elif due == voice_at:
            self._voice_event()
        else:
            timer = min(self._timers, key=lambda name: self._timers[name])
            del self._timers[timer]
            self._give(events.TimerFired(timer))

    def _happen(self, event: Event | str) -> None:
        match event:
            case "talk":
                self._talk()
            case str():
                self._person_finishes()
            case events.LegEnded():
                if self._leg_up:
                    self._leg_up = False
                    self.call.leg_ended = self.now
                    self._advance_voice()
                    self._give(event)
            case events.SpeechStarted() | events.SpeechStopped() | events.Digit():
                if self._leg_up:
                    self._give(event)
            case events.Transcribed(request, _) | events.TranscriptionFailed(request, _):
                if request == self._transcription:
                    self._transcription = None
                    self._give(event)
            case events.ReplyText(reply, _) | events.ReplyDone(reply) | events.ReplyFailed(reply, _):
                if reply == self._reply:
                    self._reply = reply if isinstance(event, events.ReplyText) else None
                    self._give(event)
            case _:
                self._give(event)

    def _give(self, event: Event) -> None:
        answers: list[Event] = [event]
        while answers:
            self.call.events += 1
            for action in self.core.handle(answers.pop(0), self.now):
                answer = self._perform(action)
                if answer is not None:
                    answers.append(answer)

    # What the core wants

    def _perform(self, action: Action) -> Event | None:
        match action:
            case actions.SetTimer(timer, at):
                assert self._leg_up
                self._timers[timer] = at
            case actions.CancelTimer(timer):
                assert timer in self._timers, f"{timer} is cancelled but not set"
                del self._timers[timer]
            case actions.AddTurn(turn):
                self.call.turns.append(turn)
            case actions.Log(entry):
                self.call.logged.append(entry.data)
            case actions.HangUp():
                assert self.call.hung_up is None, "hangs up twice"
                self.call.hung_up = self.now
                self._later(self.random.choice([0.0, 0.05, 0.5]), events.LegEnded())
            case actions.Transcribe(request, since):
                assert self._transcription is None, "two transcriptions at a time"
                self._transcription = request
                self._transcribe(request, since)
            case actions.CancelTranscription(request):
                assert self._transcription == request
                self._transcription = None
            case actions.StartReply(reply, ask):
                assert ask.messages[-1].role == "user"
                assert self._reply is None, "two replies at a time"
                self._start_reply(reply)
            case actions.CancelReply(reply):
                assert self._reply == reply
                self._reply = None
            case _:
                return self._perform_voice(action)
        return None

    def _perform_voice(self, action: Action) -> Event | None:
        self._advance_voice()
        match action:
            case actions.Speak(utterance, text):
                assert self._leg_up, "speaks although the call is over"
                assert self.call.hung_up is None, "speaks after it hung up"
                self.call.greeted = self.now if self.call.greeted is None else self.call.greeted
                self._synthesized = max(self.now, self._synthesized) + self.random.choice([0.02, 0.05, 0.4])
                spoken = Spoken(
                    utterance, text, self._synthesized, len(text) * 0.05, self.random.random() < 0.002
                )
                self._voice.append(spoken)
            case actions.PauseVoice():
                assert not self._paused, "pauses twice"
                self._paused = True
                pending = any(spoken.ready > self.now for spoken in self._voice)
                left = sum(spoken.length - spoken.played for spoken in self._voice)
                return events.VoicePaused(None if pending else round(left * 1000))
            case actions.ResumeVoice():
                assert self._paused, "resumes what is not paused"
                self._paused = False
            case actions.FlushVoice():
                self._paused = False
                first = self._voice[0] if self._voice else None
                self._voice.clear()
                self._synthesized = 0.0
                if first is None:
                    return events.VoiceFlushed()
                length = round(first.length * 1000) if first.ready <= self.now else None
                return events.VoiceFlushed(first.id, round(first.played * 1000), length)
        return None

    # The voice

    def _advance_voice(self) -> None:
        """Book what was played since the last look."""
        since, self._playing_since = self._playing_since, self.now
        if since is not None and self._voice and self._voice[0].started and not self._paused:
            self._voice[0].played += self.now - since

    def _voice_due(self) -> float | None:
        if not self._voice or self._paused:
            return None
        first = self._voice[0]
        if not first.started:
            return max(self.now, first.ready)
        return self.now + max(0.0, first.length - first.played - (self.now - (self._playing_since or 0.0)))

    def _voice_event(self) -> None:
        self._advance_voice()
        first = self._voice[0]
        if first.fails:
            self._voice.popleft()
            self._give(events.UtteranceFailed(first.id, "The synthesizer failed."))
        elif not first.started:
            assert self._leg_up
            first.started = True
            self.call.played[first.id] = first
            self._give(events.UtteranceStarted(first.id))
        else:
            first.played = first.length
            self._voice.popleft()
            self._give(events.UtteranceFinished(first.id))

    # The person

    def _talk(self) -> None:
        """One burst of words, or a noise; then the next one is planned."""
        if not self._leg_up:
            return
        length = self.random.choice([1, 1, 2, 3, 5, 12])
        noise = self.random.random() < 0.1
        for number in range(length):
            word = self.random.choice(["seven", *[f"w{next(self._words)}"] * 9])
            if not noise:
                self.call.said.append((word, self.now + (number + 1) * WORD_S))
        end = self.now + length * WORD_S
        if self.now > self._speaking_until + HANGOVER_S or self._speaking_until == 0.0:
            heapq.heappush(
                self._queue, (self.now + ONSET_S, next(self._order), events.SpeechStarted(self.now))
            )
        self._speaking_until = end
        self._later(end - self.now + HANGOVER_S, "finish")
        pause = self.random.choice([0.1, 0.3, 0.5, 0.9, 2.0, 5.0, 30.0]) * self.random.uniform(0.5, 1.5)
        self._later(end - self.now + pause, "talk")
        if self.random.random() < 0.05:
            self._later(self.random.uniform(0.0, 1.0), events.Digit("5"))

    def _person_finishes(self) -> None:
        if self.now >= self._speaking_until + HANGOVER_S - 1e-9 and self._leg_up:
            self._give(events.SpeechStopped(self._speaking_until))

    # Ears and language model

    def _transcribe(self, request: int, since: float) -> None:
        words = [word for word, end in self.call.said if since + 1e-6 < end <= self.now + 1e-6]
        delay = self.random.choice([0.05, 0.15, 0.25, 0.8])
        if self.random.random() < 0.01:
            self.call.transcriber_failed = True
            self._later(delay, events.TranscriptionFailed(request, "The transcriber failed."))
        else:
            self._later(delay, events.Transcribed(request, " ".join(words)))

    def _start_reply(self, reply: int) -> None:
        at = self.random.uniform(0.05, 1.0)
        tokens = REPLY.split()
        for token in tokens[: self.random.randint(0 if self.random.random() < 0.02 else 3, len(tokens))]:
            self._later(at, events.ReplyText(reply, token + " "))
            at += self.random.choice([0.0, 0.01, 0.1])
        if self.random.random() < 0.03:
            self._later(at, events.ReplyFailed(reply, "The language model failed."))
        else:
            self._later(at, events.ReplyDone(reply))
        self._reply = reply

    # Rules

    def _check_end(self) -> None:
        assert not self._timers, f"timers are left: {self._timers}"
        assert self._transcription is None
        assert not self._voice
        for event in (events.SpeechStarted(self.now), events.TimerFired(Timer.SILENCE), events.LegEnded()):
            assert self.core.handle(event, self.now + 1.0) == [], f"acts on {event} after the end"

    def _make_plan(self) -> Plan:
        talk = TalkSettings(
            hangup_after_silence_s=self.random.choice([3.0, 10.0]),
            call_terminate_s=self.random.choice([5.0, 30.0, 90.0]),
            number_of_words_for_interruption=self.random.choice([0, 1, 2, 3]),
            welcome_message_delay_ms=self.random.choice([0, 0, 500, 1000]),
            call_hangup_message=self.random.choice([None, "Goodbye then."]),
        )
        dialogue = self.random.choice(
            [GRAPH, ChatPlan("local", ChatSettings("m"), None, "Be kind to {name}.")]
        )
        welcome = self.random.choice(["", "Hello {name}, this is the clinic that called you."])
        part = SpeechPart("local")
        return Plan("a", "b", welcome, part, part, dialogue, talk)

    def _make_dialogue(self) -> Dialogue:
        if isinstance(self.plan.dialogue, ChatPlan):
            return ChatDialogue(self.plan.dialogue, self.plan.tools, {"name": "Ada"})
        return ScriptedDialogue(self.plan.dialogue, {}, date(2026, 11, 24))
