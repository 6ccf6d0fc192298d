"""The simulated person: a process with its own SIP endpoint, its own ears and a voice of its own.

It answers one call, listens, speaks by its script and interrupts once. What it does it tells on standard output,
a JSON object a line: {"event": "listening" | "ringing" | "answered" | "heard" | "said" | "ended", ...}.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from pathlib import Path
from typing import Any, Final

from ringback.conversation.ear import Ear
from ringback.demo import script
from ringback.demo.script import Step
from ringback.demo.voice import deepen
from ringback.media.activity import SpeechStarted, SpeechStopped
from ringback.media.call_audio import CallAudio
from ringback.media.frame import Samples
from ringback.media.leg import Digit, Ended, Leg
from ringback.media.playout import Finished, Playout, Started
from ringback.media.recorder import Recorder
from ringback.media.rtp_stream import PortRange
from ringback.media.ticker import Ticker
from ringback.speech.hibari import HibariVoice
from ringback.speech.vad import SileroVoiceDetector
from ringback.speech.weights import WHISPER_BASE, whisper_directory
from ringback.speech.whisper import WhisperModel
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.inbound import IncomingCall

RECORDING: Final = "person.wav"
"""Its own recording of the call, in the demo's folder: the agent on the left, itself on the right."""

PITCH: Final = 0.85
_RINGS_S: Final = 1.0
_TURN_ENDS_S: Final = 0.8
"""So much silence of the agent and the person takes its turn."""
_THINKS_S: Final = 0.3
_PATIENCE_S: Final = 25.0
_WAITS_S: Final = 120.0
"""Longest wait for the call."""
_PARDON: Final = "Sorry, could you say that again?"


def tell(event: str, **facts: Any) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


class Mind:
    """What the person brings along: ears and the sound of everything it may say."""

    def __init__(self, data: Path, steps: list[Step]) -> None:
        self.steps = steps
        self._whisper = WhisperModel(whisper_directory(WHISPER_BASE, data))
        voice = HibariVoice()
        lines = {step.says for step in steps if step.says} | {_PARDON}
        self._sounds = {line: deepen(voice.speak(line), PITCH) for line in lines}

    def sound(self, line: str) -> Samples:
        return self._sounds[line]

    async def understand(self, audio: Samples) -> str:
        return await asyncio.to_thread(self._whisper.transcribe, audio)


class Conversation:
    """The person on one answered call."""

    def __init__(
        self, leg: Leg, mind: Mind, ticker: Ticker, detector: SileroVoiceDetector, recording: Path
    ) -> None:
        self._leg = leg
        self._mind = mind
        self._changes: asyncio.Queue[SpeechStarted | SpeechStopped] = asyncio.Queue(1000)
        self._spoken = asyncio.Event()
        self._lines = 0
        self._playout = Playout(self._played)
        self._ear = Ear(
            detector.open(), detector.window_ms, lambda change, _: self._changes.put_nowait(change)
        )
        self._recorder = Recorder(recording)
        self._audio = CallAudio(ticker, leg, self._ear, self._playout, self._recorder, lambda error: None)

    async def run(self) -> None:
        """Until the agent hangs up."""
        self._audio.start()
        talking = asyncio.create_task(self._talk())
        try:
            while not isinstance(event := await self._leg.next_event(), Ended):
                if isinstance(event, Digit):
                    tell("digit", key=event.key)
            tell("ended", by=event.by, reason=event.reason)
        finally:
            talking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await talking
            self._audio.stop()
            await self._recorder.close()

    async def _talk(self) -> None:
        for step in self._mind.steps:
            if step.interrupts_after_ms is not None:
                await self._started()
                await asyncio.sleep(step.interrupts_after_ms / 1000)
                await self._say(step.says, interrupting=True)
                continue
            while not step.understands(text := await self._listen()):
                tell("heard", text=text, understood=False)
                await self._say(_PARDON)
            tell("heard", text=text, understood=True)
            if step.says:
                await asyncio.sleep(_THINKS_S)
                await self._say(step.says)

    async def _started(self) -> None:
        while not isinstance(await self._changes.get(), SpeechStarted):
            pass

    async def _listen(self) -> str:
        """The agent's next turn, once it has been silent for a while."""
        async with asyncio.timeout(_PATIENCE_S):
            await self._started()
            since = time.monotonic()
            speaking = True
            while True:
                try:
                    change = await asyncio.wait_for(self._changes.get(), None if speaking else _TURN_ENDS_S)
                except TimeoutError:
                    break
                speaking = isinstance(change, SpeechStarted)
        return await self._mind.understand(self._ear.last(time.monotonic() - since))

    async def _say(self, line: str, *, interrupting: bool = False) -> None:
        self._lines += 1
        self._spoken.clear()
        start_ms = self._audio.position_ms
        self._playout.append(str(self._lines), self._mind.sound(line))
        self._playout.finish(str(self._lines))
        await self._spoken.wait()
        tell("said", text=line, interrupting=interrupting, start_ms=start_ms, end_ms=self._audio.position_ms)

    def _played(self, event: Started | Finished) -> None:
        if isinstance(event, Finished):
            self._spoken.set()


async def answer_one_call(data: Path, port: int) -> None:
    """Listen on the port, take one call and talk until it ends."""
    logging.basicConfig(level=logging.WARNING)
    mind = await asyncio.to_thread(Mind, data, script.load())
    endpoint = await Endpoint.open("127.0.0.1", port, PortRange(30000, 39999))
    ticker, detector = Ticker(), SileroVoiceDetector()
    ticker.after(detector.run)
    ticking = asyncio.create_task(ticker.run())
    over = asyncio.Event()

    async def take(call: IncomingCall) -> None:
        call.ring()
        tell("ringing")
        await asyncio.sleep(_RINGS_S)
        leg = await call.answer()
        tell("answered")
        await Conversation(leg, mind, ticker, detector, data / RECORDING).run()
        over.set()

    endpoint.on_invite = take
    tell("listening")
    try:
        async with asyncio.timeout(_WAITS_S * 2):
            await over.wait()
    finally:
        ticker.stop()
        await ticking
        await endpoint.close()


if __name__ == "__main__":
    import sys

    asyncio.run(answer_one_call(Path(sys.argv[1]), int(sys.argv[2])))
