"""Whole calls with sipp at the other end: what the wire said stands in the record that the list serves."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ringback.aftercall.recording import recording_path
from ringback.calls.call import LiveCall, Talk, Talker
from ringback.executions.lifecycle import Status
from ringback.executions.record import Execution
from ringback.media.call_audio import CallAudio
from ringback.media.frame import FRAME_MS
from ringback.media.leg import Ended, HangupCause
from ringback.media.playout import Playout
from ringback.media.recorder import Recorder
from ringback.media.rtp_stream import PortRange
from ringback.media.ticker import Ticker
from ringback.speech.vad import SileroVoiceDetector
from ringback.store.database import Database
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from tests.support.exchange import Exchange, open_exchange
from tests.support.needs import needs
from tests.support.sipp import run_sipp
from tests.support.telephone import loudest_hertz, tone

pytestmark = [pytest.mark.realtime, needs("sipp")]

TONE_MS = 1000


class ToneTalker:
    """Plays a second of tone, then hangs up unless the person does; records both sides."""

    def __init__(
        self, exchange: Exchange, ticker: Ticker, detector: SileroVoiceDetector, hangs_up: bool
    ) -> None:
        self._exchange = exchange
        self._ticker = ticker
        self._detector = detector
        self._hangs_up = hangs_up

    async def talk(self, call: LiveCall) -> Talk:
        execution, finished = call.execution, asyncio.Event()
        path = recording_path(self._exchange.folder, execution.account_id, execution.id, call.number)
        recorder, playout = Recorder(path), Playout(lambda event: finished.set())
        voice = self._detector.open()
        audio = CallAudio(self._ticker, call.leg, voice, playout, recorder, lambda error: None)
        finished.clear()
        playout.append("tone", np.concatenate([tone(440, n) for n in range(TONE_MS // FRAME_MS)]))
        playout.finish("tone")
        audio.start()
        hanging = asyncio.create_task(self._hang_up(call, playout, finished))
        while not isinstance(event := await call.leg.next_event(), Ended):
            pass
        audio.stop()
        hanging.cancel()
        voice.close()
        await recorder.close()
        return Talk(event, conversation_ms=recorder.duration_ms)

    async def _hang_up(self, call: LiveCall, playout: Playout, changed: asyncio.Event) -> None:
        while self._hangs_up:
            await changed.wait()
            changed.clear()
            if playout.idle:
                await call.leg.hangup(HangupCause.NORMAL)
                return


@pytest.fixture
async def exchange(database: Database, tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_exchange(database, tmp_path) as exchange:
        yield exchange


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = await Endpoint.open("127.0.0.1", 0, PortRange(31000, 31999))
    yield endpoint
    await endpoint.close()


async def nobody(execution: Execution) -> Talker:
    class Nobody:
        async def talk(self, call: LiveCall) -> Talk:
            raise AssertionError("nobody answers these calls")

    return Nobody()


@pytest.mark.parametrize(
    ("code", "status", "reason", "provider_code"),
    [
        ("486", "busy", "Call recipient was busy", 3010),
        ("600", "busy", "Call recipient was busy", 3010),
        ("603", "failed", "Call recipient rejected", 3020),
        ("404", "failed", "Call recipient number invalid", 2000),
        ("484", "failed", "Call recipient number invalid", 2000),
        ("604", "failed", "Call recipient number invalid", 2000),
        ("480", "no-answer", "Call unanswered", 3000),
        ("408", "no-answer", "Call unanswered", 3000),
        ("503", "failed", None, None),
    ],
)
async def test_a_refusal_becomes_status_and_hangup_fields(
    exchange: Exchange,
    endpoint: Endpoint,
    tmp_path: Path,
    code: str,
    status: str,
    reason: str | None,
    provider_code: int | None,
) -> None:
    # Q.850 31 ("normal, unspecified") says nothing that the status line doesn't.
    async with run_sipp("reject", tmp_path, status=code, cause="31") as peer:
        carrier = SipCarrier(endpoint, Trunk("127.0.0.1", peer.port))
        async with exchange.open(carrier, prepare=nobody):
            record = await exchange.over(await exchange.place())
        await peer.succeeded()
    telephony = record["telephony_data"]
    assert (record["status"], telephony["sip_code"]) == (status, int(code))
    assert record["error_message"]
    assert telephony["provider_call_id"]
    if reason is not None:
        assert (telephony["hangup_reason"], telephony["hangup_provider_code"]) == (reason, provider_code)
    [listed] = await exchange.books.list()
    assert listed["id"] == record["id"]


async def test_nobody_answers(exchange: Exchange, endpoint: Endpoint, tmp_path: Path) -> None:
    async with run_sipp("ring", tmp_path) as peer:
        carrier = SipCarrier(endpoint, Trunk("127.0.0.1", peer.port))
        async with exchange.open(carrier, prepare=nobody, ring_timeout_s=0.5):
            record = await exchange.over(await exchange.place())
        await peer.succeeded()
    assert (record["status"], record["telephony_data"]["hangup_provider_code"]) == ("no-answer", 3000)


async def test_a_stop_cancels_what_rings(exchange: Exchange, endpoint: Endpoint, tmp_path: Path) -> None:
    async with run_sipp("ring", tmp_path) as peer:
        carrier = SipCarrier(endpoint, Trunk("127.0.0.1", peer.port))
        async with exchange.open(carrier, prepare=nobody):
            execution_id = await exchange.place()
            await exchange.until(execution_id, Status.RINGING)
            await exchange.queue.stop(exchange.books.account_id, execution_id)
            record = await exchange.over(execution_id)
        await peer.succeeded()
    assert (record["status"], record["telephony_data"]["hangup_by"]) == ("canceled", "API Request")


@pytest.mark.parametrize(
    ("scenario", "hangs_up", "hangup_by"), [("answer", True, "API Request"), ("hang_up", False, "Callee")]
)
async def test_a_call_that_plays_a_tone(
    exchange: Exchange, endpoint: Endpoint, tmp_path: Path, scenario: str, hangs_up: bool, hangup_by: str
) -> None:
    ticker, detector = Ticker(), SileroVoiceDetector()
    ticker.after(detector.run)
    ticking = asyncio.create_task(ticker.run())

    async def prepare(execution: Execution) -> Talker:
        return ToneTalker(exchange, ticker, detector, hangs_up)

    async with run_sipp(scenario, tmp_path, rtp_echo=True) as peer:
        carrier = SipCarrier(endpoint, Trunk("127.0.0.1", peer.port))
        async with exchange.open(carrier, prepare=prepare):
            record = await exchange.over(await exchange.place())
        await peer.succeeded()
    ticker.stop()
    await ticking
    assert (record["status"], record["telephony_data"]["hangup_by"]) == ("completed", hangup_by)
    assert record["telephony_data"]["hangup_reason"] == "Normal Hangup"
    await _check_recording(exchange, record, echoes=hangs_up)
    assert await _completed_after_s(exchange, record["id"]) < 2


async def test_a_call_without_audio_says_so_in_its_record(
    exchange: Exchange, endpoint: Endpoint, tmp_path: Path
) -> None:
    ticker, detector = Ticker(), SileroVoiceDetector()
    ticking = asyncio.create_task(ticker.run())
    endpoint.rtp_timeout_s = 0.5

    async def prepare(execution: Execution) -> Talker:
        return ToneTalker(exchange, ticker, detector, hangs_up=False)

    async with run_sipp("answer", tmp_path) as peer:
        carrier = SipCarrier(endpoint, Trunk("127.0.0.1", peer.port))
        async with exchange.open(carrier, prepare=prepare):
            record = await exchange.over(await exchange.place())
        await peer.succeeded()
    ticker.stop()
    await ticking
    telephony = record["telephony_data"]
    assert (telephony["hangup_by"], telephony["hangup_reason"]) == ("Error", "Call timed out")
    assert telephony["hangup_provider_code"] == 3110
    assert "No audio came" in record["error_message"]


async def _completed_after_s(exchange: Exchange, execution_id: str) -> float:
    """How long the work after the call took."""
    rows = await exchange.books.listing.log(exchange.books.account_id, execution_id)
    at = {row.data: row.at_us for row in rows}
    return (at["call-disconnected -> completed"] - at["in-progress -> call-disconnected"]) / 1_000_000


async def _check_recording(exchange: Exchange, record: dict[str, Any], echoes: bool) -> None:
    """As long as the call on the wire, the agent right, and left what came back."""
    path = recording_path(exchange.folder, exchange.books.account_id, record["id"], 1)
    token = record["telephony_data"]["recording_url"].partition("token=")[2]
    stored = await exchange.books.listing.recording(record["id"], token=token)
    assert stored is not None
    assert exchange.folder / stored.path == path
    assert not Path(stored.path).is_absolute(), "the data folder may be moved"
    with wave.open(str(path)) as file:
        seconds = file.getnframes() / file.getframerate()
        both = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    assert record["conversation_time"] == pytest.approx(seconds, abs=0.051)
    assert record["telephony_data"]["duration"] == pytest.approx(seconds, abs=0.7)
    if echoes:
        assert loudest_hertz(both[:4000, 1]) == pytest.approx(440, abs=5)
        assert loudest_hertz(both[-4000:, 0]) == pytest.approx(440, abs=5)
