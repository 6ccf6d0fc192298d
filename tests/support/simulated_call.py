"""A whole call around the conversation core in virtual time: a person, ears, a voice, a language model, functions.

Most words that the person says are unique, so they can be followed to the place where they end up.
"""

from __future__ import annotations

import heapq
import random
from itertools import count

from ringback.agents.tools import ToolResult, TransferCall
from ringback.conversation import actions, events
from ringback.conversation.actions import Action
from ringback.conversation.core.core import ConversationCore
from ringback.conversation.core.phase import Phase
from ringback.conversation.core.phrases import phrases_for
from ringback.conversation.events import Event, Timer
from ringback.conversation.screening.verdict import Kind
from ringback.conversation.transcript import LogEntry, Turn
from ringback.media.leg import HangupCause
from ringback.media.tones import Tone, ToneKind
from tests.support.call_rules import LOGGED, Call, check_heard
from tests.support.simulated_agents import OUTSIDE, make_dialogue, make_plan
from tests.support.simulated_person import SimulatedPerson
from tests.support.simulated_providers import Answers, SimulatedProviders, check_question
from tests.support.simulated_voice import SimulatedVoice, Spoken
from tests.support.watched_dialogue import WatchedDialogue

ONSET_S = 0.1
HANGOVER_S = 0.2
WORD_S = 0.3
PHRASES = phrases_for("en")
FILLERS = {*PHRASES.fillers, *PHRASES.waiting}


