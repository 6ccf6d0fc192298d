"""sipp takes the call as a machine would, with audio in real RTP: what becomes of the call and stands in its record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from ringback.agents.plan import Plan, SpeechPart, TalkSettings, VoicemailSettings
from ringback.calls.call import LiveCall, Talk, Talker
from ringback.clock import SystemClock
from ringback.conversation.conversation import Conversation
from ringback.conversation.screening.verdict import Kind
from ringback.executions.record import Execution
from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.g711 import Codec
from ringback.media.recorder import Recorder
from ringback.media.rtp_stream import PortRange
from ringback.media.speech import Transcription
from ringback.media.ticker import Ticker
from ringback.store.database import Database
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from tests.support.exchange import Exchange, open_exchange
from tests.support.fake_speech import FakeChat, LoudnessDetector, ToneSynthesizer
from tests.support.needs import needs
from tests.support.sipp import run_sipp
from tests.support.stage import CHAT, CountingRecorder, Watcher

pytestmark = [pytest.mark.realtime, needs("sipp")]


def tone(hz: float, ms: int, amplitude: float = 6000.0) -> Samples:
    at = np.arange(SAMPLE_RATE * ms // 1000) / SAMPLE_RATE
    audio: Samples = np.rint(amplitude * np.sin(2 * np.pi * hz * at)).astype(np.int16)
    return audio


def silence(ms: int) -> Samples:
    return np.zeros(SAMPLE_RATE * ms // 1000, dtype=np.int16)


def greeting(ms: int) -> Samples:
    """Loud and no tone: the fake detector's speech."""
    audio: Samples = (np.random.default_rng(3).standard_normal(SAMPLE_RATE * ms // 1000) * 3000).astype(
        np.int16
    )
    return audio


class SaysWhatMachinesSay:
    """Implements `media.speech.Transcriber`."""

    provider = model = "fake"

    async def transcribe(self, audio: Samples, language: str) -> Transcription:
        await asyncio.sleep(0.1)
        return Transcription("Please leave a message after the tone.", len(audio) * 1000 // SAMPLE_RATE)


class Agent:
    """Talks by a plan with `voicemail`, with fake ears and a fake voice."""

    def __init__(self, ticker: Ticker, message: str) -> None:
        self._ticker = ticker
        self._message = message
        self.synthesizer = ToneSynthesizer()

    async def talk(self, call: LiveCall) -> Talk:
        part = SpeechPart("fake")
        talk = TalkSettings(voicemail=VoicemailSettings(self._message))
        conversation = Conversation(
            call.leg,
            Plan("a", "b", "Good morning.", part, part, CHAT, talk),
            {"name": "Ada"},
            ticker=self._ticker,
            detector=LoudnessDetector(),
            recorder=cast(Recorder, CountingRecorder()),
            transcriber=SaysWhatMachinesSay(),
            synthesizer=self.synthesizer,
            chat=FakeChat("I see.", "I see."),
            clock=SystemClock(),
            observer=Watcher(),
            today=date(2026, 11, 30),
        )
        result = await conversation.run()
        machine = result.answered_by is not None and result.answered_by.kind is Kind.MACHINE
        return Talk(result.ended, conversation_ms=1000, voicemail=machine)


@pytest.fixture
async def exchange(database: Database, tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_exchange(database, tmp_path) as exchange:
        yield exchange


async def called(
    exchange: Exchange, folder: Path, audio: Samples, message: str = ""
) -> tuple[dict[str, Any], Agent]:
    (folder / "answer.ulaw").write_bytes(Codec.PCMU.encode(audio))
    ticker = Ticker()
    agent = Agent(ticker, message)

    async def prepare(execution: Execution) -> Talker:
        return agent

    ticking = asyncio.create_task(ticker.run())
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(31000, 31999))
    try:
        async with run_sipp("says", folder, audio="answer.ulaw") as peer:
            carrier = SipCarrier(endpoint, Trunk("127.0.0.1", peer.port))
            async with exchange.open(carrier, prepare=prepare):
                record = await exchange.over(await exchange.place())
            await peer.succeeded()
    finally:
        ticker.stop()
        await ticking
        await endpoint.close()
    return record, agent


def end(record: dict[str, Any]) -> tuple[bool, str, str]:
    telephony = record["telephony_data"]
    return record["answered_by_voice_mail"], telephony["hangup_by"], telephony["hangup_reason"]


async def test_a_fax_machine(exchange: Exchange, tmp_path: Path) -> None:
    record, _ = await called(exchange, tmp_path, np.concatenate([silence(400), tone(2100, 3000)]))
    assert end(record) == (False, "API Request", "fax_detected")


async def test_an_announcement_of_the_network(exchange: Exchange, tmp_path: Path) -> None:
    audio = np.concatenate([silence(300), tone(950, 330), tone(1400, 330), tone(1800, 330), silence(2000)])
    record, agent = await called(exchange, tmp_path, audio, "Call us back.")
    assert end(record) == (True, "API Request", "voicemail_detected")
    assert "Call us back." not in agent.synthesizer.texts


async def test_a_machine_that_is_hung_up_on(exchange: Exchange, tmp_path: Path) -> None:
    audio = np.concatenate([silence(400), greeting(1500), silence(4000)])
    record, _ = await called(exchange, tmp_path, audio)
    assert end(record) == (True, "API Request", "voicemail_detected")


async def test_a_machine_that_is_left_a_message(exchange: Exchange, tmp_path: Path) -> None:
    audio = np.concatenate([silence(400), greeting(1500), silence(700), tone(1000, 400), silence(4000)])
    record, agent = await called(exchange, tmp_path, audio, "Call us back, {name}.")
    assert end(record) == (True, "API Request", "voicemail_detected")
    assert agent.synthesizer.texts[-1] == "Call us back, Ada."
