"""People on the telephone: a SIP endpoint that answers calls by their number, with a voice and a script each."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from ringback.conversation.ear import Ear
from ringback.demo.voice import deepen
from ringback.media.activity import SpeechStarted, SpeechStopped
from ringback.media.call_audio import CallAudio
from ringback.media.frame import Samples
from ringback.media.leg import Ended, HangupCause, Leg
from ringback.media.playout import Finished, Playout, Started
from ringback.media.recorder import Recorder
from ringback.media.rtp_stream import PortRange
from ringback.media.ticker import Ticker
from ringback.speech.hibari import HibariVoice
from ringback.speech.vad import SileroVoiceDetector
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.inbound import IncomingCall

PATIENCE_S = 40.0
"""Longest wait for the agent."""
_PITCH = 0.85
"""Of another voice than the agent's."""


class NoRecorder:
    """The platform's recording is the one that counts."""

    def write(self, heard: Samples, spoken: Samples) -> None: ...


class Person:
    """One answered call, as a script sees it."""

    def __init__(
        self, leg: Leg, ticker: Ticker, detector: SileroVoiceDetector, sounds: Mapping[str, Samples]
    ) -> None:
        self._leg = leg
        self._sounds = sounds
        self._changes: asyncio.Queue[SpeechStarted | SpeechStopped] = asyncio.Queue(1000)
        self._spoken = asyncio.Event()
        self._lines = 0
        self._playout = Playout(self._played)
        self._ear = Ear(
            detector.open(), detector.window_ms, lambda change, _: self._changes.put_nowait(change)
        )
        recorder = cast(Recorder, NoRecorder())
        self._audio = CallAudio(ticker, leg, self._ear, self._playout, recorder, lambda error: None)

    async def listens(self, silence_s: float = 0.9) -> None:
        """Until the agent has spoken and then been silent for a while."""
        async with asyncio.timeout(PATIENCE_S):
            while not isinstance(await self._changes.get(), SpeechStarted):
                pass
            speaking = True
            while True:
                try:
                    change = await asyncio.wait_for(self._changes.get(), None if speaking else silence_s)
                except TimeoutError:
                    return
                speaking = isinstance(change, SpeechStarted)

    async def says(self, line: str) -> None:
        """To the end of the line. What the agent says meanwhile is not listened to."""
        self._lines += 1
        self._spoken.clear()
        self._playout.append(str(self._lines), self._sounds[line])
        self._playout.finish(str(self._lines))
        await self._spoken.wait()
        while not self._changes.empty():
            self._changes.get_nowait()

    async def hangs_up(self) -> None:
        await self._leg.hangup(HangupCause.NORMAL)

    async def follow(self, script: Script) -> None:
        """Until the call is over, whoever ends it."""
        self._audio.start()
        acting = asyncio.create_task(script(self))
        try:
            while not isinstance(await self._leg.next_event(), Ended):
                pass
        finally:
            acting.cancel()
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await acting
            self._audio.stop()
            self._ear.close()

    def _played(self, event: Started | Finished) -> None:
        if isinstance(event, Finished):
            self._spoken.set()


Script = Callable[[Person], Coroutine[Any, Any, None]]


def voiced(lines: Iterable[str]) -> dict[str, Samples]:
    """The sound of what people will say. Takes a moment: not for a running loop."""
    voice = HibariVoice()
    return {line: deepen(voice.speak(line), _PITCH) for line in lines}


@asynccontextmanager
async def callees(
    port: int, scripts: Mapping[str, Script], sounds: Mapping[str, Samples]
) -> AsyncIterator[None]:
    """Answers on a UDP port of loopback, by the number that is called."""
    endpoint = await Endpoint.open("127.0.0.1", port, PortRange(30000, 39999))
    ticker, detector = Ticker(), SileroVoiceDetector()
    ticker.after(detector.run)
    ticking = asyncio.create_task(ticker.run())
    calls: set[asyncio.Task[None]] = set()

    async def take(call: IncomingCall) -> None:
        number = re.search(r"\+\d+", call.called)
        assert number is not None, call.called
        call.ring()
        leg = await call.answer()
        task = asyncio.create_task(Person(leg, ticker, detector, sounds).follow(scripts[number[0]]))
        calls.add(task)

    endpoint.on_invite = take
    try:
        yield
    finally:
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        ticker.stop()
        await ticking
        await endpoint.close()