class SimulatedCall:
    def __init__(self, seed: int) -> None:
        chance = self.chance = random.Random(seed)
        self.now = 0.0
        self.call = Call()
        self._queue: list[tuple[float, int, Event | str]] = []
        self._order = count()
        self._person = SimulatedPerson(chance)
        self._timers: dict[Timer, float] = {}
        self._transcription: int | None = None
        self._overheard: int | None = None
        self._tones = True
        """What the line says with tones is told."""
        self._reply: int | None = None
        self._runs: set[int] = set()
        self._transfer: int | None = None
        """The one under way."""
        self._away_since: float | None = None
        """Somebody else has the person."""
        self._leg_up = True
        self._on_hold = False
        self._hold_until = 0.0
        self._away_s = 0.0
        self._talking = False
        """The voice detector has told of speech and not of its end."""
        self._speaking_until = -1.0
        self._stale: list[Event] = []
        self._heard_of_turn: list[Spoken] = []
        """Utterances of the agent's present turn that were played, wholly or in part."""
        self.providers = SimulatedProviders(chance)
        self.voice = SimulatedVoice(chance)
        self.plan = make_plan(chance)
        self.dialogue = WatchedDialogue(make_dialogue(self.plan, chance))
        self.core = ConversationCore(self.plan, self.dialogue, {"name": "Ada"})

    def run(self) -> Call:
        """Play the call to its end. Raises AssertionError where the core breaks a rule."""
        self._plan_the_call()
        limit = self.plan.talk.call_terminate_s + 30.0
        while not self.core.over:
            self._step()
            away_s = self.now - self._away_since if self._away_since is not None else 0.0
            assert self.now - away_s - self._away_s < limit, "the call does not end"
            assert self.call.events < 20_000, "the call is stuck in a loop"
        self.call.ended = self.now
        if self._away_since is not None:
            self.call.holds.append((self._away_since, self.now))
        self.call.happened["person hung up"] += self.call.hung_up is None
        self.call.happened["injected event taken up"] += self.dialogue.injected
        self.call.happened["unknown function"] += self.dialogue.unknown
        self.call.heard, self.call.answered = self.dialogue.heard_turns, self.dialogue.answered_texts
        self.call.happened["withdrawn answer"] += self.dialogue.rewinds
        self._check_end()
        return self.call

    def _plan_the_call(self) -> None:
        chance = self.chance
        self._later(0.0, events.Answered())
        self._later(chance.choice([0.0, 1.0, 5.0, 20.0]) * chance.random(), "talk")
        if chance.random() < 0.5:
            self._later(chance.uniform(0.0, 60.0), events.LegEnded())
        for _ in range(chance.choice([0, 0, 0, 1, 1, 3])):
            self._later(chance.uniform(0.0, 30.0), events.Injected(chance.choice(OUTSIDE), {"x": 1}))
        for _ in range(chance.choice([0, 0, 0, 0, 1, 2])):
            self._later(chance.uniform(0.0, 20.0), "hold")
        for _ in range(chance.choice([0, 0, 1, 2]) if self.plan.talk.voicemail else 0):
            tone = Tone(chance.choice([*ToneKind, ToneKind.BEEP, ToneKind.BEEP]), 1000, 300)
            self._later(chance.choice([2.0, 20.0]) * chance.random(), events.ToneHeard(tone))
        if chance.random() < 0.002:
            self._later(chance.uniform(0.0, 20.0), events.AudioFailed("No audio."))

    # Time

    def _later(self, seconds: float, event: Event | str) -> None:
        heapq.heappush(self._queue, (self.now + seconds, next(self._order), event))

    def _step(self) -> None:
        voice_at, timer_at = self.voice.due(self.now), min(self._timers.values(), default=None)
        queue_at = self._queue[0][0] if self._queue else None
        due = min(at for at in (voice_at, timer_at, queue_at) if at is not None)
        self.now = max(self.now, due)
        if due == queue_at:
            self._happen(heapq.heappop(self._queue)[2])
        elif due == voice_at:
            self._voice_event()
        else:
            timer = min(self._timers, key=lambda name: self._timers[name])
            del self._timers[timer]
            self.call.happened[f"timer {timer}"] += 1
            self._give(events.TimerFired(timer))
        self._check_moment()

    def _happen(self, event: Event | str) -> None:
        match event:
            case str():
                self._act(event)
            case events.LegEnded():
                if self._leg_up:
                    self._leg_up = False
                    self.call.leg_ended = self.now
                    self.voice.leave(self.now)
                    self._give(event)
            case events.SpeechStarted() | events.SpeechStopped():
                if self._leg_up:
                    self._talking = isinstance(event, events.SpeechStarted)
                    self._give(event)
            case _ if self._is_news(event):
                self._give(event)
            case _ if self._leg_up and self.chance.random() < 0.3:
                self._give_stale(event)

    def _is_news(self, event: Event) -> bool:
        """Of what was not cancelled."""
        match event:
            case events.Transcribed(request, _) | events.TranscriptionFailed(request, _):
                news = request == self._transcription
                self._transcription = None if news else self._transcription
            case events.Overheard(request, _):
                news = request == self._overheard
                self._overheard = None if news else self._overheard
            case events.ReplyText(reply, _):
                news = reply == self._reply
            case events.ReplyDone(reply) | events.ReplyFailed(reply, _):
                news = reply == self._reply
                self._reply = None if news else self._reply
            case events.ToolDone(run, _) | events.TransferOver(run):
                news = run in self._runs
                self._runs.discard(run)
                self._end_transfer(run)
            case events.TransferAnswered(run):
                news = run in self._runs
            case events.ToneHeard():
                news = self._leg_up and self._tones
            case events.AudioReady(utterance):
                news = any(spoken.id == utterance for spoken in self.voice.queue)
            case _:
                news = self._leg_up
        return news

    def _act(self, what: str) -> None:
        if not self._leg_up:
            return
        match what:
            case "talk":
                self._talk()
            case "finish":
                if self.now >= self._speaking_until + HANGOVER_S - 1e-9:
                    self._happen(events.SpeechStopped(self._speaking_until))
            case "hold":
                seconds = self.chance.choice([0.1, 1.0, 4.0, 15.0])
                self._on_hold = True
                self.call.holds.append((self.now, self.now + seconds))
                self._hold_until = max(self._hold_until, self.now + seconds)
                self._later(seconds, "resume")
                self._give(events.Held())
            case "resume":
                self._on_hold = self.now < self._hold_until - 1e-9
                if not self._on_hold:
                    self._give(events.Resumed())

    def _give(self, event: Event) -> None:
        answers: list[Event] = [event]
        while answers:
            self.call.events += 1
            event = answers.pop(0)
            for action in self.core.handle(event, self.now):
                answer = self._perform(action)
                if answer is not None:
                    answers.append(answer)
            if isinstance(event, events.VoiceFlushed):
                self._check_heard([], interrupted=True)
        while self._stale:
            self._give_stale(self._stale.pop())

    def _give_stale(self, event: Event) -> None:
        """News of what was cancelled while it was on its way."""
        self.call.happened["stale news"] += 1
        assert self.core.handle(event, self.now) == [], f"acts on {event}, which is stale"

    # What the core wants

    def _perform(self, action: Action) -> Event | None:
        match action:
            case actions.SetTimer(timer, at):
                assert self._leg_up, f"{timer} is set after the end"
                assert at >= self.now - 5.0
                self._timers[timer] = at
            case actions.CancelTimer(timer):
                assert timer in self._timers, f"{timer} is cancelled but not set"
                del self._timers[timer]
                if self.chance.random() < 0.1:
                    self._stale.append(events.TimerFired(timer))
            case actions.AddTurn(turn):
                self._add(turn)
            case actions.Log(entry):
                self._log(entry)
            case actions.HangUp():
                self._hang_up(action)
            case actions.StopTones() | actions.Overhear():
                self._perform_screening(action)
            case actions.Transcribe() | actions.CancelTranscription():
                self._perform_ears(action)
            case actions.StartReply() | actions.CancelReply():
                self._perform_model(action)
            case actions.RunTool() | actions.CancelTool() | actions.PressKeys():
                self._perform_functions(action)
            case actions.Transfer() | actions.Bridge() | actions.CancelTransfer():
                self._perform_transfer(action)
            case _:
                return self._perform_voice(action)
        return None

    def _hang_up(self, action: actions.HangUp) -> None:
        assert self.call.hung_up is None, "hangs up twice"
        self.call.hung_up = self.now
        self.call.happened[f"hangup {action.cause}"] += 1
        if action.cause in _BY_KIND:
            assert self.core.answered_by is not None
            assert self.core.answered_by.kind is _BY_KIND[action.cause], "hangs up on somebody else"
        self._later(self.chance.choice([0.0, 0.05, 0.5, 6.0]), events.LegEnded())

    def _perform_screening(self, action: actions.StopTones | actions.Overhear) -> None:
        assert self.plan.talk.voicemail is not None, "nobody wants to know who took the call"
        if isinstance(action, actions.StopTones):
            self._tones = False
            return
        assert self._overheard is None, "overhears twice at a time"
        assert self._leg_up, "overhears after the end"
        self._overheard = action.request
        words = [word for word, _, end in self.call.said if action.since < end <= self.now + 1e-6]
        self.call.happened["overheard"] += 1
        self._schedule(self.providers.overhearing(action.request, words))

    def _perform_voice(self, action: Action) -> Event | None:
        match action:
            case actions.Speak(utterance, text):
                self._speak(utterance, text)
            case actions.Murmur(text):
                assert self._leg_up, "murmurs although the call is over"
                assert self.call.hung_up is None, "murmurs after it hung up"
                murmurs = all(spoken.id is None for spoken in self.voice.queue)
                assert murmurs, "murmurs over the agent's own voice"
                assert self._talking, "murmurs although nobody talks"
                assert not self._held, "murmurs into a hold"
                self.call.happened["murmur"] += 1
                self.voice.speak(None, text, self.now)
            case actions.PauseVoice():
                self.call.pauses.append(self.now)
                return self.voice.pause(self.now)
            case actions.ResumeVoice():
                assert not self._held, "resumes during a hold"
                self.voice.resume(self.now)
            case actions.FlushVoice():
                first, answer = self.voice.flush(self.now)
                if first is not None and first.id is not None:
                    self._stale.append(events.UtteranceFinished(first.id))
                    if first.started:
                        self._heard_of_turn.append(first)
                return answer
        return None

    def _speak(self, utterance: int, text: str) -> None:
        assert self._leg_up, "speaks although the call is over"
        assert self._away_since is None, "speaks although somebody else has the person"
        assert self.call.hung_up is None, "speaks after it hung up"
        assert self.core._scene.phase is not Phase.MACHINE, "talks to a machine"
        if text == "You have missed us.":
            assert self.core.answered_by is not None
            assert self.core.answered_by.kind is Kind.MACHINE, "leaves a message with somebody else"
        if text in FILLERS:
            assert self._reply is not None or self._runs, "covers no wait"
            self.call.happened["excuse" if text in PHRASES.waiting else "filler"] += 1
        elif text in PHRASES.apology:
            self.call.happened["apology"] += 1
        self.call.greeted = self.now if self.call.greeted is None else self.call.greeted
        if self.chance.random() < 0.1:
            self._later(self.chance.choice([0.0, 0.1, 0.3]), events.SoundHeard())
        spoken = self.voice.speak(utterance, text, self.now)
        if not spoken.fails:
            self._later(spoken.ready - self.now, events.AudioReady(utterance))

    def _voice_event(self) -> None:
        assert self._leg_up
        assert not self._held, "speaks into a hold"
        spoken, event = self.voice.happen(self.now)
        if isinstance(event, events.UtteranceStarted):
            self.call.played[event.utterance] = spoken
            self.dialogue.effects += 1
        elif isinstance(event, events.UtteranceFinished):
            self._heard_of_turn.append(spoken)
        if event is not None:
            self._give(event)

    def _add(self, turn: Turn) -> None:
        self.call.turns.append(turn)
        if turn.role == "assistant":
            self._check_heard(turn.text.split(), turn.interrupted)
            self.call.happened["cut" if turn.interrupted else "whole turn"] += 1
            return
        self.call.happened["typed"] += "dtmf_number" in turn.text
        self.call.happened["turn while talking"] += self._talking

    def _check_heard(self, words: list[str], interrupted: bool) -> None:
        utterances, self._heard_of_turn = self._heard_of_turn, []
        cut_by_words = check_heard(utterances, words, interrupted, self.now)
        self.call.happened["cut by the times of the words"] += cut_by_words

    def _log(self, entry: LogEntry) -> None:
        self.call.logged.append(entry.data)
        for beginning in LOGGED:
            if entry.data.startswith(beginning):
                self.call.happened[beginning] += 1
        if entry.type == "error":
            self.call.happened[f"failure {entry.component}"] += 1

    # Providers

    def _perform_ears(self, action: actions.Transcribe | actions.CancelTranscription) -> None:
        if isinstance(action, actions.CancelTranscription):
            assert self._transcription == action.request
            self._transcription = None
            return
        assert self._transcription is None, "two transcriptions at a time"
        self._transcription = action.request
        since = action.since + 1e-6
        words = [word for word, _, end in self.call.said if since < end <= self.now + 1e-6]
        answers = list(self.providers.transcription(action.request, words))
        self.call.transcriber_failed |= isinstance(answers[0][1], events.TranscriptionFailed)
        self._schedule(iter(answers))

    def _perform_model(self, action: actions.StartReply | actions.CancelReply) -> None:
        if isinstance(action, actions.CancelReply):
            assert self._reply == action.reply
            self._reply = None
            return
        assert self._reply is None, "two replies at a time"
        check_question(action.ask)
        self.call.happened["question for the dialogue alone"] += not action.ask.spoken
        self._reply = action.reply
        self._schedule(self.providers.reply(action.reply, action.ask))

    def _perform_functions(self, action: actions.RunTool | actions.CancelTool | actions.PressKeys) -> None:
        if isinstance(action, actions.PressKeys):
            assert self._leg_up, "presses keys although the call is over"
            assert self.call.hung_up is None, "presses keys after it hung up"
            assert self._away_since is None, "presses keys although somebody else has the person"
            self.call.happened["presses"] += action.keys == "1w2#"
            self.dialogue.effects += 1
            return
        if isinstance(action, actions.CancelTool):
            self._runs.remove(action.run)
            assert self.core._scene.phase is not Phase.TALKING, "gives up a function because somebody speaks"
            self.call.happened["function cancelled"] += 1
            return
        assert self._leg_up, "runs a function although the call is over"
        assert self.call.hung_up is None, "runs a function after it hung up"
        assert action.call.name in self.plan.tools
        self.call.happened["functions side by side" if self._runs else "function"] += 1
        self._runs.add(action.run)
        self.dialogue.effects += 1
        self._schedule(self.providers.function(action.run, action.call))

    def _perform_transfer(self, action: actions.Transfer | actions.Bridge | actions.CancelTransfer) -> None:
        if isinstance(action, actions.CancelTransfer):
            self._runs.remove(action.run)
            self._end_transfer(action.run)
            assert self.core._scene.phase is not Phase.TALKING, "gives up a transfer because somebody speaks"
            self.call.happened["transfer cancelled"] += 1
            return
        assert self._leg_up, "transfers although the call is over"
        assert self.call.hung_up is None, "transfers after it hung up"
        if isinstance(action, actions.Bridge):
            assert action.run == self._transfer, "joins to nobody"
            self.call.happened["bridge"] += 1
            self._leave()
            self._schedule(self.providers.bridge(action.run))
            return
        assert self._transfer is None, "two transfers at a time"
        tool = self.plan.tools[action.call.name]
        assert isinstance(tool, TransferCall)
        self._transfer = action.run
        self._runs.add(action.run)
        self.dialogue.effects += 1
        self.call.happened["blind transfer" if tool.blind else "transfer"] += 1
        if tool.blind:
            self._leave()
        self._schedule(self.providers.transfer(action.run, tool.blind))

    def _leave(self) -> None:
        assert not any(spoken.id is not None for spoken in self.voice.queue), "hands over in mid-sentence"
        self._away_since = self.now

    def _end_transfer(self, run: int) -> None:
        if run != self._transfer:
            return
        self._transfer = None
        if self._away_since is not None:
            self.call.holds.append((self._away_since, self.now))
            self._away_s += self.now - self._away_since
            self._away_since = None

    @property
    def _held(self) -> bool:
        """Nobody listens to the agent."""
        return self._on_hold or self._away_since is not None

    def _schedule(self, answers: Answers) -> None:
        after = 0.0
        for delay, event in answers:
            after += delay
            self._later(after, event)

    # The person

    def _talk(self) -> None:
        """One burst of words, or a noise; then the next one is planned."""
        if self.call.holds and self.now < max(end for _, end in self.call.holds) + 1.0:
            self._later(1.0, "talk")
            return
        words = self._person.burst(self.call.happened)
        end = self.now + len(words) * WORD_S
        for place, word in enumerate(words, 1):
            if word:
                self.call.said.append((word, self.now, self.now + place * WORD_S))
        if self.now > self._speaking_until + HANGOVER_S:
            self._later(self.chance.choice([0.0, 0.02, ONSET_S]), events.SoundHeard())
            self._later(ONSET_S, events.SpeechStarted(self.now))
        self._speaking_until = end
        self._later(end - self.now + HANGOVER_S, "finish")
        pause = self.chance.choice([0.1, 0.3, 0.5, 0.9, 2.0, 5.0, 30.0]) * self.chance.uniform(0.5, 1.5)
        self._later(end - self.now + pause, "talk")
        if self.chance.random() < 0.1:
            self._type()

    def _type(self) -> None:
        """Keys, beside the words or between them; some forget the one that ends them, or press only that."""
        number = str(self.chance.randrange(1000))
        after = self.chance.uniform(0.0, 3.0)
        for key in self.chance.choice([f"*{number}#", f"*{number}", number[-1], "#"]):
            self._later(after, events.Digit(key))
            after += self.chance.choice([0.1, 0.4, 1.5])

    # Rules

    def _check_moment(self) -> None:
        """Nobody waits for nothing, and the voice neither speaks into a hold nor waits for ever."""
        agent = self.core._scene.agent
        mine = [spoken.id for spoken in self.voice.queue if spoken.id is not None]
        assert mine == (list(agent._left) if agent else []), "not the utterances of one turn"
        assert self.voice.paused or not (self._held and self.voice.queue), "speaks into a hold"
        if not self._leg_up or self.call.hung_up is not None or self._held:
            return
        asked = self._transcription is not None or self._reply is not None or bool(self._runs)
        awaited = bool(self._timers.keys() & {Timer.ENDPOINT, Timer.DOUBT})
        weighed = self._talking or self._transcription is not None or awaited
        assert weighed or not (self.voice.paused and self.voice.queue), "the voice stays paused"
        timers = self._timers.keys() & _WAITS
        assert asked or timers or self._talking or self.voice.plays, "waits for nothing"

    def _check_end(self) -> None:
        assert not self._timers, f"timers are left: {self._timers}"
        assert self._transcription is None, "a transcription is left"
        assert self._reply is None, "a reply is left"
        assert not self._runs, "a function is left"
        assert not self.voice.queue, "utterances are left"
        assert not self._heard_of_turn, "what was heard last is not in the transcript"
        for event in (
            events.SpeechStarted(self.now),
            events.TimerFired(Timer.SILENCE),
            events.ToolDone(1, ToolResult("")),
            events.LegEnded(),
        ):
            assert self.core.handle(event, self.now + 1.0) == [], f"acts on {event} after the end"


_BY_KIND = {HangupCause.VOICEMAIL: Kind.MACHINE, HangupCause.FAX: Kind.FAX}
_WAITS = {Timer.KEYPAD, Timer.BEEP, Timer.WELCOME, Timer.ENDPOINT, Timer.DOUBT, Timer.SILENCE, Timer.ONLINE}
