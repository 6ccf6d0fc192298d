"""A labelled answer played to a conversation, with the real voice detector and transcriber, in virtual time.

The agent greets and listens as in a call; only its voice and its language model are fakes. Transcribing takes as long
as it does on a machine of two cores that does little else (`TRANSCRIBE`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, cast

from benchmarks.turns.listening import Transcribed
from benchmarks.turns.offline import TRANSCRIBE
from benchmarks.voicemail.render import Rendered
from ringback.agents.chat import Ask, ChatPiece, ChatSettings, ChatText
from ringback.agents.plan import ChatPlan, Plan, SpeechPart, TalkSettings, VoicemailSettings
from ringback.conversation.conversation import Conversation
from ringback.conversation.transcript import LogEntry, Turn
from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.leg import HangupCause
from ringback.media.recorder import Recorder
from ringback.media.speech import Transcription
from ringback.media.ticker import Ticker
from ringback.speech.vad import SileroVoiceDetector
from tests.support.fake_leg import FakeLeg
from tests.support.fake_speech import ToneSynthesizer
from tests.support.virtual_loop import VirtualClock, run_virtually

MESSAGE: Final = "This is Ada of the dentist's. Please call us back."
_WELCOME: Final = "Hello, this is Ada calling from the dentist's. Do you have a minute?"
_SPARE_S: Final = 8.0
_VERDICT: Final = re.compile(r"answered by: (\w+) \(([0-9.]+), (.*)\)")


@dataclass(slots=True)
class Screened:
    """What became of one answer. Seconds since the answer."""

    verdicts: list[tuple[float, str, float, str]] = field(default_factory=list)
    """When, what, how sure, and why; the first counts, more come when it changed its mind."""
    message_s: float | None = None
    """When the message began."""
    hung_up: HangupCause | None = None
    heard: list[str] = field(default_factory=list)


class _Whisper:
    """Implements `media.speech.Transcriber`."""

    provider = model = "whisper"

    def __init__(self, transcribe: Callable[[Samples], Transcribed], heard: list[str]) -> None:
        self._transcribe = transcribe
        self._heard = heard

    async def transcribe(self, audio: Samples, language: str) -> Transcription:
        heard = self._transcribe(audio)
        self._heard.append(heard.text)
        await asyncio.sleep((TRANSCRIBE[0] + TRANSCRIBE[1] * len(audio) / SAMPLE_RATE) / 1000)
        return Transcription(heard.text, len(audio) * 1000 // SAMPLE_RATE, heard.finality, heard.confidence)


class _Chat:
    """Implements `agents.chat.ChatModel`."""

    provider = "fake"

    async def stream(self, ask: Ask) -> AsyncIterator[ChatPiece]:
        await asyncio.sleep(0.4)
        yield ChatText("I see. And when would it suit you best?")


class _Watcher:
    def __init__(self, clock: VirtualClock, screened: Screened) -> None:
        self._clock = clock
        self._screened = screened
        self._began = clock.monotonic()

    def log(self, entry: LogEntry) -> None:
        at = self._clock.monotonic() - self._began
        if (verdict := _VERDICT.match(entry.data)) is not None:
            self._screened.verdicts.append((round(at, 2), verdict[1], float(verdict[2]), verdict[3]))
        if entry.data == "leaves a message":
            self._screened.message_s = round(at, 2)

    def turn(self, turn: Turn) -> None: ...


class _Recorder:
    def write(self, heard: Any, spoken: Any) -> None: ...


def screen(
    rendered: Rendered, detector: SileroVoiceDetector, transcribe: Callable[[Samples], Transcribed]
) -> Screened:
    """Take a call that is answered like this."""
    return run_virtually(_screen(rendered, detector, transcribe))


async def _screen(
    rendered: Rendered, detector: SileroVoiceDetector, transcribe: Callable[[Samples], Transcribed]
) -> Screened:
    screened = Screened()
    clock, leg = VirtualClock(), FakeLeg()
    ticker = Ticker(clock)
    ticker.after(detector.run)
    conversation = Conversation(
        leg,
        _plan(),
        {},
        ticker=ticker,
        detector=detector,
        recorder=cast(Recorder, _Recorder()),
        transcriber=_Whisper(transcribe, screened.heard),
        synthesizer=ToneSynthesizer(),
        chat=_Chat(),
        clock=clock,
        observer=_Watcher(clock, screened),
        today=date(2026, 11, 30),
    )
    leg.say(rendered.wire)
    ticking = asyncio.create_task(ticker.run())
    running = asyncio.create_task(conversation.run())
    done, _ = await asyncio.wait([running], timeout=len(rendered.wire) / SAMPLE_RATE + _SPARE_S)
    if not done:
        leg.hang_up_by_person()
    screened.hung_up = (await running).cause
    ticking.cancel()
    await asyncio.wait([ticking])
    return screened


def _plan() -> Plan:
    part = SpeechPart("fake")
    talk = TalkSettings(voicemail=VoicemailSettings(message=MESSAGE))
    chat = ChatPlan("fake", ChatSettings("m"), None, "You make appointments.")
    return Plan("a", "b", _WELCOME, part, part, chat, talk)
