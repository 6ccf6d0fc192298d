"""Transfers on the event loop: the second leg dialled, told, joined to the first; or the first one moved by REFER.

One task a transfer, which takes everything that happens from one queue: the events of the leg, and what the core wants.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import numpy as np

from ringback.agents.chat import ToolCall
from ringback.agents.plan import Plan
from ringback.agents.templates import fill_text
from ringback.agents.tools import ToolRunner, TransferCall
from ringback.clock import Clock
from ringback.conversation import events
from ringback.conversation.events import Event
from ringback.conversation.transcript import LogEntry
from ringback.conversation.transfer import (
    SecondLeg,
    Switchboard,
    TransferRefused,
    TransferResult,
    dialled_number,
    of_code,
    of_unanswered,
    told,
)
from ringback.media.bridge import FarEnd
from ringback.media.call_audio import CallAudio
from ringback.media.frame import Samples
from ringback.media.leg import (
    Answered,
    Digit,
    EarlyMedia,
    Ended,
    HangupCause,
    Leg,
    LegEvent,
    Referred,
    Ringing,
)
from ringback.media.playout import Playout
from ringback.media.recorder import Recorder, RecordingError
from ringback.media.speech import Synthesizer, Voice, WordEnds
from ringback.media.ticker import Ticker

AT_ONCE_S: Final = 3.0
"""Who hangs up sooner than this after they were joined has not taken the call."""
JOIN_S: Final = 30.0
"""Longest wait for the agent's last word once the other has answered."""
REFER_S: Final = 200.0
"""Longest wait for the end of a blind transfer; the dialog gives up by itself before."""
ENDING_S: Final = 5.0
"""Longest wait for the end of a leg that we hung up."""
WHISPER_S: Final = 10.0
_CLOSE_S: Final = 2 * ENDING_S

_log = logging.getLogger(__name__)


class _Order(Enum):
    JOIN = auto()
    GIVE_UP = auto()
    """The call is over, or its person gone."""
    WAS_TOLD = auto()
    """The whisper was played."""
    LATE = auto()
    LOST = auto()
    """The second leg tells no more."""


_Happening = LegEvent | _Order


@dataclass(frozen=True, slots=True)
class Stand:
    """What a call gives to its transfers."""

    leg: Leg
    plan: Plan
    switchboard: Switchboard | None
    runner: ToolRunner | None
    ticker: Ticker
    audio: CallAudio
    synthesizer: Synthesizer
    voice: Voice
    clock: Clock
    post: Callable[[Event], None]
    write: Callable[[LogEntry], None]
    metered: Callable[[int], None]
    """Told of characters that were given to the synthesizer."""


class Handover:
    """At most one transfer at a time, as the core sees to."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._now: _Transfer | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, run: int, call: ToolCall, variables: Mapping[str, Any]) -> None:
        transfer = self._now = _Transfer(self._stand, run, call, variables)
        task = asyncio.create_task(transfer.run())
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, run))

    def join(self, run: int) -> None:
        if self._now is not None and self._now.number == run:
            self._now.happens(_Order.JOIN)

    def cancel(self, run: int) -> None:
        if self._now is not None and self._now.number == run:
            self._now.happens(_Order.GIVE_UP)

    def take(self, event: Referred | Digit | Ended) -> bool:
        """What the first leg tells; whether it is nobody else's matter."""
        return self._now is not None and self._now.of_first_leg(event)

    async def close(self) -> None:
        """End what is under way, in good order as far as that can be had soon."""
        if not self._tasks:
            return
        if self._now is not None:
            self._now.happens(_Order.GIVE_UP)
        tasks = set(self._tasks)
        try:
            await asyncio.wait(tasks, timeout=_CLOSE_S)
        finally:
            for task in tasks:
                task.cancel()
        await asyncio.wait(tasks, timeout=1.0)

    def _ended(self, task: asyncio.Task[None], run: int) -> None:
        self._tasks.discard(task)
        error = "cancelled" if task.cancelled() else task.exception()
        if error is not None:
            _log.error("transfer %d of call %s broke: %r", run, self._stand.leg.call_id, error)
            self._stand.audio.bridge(None)
            self._stand.post(events.ToolDone(run, told(TransferResult.ERROR)))


