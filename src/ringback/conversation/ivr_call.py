"""The menus of one answered call: the thin shell that feeds the machine and does what it wants."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ringback.agents.ivr_config import IvrConfig
from ringback.clock import Clock
from ringback.conversation import actions, events
from ringback.conversation.actions import Action
from ringback.conversation.alarms import Alarms
from ringback.conversation.events import Event
from ringback.conversation.ivr import MAX_S, Ivr
from ringback.conversation.meter import Meter
from ringback.conversation.result import Usage
from ringback.conversation.speaker import Speaker
from ringback.conversation.tasks import Tasks
from ringback.conversation.transcript import LogEntry, Observer, Turn
from ringback.media.call_audio import CallAudio
from ringback.media.frame import Frame
from ringback.media.leg import Digit, Ended, Held, Leg, Resumed
from ringback.media.playout import Finished, Playout, Started
from ringback.media.recorder import Recorder
from ringback.media.speech import Synthesizer, Voice
from ringback.media.ticker import Ticker

_SLACK_S: Final = 10.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IvrResult:
    agent_id: str | None
    """Who takes the call; None: the number's own agent."""
    data: Mapping[str, str]
    """What was pressed: `<field>`, and of menus `<field>_context`."""
    completed: bool
    """The last step was answered."""
    ended: Ended | None
    """The call is over; the leg tells nothing more."""
    usage: tuple[Usage, ...]


class IvrCall:
    """Create it when the leg is answered (its `Answered` event was taken), `run` it once, then `leave`."""

    def __init__(
        self,
        leg: Leg,
        config: IvrConfig,
        variables: Mapping[str, Any],
        *,
        ticker: Ticker,
        recorder: Recorder,
        synthesizer: Synthesizer,
        voice: Voice,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._leg = leg
        self._ivr = Ivr(config, variables)
        self._synthesizer = synthesizer
        self._clock = clock
        self._observer = observer
        self._inbox: deque[tuple[Event, float]] = deque()
        self._arrived = asyncio.Event()
        self._handled = asyncio.Event()
        self._tasks = Tasks(leg.call_id)
        self._alarms = Alarms(clock, self._post)
        self._meter = Meter(clock)
        self._turns: list[Turn] = []
        self._ended: Ended | None = None
        playout = Playout(self._played)
        self._speaker = Speaker(synthesizer, voice, playout, self._post, self._spoken)
        self._audio = CallAudio(ticker, leg, _Deaf(), playout, recorder, self._audio_failed)

    async def run(self) -> IvrResult:
        """Until an agent is chosen or the call has ended. Failures are logged and choose the default agent; only
        cancellation raises. Silence goes on being sent, and the recording goes on, until `leave`."""
        self._audio.start()
        self._tasks.start("leg", self._follow_leg(), self._leg_lost)
        self._post(events.Answered())
        try:
            async with asyncio.timeout(MAX_S + _SLACK_S):
                await self._converse()
        except Exception as error:
            _logger.error("the menus of call %s broke: %r", self._leg.call_id, error, exc_info=error)
            self._observer.log(LogEntry("error", "system", f"ivr broke: {type(error).__name__}"))
        except BaseException:
            self.leave()
            raise
        finally:
            self._alarms.close()
            await self._tasks.close(but=None)
            await self._speaker.close()
        if self._ended is not None:
            self.leave()
        ivr = self._ivr
        usage = tuple(self._meter.lines(self._turns, ivr.answered_at))
        return IvrResult(ivr.agent_id, dict(ivr.data), ivr.completed, self._ended, usage)

    def leave(self) -> None:
        """Stop reading and writing audio. Idempotent; takes effect at once."""
        self._audio.stop()

    async def _converse(self) -> None:
        while not self._ivr.done or self._inbox:
            while not self._inbox:
                self._arrived.clear()
                await self._arrived.wait()
            event, now = self._inbox.popleft()
            answers: list[Event] = [event]
            while answers:
                for action in self._ivr.handle(answers.pop(0), now):
                    answer = self._perform(action)
                    if answer is not None:
                        answers.append(answer)
            if not self._inbox:
                self._handled.set()

    def _perform(self, action: Action) -> Event | None:
        match action:
            case actions.Speak(utterance, text):
                self._observer.log(LogEntry("request", "synthesizer", text, self._synthesizer.provider))
                self._speaker.speak(utterance, text)
            case actions.PauseVoice():
                return self._speaker.pause()
            case actions.ResumeVoice():
                self._speaker.resume()
            case actions.FlushVoice():
                return self._speaker.flush()
            case actions.SetTimer(timer, at):
                self._alarms.set(timer, at)
            case actions.CancelTimer(timer):
                self._alarms.cancel(timer)
            case actions.AddTurn(turn):
                self._turns.append(turn)
                self._observer.turn(turn)
            case actions.Log(entry):
                self._observer.log(entry)
        return None

    def _post(self, event: Event) -> None:
        self._inbox.append((event, self._clock.monotonic()))
        self._handled.clear()
        self._arrived.set()

    def _played(self, event: Started | Finished) -> None:
        utterance = int(event.utterance_id)
        started = isinstance(event, Started)
        self._post(events.UtteranceStarted(utterance) if started else events.UtteranceFinished(utterance))

    def _spoken(self, characters: int) -> None:
        mouth = self._synthesizer
        self._meter.used(
            "synthesizer", mouth.provider, mouth.model, "characters", characters, self._meter.now()
        )

    def _audio_failed(self, error: Exception) -> None:
        self._post(events.AudioFailed(f"The call's audio failed: {type(error).__name__}."))

    async def _follow_leg(self) -> None:
        """One event at a time: those after the last one that the menus need are the agent's."""
        while not self._ivr.done:
            match await self._leg.next_event():
                case Ended() as ended:
                    self._ended = ended
                    self._post(events.LegEnded())
                    return
                case Digit(key=key):
                    self._post(events.Digit(key))
                case Held():
                    self._post(events.Held())
                case Resumed():
                    self._post(events.Resumed())
            await self._handled.wait()

    def _leg_lost(self) -> None:
        """It tells nothing more; the agent's conversation will find out and end the call."""
        self._post(events.AudioFailed("The leg was lost."))


class _Deaf:
    """A `VoiceStream` that nobody listens to: words mean nothing to a menu."""

    def push(self, frame: Frame) -> None: ...

    def take(self) -> list[float]:
        return []

    def close(self) -> None: ...
