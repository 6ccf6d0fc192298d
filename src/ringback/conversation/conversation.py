"""One conversation on an answered leg: the thin shell that feeds the core and does what it wants."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from ringback.agents.chat import ChatModel
from ringback.agents.plan import ChatPlan, Plan
from ringback.agents.tools import ToolRunner, TransferCall
from ringback.clock import Clock
from ringback.conversation import actions, events
from ringback.conversation.actions import Action
from ringback.conversation.alarms import Alarms
from ringback.conversation.core.core import ConversationCore
from ringback.conversation.core.timing import AWAY_S
from ringback.conversation.dialogue.chat import ChatDialogue
from ringback.conversation.dialogue.dialogue import Dialogue, DialogueError
from ringback.conversation.dialogue.graph import GraphDialogue
from ringback.conversation.discretion import Discretion
from ringback.conversation.ear import Ear
from ringback.conversation.events import Event
from ringback.conversation.handover import Handover, Stand
from ringback.conversation.meter import Meter
from ringback.conversation.requests import (
    TRANSCRIPTION_TIMEOUT_S,
    Answers,
    Functions,
    Overhearing,
    Transcriptions,
)
from ringback.conversation.result import ConversationResult, Usage
from ringback.conversation.speaker import Speaker
from ringback.conversation.tasks import Tasks
from ringback.conversation.transcript import Failure, LogEntry, Observer, Turn
from ringback.conversation.transfer import Switchboard
from ringback.media import activity
from ringback.media.ambience import Ambience
from ringback.media.call_audio import CallAudio
from ringback.media.frame import Samples
from ringback.media.leg import Digit, Ended, EndedBy, HangupCause, Held, Leg, Outcome, Referred, Resumed
from ringback.media.playout import Finished, Playout, Started
from ringback.media.recorder import Recorder
from ringback.media.sound_watch import rises
from ringback.media.speech import Synthesizer, Transcriber, Voice, VoiceDetector
from ringback.media.ticker import Ticker
from ringback.media.tones import Tone

HANGUP_TIMEOUT_S: Final = 40.0
"""A leg ends itself when the far end does not confirm the hangup (SIP timer F: 32 s)."""
_INBOX: Final = 4096

_log = logging.getLogger(__name__)


def dialogue_of(plan: Plan, variables: Mapping[str, Any], today: date) -> Dialogue:
    """The dialogue that a plan asks for. Raises DialogueError for one that needs what we do not have."""
    if isinstance(plan.dialogue, ChatPlan):
        return ChatDialogue(plan.dialogue, plan.tools, variables)
    return GraphDialogue(plan.dialogue, plan.tools, variables, today)


class Conversation:
    """Create it when the leg is answered (its `Answered` event was taken), then `run` it once."""

    def __init__(
        self,
        leg: Leg,
        plan: Plan,
        variables: Mapping[str, Any],
        *,
        ticker: Ticker,
        detector: VoiceDetector,
        recorder: Recorder,
        transcriber: Transcriber,
        synthesizer: Synthesizer,
        chat: ChatModel | None,
        clock: Clock,
        observer: Observer,
        today: date,
        tools: ToolRunner | None = None,
        ambience: Ambience | None = None,
        switchboard: Switchboard | None = None,
    ) -> None:
        """`variables` fill the `{placeholders}` of messages and prompts; `today` is the person's date.

        `chat` is needed by plans with a language model, `tools` by those with functions; `ambience` is heard behind
        the agent, `switchboard` needed by transfers. The caller closes
        `recorder` after `run`. Raises DialogueError for a plan that cannot be talked by.
        """
        if isinstance(plan.dialogue, ChatPlan) and chat is None:
            raise DialogueError(
                f"the agent needs the language model {plan.dialogue.provider!r}: none was given"
            )
        self._leg = leg
        self._plan = plan
        self._variables = variables
        self._synthesizer = synthesizer
        self._clock = clock
        observer = self._observer = Discretion(observer, plan.talk.dtmf_masked)
        self._dialogue = dialogue_of(plan, variables, today)
        self._core = ConversationCore(plan, self._dialogue, variables)
        self._inbox: deque[tuple[Event, float]] = deque()
        self._arrived = asyncio.Event()
        self._tasks = Tasks(leg.call_id)
        self._alarms = Alarms(clock, self._post)
        language = plan.transcriber.language
        meter = self._meter = Meter(clock)
        self._transcriptions = Transcriptions(
            transcriber, language, self._tasks, self._post, observer.log, meter
        )
        self._overhearing = Overhearing(transcriber, language, self._tasks, self._post, meter)
        self._answers = Answers(chat, self._tasks, self._post, observer.log, meter)
        self._functions = Functions(tools, plan, self._tasks, self._post, observer.log)
        self._turns: list[Turn] = []
        self._cause: HangupCause | None = None
        self._failure: Failure | None = None
        self._ended: Ended | None = None
        playout = Playout(self._played)
        part = plan.synthesizer
        voice = Voice(part.voice, part.language, part.speed)
        self._speaker = Speaker(synthesizer, voice, playout, self._post, self._spoken)
        on_tone = self._tone if plan.talk.voicemail is not None else None
        self._ear = Ear(detector.open(), detector.window_ms, self._voice_activity, self._sound, on_tone)
        self._audio = CallAudio(ticker, leg, self._ear, playout, recorder, self._audio_failed, ambience)

        stand = Stand(
            leg,
            plan,
            switchboard,
            tools,
            ticker,
            self._audio,
            synthesizer,
            voice,
            clock,
            self._post,
            observer.log,
            self._spoken,
        )
        self._handover = Handover(stand)

    async def run(self) -> ConversationResult:
        """Talk until the leg has ended. Failures of providers are in the result; only cancellation raises."""
        limit_s = self._plan.talk.call_terminate_s + HANGUP_TIMEOUT_S + TRANSCRIPTION_TIMEOUT_S
        if any(isinstance(tool, TransferCall) for tool in self._plan.tools.values()):
            limit_s += AWAY_S
        self._audio.start()
        self._tasks.start("leg", self._follow_leg(), self._leg_lost)
        self._post(events.Answered())
        try:
            async with asyncio.timeout(limit_s):
                await self._converse()
        except TimeoutError:
            self._fail("the call did not end in time")
        except Exception as error:
            self._fail(f"internal error: {type(error).__name__}")
            _log.error("conversation of call %s broke: %r", self._leg.call_id, error, exc_info=error)
        finally:
            await self._close()
        return self._result(self._ended or await self._force_end())

    def inject(self, name: str, properties: Mapping[str, Any]) -> None:
        """Tell the agent of an event from outside (contract 8); it takes it up when nobody speaks."""
        self._post(events.Injected(name, properties))

    async def _converse(self) -> None:
        while not self._core.over:
            while not self._inbox:
                self._arrived.clear()
                await self._arrived.wait()
            event, now = self._inbox.popleft()
            self._handle(event, now)

    def _handle(self, event: Event, now: float) -> None:
        # What the voice answers at once is handled before anything else that waits.
        answers: list[Event] = [event]
        while answers:
            for action in self._core.handle(answers.pop(0), now):
                answer = self._perform(action)
                if answer is not None:
                    answers.append(answer)

    # What the core wants

    def _perform(self, action: Action) -> Event | None:
        match action:
            case actions.PauseVoice():
                return self._speaker.pause()
            case actions.ResumeVoice():
                self._speaker.resume()
            case actions.FlushVoice():
                return self._speaker.flush()
            case actions.Speak(utterance, text):
                self._observer.log(LogEntry("request", "synthesizer", text, self._synthesizer.provider))
                self._speaker.speak(utterance, text)
            case actions.Murmur(text):
                self._speaker.murmur(text)
            case actions.AddTurn(turn):
                self._turns.append(self._observer.shown_turn(turn))
                self._observer.turn(turn)
            case actions.Log(entry):
                self._observer.log(entry)
            case actions.HangUp(cause, failure):
                self._cause, self._failure = cause, failure
                self._tasks.start("hangup", self._hang_up(cause), self._leg_lost)
            case _:
                self._request(action)
        return None

    def _heard_since(self, since: float) -> Samples:
        return self._ear.last(self._clock.monotonic() - since)

    def _request(self, action: Action) -> None:
        match action:
            case actions.SetTimer(timer, at):
                self._alarms.set(timer, at)
            case actions.CancelTimer(timer):
                self._alarms.cancel(timer)
            case actions.Transcribe(request, since):
                heard = self._heard_since(since)
                self._transcriptions.start(request, heard, lambda: rises(self._heard_since(since)))
            case actions.CancelTranscription(request):
                self._transcriptions.cancel(request)
            case actions.Overhear(request, since):
                self._overhearing.start(request, self._heard_since(since))
            case actions.StopTones():
                self._ear.stop_tones()
            case actions.StartReply(reply, ask):
                self._answers.start(reply, ask)
            case actions.CancelReply(reply):
                self._answers.cancel(reply)
            case actions.RunTool(run, call):
                self._functions.start(run, call, {**self._variables, **self._dialogue.slots})
            case actions.PressKeys(keys):
                self._press(keys)
            case actions.CancelTool(run):
                self._functions.cancel(run)
            case _:
                self._hand_over(action)

    def _hand_over(self, action: Action) -> None:
        match action:
            case actions.Transfer(run, call):
                self._handover.start(run, call, {**self._variables, **self._dialogue.slots})
            case actions.Bridge(run):
                self._handover.join(run)
            case actions.CancelTransfer(run):
                self._handover.cancel(run)

    async def _hang_up(self, cause: HangupCause) -> None:
        try:
            async with asyncio.timeout(HANGUP_TIMEOUT_S):
                await self._leg.hangup(cause)
        except Exception as error:
            _log.warning("hanging up call %s failed: %r", self._leg.call_id, error)
            self._leg_lost()

    def _press(self, keys: str) -> None:
        try:
            self._leg.send_digits(keys)
        except ValueError as error:
            self._observer.log(LogEntry("error", "system", f"keys not pressed: {error}"))

    # What happens

    def _post(self, event: Event) -> None:
        if len(self._inbox) >= _INBOX:
            raise RuntimeError(f"more than {_INBOX} events of a conversation are waiting")
        self._inbox.append((event, self._clock.monotonic()))
        self._arrived.set()

    def _spoken(self, characters: int) -> None:
        mouth = self._synthesizer
        self._meter.used(
            "synthesizer", mouth.provider, mouth.model, "characters", characters, self._meter.now()
        )

    def _played(self, event: Started | Finished) -> None:
        utterance = int(event.utterance_id)
        started = isinstance(event, Started)
        self._post(events.UtteranceStarted(utterance) if started else events.UtteranceFinished(utterance))

    def _voice_activity(self, change: activity.SpeechStarted | activity.SpeechStopped, ago_s: float) -> None:
        at = self._clock.monotonic() - ago_s
        started = isinstance(change, activity.SpeechStarted)
        self._post(events.SpeechStarted(at) if started else events.SpeechStopped(at))

    def _sound(self) -> None:
        self._post(events.SoundHeard())

    def _tone(self, tone: Tone) -> None:
        self._post(events.ToneHeard(tone))

    def _audio_failed(self, error: Exception) -> None:
        self._post(events.AudioFailed(f"The call's audio failed: {type(error).__name__}."))

    async def _follow_leg(self) -> None:
        while True:
            match await self._leg.next_event():
                case Referred() as referred:
                    self._handover.take(referred)
                case Ended() as ended:
                    self._ended = ended
                    self._handover.take(ended)
                    self._audio.stop()
                    self._post(events.LegEnded())
                    return
                case Digit(key=key) as digit:
                    if not self._handover.take(digit):
                        self._post(events.Digit(key))
                case Held():
                    self._post(events.Held())
                case Resumed():
                    self._post(events.Resumed())

    # The end

    def _leg_lost(self) -> None:
        """The leg tells or obeys no more: what can be done is left to `_force_end`."""
        self._fail("its leg was lost")
        self._post(events.LegEnded())

    async def _close(self) -> None:
        # At once as far as possible: a cancellation may come with any await.
        self._audio.stop()
        self._alarms.close()
        self._ear.close()
        self._speaker.flush()
        await self._tasks.close(but="hangup")
        await self._speaker.close()
        await self._handover.close()

    async def _force_end(self) -> Ended:
        """The conversation broke while the call goes on: end the call."""
        await self._hang_up(HangupCause.ERROR)
        try:
            async with asyncio.timeout(HANGUP_TIMEOUT_S):
                while self._ended is None:
                    event = await self._leg.next_event()
                    if isinstance(event, Ended):
                        self._ended = event
        except Exception as error:
            _log.error("the end of call %s is not known: %r", self._leg.call_id, error)
            detail = "The call could not be ended in an orderly way."
            return Ended(Outcome.ERROR, EndedBy.ERROR, "Unknown", detail=detail)
        return self._ended

    def usage(self) -> list[Usage]:
        """What providers have done so far."""
        return self._meter.lines(self._turns, self._core.answered_at)

    def _fail(self, message: str) -> None:
        self._failure = self._failure or Failure("system", f"The conversation failed: {message}.")
        self._cause = self._cause or HangupCause.ERROR

    def _result(self, ended: Ended) -> ConversationResult:
        return ConversationResult(
            turns=tuple(sorted(self._turns, key=lambda turn: turn.start_ms)),
            slots=self._observer.shown(dict(self._dialogue.slots)),
            context=self._observer.shown(dict(self._dialogue.context)),
            usage=tuple(self.usage()),
            ended=ended,
            cause=self._cause,
            failure=self._failure,
            answered_by=self._core.answered_by,
        )