class _Transfer:
    def __init__(self, stand: Stand, number: int, call: ToolCall, variables: Mapping[str, Any]) -> None:
        tool = stand.plan.tools[call.name]
        assert isinstance(tool, TransferCall)
        self.number = number
        self._stand = stand
        self._call = call
        self._tool = tool
        self._variables = variables
        # Only what is declared: the model may not choose the number unless the agent's author says so.
        declared = tool.spec.parameters.get("properties") or {}
        self._arguments = {name: call.arguments[name] for name in declared if name in call.arguments}
        self._values = {**variables, **self._arguments}
        self._inbox: asyncio.Queue[_Happening] = asyncio.Queue()
        self._accepted = False
        self._joined_at: float | None = None
        self._joined = False
        """The two hear each other."""
        self._given_up = False
        self._stuck = False
        """What is ours did not come to its end."""
        self._second: Leg | None = None

    def happens(self, what: _Happening) -> None:
        self._inbox.put_nowait(what)

    def of_first_leg(self, event: Referred | Digit | Ended) -> bool:
        if isinstance(event, Digit):
            if not self._joined or self._second is None:
                return False
            self._second.send_digits(event.key)
        elif self._tool.blind:
            self.happens(event)
        return isinstance(event, Digit | Referred)

    async def run(self) -> None:
        number = dialled_number(fill_text(self._tool.to_number, self._values))
        kind = "blind" if self._tool.blind else "attended"
        self._log("request", f"{kind} transfer to {number}")
        if self._stand.runner is not None:
            self._stand.runner.announce(self._tool, self._arguments, self._variables)
        try:
            await self._tried(number)
        except TransferRefused as error:
            self._log("error", str(error))
            self._tell(TransferResult.ERROR)

    async def _tried(self, number: str | None) -> None:
        switchboard = self._stand.switchboard
        if number is None:
            self._tell(TransferResult.INVALID_NUMBER)
        elif switchboard is None:
            self._tell(TransferResult.NOT_SUPPORTED)
        elif self._tool.blind:
            await self._refer(await switchboard.begin("blind", number, self._tool.ring_timeout_s), number)
        else:
            await self._attend(await switchboard.begin("attended", number, self._tool.ring_timeout_s))

    # Blind

    async def _refer(self, record: SecondLeg, number: str) -> None:
        late = self._later(REFER_S)
        await self._stand.leg.refer(number)
        result: TransferResult | None = None
        while result is None:
            match await self._inbox.get():
                case Referred(code=code, final=True):
                    result = of_code(code)
                case Referred(code=code):
                    self._accepted |= code >= 200
                    if code in (180, 183):
                        record.rings()
                case Ended() | _Order.GIVE_UP:
                    # Whoever takes a call over may end it without another word.
                    self._given_up = True
                    result = TransferResult.UNCONFIRMED if self._accepted else TransferResult.CALLER_LEFT
                case _Order.LATE:
                    result = TransferResult.NO_ANSWER
        late.cancel()
        self._tell(result)
        if result is TransferResult.COMPLETED:
            record.answered()
        await record.ended(result, None, by_caller=result is TransferResult.CALLER_LEFT)

    # Attended

    async def _attend(self, record: SecondLeg) -> None:
        leg = self._second = record.leg
        pump = asyncio.create_task(self._pump(leg))
        pump.add_done_callback(lambda _: self.happens(_Order.LOST))
        whisper = asyncio.create_task(self._whispered())
        playout = Playout(lambda event: self.happens(_Order.WAS_TOLD))
        far: FarEnd | None = None
        recorder: Recorder | None = None
        late: asyncio.TimerHandle | None = None
        ended: Ended | None = None
        result = TransferResult.ERROR
        try:
            while ended is None:
                match await self._inbox.get():
                    case Ringing() | EarlyMedia() if far is None:
                        record.rings()
                        self._stand.audio.ring()
                    case Answered() if far is None:
                        record.answered()
                        recorder = record.recorder()
                        far = FarEnd(self._stand.ticker, leg, playout, recorder, lambda _: self._give_up())
                        far.start()
                        late = self._later(JOIN_S)
                        self._tell_them(playout, whisper)
                    case _Order.WAS_TOLD:
                        self._stand.post(events.TransferAnswered(self.number))
                    case _Order.JOIN if far is not None:
                        far.join()
                        self._stand.audio.bridge(far)
                        self._joined, self._joined_at = True, self._stand.clock.monotonic()
                        record.joined()
                    case Digit(key=key):
                        self._stand.leg.send_digits(key)
                    case _Order.LATE if self._joined_at is not None:
                        pass
                    case _Order.GIVE_UP | _Order.LATE | _Order.LOST as order:
                        self._given_up = order is _Order.GIVE_UP
                        self._stuck = not self._given_up
                        self._part(far)
                        ended = await self._hung_up(leg, answered=far is not None)
                        break
                    case Ended() as event:
                        ended = event
            result = self._result(ended, answered=far is not None)
        finally:
            self._part(far)
            for handle in (pump, whisper, *((late,) if late is not None else ())):
                handle.cancel()
            await leg.hangup(HangupCause.NORMAL)
            self._tell(result)
            await record.ended(result, ended, by_caller=self._given_up)
            await self._closed(recorder)

    def _part(self, far: FarEnd | None) -> None:
        """They hear each other no more."""
        self._joined = False
        self._stand.audio.bridge(None)
        if far is not None:
            far.stop()

    def _give_up(self) -> None:
        self.happens(_Order.LATE)

    def _result(self, ended: Ended | None, answered: bool) -> TransferResult:
        if ended is not None and ended.detail is not None:
            self._log("event", ended.detail)
        if self._joined_at is not None:
            talked_s = self._stand.clock.monotonic() - self._joined_at
            return (
                TransferResult.COMPLETED
                if self._given_up or talked_s >= AT_ONCE_S
                else TransferResult.HUNG_UP_AT_ONCE
            )
        if self._given_up:
            return TransferResult.CALLER_LEFT
        if self._stuck or ended is None:
            return TransferResult.ERROR
        return TransferResult.HUNG_UP_AT_ONCE if answered else of_unanswered(ended)

    async def _pump(self, leg: Leg) -> None:
        while True:
            event = await leg.next_event()
            self.happens(event)
            if isinstance(event, Ended):
                return

    async def _hung_up(self, leg: Leg, answered: bool) -> Ended | None:
        """The end of a leg that we end; None: it did not come in time."""
        await leg.hangup(HangupCause.NORMAL if answered else HangupCause.CANCELED)
        try:
            async with asyncio.timeout(ENDING_S):
                while not isinstance(event := await self._inbox.get(), Ended):
                    pass
                return event
        except TimeoutError:
            return None

    def _tell_them(self, playout: Playout, whisper: asyncio.Task[Samples]) -> None:
        """What they are to know, if it can be had."""

        def say(done: asyncio.Task[Samples]) -> None:
            if done.cancelled():
                return
            audio = done.result()
            if len(audio):
                playout.append("0", audio)
                playout.finish("0")
            else:
                self.happens(_Order.WAS_TOLD)

        whisper.add_done_callback(say)

    async def _whispered(self) -> Samples:
        """Empty where there is nothing to say, or nothing can be said."""
        text = fill_text(self._tool.whisper, self._values).strip()
        parts: list[Samples] = []
        if text:
            self._log("request", f"whisper: {text}")
            self._stand.metered(len(text))
            try:
                async with asyncio.timeout(WHISPER_S):
                    async for piece in self._stand.synthesizer.synthesize(text, self._stand.voice):
                        if not isinstance(piece, WordEnds):
                            parts.append(piece)
            except Exception as error:
                self._log("error", f"nothing is said before: {type(error).__name__}")
                parts.clear()
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int16)

    async def _closed(self, recorder: Recorder | None) -> None:
        if recorder is not None:
            try:
                await recorder.close()
            except RecordingError as error:
                self._log("error", str(error))

    # What others are told

    def _tell(self, result: TransferResult) -> None:
        self._log("response" if result.took_place else "error", f"transfer: {result}")
        if self._given_up:
            return
        if result.took_place:
            self._stand.post(events.TransferOver(self.number))
        else:
            self._stand.post(events.ToolDone(self.number, told(result)))

    def _log(self, kind: Any, text: str) -> None:
        self._stand.write(LogEntry(kind, "tool", text, tool_name=self._call.name))

    def _later(self, seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self.happens, _Order.LATE)
