"""The conversation without I/O: events in, actions out.

Listening: transcription starts as soon as the voice detector reports silence (about 0.2 s); its words say how much
silence ends the turn (`endpointing`). Whoever goes on before the agent is heard is transcribed anew from the
beginning, and the unheard answer is withdrawn. Barge-in: the voice pauses at the onset of speech; the words then
decide whether it is flushed or resumed (`listening`, `barge_in`). The agent's words come from `answering`, and how
long a silent person is waited for is `patience`'s matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ringback.agents.plan import Plan
from ringback.agents.prompts import fill
from ringback.conversation import actions, events
from ringback.conversation.actions import Action
from ringback.conversation.core import timing
from ringback.conversation.core.absence import Absence
from ringback.conversation.core.agent_turn import AgentTurn
from ringback.conversation.core.answering import Answering, Progress
from ringback.conversation.core.hangup_judge import HangupJudge
from ringback.conversation.core.listening import Listening
from ringback.conversation.core.outside import Outside
from ringback.conversation.core.patience import Patience
from ringback.conversation.core.phase import Phase
from ringback.conversation.core.scene import Scene
from ringback.conversation.core.transferring import Transferring
from ringback.conversation.core.turn_clock import TurnClock
from ringback.conversation.core.utterance import Utterance
from ringback.conversation.core.vetting import Vetting
from ringback.conversation.dialogue.dialogue import Dialogue, Reply
from ringback.conversation.events import Event, Timer
from ringback.conversation.screening.verdict import Verdict
from ringback.conversation.transcript import Component, Failure, LogEntry
from ringback.media.leg import HangupCause


class ConversationCore:
    """One call's conversation. `handle` never raises, whatever the order of events."""

    def __init__(self, plan: Plan, dialogue: Dialogue, variables: Mapping[str, Any]) -> None:
        """`variables` fill the `{placeholders}` of the plan's messages."""
        self._talk = plan.talk
        self._welcome = fill(plan.welcome_message, variables).strip()
        self._goodbye = fill(plan.talk.call_hangup_message or "", variables).strip()
        self._online = fill(plan.talk.check_user_online_message, variables).strip()
        self._dialogue = dialogue
        scene = self._scene = Scene()
        self._out, self._timers, self._voice = scene.out, scene.timers, scene.voice
        self._patience = Patience(plan.talk, scene.timers)
        self._absence = Absence(scene, self._patience, self._listens_again)
        self._transferring = Transferring(scene, self._absence)
        self._answering = Answering(plan, dialogue, variables, scene.out, scene.timers, self._transferring)
        self._listening = Listening(plan, dialogue, scene, self)
        self._vetting = Vetting(plan, variables, scene, self._listening, self)
        self._judge = HangupJudge(plan, scene.out)
        self._outside = Outside(scene, dialogue)
        self._failure: Failure | None = None
        self._hello = False
        self._handlers: dict[type, Callable[[Any], None]] = {
            events.Answered: self._answered,
            events.SpeechStarted: self._speech_started,
            events.SpeechStopped: self._speech_stopped,
            events.SoundHeard: lambda _: self._listening.sound_heard(),
            events.Transcribed: self._vetting.transcribed,
            events.TranscriptionFailed: self._listening.transcription_failed,
            events.ReplyText: self._reply_text,
            events.ReplyDone: self._reply_done,
            events.ReplyFailed: self._reply_failed,
            events.ToolDone: self._tool_done,
            events.Injected: self._inject,
            events.AudioReady: self._audio_ready,
            events.UtteranceStarted: self._utterance_started,
            events.UtteranceFinished: self._utterance_finished,
            events.UtteranceFailed: self._utterance_failed,
            events.VoicePaused: lambda event: self._voice.left_to_play(event.remaining_ms),
            events.VoiceFlushed: self._voice_flushed,
            events.Digit: self._listening.keypad.press,
            events.TransferAnswered: self._transferring.answered,
            events.TransferOver: self._transfer_over,
            events.Held: lambda _: self._absence.held(),
            events.Resumed: lambda _: self._absence.resumed(),
            events.TimerFired: self._timer_fired,
            events.AudioFailed: self._audio_failed,
            events.LegEnded: self._leg_ended,
            **self._vetting.handlers,
        }
        self._alarms: dict[Timer, Callable[[], None]] = {
            Timer.WELCOME: self._welcome_due,
            Timer.ENDPOINT: self._listening.endpoint,
            Timer.DOUBT: self._listening.no_more_doubt,
            Timer.INTERIM: self._listening.look_at_words,
            Timer.KEYPAD: self._listening.keypad.due,
            Timer.SILENCE: lambda: self.say_last(self._goodbye, HangupCause.SILENCE),
            Timer.ONLINE: self._ask_whether_online,
            Timer.REPEAT: self._repeat,
            Timer.FILLER: lambda: self._answering.filler_due(self._scene.now),
            Timer.MURMUR: self._listening.murmur_due,
            Timer.MAX_DURATION: lambda: self.hang_up(HangupCause.MAX_DURATION),
            **self._vetting.alarms,
        }

    @property
    def over(self) -> bool:
        """Nothing more will come of it: the leg ended and the person's last words are known."""
        scene = self._scene
        return scene.phase is Phase.ENDED and scene.person is None and scene.agent is None

    @property
    def answered_at(self) -> float:
        """Where the milliseconds of the turns begin."""
        return self._scene.answered_at

    @property
    def answered_by(self) -> Verdict | None:
        return self._vetting.verdict

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event at `now` (monotonic seconds, never going back); what to do about it, in order."""
        self._scene.now = now
        self._handlers[type(event)](event)
        return self._out.take()

    def _timer_fired(self, event: events.TimerFired) -> None:
        if self._timers.take(event.timer, self._scene.now):
            self._alarms[event.timer]()

    # The beginning

    def _answered(self, _: events.Answered) -> None:
        scene = self._scene
        if scene.phase is Phase.RINGING:
            scene.answered_at = scene.now
            scene.phase = Phase.GREETING
            self._timers.set(Timer.MAX_DURATION, scene.now + self._talk.call_terminate_s)
            self._timers.set(Timer.WELCOME, scene.now + self._talk.welcome_message_delay_ms / 1000)
            self._vetting.answered()

    def _welcome_due(self) -> None:
        if self._scene.speaking and not self._hello:
            self._hello = True
            self._timers.set(Timer.WELCOME, self._scene.now + timing.HELLO_S)
        else:
            self._greet()

    def _greet(self) -> None:
        self._timers.cancel(Timer.WELCOME)
        self._scene.phase = Phase.TALKING
        self._listening.greeted()
        self._speak(self._dialogue.opening(), welcome=self._welcome)

    # The person (see `listening.Floor`)

    def _speech_started(self, event: events.SpeechStarted) -> None:
        scene = self._scene
        self._absence.speech = scene.held
        if scene.phase in (Phase.RINGING, Phase.ENDED) or scene.speaking or scene.held:
            return
        scene.speaking = True
        if scene.phase is not Phase.GREETING:
            self._listening.speech_started(event.at)
        self._vetting.speech_started(event.at)

    def _speech_stopped(self, event: events.SpeechStopped) -> None:
        scene = self._scene
        self._absence.speech = False
        if not scene.speaking:
            return
        scene.speaking = False
        if scene.phase is Phase.GREETING and self._hello:
            self._greet()
        elif scene.phase is not Phase.ENDED:
            self._listening.speech_stopped(event.at)
        self._vetting.speech_stopped(event.at)

    @property
    def yields(self) -> bool:
        return not self._answering.runs_functions

    def be_busy(self) -> None:
        self._patience.stop()
        self._judge.cancel()

    def answer(self, person: Utterance, text: str) -> None:
        assert person.ended is not None
        self._patience.renew()
        clock = TurnClock(person.ended, self._scene.now, person.transcriptions)
        if self._welcome and self._vetting.introduces(text):
            person.mark = None
            self._speak(Reply(self._welcome), clock)
        else:
            self._speak(self._dialogue.answer(text), clock)

    def cut_off(self) -> None:
        if self._scene.agent is not None:
            self._answering.cancel()
            self._voice.flush()

    # Nobody speaks

    def await_person(self, noise: bool = False) -> None:
        if not self._scene.idle:
            return
        if (reply := self._outside.reply()) is not None:
            self._patience.renew()
            self._speak(reply)
        elif noise:
            self._patience.wait_on(self._scene.now)
        else:
            self._patience.wait(self._scene.now, self._dialogue.repeat_after_s)

    def _ask_whether_online(self) -> None:
        self._patience.asked()
        self._speak(Reply(self._online))

    def _repeat(self) -> None:
        reply = self._dialogue.repeat()
        if reply is not None:
            self._speak(reply)

    def _inject(self, event: events.Injected) -> None:
        self._outside.add(event)
        self.await_person()

    def _listens_again(self, speaks: bool) -> None:
        if speaks:
            self._speech_started(events.SpeechStarted(self._scene.now))
        self.await_person()

    # The agent

    def _speak(self, reply: Reply, clock: TurnClock | None = None, welcome: str = "") -> None:
        self.be_busy()
        now = self._scene.now
        agent = self._scene.agent = AgentTurn(self._out, clock)
        agent.say(welcome, now)
        self._advance(agent, self._answering.begin(agent, reply, now))

    def _advance(self, agent: AgentTurn | None, progress: Progress) -> None:
        if agent is None:
            return
        scene = self._scene
        if agent.ends is not None and scene.phase is Phase.TALKING:
            scene.phase = Phase.CLOSING
            self._timers.cancel(Timer.INTERIM)
            self._voice.resume()
        if self._answering.irrevocable:
            # What a function does cannot be taken back, and so the words that led to it stand.
            scene.settle_answered()
        if progress is Progress.FAILED:
            self.fail("llm", self._answering.failure)
        elif progress is Progress.SAID:
            if agent.ends is not None and not agent.spoke:
                agent.say(self._goodbye, scene.now)
            self._close_turn(agent)
        self._transferring.consider()
        self._listening.consider()

    def _reply_text(self, event: events.ReplyText) -> None:
        if event.reply == self._judge.reply:
            self._judge.hear(event.text)
        elif event.reply == self._answering.reply:
            self._answering.reply_text(event.text, self._scene.now)

    def _reply_done(self, event: events.ReplyDone) -> None:
        if event.reply == self._judge.reply:
            if self._judge.verdict():
                self.say_last(self._goodbye, HangupCause.JUDGED_OVER)
        elif event.reply == self._answering.reply:
            self._advance(self._scene.agent, self._answering.reply_done(event.calls, self._scene.now))

    def _reply_failed(self, event: events.ReplyFailed) -> None:
        if event.reply == self._judge.reply:
            self._judge.failed(event.message)
        elif event.reply == self._answering.reply:
            self._advance(self._scene.agent, self._answering.reply_failed(event.message, self._scene.now))

    def _tool_done(self, event: events.ToolDone) -> None:
        self._transferring.failed(event.run)
        progress = self._answering.tool_done(event.run, event.result, self._scene.now)
        self._advance(self._scene.agent, progress)

    def _transfer_over(self, event: events.TransferOver) -> None:
        if self._transferring.over(event.run):
            self.hang_up(HangupCause.TRANSFERRED)

    def _audio_ready(self, event: events.AudioReady) -> None:
        agent = self._scene.agent
        if agent is not None and agent.clock is not None and agent.holds(event.utterance):
            agent.clock.audio(self._scene.now)

    def _utterance_started(self, event: events.UtteranceStarted) -> None:
        agent = self._scene.agent
        if agent is not None and agent.holds(event.utterance) and agent.started is None:
            agent.begin(self._scene.now)
            self._scene.settle_answered()

    def _utterance_finished(self, event: events.UtteranceFinished) -> None:
        agent = self._scene.agent
        if agent is not None and agent.holds(event.utterance):
            agent.finish(event.utterance)
            if agent.over:
                self._end_turn(agent, self._scene.now)
            self._transferring.consider()

    def _utterance_failed(self, event: events.UtteranceFailed) -> None:
        if self._scene.agent is not None and self._scene.agent.holds(event.utterance):
            self.fail("synthesizer", event.message, can_speak=False)

    def _voice_flushed(self, event: events.VoiceFlushed) -> None:
        if not self._voice.flushing:
            return
        stopped = self._voice.flushed(self._scene.now)
        agent = self._scene.agent
        if agent is not None:
            agent.flush(event.utterance, event.played_ms, event.audio_ms, event.word_ends_ms)
            self._end_turn(agent, stopped)
        self._vetting.flushed()
        self._listening.consider()

    def _close_turn(self, agent: AgentTurn) -> None:
        """No more sentences come; a turn without any is over at once."""
        agent.closed = True
        if agent.over:
            self._end_turn(agent, self._scene.now)

    def _end_turn(self, agent: AgentTurn, ended: float) -> None:
        scene = self._scene
        scene.agent = None
        self._timers.cancel(Timer.INTERIM)
        turn = agent.turn(scene.answered_at, ended)
        if turn is not None:
            scene.add(turn)
        self._dialogue.heard(agent.marked_text)
        if agent.ends is not None and scene.phase is Phase.CLOSING:
            self.hang_up(agent.ends)
        elif scene.phase is Phase.TALKING:
            scene.settle_answered()
            self._voice.resume()
            self.await_person()
            if scene.idle and not agent.cut and agent.clock is not None:
                self._judge.ask(scene.turns)

    # The end

    def fail(self, component: Component, message: str, can_speak: bool = True) -> None:
        """End the call for a failure, with an apology where a voice is left to speak it."""
        if self._scene.over:
            return
        self._out.entry(LogEntry("error", component, message))
        self._failure = self._failure or Failure(component, message)
        if can_speak and self._scene.phase is Phase.TALKING:
            self.say_last(self._answering.apology, HangupCause.ERROR)
        else:
            self.hang_up(HangupCause.ERROR)

    def _audio_failed(self, event: events.AudioFailed) -> None:
        self.fail("system", event.message, can_speak=False)

    def say_last(self, text: str, cause: HangupCause) -> None:
        """Speak `text`, which may be empty, after what is being said, then hang up."""
        scene = self._scene
        scene.phase = Phase.CLOSING
        self.be_busy()
        self._timers.cancel(Timer.INTERIM)
        scene.settle_answered()
        self._voice.resume()
        self._answering.cancel()
        agent = scene.agent = scene.agent or AgentTurn(self._out)
        agent.ends = cause
        if scene.held:
            self.hang_up(cause)
        else:
            agent.say(text, scene.now)
            self._close_turn(agent)

    def hang_up(self, cause: HangupCause) -> None:
        if not self._scene.over:
            self._scene.phase = Phase.HANGING_UP
            self._stop_talking()
            self._out.do(actions.HangUp(cause, self._failure))

    def _stop_talking(self) -> None:
        self.cut_off()
        self._judge.cancel()
        self._timers.cancel_all()

    def _leg_ended(self, _: events.LegEnded) -> None:
        if self._scene.phase is not Phase.ENDED:
            self._scene.phase = Phase.ENDED
            self._stop_talking()
            self._listening.leg_ended()
            self._outside.drop()
