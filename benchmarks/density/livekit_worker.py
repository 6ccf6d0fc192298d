"""LiveKit Agents under the same load: an `AgentSession` a call, standalone (no server, no room), in one process.

    python -m benchmarks.density.livekit_worker CORE SOUNDS FOLDER

It needs the extra `bench`. RTP, G.711, the 20 ms schedule and the playout are Ringback's own media code, so what
differs is the platform on top of it. What favours LiveKit: nothing is recorded, its Silero plugin runs at 8 kHz
without resampling, audio is given to it in pieces of PIECE_FRAMES frames (its rooms give 50 ms), language and speech
services are streaming ones, generation is not begun before the turn is over, and the loop is uvloop. Its bundled
models (turn detector) are not used.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final

import numpy as np
import uvloop
from livekit import rtc
from livekit.agents import Agent, AgentSession, TurnHandlingOptions
from livekit.agents.utils.aio import Chan
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities
from livekit.plugins import silero

from benchmarks.density import scene
from benchmarks.density.livekit_fakes import FakeLLM, FakeSTT, FakeTTS
from benchmarks.density.station import Busy, Shift, pin, work
from ringback.media.frame import FRAME_SAMPLES, SAMPLE_RATE, Frame
from ringback.media.playout import Finished, Playout, Started
from ringback.media.rtp_stream import RtpStream
from ringback.media.ticker import Ticker

PIECE_FRAMES: Final = 3
"""60 ms: LiveKit's work a piece is then a third of that for each 20 ms frame."""


class WireInput(AudioInput):
    def __init__(self) -> None:
        super().__init__(label="wire")
        self._pieces: Chan[rtc.AudioFrame] = Chan()
        self._frames: list[Frame] = []

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._pieces.__anext__()

    def push(self, frame: Frame) -> None:
        self._frames.append(frame)
        if len(self._frames) == PIECE_FRAMES:
            data = b"".join([piece.tobytes() for piece in self._frames])
            self._frames.clear()
            self._pieces.send_nowait(rtc.AudioFrame(data, SAMPLE_RATE, 1, PIECE_FRAMES * FRAME_SAMPLES))

    def close(self) -> None:
        self._pieces.close()


class WireOutput(AudioOutput):
    """Segments of speech played by Ringback's playout, a frame a tick."""

    def __init__(self) -> None:
        super().__init__(
            label="wire", capabilities=AudioOutputCapabilities(pause=True), sample_rate=SAMPLE_RATE
        )
        self._playout = Playout(self._played)
        self.next_frame = self._playout.next_frame
        self._segment = 0
        self._open = False

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self._open = True
        self._playout.append(str(self._segment), np.frombuffer(frame.data, dtype=np.int16))

    def flush(self) -> None:
        super().flush()
        self._end_segment()

    def clear_buffer(self) -> None:
        self._end_segment()
        flushed = self._playout.flush()
        if flushed is not None:
            self.on_playback_finished(playback_position=flushed.played_ms / 1000, interrupted=True)

    def pause(self) -> None:
        super().pause()
        self._playout.pause()

    def resume(self) -> None:
        super().resume()
        self._playout.resume()

    def _end_segment(self) -> None:
        if self._open:
            self._playout.finish(str(self._segment))
            self._segment += 1
            self._open = False

    def _played(self, event: Started | Finished) -> None:
        # The platform's callbacks must not run inside the tick.
        loop = asyncio.get_running_loop()
        if isinstance(event, Started):
            loop.call_soon(lambda: self.on_playback_started(created_at=time.time()))
        else:
            position = event.played_ms / 1000
            loop.call_soon(lambda: self.on_playback_finished(playback_position=position, interrupted=False))


class SessionCall:
    """One call's tick. Implements `media.ticker.Member`."""

    def __init__(self, stream: RtpStream, ears: WireInput, mouth: WireOutput) -> None:
        self._stream = stream
        self._ears = ears
        self._mouth = mouth

    def tick(self) -> None:
        self._ears.push(self._stream.read_frame())
        self._stream.write_frame(self._mouth.next_frame())

    def settle(self) -> None: ...

    def skip(self, ticks: int) -> None:
        for _ in range(ticks):
            self._ears.push(self._stream.read_frame())

    def failed(self, error: Exception) -> None:
        raise SystemExit(f"a call failed: {error!r}")


def open_session(shift: Shift, vad: silero.VAD) -> AgentSession[None]:
    ears = FakeSTT()
    session: AgentSession[None] = AgentSession(
        stt=ears,
        vad=vad,
        llm=FakeLLM(),
        tts=FakeTTS(shift.sounds),
        turn_handling=TurnHandlingOptions(
            turn_detection="vad",
            endpointing={
                "mode": "fixed",
                "min_delay": scene.ENDPOINTING_S,
                "max_delay": scene.ENDPOINTING_S,
            },
            interruption={"mode": "vad", "min_words": 2},
            preemptive_generation={"enabled": False},
        ),
        user_away_timeout=None,
        aec_warmup_duration=None,
    )

    @session.on("user_state_changed")
    def heard(event: Any) -> None:
        if event.old_state == "speaking":
            ears.spoke()

    return session


async def talk(shift: Shift, number: int, ticker: Ticker, vad: silero.VAD) -> None:
    await asyncio.sleep(shift.begins(number) - time.monotonic())
    session = open_session(shift, vad)
    ears, mouth = WireInput(), WireOutput()
    session.input.audio, session.output.audio = ears, mouth
    await session.start(Agent(instructions="You answer the telephone of a surgery."))
    call = SessionCall(shift.streams[number], ears, mouth)
    ticker.add(call)
    session.say(scene.WELCOME)
    await asyncio.sleep(shift.end - time.monotonic())
    ticker.remove(call)
    ears.close()


async def run(shift: Shift) -> dict[str, Any]:
    ticker, busy = Ticker(), Busy()
    vad = silero.VAD.load(sample_rate=SAMPLE_RATE, min_silence_duration=0.2)
    ticking = asyncio.create_task(ticker.run())
    calls = [asyncio.create_task(talk(shift, n, ticker, vad)) for n in range(len(shift.streams))]
    await asyncio.sleep(shift.measure - time.monotonic())
    busy.start()
    await asyncio.sleep(shift.end - time.monotonic())
    percent = busy.percent()
    await asyncio.gather(*calls)
    ticker.stop()
    await ticking
    return {"cpu_percent": percent, "failures": 0}


if __name__ == "__main__":
    pin()
    logging.basicConfig(level=logging.ERROR)
    uvloop.run(work(run))
