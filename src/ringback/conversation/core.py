"""The conversation without I/O: events in, actions out.

Listening: transcription starts as soon as the voice detector reports silence (about 0.2 s), and its result
becomes the person's turn once the silence has lasted `endpoint_wait`; whoever goes on before the agent is heard
is transcribed anew from the beginning, and the unheard answer is withdrawn. Barge-in: the voice pauses at the
onset of speech; the words then decide whether it is flushed or resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ringback.agents.plan import Plan
from ringback.agents.prompts import fill
from ringback.conversation import actions, events, timing
from ringback.conversation.actions import Action
from ringback.conversation.agent_turn import AgentTurn
from ringback.conversation.dialogue import Dialogue, Reply
from ringback.conversation.events import Event, Timer
from ringback.conversation.outbox import Outbox
from ringback.conversation.phase import Phase
from ringback.conversation.timers import Timers
from ringback.conversation.transcript import Component, Failure, LogEntry
from ringback.conversation.utterance import Utterance
from ringback.conversation.voice import Voice
from ringback.media.leg import HangupCause

APOLOGY: Final = "I am sorry, something went wrong on our side. Goodbye."


class ConversationCore:
    """One call's conversation. `handle` never raises, whatever the order of events."""

    def __init__(self, plan: Plan, dialogue: Dialogue, variables: Mapping[str, Any]) -> None:
        """`variables` fill the `{placeholders}` of the plan's welcome and goodbye messages."""
        self._talk = plan.talk
        self._welcome = fill(plan.welcome_message, variables).strip()
        self._goodbye = fill(plan.talk.call_hangup_message or "", variables).strip()
        self._dialogue = dialogue
        self._out = Outbox()
        self._timers = Timers(self._out)
        self._voice = Voice(self._out)
        self._phase = Phase.RINGING
        self._now = self._answered_at = self._silence_at = 0.0
        self._speaking = False
        self._hello = False
        self._person: Utterance | None = None
        self._agent: AgentTurn | None = None
        self._failure: Failure | None = None
        self._handlers: dict[type, Callable[[Any], None]] = {
            events.Answered: self._answered,
            events.SpeechStarted: self._speech_started,
            events.SpeechStopped: self._speech_stopped,
            events.Transcribed: self._transcribed,
            events.TranscriptionFailed: self._transcription_failed,
            events.ReplyText: self._reply_text,
            events.ReplyDone: self._reply_done,
            events.ReplyFailed: self._reply_failed,
            events.UtteranceStarted: self._utterance_started,
            events.UtteranceFinished: self._utterance_finished,
            events.UtteranceFailed: self._utterance_failed,
            events.VoicePaused: self._voice_paused,
            events.VoiceFlushed: self._voice_flushed,
            events.ToolDone: lambda event: None,
            events.Injected: lambda event: None,
            events.AudioReady: lambda event: None,
            events.Held: lambda event: None,
            events.Resumed: lambda event: None,
            events.Digit: lambda event: self._out.log("system", f"keypad: {event.key}"),
            events.TimerFired: self._timer_fired,
            events.AudioFailed: lambda event: self._fail("system", event.message, can_speak=False),
            events.LegEnded: self._leg_ended,
        }

    @property
    def over(self) -> bool:
        """Nothing more will come of it: the leg ended and the person's last words are known."""
        return self._phase is Phase.ENDED and self._person is None and self._agent is None

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event at `now` (monotonic seconds, never going back); what to do about it, in order."""
        self._now = now
        self._handlers[type(event)](event)
        return self._out.take()

    # Beginning and end

    def _answered(self, _: events.Answered) -> None:
        if self._phase is Phase.RINGING:
            self._answered_at = self._now
            self._phase = Phase.GREETING
            self._timers.set(Timer.MAX_DURATION, self._now + self._talk.call_terminate_s)
            self._timers.set(Timer.WELCOME, self._now + self._talk.welcome_message_delay_ms / 1000)

    def _welcome_due(self) -> None:
        if self._speaking and not self._hello:
            self._hello = True
            self._timers.set(Timer.WELCOME, self._now + timing.HELLO_S)
        else:
            self._greet()

    def _greet(self) -> None:
        self._timers.cancel(Timer.WELCOME)
        self._phase = Phase.TALKING
        if self._speaking:
            self._person = Utterance(self._out, self._now)
        self._agent = AgentTurn(self._out)
        self._agent.say(self._welcome)
        self._perform(self._agent, self._dialogue.opening())

    def _fail(self, component: Component, message: str, can_speak: bool = True) -> None:
        """End the call for a failure, with an apology where a voice is left to speak it."""
        if self._phase in (Phase.HANGING_UP, Phase.ENDED):
            return
        self._out.do(actions.Log(LogEntry("error", component, message)))
        self._failure = self._failure or Failure(component, message)
        if can_speak and self._phase is Phase.TALKING:
            self._say_last(APOLOGY, HangupCause.ERROR)
        else:
            self._hang_up(HangupCause.ERROR)

    def _say_last(self, text: str, cause: HangupCause) -> None:
        """Speak `text`, which may be empty, after what is being said, then hang up."""
        self._phase = Phase.CLOSING
        self._timers.cancel(Timer.SILENCE)
        self._timers.cancel(Timer.INTERIM)
        if self._person is not None and self._person.answered:
            self._settle()
        self._voice.resume()
        agent = self._agent = self._agent or AgentTurn(self._out)
        agent.ends = cause
        agent.cancel_reply()
        agent.say(text)
        self._close_turn(agent)

    def _hang_up(self, cause: HangupCause) -> None:
        if self._phase not in (Phase.HANGING_UP, Phase.ENDED):
            self._phase = Phase.HANGING_UP
            self._stop_talking()
            self._out.do(actions.HangUp(cause, self._failure))

    def _stop_talking(self) -> None:
        self._timers.cancel_all()
        self._cut_off()

    def _leg_ended(self, _: events.LegEnded) -> None:
        if self._phase is Phase.ENDED:
            return
        self._phase = Phase.ENDED
        self._stop_talking()
        person = self._person
        if person is None or person.text is not None:
            self._settle()
        elif self._speaking or person.request is None:
            # The last words count, also those that were still being said.
            person.ended = person.ended or self._now
            person.transcribe()
        self._speaking = False

    def _timer_fired(self, event: events.TimerFired) -> None:
        if not self._timers.take(event.timer, self._now):
            return
        match event.timer:
            case Timer.WELCOME:
                self._welcome_due()
            case Timer.ENDPOINT:
                self._endpoint()
            case Timer.INTERIM:
                self._look_at_words()
            case Timer.SILENCE:
                self._say_last(self._goodbye, HangupCause.SILENCE)
            case Timer.MAX_DURATION:
                self._hang_up(HangupCause.MAX_DURATION)

    # The person

    def _speech_started(self, event: events.SpeechStarted) -> None:
        if self._phase in (Phase.RINGING, Phase.ENDED) or self._speaking:
            return
        self._speaking = True
        if self._phase is Phase.GREETING:
            return
        self._timers.cancel(Timer.SILENCE)
        self._timers.cancel(Timer.ENDPOINT)
        if self._person is None:
            self._person = Utterance(self._out, event.at)
        else:
            self._go_on(self._person)
        if self._agent is not None and self._phase is Phase.TALKING and not self._voice.flushing:
            self._voice.pause(self._now)
            self._timers.set(Timer.INTERIM, event.at + timing.INTERIM_S)

    def _go_on(self, person: Utterance) -> None:
        """The pause was only a pause: transcribe anew, and take back an answer that nobody has heard."""
        if person.answered and self._phase is not Phase.HANGING_UP:
            self._phase = Phase.TALKING
            self._dialogue.rewind(person.mark)
            self._cut_off()
        person.go_on()

    def _speech_stopped(self, event: events.SpeechStopped) -> None:
        if not self._speaking:
            return
        self._speaking = False
        person = self._person
        if self._phase is Phase.GREETING and self._hello:
            self._greet()
        elif person is not None and self._phase is not Phase.ENDED:
            person.ended = event.at
            self._timers.cancel(Timer.INTERIM)
            person.transcribe()
            if self._phase is not Phase.HANGING_UP:
                self._timers.set(Timer.ENDPOINT, max(self._now, event.at + timing.endpoint_wait(self._talk)))

    def _transcription_failed(self, event: events.TranscriptionFailed) -> None:
        person = self._person
        if person is None or person.request != event.request:
            return
        if self._phase is Phase.TALKING and not self._speaking:
            self._person = None
            self._fail("transcriber", event.message)
        else:
            self._out.log("transcriber", event.message)
            self._transcribed(events.Transcribed(event.request, ""))

    def _transcribed(self, event: events.Transcribed) -> None:
        person = self._person
        if person is None or person.request != event.request:
            return
        person.request = None
        text = event.text.strip()
        if self._speaking and self._phase is not Phase.ENDED:
            self._weigh_interim(person, text)
            return
        person.text = text
        if self._phase is Phase.ENDED:
            self._settle()
        else:
            self._consider()

    def _endpoint(self) -> None:
        if self._person is not None:
            self._person.due = True
            self._consider()

    def _consider(self) -> None:
        """If the person's turn is complete, let it interrupt the agent or be answered."""
        person = self._person
        if person is None or person.text is None or not person.due or person.answered or self._voice.flushing:
            return
        if self._phase is Phase.CLOSING:
            self._settle()
        elif self._phase is not Phase.TALKING:
            return
        elif self._agent is None:
            self._answer(person, person.text)
        elif self._interrupts(person.text):
            self._cut_off()
        else:
            if person.text:
                self._out.log("system", f"did not interrupt: {person.text}")
            self._person = None
            self._voice.resume()

    def _answer(self, person: Utterance, text: str) -> None:
        if not text:
            self._person = None
            self._await_person(max(self._now + timing.NOISE_GRACE_S, self._silence_at))
            return
        person.mark = self._dialogue.mark()
        person.answered = True
        self._agent = AgentTurn(self._out, person.ended)
        self._perform(self._agent, self._dialogue.answer(text))

    def _settle(self) -> None:
        """What the person said stands: it goes into the transcript."""
        if self._person is not None:
            turn = self._person.turn(self._answered_at)
            self._person = None
            if turn is not None:
                self._out.do(actions.AddTurn(turn))

    def _await_person(self, deadline: float) -> None:
        self._silence_at = deadline
        idle = self._person is None and self._agent is None and not self._speaking
        if idle and self._phase is Phase.TALKING:
            self._timers.set(Timer.SILENCE, deadline)

    # Barge-in

    def _interrupts(self, text: str) -> bool:
        needed = max(1, self._talk.number_of_words_for_interruption)
        remaining_ms = self._voice.remaining_ms
        if self._agent is not None and self._agent.closed and remaining_ms is not None:
            needed = 1 if remaining_ms <= timing.LAST_WORDS_MS else needed
        return len(text.split()) >= needed

    def _look_at_words(self) -> None:
        person = self._person
        if self._speaking and person is not None and self._agent is not None:
            person.transcribe()

    def _weigh_interim(self, person: Utterance, text: str) -> None:
        if self._agent is None or self._phase is not Phase.TALKING or self._voice.flushing:
            return
        if self._interrupts(text):
            self._cut_off()
            return
        person.looks += 1
        if person.looks >= timing.MAX_INTERIMS:
            self._voice.resume()
        self._timers.set(Timer.INTERIM, self._now + timing.INTERIM_S)

    def _voice_paused(self, event: events.VoicePaused) -> None:
        if self._voice.paused_at is not None:
            self._voice.remaining_ms = event.remaining_ms

    def _voice_flushed(self, event: events.VoiceFlushed) -> None:
        if not self._voice.flushing:
            return
        stopped = self._voice.flushed(self._now)
        if self._agent is not None:
            self._agent.flush(event.utterance, event.played_ms, event.audio_ms)
            self._end_agent_turn(self._agent, stopped)
        self._consider()

    # The agent

    def _perform(self, agent: AgentTurn, reply: Reply) -> None:
        for entry in reply.log:
            self._out.do(actions.Log(entry))
        if reply.ends:
            agent.ends = HangupCause.AGENT
            self._phase = Phase.CLOSING
        agent.say(reply.text)
        if reply.ask:
            agent.ask(reply.ask)
        else:
            self._close_turn(agent)

    def _reply_text(self, event: events.ReplyText) -> None:
        if self._agent is not None and self._agent.reply == event.reply:
            self._agent.hear_reply(event.text)

    def _reply_done(self, event: events.ReplyDone) -> None:
        agent = self._agent
        if agent is None or agent.reply != event.reply:
            return
        agent.end_reply()
        if agent.spoke:
            self._close_turn(agent)
        else:
            self._fail("llm", "The language model gave an empty reply.")

    def _reply_failed(self, event: events.ReplyFailed) -> None:
        if self._agent is not None and self._agent.reply == event.reply:
            self._agent.reply = None
            self._fail("llm", event.message)

    def _cut_off(self) -> None:
        """Silence the agent in the middle of what it says or is about to say."""
        if self._agent is not None:
            self._agent.cancel_reply()
            self._voice.flush()

    def _utterance_started(self, event: events.UtteranceStarted) -> None:
        agent = self._agent
        if agent is None or not agent.holds(event.utterance) or agent.started is not None:
            return
        agent.started = self._now
        if self._person is not None and self._person.answered:
            self._settle()

    def _utterance_finished(self, event: events.UtteranceFinished) -> None:
        agent = self._agent
        if agent is not None and agent.holds(event.utterance):
            agent.finish(event.utterance)
            if agent.over:
                self._end_agent_turn(agent, self._now)

    def _utterance_failed(self, event: events.UtteranceFailed) -> None:
        if self._agent is not None and self._agent.holds(event.utterance):
            self._fail("synthesizer", event.message, can_speak=False)

    def _close_turn(self, agent: AgentTurn) -> None:
        """No more sentences come; a turn without any is over at once."""
        agent.closed = True
        if agent.over:
            self._end_agent_turn(agent, self._now)

    def _end_agent_turn(self, agent: AgentTurn, ended: float) -> None:
        self._agent = None
        self._timers.cancel(Timer.INTERIM)
        turn = agent.turn(self._answered_at, ended)
        if turn is not None:
            self._out.do(actions.AddTurn(turn))
        self._dialogue.heard(agent.text)
        if agent.ends is not None and self._phase is Phase.CLOSING:
            self._hang_up(agent.ends)
        elif self._phase is Phase.TALKING:
            if self._person is not None and self._person.answered:
                self._settle()
            self._voice.resume()
            self._await_person(self._now + self._talk.hangup_after_silence_s)
