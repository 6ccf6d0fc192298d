"""The speech process: the embedded ears and voice behind a socket in the data folder."""

from __future__ import annotations

import asyncio
import contextlib
import os

from ringback.app.lifespan import say_ready, stop_event
from ringback.app.settings import Settings
from ringback.app.telemetry.opening import watched
from ringback.clock import SystemClock
from ringback.speech.settings import SpeechServerSettings
from ringback.speech.weights import WHISPER_BASE


async def run(settings: Settings) -> None:
    """Serve until told to stop. Raises SpeechError where a model cannot be loaded."""
    stopping = stop_event()
    server = SpeechServerSettings(
        data_folder=settings.data,
        whisper_model=settings.speech.model or WHISPER_BASE,
        threads=settings.speech.threads,
        transcribe_workers=max(1, (os.cpu_count() or 1) // 2),
    )
    async with watched(settings, "speech") as watching, watching.pulse(SystemClock()):
        await _serve(settings, server, stopping)


async def _serve(settings: Settings, server: SpeechServerSettings, stopping: asyncio.Event) -> None:
    # Imported here: only this process pays for the models' libraries.
    from ringback.speech.server import serve

    serving = asyncio.create_task(serve(settings.speech_uri, server, say_ready))
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if serving.done():
        serving.result()
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
