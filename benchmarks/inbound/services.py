"""Ears and voice for the calls: a Wyoming server that answers with fixed delays, so that no model needs a core.

python -m benchmarks.inbound.services CORE SOUNDS SOCKET
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import async_read_event, async_write_event
from wyoming.tts import Synthesize

from benchmarks.density import scene
from benchmarks.density.scene import Sounds
from ringback.media.frame import SAMPLE_RATE


async def serve(sounds: Sounds, path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _answer(sounds, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # what was asked for is not wanted any more
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, path)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


async def _answer(sounds: Sounds, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while event := await async_read_event(reader):
        if Synthesize.is_type(event.type):
            await _speak(sounds, Synthesize.from_event(event).text, writer)
        elif AudioStop.is_type(event.type):
            await asyncio.sleep(scene.TRANSCRIPTION_S)
            await async_write_event(Transcript(scene.HEARD).event(), writer)
        elif not (Transcribe.is_type(event.type) or event.type.startswith("audio-")):
            return


async def _speak(sounds: Sounds, text: str, writer: asyncio.StreamWriter) -> None:
    audio = sounds.of(text).astype("<i2").tobytes()
    await asyncio.sleep(scene.FIRST_AUDIO_S)
    await async_write_event(AudioStart(SAMPLE_RATE, 2, 1).event(), writer)
    for start in range(0, len(audio), 2 * scene.PIECE_SAMPLES):
        piece = audio[start : start + 2 * scene.PIECE_SAMPLES]
        await async_write_event(AudioChunk(SAMPLE_RATE, 2, 1, piece).event(), writer)
        await asyncio.sleep(scene.PIECE_S)
    await async_write_event(AudioStop().event(), writer)


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    asyncio.run(serve(Sounds(Path(sys.argv[2])), Path(sys.argv[3])))
