"""What a process tells about itself: to whom it goes, and that nothing of it disturbs the process."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ringback.agents.chat import Ask, ChatError, ChatPiece, ChatSettings, ChatText, ChatUsage
from ringback.app.telemetry import catalogue
from ringback.app.telemetry.catalogue import METRICS, Kind, Metric
from ringback.app.telemetry.measured import MeasuredChat, MeasuredSynthesizer, MeasuredTranscriber
from ringback.app.telemetry.pulse import pulse
from ringback.app.telemetry.telemetry import Telemetry
from ringback.app.telemetry.ticker_figures import of_ticker
from ringback.conversation.transcript import Turn, TurnTiming
from ringback.executions.lifecycle import Status
from ringback.media.speech import SpeechError, Transcription, Voice, WordEnds
from ringback.media.ticker import Lateness
from tests.support.records import an_execution

VOICE = Voice()
ASK = Ask((), ChatSettings("m"))
SILENCE = np.zeros(160, np.int16)


class Heard:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.values: list[tuple[str, float, tuple[str, ...]]] = []

    def record(self, metric: Metric, value: float, *labels: str) -> None:
        assert len(labels) == len(metric.labels)
        self.values.append((metric.name, value, labels))

    def of(self, metric: Metric) -> list[tuple[float, tuple[str, ...]]]:
        return [(value, labels) for name, value, labels in self.values if name == metric.name]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def telemetry(heard: Heard) -> Telemetry:
    return Telemetry("worker-0", [heard])


# The catalogue


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_metrics_are_named_as_prometheus_wants_them(metric: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z_]*[a-z]", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert metric.help.endswith(".")
    assert (metric.buckets != ()) == (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert metric.kind is not Kind.HISTOGRAM or metric.name.endswith("_seconds")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_no_label_names_whom_it_is_about(metric: Metric) -> None:
    allowed = {
        "process",
        "status",
        "part",
        "component",
        "provider",
        "quantile",
        "result",
        "stage",
        "method",
        "route",
    }
    assert set(metric.labels) <= allowed


def test_all_of_them_are_documented() -> None:
    """With their labels, and nothing else is."""
    text = (Path(__file__).parents[2] / "docs/operations.md").read_text()
    documented = dict(re.findall(r"^\| `ringback_(\w+)` \| (.*?) \|", text, re.MULTILINE))
    assert documented == {
        metric.name: ", ".join(f"`{label}`" for label in metric.labels) or "-" for metric in METRICS
    }


# Telemetry


def test_calls_are_counted_by_what_becomes_of_them(telemetry: Telemetry, heard: Heard) -> None:
    for status in (Status.INITIATED, Status.RINGING, Status.IN_PROGRESS, Status.CALL_DISCONNECTED):
        telemetry.moved(an_execution(status=status))
    assert heard.of(catalogue.CALLS_STARTED) == [(1, ())]
    assert heard.of(catalogue.CALLS_ENDED) == []
    for status in (Status.COMPLETED, Status.BUSY):
        telemetry.moved(an_execution(status=status))
    assert heard.of(catalogue.CALLS_ENDED) == [(1, ("completed",)), (1, ("busy",))]


def test_live_calls(telemetry: Telemetry, heard: Heard) -> None:
    with telemetry.talking(), telemetry.talking():
        pass
    with pytest.raises(RuntimeError), telemetry.talking():
        raise RuntimeError
    assert [value for value, _ in heard.of(catalogue.CALLS_LIVE)] == [1, 2, 1, 0, 1, 0]


def test_a_turn_is_told_by_its_parts(telemetry: Telemetry, heard: Heard) -> None:
    telemetry.turn("call", 0, Turn("user", "hello", 0, 500))
    timing = TurnTiming(total_ms=600, endpointing_ms=400, overhead_ms=0, first_audio_ms=25)
    telemetry.turn("call", 0, Turn("assistant", "Hello.", 1100, 1500, timing=timing))
    assert sorted(heard.of(catalogue.TURN), key=lambda value: value[1]) == [
        (0.4, ("endpointing",)),
        (0.025, ("first_audio",)),
        (0.0, ("overhead",)),
        (0.6, ("total",)),
    ]


class Broken:
    def record(self, *_: Any) -> None:
        raise RuntimeError("a bug")

    moved = turn = record

    def trace_id(self, execution_id: str) -> None:
        return None


def test_a_sink_that_fails_disturbs_nobody(heard: Heard, caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry("api", [Broken(), heard], Broken())
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            telemetry.request("GET", "/health", 200, 0.001)
            telemetry.moved(an_execution(status=Status.COMPLETED))
            telemetry.turn("call", 0, Turn("user", "hello", 0, 500))
    assert len(heard.of(catalogue.HTTP)) == 3
    said = [record.getMessage().partition(" cannot")[0] for record in caplog.records]
    assert sorted(said) == ["calls_ended_total", "http_request_seconds", "http_requests_total", "spans"]


# Providers


class Ears:
    provider, model = "ears", "m"

    def __init__(self, error: BaseException | None = None) -> None:
        self._error = error

    async def transcribe(self, audio: Any, language: str) -> Transcription:
        if self._error:
            raise self._error
        return Transcription("yes", 20)


class Mouth:
    provider, model = "mouth", "m"

    def __init__(self, *pieces: Any) -> None:
        self._pieces = pieces
        self.closed = False

    async def synthesize(self, text: str, voice: Voice) -> AsyncGenerator[Any, None]:
        try:
            for piece in self._pieces:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            self.closed = True


class Brain:
    provider = "brain"

    def __init__(self, *pieces: ChatPiece | Exception) -> None:
        self._pieces = pieces

    async def stream(self, ask: Ask) -> AsyncIterator[ChatPiece]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


async def test_a_transcription_is_timed(telemetry: Telemetry, heard: Heard) -> None:
    ears = MeasuredTranscriber(Ears(), telemetry)
    assert (await ears.transcribe(SILENCE, "en")).text == "yes"
    assert (ears.provider, ears.model) == ("ears", "m")
    [(seconds, labels)] = heard.of(catalogue.PROVIDER)
    assert seconds > 0
    assert labels == ("transcriber", "ears")


async def test_a_provider_that_fails_is_counted_and_its_error_goes_on(
    telemetry: Telemetry, heard: Heard
) -> None:
    with pytest.raises(SpeechError, match="too slow"):
        await MeasuredTranscriber(Ears(SpeechError("too slow")), telemetry).transcribe(SILENCE, "en")
    with pytest.raises(SpeechError):
        [_ async for _ in MeasuredSynthesizer(Mouth(SpeechError("no")), telemetry).synthesize("a", VOICE)]
    with pytest.raises(ChatError):
        [_ async for _ in MeasuredChat(Brain(ChatText("a"), ChatError("no")), telemetry).stream(ASK)]
    assert heard.of(catalogue.PROVIDER_ERRORS) == [
        (1, ("transcriber", "ears")), (1, ("synthesizer", "mouth")), (1, ("llm", "brain")),
    ]  # fmt: skip


async def test_what_nobody_wanted_any_more_is_no_error(telemetry: Telemetry, heard: Heard) -> None:
    with pytest.raises(asyncio.CancelledError):
        await MeasuredTranscriber(Ears(asyncio.CancelledError()), telemetry).transcribe(SILENCE, "en")
    mouth = Mouth(SILENCE, SILENCE)
    pieces = MeasuredSynthesizer(mouth, telemetry).synthesize("a", VOICE)
    async for _ in pieces:
        break
    await pieces.aclose()  # type: ignore[attr-defined]
    assert mouth.closed, "the request of a synthesis that is cut short ends"
    assert heard.of(catalogue.PROVIDER_ERRORS) == []


async def test_the_first_audio_counts_and_it_passes_through(telemetry: Telemetry, heard: Heard) -> None:
    ends = WordEnds((20,))
    mouth = MeasuredSynthesizer(Mouth(ends, SILENCE, SILENCE), telemetry)
    assert mouth.first_audio_ms is None
    pieces = mouth.synthesize("a", VOICE)
    assert await anext(pieces) is ends
    assert heard.of(catalogue.PROVIDER) == []
    assert [piece is SILENCE async for piece in pieces] == [True, True]
    assert [labels for _, labels in heard.of(catalogue.PROVIDER)] == [("synthesizer", "mouth")]
    first = mouth.first_audio_ms
    assert first is not None
    [_ async for _ in mouth.synthesize("b", VOICE)]
    assert mouth.first_audio_ms == first


async def test_the_first_token_counts_but_no_bill(telemetry: Telemetry, heard: Heard) -> None:
    usage = ChatUsage(1, 2)
    brain = MeasuredChat(Brain(usage, ChatText("a"), ChatText("b")), telemetry)
    assert [piece async for piece in brain.stream(ASK)] == [usage, ChatText("a"), ChatText("b")]
    assert [labels for _, labels in heard.of(catalogue.PROVIDER)] == [("llm", "brain")]
    await anext(MeasuredChat(Brain(usage), telemetry).stream(ASK))
    assert len(heard.of(catalogue.PROVIDER)) == 1


# What is looked at


class LateClock:
    """Sleeps longer than it was asked to, and ends the pulse after some."""

    def __init__(self, late_s: float, sleeps: int) -> None:
        self._now, self._late_s, self._left = 0.0, late_s, sleeps

    def now_us(self) -> int:
        return round(self._now * 1e6)

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self._left -= 1
        if self._left < 0:
            raise asyncio.CancelledError
        self._now += seconds + self._late_s


async def test_the_lag_of_the_event_loop(telemetry: Telemetry, heard: Heard) -> None:
    with pytest.raises(asyncio.CancelledError):
        await pulse(telemetry, LateClock(0.25, 3))
    assert heard.of(catalogue.LOOP_LAG) == [(0.25, ("worker-0",))] * 3


async def test_samples_are_taken_every_ten_seconds_though_one_fails(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    taken = 0

    async def bad() -> None:
        raise RuntimeError("a bug")

    async def good() -> None:
        nonlocal taken
        taken += 1

    with pytest.raises(asyncio.CancelledError):
        await pulse(telemetry, LateClock(0, 41), [bad, good])
    assert taken == 3
    assert "could not be taken" in caplog.text


async def test_the_lateness_of_ticks(telemetry: Telemetry, heard: Heard) -> None:
    class Ticker:
        skipped = 3

        def lateness(self) -> Lateness:
            return Lateness(1.0, 12.5, 40.0, 3000, self.skipped)

    ticker = Ticker()
    sample = of_ticker(telemetry, ticker)  # type: ignore[arg-type]
    await sample()
    ticker.skipped = 5
    await sample()
    assert heard.of(catalogue.TICK_LATENESS)[:3] == [
        (0.001, ("worker-0", "0.5")),
        (0.0125, ("worker-0", "0.99")),
        (0.04, ("worker-0", "1")),
    ]
    assert [value for value, _ in heard.of(catalogue.TICKS_SKIPPED)] == [3, 2]
