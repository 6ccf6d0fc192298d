"""Transcriber and synthesizer behind any Wyoming server: our own speech process, or another's by a URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlparse

from wyoming.asr import Transcribe
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, Eventable, async_read_event, async_write_event
from wyoming.tts import Synthesize, SynthesizeVoice

from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.speech import SpeechError, Transcription, Voice, WordEnds
from ringback.speech.pcm import PcmConverter
from ringback.speech.resample import resample, to_int16
from ringback.speech.transcript_event import TranscriptEvent
from ringback.speech.word_ends_event import WordEndsEvent

_WIDTH: Final = 2
_CHUNK_BYTES: Final = 1 << 15


class _Server:
    """Where a server is and how long to wait for it. A request is a connection: connecting costs nothing on
    one machine, many servers hang up after each answer, and closing it is how a request is cancelled."""

    def __init__(self, uri: str, provider: str, connect_timeout_s: float) -> None:
        self.uri = uri
        self.provider = provider
        self._connect_timeout_s = connect_timeout_s

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[_Connection]:
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                reader, writer = await self._open()
        except (OSError, TimeoutError) as error:
            why = getattr(error, "strerror", None) or "no answer"
            raise self.error(f"cannot be reached at {self.uri} ({why}); is it running?") from error
        try:
            yield _Connection(self, reader, writer)
        except (
            OSError,
            EOFError,
        ) as error:  # TimeoutError is an OSError, but ours are caught where they arise
            raise self.error("broke off the connection.") from error
        finally:
            writer.close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = urlparse(self.uri)
        if address.scheme == "unix" and address.path:
            return await asyncio.open_unix_connection(address.path)
        if address.scheme == "tcp" and address.hostname and address.port:
            return await asyncio.open_connection(address.hostname, address.port)
        raise self.error(f"has the address {self.uri!r}, which is neither unix:///path nor tcp://host:port.")

    def error(self, what: str) -> SpeechError:
        return SpeechError(f"The speech server {self.provider!r} {what}")


class _Connection:
    def __init__(self, server: _Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer

    async def send(self, message: Eventable) -> None:
        await async_write_event(message.event(), self._writer)

    async def receive(self) -> Event:
        """The next event. Raises SpeechError for an error event, a closed connection or junk."""
        try:
            event = await async_read_event(self._reader)
        except (KeyError, TypeError, AttributeError):
            event = None  # JSON, but not an event
        if event is None:
            raise self._server.error("broke off or sent what is not a Wyoming event.")
        if Error.is_type(event.type):
            raise self._server.error(f"refused: {event.data.get('text', 'no reason given')}")
        return event


class WyomingTranscriber:
    """Implements `media.speech.Transcriber`.

    uri: unix:///path or tcp://host:port. rate: samples a second to send; 16000 is what servers commonly
    expect, 8000 saves our own the way there and back. timeout_s: for a whole transcription.
    """

    def __init__(
        self,
        uri: str,
        *,
        provider: str = "wyoming",
        model: str = "",
        rate: int = 16000,
        connect_timeout_s: float = 2.0,
        timeout_s: float = 10.0,
    ) -> None:
        self._server = _Server(uri, provider, connect_timeout_s)
        self._model = model
        self._rate = rate
        self._timeout_s = timeout_s

    @property
    def provider(self) -> str:
        return self._server.provider

    @property
    def model(self) -> str:
        return self._model

    async def transcribe(self, audio: Samples, language: str) -> Transcription:
        try:
            async with asyncio.timeout(self._timeout_s):
                heard = await self._transcript(audio, language)
        except TimeoutError as error:
            raise self._server.error(f"did not transcribe within {self._timeout_s:g} s.") from error
        audio_ms = len(audio) * 1000 // SAMPLE_RATE
        return Transcription(heard.text, audio_ms, heard.finality, heard.confidence)

    async def _transcript(self, audio: Samples, language: str) -> TranscriptEvent:
        pcm = to_int16(resample(audio, SAMPLE_RATE, self._rate)).astype("<i2").tobytes()
        async with self._server.connection() as connection:
            await connection.send(Transcribe(name=self._model or None, language=language or None))
            await connection.send(AudioStart(self._rate, _WIDTH, 1))
            for start in range(0, len(pcm), _CHUNK_BYTES):
                await connection.send(AudioChunk(self._rate, _WIDTH, 1, pcm[start : start + _CHUNK_BYTES]))
            await connection.send(AudioStop())
            while not TranscriptEvent.is_type((event := await connection.receive()).type):
                pass
            return TranscriptEvent.from_event(event)


class WyomingSynthesizer:
    """Implements `media.speech.Synthesizer`.

    first_timeout_s: to the first audio; timeout_s: for the whole text, not counting what the caller does
    between pieces. The voice's speed goes along in the
    request's context, which servers that cannot change it ignore.
    """

    def __init__(
        self,
        uri: str,
        *,
        provider: str = "wyoming",
        model: str = "",
        connect_timeout_s: float = 2.0,
        first_timeout_s: float = 5.0,
        timeout_s: float = 30.0,
    ) -> None:
        self._server = _Server(uri, provider, connect_timeout_s)
        self._model = model
        self._first_timeout_s = first_timeout_s
        self._timeout_s = timeout_s

    @property
    def provider(self) -> str:
        return self._server.provider

    @property
    def model(self) -> str:
        return self._model

    async def synthesize(self, text: str, voice: Voice) -> AsyncIterator[Samples | WordEnds]:
        """Leaving the iteration (or cancelling it) closes the connection, and the server stops."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._timeout_s
        deadline = min(end, loop.time() + self._first_timeout_s)
        converter = PcmConverter(SAMPLE_RATE)
        try:
            async with asyncio.timeout_at(deadline) as timeout, self._server.connection() as connection:
                await connection.send(_request(text, voice))
                while not AudioStop.is_type((event := await connection.receive()).type):
                    piece = _piece(event, converter)
                    if piece is None:
                        continue
                    timeout.reschedule(None)
                    given = loop.time()
                    yield piece
                    taken = loop.time() - given
                    end += taken
                    deadline = deadline + taken if isinstance(piece, WordEnds) else end
                    timeout.reschedule(deadline)
        except TimeoutError as error:
            raise self._server.error("did not speak in time.") from error
        if len(rest := converter.flush()):
            yield rest


def _piece(event: Event, converter: PcmConverter) -> Samples | WordEnds | None:
    """What an event brings; None for nothing yet."""
    if AudioChunk.is_type(event.type):
        audio = converter.push(AudioChunk.from_event(event))
        return audio if len(audio) else None
    if WordEndsEvent.is_type(event.type):
        return WordEnds(tuple(WordEndsEvent.from_event(event).ends_ms))
    return None


def _request(text: str, voice: Voice) -> Synthesize:
    return Synthesize(
        text,
        voice=SynthesizeVoice(name=voice.name or None, language=voice.language or None),
        context={"speed": voice.speed} if voice.speed != 1.0 else None,
    )
