"""The same fixed delays as fakes.py, behind LiveKit Agents' base classes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from livekit.agents import llm, stt, tts
from livekit.agents.language import LanguageCode
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions

from benchmarks.density import scene
from benchmarks.density.scene import Sounds
from ringback.media.frame import SAMPLE_RATE


class FakeSTT(stt.STT):
    """Streaming, as LiveKit likes it best. `spoke` says that the person stopped: the text follows."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))
        self._streams: list[FakeRecognizeStream] = []

    async def _recognize_impl(self, *args: Any, **options: Any) -> stt.SpeechEvent:
        raise NotImplementedError

    def stream(
        self, *, language: Any = None, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> FakeRecognizeStream:
        stream = FakeRecognizeStream(stt=self, conn_options=conn_options)
        self._streams.append(stream)
        return stream

    def spoke(self) -> None:
        asyncio.get_running_loop().call_later(scene.TRANSCRIPTION_S, self._answer)

    def _answer(self) -> None:
        for stream in self._streams:
            stream.answer()


class FakeRecognizeStream(stt.RecognizeStream):
    def answer(self) -> None:
        text = stt.SpeechData(text=scene.HEARD, language=LanguageCode("en"))
        kind = stt.SpeechEventType.FINAL_TRANSCRIPT
        if not self._event_ch.closed:
            self._event_ch.send_nowait(stt.SpeechEvent(type=kind, alternatives=[text]))

    async def _run(self) -> None:
        async for _ in self._input_ch:
            pass


class FakeLLM(llm.LLM):
    def chat(
        self, *, chat_ctx: Any, tools: Any = None, conn_options: Any = None, **options: Any
    ) -> FakeLLMStream:
        return FakeLLMStream(
            self,
            chat_ctx=chat_ctx,
            tools=tools or [],
            conn_options=conn_options or DEFAULT_API_CONNECT_OPTIONS,
        )


class FakeLLMStream(llm.LLMStream):
    async def _run(self) -> None:
        due = time.monotonic() + scene.FIRST_TOKEN_S
        for token in scene.tokens(scene.REPLY):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            delta = llm.ChoiceDelta(role="assistant", content=token)
            self._event_ch.send_nowait(llm.ChatChunk(id="fake", delta=delta))
            due += scene.TOKEN_S


class FakeTTS(tts.TTS):
    """Streaming: it finds the sentences itself, so that LiveKit need not."""

    def __init__(self, sounds: Sounds) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True), sample_rate=SAMPLE_RATE, num_channels=1
        )
        self.sounds = sounds

    def synthesize(self, text: str, *, conn_options: Any = None) -> tts.ChunkedStream:
        raise NotImplementedError

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> FakeSynthesizeStream:
        return FakeSynthesizeStream(tts=self, conn_options=conn_options)


class FakeSynthesizeStream(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="fake", sample_rate=SAMPLE_RATE, num_channels=1, mime_type="audio/pcm", stream=True
        )
        output_emitter.start_segment(segment_id="fake")
        text = ""
        async for piece in self._input_ch:
            text += piece if isinstance(piece, str) else ""
            if text.rstrip().endswith((".", "?")):
                await self._speak(text.strip(), output_emitter)
                text = ""
        output_emitter.end_segment()

    async def _speak(self, sentence: str, output_emitter: tts.AudioEmitter) -> None:
        self._mark_started()
        assert isinstance(self._tts, FakeTTS)
        audio = self._tts.sounds.of(sentence)
        due = time.monotonic() + scene.FIRST_AUDIO_S
        for start in range(0, len(audio), scene.PIECE_SAMPLES):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            output_emitter.push(audio[start : start + scene.PIECE_SAMPLES].tobytes())
            due += scene.PIECE_S
        output_emitter.flush()
