"""One conversation on an answered leg: the thin shell that feeds the core and does what it wants."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Mapping
from datetime import date
from typing import Any, Final

from ringback.agents.chat import Ask, ChatError, ChatModel, ChatText, ChatUsage
from ringback.agents.plan import ChatPlan, Plan
from ringback.clock import Clock
from ringback.conversation import actions, events
from ringback.conversation.actions import Action
from ringback.conversation.chat import ChatDialogue
from ringback.conversation.core import ConversationCore
from ringback.conversation.dialogue import Dialogue, DialogueError
from ringback.conversation.ear import Ear
from ringback.conversation.events import Event
from ringback.conversation.result import ConversationResult, Usage
from ringback.conversation.scripted import ScriptedDialogue
from ringback.conversation.speaker import Speaker
from ringback.conversation.transcript import Component, Failure, LogEntry, Observer, Turn
from ringback.media import activity
from ringback.media.call_audio import CallAudio
from ringback.media.leg import Digit, Ended, EndedBy, HangupCause, Held, Leg, Outcome, Resumed
from ringback.media.playout import Finished, Playout, Started
from ringback.media.recorder import Recorder
from ringback.media.speech import SpeechError, Synthesizer, Transcriber, Voice, VoiceDetector
from ringback.media.ticker import Ticker

TRANSCRIPTION_TIMEOUT_S: Final = 10.0
REPLY_TIMEOUT_S: Final = 60.0
HANGUP_TIMEOUT_S: Final = 40.0
"""A leg ends itself when the far end does not confirm the hangup (SIP timer F: 32 s)."""
_INBOX: Final = 4096

_log = logging.getLogger(__name__)


def dialogue_of(plan: Plan, variables: Mapping[str, Any], today: date) -> Dialogue:
    """The dialogue that a plan asks for. Raises DialogueError for one that needs what we do not have."""
    if isinstance(plan.dialogue, ChatPlan):
        return ChatDialogue(plan.dialogue, plan.tools, variables)
    return ScriptedDialogue(plan.dialogue, variables, today)


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
    ) -> None:
        """`variables` fill the `{placeholders}` of messages and prompts; `today` is the person's date.

        `chat` is needed by plans with a language model. The caller closes `recorder` after `run`.
        Raises DialogueError for a plan that cannot be talked by.
        """
        if isinstance(plan.dialogue, ChatPlan) and chat is None:
            raise DialogueError(
                f"the agent needs the language model {plan.dialogue.provider!r}: none was given"
            )
        self._leg = leg
        self._plan = plan
        self._transcriber = transcriber
        self._synthesizer = synthesizer
        self._chat = chat
        self._clock = clock
        self._observer = observer
        self._dialogue = dialogue_of(plan, variables, today)
        self._core = ConversationCore(plan, self._dialogue, variables)
        self._inbox: deque[tuple[Event, float]] = deque()
        self._arrived = asyncio.Event()
        self._tasks: dict[object, asyncio.Task[None]] = {}
        self._turns: list[Turn] = []
        self._transcriber_ms = 0
        self._tokens = [0, 0]
        self._cause: HangupCause | None = None
        self._failure: Failure | None = None
        self._ended: Ended | None = None
        playout = Playout(self._played)
        part = plan.synthesizer
        voice = Voice(part.voice, part.language, part.speed)
        self._speaker = Speaker(synthesizer, voice, playout, self._post)
        self._ear = Ear(detector.open(), detector.window_ms, self._voice_activity)
        self._audio = CallAudio(ticker, leg, self._ear, playout, recorder, self._audio_failed)

    async def run(self) -> ConversationResult:
        """Talk until the leg has ended. Failures of providers are in the result; only cancellation raises."""
        limit_s = self._plan.talk.call_terminate_s + HANGUP_TIMEOUT_S + TRANSCRIPTION_TIMEOUT_S
        self._audio.start()
        self._start("leg", self._follow_leg())
        self._post(events.Answered())
        try:
            async with asyncio.timeout(limit_s):
                await self._converse()
        except TimeoutError:
            self._fail("the call did not end in time")
        except Exception as error:
            self._fail(f"internal error: {type(error).__name__}")
            _log.error("conversation of call %s broke: %r", self._leg.call_id, error)
        finally:
            await self._close()
        return self._result(self._ended or await self._force_end())

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
                self._log("request", "synthesizer", text, self._synthesizer.provider)
                self._speaker.speak(utterance, text)
            case actions.AddTurn(turn):
                self._turns.append(turn)
                self._observer.turn(turn)
            case actions.Log(entry):
                self._observer.log(entry)
            case actions.HangUp(cause, failure):
                self._cause, self._failure = cause, failure
                self._start("hangup", self._hang_up(cause))
            case _:
                self._perform_task(action)
        return None

    def _perform_task(self, action: Action) -> None:
        match action:
            case actions.SetTimer(timer, at):
                self._cancel(timer)
                self._start(timer, self._sleep_until(events.TimerFired(timer), at))
            case actions.CancelTimer(timer):
                self._cancel(timer)
            case actions.Transcribe(request, since):
                audio = self._ear.last(self._clock.monotonic() - since)
                self._start(("transcribe", request), self._transcribe(request, audio))
            case actions.CancelTranscription(request):
                self._cancel(("transcribe", request))
            case actions.StartReply(reply, ask):
                self._start(("reply", reply), self._ask(reply, ask))
            case actions.CancelReply(reply):
                self._cancel(("reply", reply))

    async def _sleep_until(self, event: Event, at: float) -> None:
        while (left := at - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)
        self._post(event)

    async def _transcribe(self, request: int, audio: Any) -> None:
        provider = self._transcriber.provider
        try:
            async with asyncio.timeout(TRANSCRIPTION_TIMEOUT_S):
                heard = await self._transcriber.transcribe(audio, self._plan.transcriber.language)
        except SpeechError as error:
            self._post(events.TranscriptionFailed(request, str(error)))
        except TimeoutError:
            message = f"The transcriber {provider} gave no answer for {TRANSCRIPTION_TIMEOUT_S:g} s."
            self._post(events.TranscriptionFailed(request, message))
        except Exception as error:
            message = f"The transcriber {provider} failed: {type(error).__name__}."
            self._post(events.TranscriptionFailed(request, message))
        else:
            self._transcriber_ms += heard.audio_ms
            self._log("response", "transcriber", heard.text, provider)
            self._post(events.Transcribed(request, heard.text))

    async def _ask(self, reply: int, ask: Ask) -> None:
        assert self._chat is not None
        assert isinstance(self._plan.dialogue, ChatPlan)
        provider = self._chat.provider
        self._log("request", "llm", ask.messages[-1].content, provider)
        said: list[str] = []
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                async for piece in self._chat.stream(ask):
                    if isinstance(piece, ChatText):
                        said.append(piece.text)
                        self._post(events.ReplyText(reply, piece.text))
                    elif isinstance(piece, ChatUsage):
                        self._tokens[0] += piece.input_tokens
                        self._tokens[1] += piece.output_tokens
        except ChatError as error:
            self._post(events.ReplyFailed(reply, str(error)))
        except TimeoutError:
            message = f"The language model {provider} did not finish its reply in {REPLY_TIMEOUT_S:g} s."
            self._post(events.ReplyFailed(reply, message))
        except Exception as error:
            message = f"The language model {provider} failed: {type(error).__name__}."
            self._post(events.ReplyFailed(reply, message))
        else:
            self._post(events.ReplyDone(reply))
        finally:
            self._log("response", "llm", "".join(said), provider)

    async def _hang_up(self, cause: HangupCause) -> None:
        try:
            async with asyncio.timeout(HANGUP_TIMEOUT_S):
                await self._leg.hangup(cause)
        except Exception as error:
            _log.warning("hanging up call %s failed: %r", self._leg.call_id, error)

    # What happens

    def _post(self, event: Event) -> None:
        if len(self._inbox) >= _INBOX:
            raise RuntimeError(f"more than {_INBOX} events of a conversation are waiting")
        self._inbox.append((event, self._clock.monotonic()))
        self._arrived.set()

    def _played(self, event: Started | Finished) -> None:
        utterance = int(event.utterance_id)
        started = isinstance(event, Started)
        self._post(events.UtteranceStarted(utterance) if started else events.UtteranceFinished(utterance))

    def _voice_activity(self, change: activity.SpeechStarted | activity.SpeechStopped, ago_s: float) -> None:
        at = self._clock.monotonic() - ago_s
        started = isinstance(change, activity.SpeechStarted)
        self._post(events.SpeechStarted(at) if started else events.SpeechStopped(at))

    def _audio_failed(self, error: Exception) -> None:
        self._post(events.AudioFailed(f"The call's audio failed: {type(error).__name__}."))

    async def _follow_leg(self) -> None:
        while True:
            match await self._leg.next_event():
                case Ended() as ended:
                    self._ended = ended
                    self._audio.stop()
                    self._post(events.LegEnded())
                    return
                case Digit(key=key):
                    self._post(events.Digit(key))
                case Held() | Resumed() as event:
                    self._log("event", "system", f"call {type(event).__name__.lower()}")

    # Beginning and end of what runs beside

    def _start(self, key: object, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks[key] = asyncio.create_task(work)
        task.add_done_callback(lambda done: self._forget(key, done))

    def _forget(self, key: object, task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled() and task.exception() is not None:
            _log.error("part %s of call %s broke: %r", key, self._leg.call_id, task.exception())

    def _cancel(self, key: object) -> None:
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    async def _close(self) -> None:
        self._audio.stop()
        await self._speaker.close()
        tasks = [task for key, task in self._tasks.items() if key != "hangup"]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        self._ear.close()

    async def _force_end(self) -> Ended:
        """The conversation broke while the call goes on: end the call."""
        await self._hang_up(HangupCause.ERROR)
        try:
            async with asyncio.timeout(HANGUP_TIMEOUT_S):
                while self._ended is None:
                    event = await self._leg.next_event()
                    if isinstance(event, Ended):
                        self._ended = event
        except TimeoutError:
            detail = "The call could not be ended in an orderly way."
            return Ended(Outcome.ERROR, EndedBy.ERROR, "Unknown", detail=detail)
        return self._ended

    def _fail(self, message: str) -> None:
        self._failure = self._failure or Failure("system", f"The conversation failed: {message}.")
        self._cause = self._cause or HangupCause.ERROR

    def _log(self, type_: Any, component: Component, data: str, provider: str = "") -> None:
        self._observer.log(LogEntry(type_, component, data, provider))

    def _result(self, ended: Ended) -> ConversationResult:
        ears, mouth = self._transcriber, self._synthesizer
        usage = [
            Usage("transcriber", ears.provider, ears.model, "milliseconds", self._transcriber_ms),
            Usage("synthesizer", mouth.provider, mouth.model, "characters", self._speaker.characters),
        ]
        if self._chat is not None and isinstance(self._plan.dialogue, ChatPlan):
            model = self._plan.dialogue.chat.model
            usage += [
                Usage("llm", self._chat.provider, model, "input_tokens", self._tokens[0]),
                Usage("llm", self._chat.provider, model, "output_tokens", self._tokens[1]),
            ]
        return ConversationResult(
            turns=tuple(sorted(self._turns, key=lambda turn: turn.start_ms)),
            slots=dict(self._dialogue.slots),
            usage=tuple(line for line in usage if line.quantity),
            ended=ended,
            cause=self._cause,
            failure=self._failure,
        )
