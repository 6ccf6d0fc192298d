"""The speech process: a Wyoming server for the embedded transcriber and synthesizer."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlparse

from wyoming.asr import Transcribe
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, Eventable, async_read_event, async_write_event
from wyoming.info import AsrModel, AsrProgram, Attribution, Describe, Info, TtsProgram, TtsVoice
from wyoming.tts import Synthesize, SynthesizeVoice

from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.speech import SpeechError
from ringback.speech import hibari
from ringback.speech.hibari import HibariVoice, Said
from ringback.speech.pcm import PcmReader
from ringback.speech.settings import SpeechServerSettings
from ringback.speech.transcript_event import TranscriptEvent
from ringback.speech.weights import whisper_directory
from ringback.speech.whisper import WhisperModel
from ringback.speech.word_ends_event import WordEndsEvent
from ringback.speech.work import WorkQueue

logger = logging.getLogger(__name__)

MAX_AUDIO_S: Final = 120
"""Longest utterance accepted; conversations cut far earlier."""
MAX_TEXT: Final = 10_000
"""Characters in one synthesis."""
_CHUNK_SAMPLES: Final = SAMPLE_RATE
_WRITE_TIMEOUT_S: Final = 10.0
"""A client that reads nothing for so long is dropped."""


async def serve(uri: str, settings: SpeechServerSettings, ready: Callable[[], None]) -> None:
    """Load and warm the models, listen on `uri` (unix:///path or tcp://host:port), call `ready`, and serve
    until cancelled. A socket file that is there already is replaced. Raises SpeechError where a model cannot
    be loaded or the address cannot be used.
    """
    models = await asyncio.to_thread(_Models.load, settings)
    connections: dict[_Connection, asyncio.Task[None] | None] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(models, reader, writer)
        connections[connection] = asyncio.current_task()
        try:
            await connection.run()
        finally:
            del connections[connection]

    server = await _listen(uri, connected)
    try:
        logger.info("speech server listens on %s", uri)
        ready()
        await asyncio.get_running_loop().create_future()  # until cancelled
    finally:
        server.close()
        for connection in connections:
            connection.close()
        await asyncio.gather(*filter(None, connections.values()))
        models.close()


_Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def _listen(uri: str, connected: _Connected) -> asyncio.Server:
    address = urlparse(uri)
    try:
        if address.scheme == "unix" and address.path:
            return await asyncio.start_unix_server(connected, sock=_unix_socket(address.path))
        if address.scheme == "tcp" and address.hostname and address.port:
            return await asyncio.start_server(connected, address.hostname, address.port)
    except OSError as error:
        raise SpeechError(f"The speech server cannot listen on {uri}: {error.strerror or error}.") from error
    raise SpeechError(f"The speech server's address {uri!r} is neither unix:///path nor tcp://host:port.")


def _unix_socket(path: str) -> socket.socket:
    """Bound in place of whatever is there; only its owner may connect."""
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
        Path(path).chmod(0o600)
    except OSError:
        listener.close()
        raise
    return listener


@dataclass(frozen=True, slots=True)
class _Models:
    """Both models, each with its own queue so that neither waits for the other."""

    whisper: WhisperModel
    transcriptions: WorkQueue
    voice: HibariVoice
    sentences: WorkQueue
    name: str

    @classmethod
    def load(cls, settings: SpeechServerSettings) -> _Models:
        workers, threads, limit = settings.transcribe_workers, settings.threads, settings.queue_limit
        directory = whisper_directory(settings.whisper_model, settings.data_folder)
        whisper = WhisperModel(directory, threads=threads, workers=workers)
        voice = HibariVoice(threads=threads)
        whisper.transcribe(voice.speak("This warms up both models."))
        return cls(
            whisper=whisper,
            transcriptions=WorkQueue("transcriber", workers=workers, limit=limit),
            voice=voice,
            sentences=WorkQueue("synthesizer", workers=1, limit=limit),
            name=settings.whisper_model,
        )

    def close(self) -> None:
        self.transcriptions.close()
        self.sentences.close()


class _WordEnds:
    """Of sentences that are played one after the other."""

    def __init__(self) -> None:
        self.ends_ms: list[int] = []
        """Too few where those of a sentence are not known."""
        self._samples = 0

    def add(self, said: Said) -> None:
        begin = self._samples * 1000 // SAMPLE_RATE
        self.ends_ms += [begin + end for end in said.word_ends_ms or ()]
        self._samples += len(said.audio)


_Request = Callable[[], Awaitable[None]]


class _Connection:
    """One client: its requests one after the other. It reads on meanwhile, so hanging up stops the work."""

    def __init__(self, models: _Models, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._models = models
        self._reader = reader
        self._writer = writer
        self._work: asyncio.Task[None] | None = None
        self._language = ""
        self._audio: PcmReader | None = None

    async def run(self) -> None:
        """Serve until the client hangs up or sends what is not Wyoming. Never raises."""
        try:
            while event := await async_read_event(self._reader):
                if (request := self._handle(event)) is not None:
                    if self._work is not None:
                        await self._work
                    self._work = asyncio.create_task(self._answer(request))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client is gone; nobody is left to tell
        except SpeechError as error:
            await self._answer(partial(self._send, Error(str(error))))
        except Exception as error:
            logger.warning("speech connection dropped: %s: %s", type(error).__name__, error)
        finally:
            if self._work is not None:
                self._work.cancel()
            self.close()

    def close(self) -> None:
        self._writer.close()

    def _handle(self, event: Event) -> _Request | None:
        """Take an event in; the request that it completes. Events that we don't know are ignored."""
        if Transcribe.is_type(event.type):
            self._language = Transcribe.from_event(event).language or ""
        elif AudioStart.is_type(event.type):
            self._audio = PcmReader(SAMPLE_RATE, max_s=MAX_AUDIO_S)
        elif AudioChunk.is_type(event.type) and self._audio is not None:
            self._audio.push(AudioChunk.from_event(event))
        elif AudioStop.is_type(event.type) and self._audio is not None:
            audio, self._audio = self._audio.finish(), None
            return partial(self._transcribe, audio, self._language)
        elif Synthesize.is_type(event.type):
            return partial(self._synthesize, Synthesize.from_event(event))
        elif Describe.is_type(event.type):
            return partial(self._send, _info(self._models))
        return None

    async def _answer(self, request: _Request) -> None:
        """Run one request; whatever goes wrong becomes one error event."""
        try:
            await self._answer_or_explain(request)
        except (ConnectionError, TimeoutError):
            self.close()  # the client is gone or doesn't read

    async def _answer_or_explain(self, request: _Request) -> None:
        try:
            await request()
        except (ConnectionError, TimeoutError):
            raise
        except SpeechError as error:
            await self._send(Error(str(error)))
        except Exception as error:
            logger.error("speech request failed: %s: %s", type(error).__name__, error)
            await self._send(Error(f"The speech server failed ({type(error).__name__}); its log says why."))

    async def _transcribe(self, audio: Samples, language: str) -> None:
        heard = await self._models.transcriptions.run(self._models.whisper.hear, audio, language)
        await self._send(TranscriptEvent(heard.text, language or None, heard.finality, heard.confidence))

    async def _synthesize(self, request: Synthesize) -> None:
        if len(request.text) > MAX_TEXT:
            raise SpeechError(f"The synthesizer takes up to {MAX_TEXT} characters at once.")
        asked = request.voice or SynthesizeVoice()
        if asked.language and not asked.language.lower().startswith("en"):
            raise SpeechError(f"The embedded synthesizer speaks English, not {asked.language!r}.")
        speed = float((request.context or {}).get("speed", 1.0))
        await self._send(AudioStart(SAMPLE_RATE, 2, 1))
        sentences = self._models.voice.sentences(request.text)
        words = _WordEnds()
        for number, sentence in enumerate(sentences, 1):
            said = await self._models.sentences.run(self._models.voice.say, sentence, asked.name or "", speed)
            words.add(said)
            if number == len(sentences) and len(words.ends_ms) == len(request.text.split()):
                await self._send(WordEndsEvent(words.ends_ms))
            for start in range(0, len(said.audio), _CHUNK_SAMPLES):
                chunk = said.audio[start : start + _CHUNK_SAMPLES].astype("<i2").tobytes()
                await self._send(AudioChunk(SAMPLE_RATE, 2, 1, chunk))
        await self._send(AudioStop())

    async def _send(self, message: Eventable) -> None:
        async with asyncio.timeout(_WRITE_TIMEOUT_S):
            await async_write_event(message.event(), self._writer)


def _info(models: _Models) -> Info:
    whisper = Attribution("OpenAI", "https://github.com/openai/whisper")
    maker = Attribution("Maureese Williams", "https://github.com/MMWilliams/hibari")
    asr = AsrModel(
        models.name, whisper, True, "Whisper on CTranslate2", None, languages=models.whisper.languages
    )
    voice = TtsVoice(hibari.VOICE, maker, True, "hibari-tts", None, languages=list(hibari.LANGUAGES))
    return Info(
        asr=[AsrProgram("ringback", whisper, True, "Ringback's embedded transcriber", None, models=[asr])],
        tts=[TtsProgram("ringback", maker, True, "Ringback's embedded synthesizer", None, voices=[voice])],
    )
