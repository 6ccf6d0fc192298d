"""Ringback's worker under load: real conversations on real RTP, with fakes only for the remote services.

python -m benchmarks.density.ringback_worker CORE SOUNDS FOLDER
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from datetime import date
from typing import Any

from benchmarks.density import scene
from benchmarks.density.fakes import Asked, FakeChat, FakeSynthesizer, FakeTranscriber
from benchmarks.density.station import Busy, Shift, pin, work
from benchmarks.density.wire import spread
from ringback.agents.chat import ChatSettings
from ringback.agents.plan import ChatPlan, Plan, SpeechPart, TalkSettings
from ringback.clock import SystemClock
from ringback.conversation.conversation import Conversation
from ringback.conversation.core.endpointing import wait_s
from ringback.conversation.dialogue.dialogue import Expectation
from ringback.conversation.transcript import LogEntry, Turn
from ringback.media.frame import SILENCE, Frame
from ringback.media.leg import Ended, EndedBy, HangupCause, LegEvent, Outcome
from ringback.media.recorder import Recorder
from ringback.media.rtp_stream import RtpStream
from ringback.media.ticker import Ticker
from ringback.speech.vad import SileroVoiceDetector

_SHARE = wait_s(scene.HEARD, Expectation.OPEN, TalkSettings(incremental_delay_ms=1000, endpointing_ms=0), 2.0)
"""Of the configured silence: so much is waited for after these words."""
PLAN = Plan(
    agent_id="density",
    name="density",
    welcome_message=scene.WELCOME,
    transcriber=SpeechPart("fake"),
    synthesizer=SpeechPart("fake"),
    dialogue=ChatPlan("fake", ChatSettings("fake"), system_prompt="You answer the telephone of a surgery."),
    talk=TalkSettings(
        hangup_after_silence_s=3600.0,
        call_terminate_s=3600.0,
        check_if_user_online=False,
        incremental_delay_ms=round(scene.ENDPOINTING_S / _SHARE * 1000),
        endpointing_ms=0,
    ),
)
_FIRST_SENTENCE_S = scene.FIRST_TOKEN_S + scene.TOKEN_S * (
    len(scene.tokens(scene.sentences(scene.REPLY)[0])) - 1
)
"""From the question to the language model to the end of its first sentence."""


class WireLeg:
    """Implements `media.leg.Leg`: an answered call on an RTP stream, without signalling."""

    def __init__(self, number: int, stream: RtpStream) -> None:
        self.call_id = f"call-{number}"
        self._stream = stream
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self.read_frame = stream.read_frame
        self.quiet = True
        self.spoke_at = 0.0
        """When the agent last began to be heard."""

    def write_frame(self, frame: Frame) -> None:
        self._stream.write_frame(frame)
        if self.quiet and frame is not SILENCE:
            self.quiet, self.spoke_at = False, time.monotonic()

    async def next_event(self) -> LegEvent:
        return await self._events.get()

    def send_digits(self, keys: str) -> None: ...

    async def hangup(self, cause: HangupCause) -> None:
        self.end()

    def end(self) -> None:
        self._events.put_nowait(Ended(Outcome.HUNG_UP, EndedBy.PEER, "Normal Hangup", 4000))


class Listener:
    """Implements `conversation.transcript.Observer`: what the platform added to each answer."""

    def __init__(self, leg: WireLeg, asked: Asked) -> None:
        self._leg = leg
        self._asked = asked
        self.overheads: list[tuple[float, float]] = []
        """When, and milliseconds."""
        self.failed = False

    def log(self, entry: LogEntry) -> None:
        if entry.component == "synthesizer" and entry.type == "request":
            self._leg.quiet = True

    def turn(self, turn: Turn) -> None:
        if turn.role != "assistant" or turn.timing is None or turn.interrupted:
            return
        heard, asked = self._leg.spoke_at, self._asked
        words_known = asked.transcriber + scene.TRANSCRIPTION_S
        decided = max(heard - turn.timing.total_ms / 1000 + scene.ENDPOINTING_S, words_known)
        due = decided + _FIRST_SENTENCE_S + scene.FIRST_AUDIO_S
        self.overheads.append((heard, (heard - due) * 1000))


async def talk(shift: Shift, number: int, ticker: Ticker, detector: SileroVoiceDetector) -> Listener:
    leg, asked = WireLeg(number, shift.streams[number]), Asked()
    listener = Listener(leg, asked)
    await asyncio.sleep(shift.begins(number) - time.monotonic())
    recorder = Recorder(shift.folder / f"{number}.wav")
    conversation = Conversation(
        leg,
        PLAN,
        {},
        ticker=ticker,
        detector=detector,
        recorder=recorder,
        transcriber=FakeTranscriber(asked),
        synthesizer=FakeSynthesizer(asked, shift.sounds),
        chat=FakeChat(asked),
        clock=SystemClock(),
        observer=listener,
        today=date(2026, 11, 24),
    )
    running = asyncio.create_task(conversation.run())
    await asyncio.sleep(shift.end - time.monotonic())
    leg.end()
    result = await running
    await recorder.close()
    listener.failed = result.failure is not None
    return listener


async def run(shift: Shift) -> dict[str, Any]:
    ticker, detector, busy = Ticker(), SileroVoiceDetector(), Busy()
    ticker.after(detector.run)
    ticking = asyncio.create_task(ticker.run())
    calls = [asyncio.create_task(talk(shift, n, ticker, detector)) for n in range(len(shift.streams))]
    await asyncio.sleep(shift.measure - time.monotonic())
    busy.start()
    await asyncio.sleep(shift.end - time.monotonic())
    percent = busy.percent()
    listeners = await asyncio.gather(*calls)
    ticker.stop()
    await ticking
    heard = [ms for one in listeners for at, ms in one.overheads if at >= shift.measure]
    return {
        "cpu_percent": percent,
        "overhead": asdict(spread(heard)),
        "failures": sum(one.failed for one in listeners),
    }


if __name__ == "__main__":
    pin()
    asyncio.run(work(run))
