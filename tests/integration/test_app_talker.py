"""A whole call of a worker's talker, on both databases, in real time, with a leg and providers in memory."""

from __future__ import annotations

import asyncio
import json
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from opentelemetry.sdk.trace import TracerProvider

from ringback.agents.definition import read
from ringback.app.providers import Providers
from ringback.app.talker import Studio
from ringback.app.telemetry import catalogue
from ringback.app.telemetry.call_spans import CallSpans
from ringback.app.telemetry.catalogue import Metric
from ringback.app.telemetry.telemetry import Telemetry
from ringback.billing.book import PriceBook
from ringback.billing.price import EVERY_ACCOUNT, Price
from ringback.billing.prices import Prices
from ringback.calls.call import LiveCall, Talk
from ringback.clock import SystemClock
from ringback.dialing.call_events import EventDelivery
from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, Execution, UsageKind
from ringback.media.leg import HangupCause
from ringback.media.ticker import Ticker
from ringback.store.database import Database, Reader, StoreError
from ringback.store.wakeup import open_wakeup
from tests.support import agent_definitions
from tests.support.api import BASE_URL, Api
from tests.support.description import described_as
from tests.support.fake_leg import FakeLeg
from tests.support.fake_speech import LoudnessDetector, ToneSynthesizer, ToneTranscriber, tones

WORDS = ("yes", "no")
NODES: list[dict[str, Any]] = [
    {
        "id": "ask",
        "node_type": "static",
        "static_message": "Paid?",
        "edges": [
            {"to_node_id": "wait", "condition_type": "match", "match": {"type": "no"}},
            {"to_node_id": "bye", "condition_type": "event", "event_name": "payment_received"},
        ],
    },
    {
        "id": "wait",
        "node_type": "static",
        "static_message": "I wait.",
        "edges": [{"to_node_id": "bye", "condition_type": "event", "event_name": "payment_received"}],
    },
    {"id": "bye", "node_type": "static", "static_message": "Thanks."},
]


class Values:
    """A sink."""

    def __init__(self) -> None:
        self.told: dict[str, list[tuple[float, tuple[str, ...]]]] = {}

    def record(self, metric: Metric, value: float, *labels: str) -> None:
        self.told.setdefault(metric.name, []).append((value, labels))

    def of(self, metric: Metric) -> list[tuple[float, tuple[str, ...]]]:
        return self.told.get(metric.name, [])


class FakeProviders:
    def transcriber(self, part: object) -> ToneTranscriber:
        return ToneTranscriber(WORDS, delay_s=0.05)

    def synthesizer(self, part: object) -> ToneSynthesizer:
        return ToneSynthesizer()

    def chat(self, dialogue: object) -> None:
        return None

    tools = None


def definition() -> Any:
    changed = deepcopy(agent_definitions.scripted())
    [task] = changed["agent_config"]["tasks"]
    task["tools_config"]["llm_agent"]["llm_config"] |= {"current_node_id": "ask", "nodes": NODES}
    changed["agent_config"]["agent_welcome_message"] = "Hi."
    return changed


async def answered(api: Api, ledger: Ledger) -> Execution:
    """A live call that the worker holds."""
    agent = await api.services.agents.create(api.account, read(definition()))
    [call] = await api.executions(agent.id, 1)
    await ledger.transition(api.account, call, Status.INITIATED, attempt={"lease_owner": "worker"})
    return await ledger.transition(
        api.account, call, Status.IN_PROGRESS, attempt={"state": AttemptState.LIVE}
    )


@pytest.fixture
def values() -> Values:
    return Values()


class Earlier:
    """A clock of ten minutes ago: prices are written before they hold."""

    def now_us(self) -> int:
        return SystemClock().now_us() - 600_000_000

    def monotonic(self) -> float:
        raise AssertionError("nobody asks")

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits")


async def price_voices(api: Api, price: str) -> None:
    """From now on, in cents a character."""
    voices = Price(UsageKind.SYNTHESIZER, "characters", Decimal(price), provider="fake", model="tone")
    await Prices(api.db).load(EVERY_ACCOUNT, [voices], Earlier(), SystemClock().now_us())


class UnreachablePrices(Prices):
    """The database is away from the second book on."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self.books = 0

    async def book(self, account_id: str, *, tx: Reader | None = None) -> PriceBook:
        self.books += 1
        if self.books > 1:
            raise StoreError("the database is away")
        return await super().book(account_id, tx=tx)


async def test_without_the_database_a_call_is_rated_by_the_prices_of_its_beginning(
    api: Api, values: Values, tmp_path: Path
) -> None:
    await price_voices(api, "0.5")
    telemetry = Telemetry("worker-0", [values], CallSpans(TracerProvider().get_tracer("test")))
    wakeup = await open_wakeup(api.db, tmp_path)
    ticker, leg, ledger = Ticker(), FakeLeg(), Ledger(api.db, SystemClock(), BASE_URL)
    prices = UnreachablePrices(api.db)
    studio = Studio(
        api.services.agents,
        ledger,
        cast(Providers, FakeProviders()),
        ticker,
        LoudnessDetector(),
        SystemClock(),
        prices,
        api.recordings,
        tmp_path / "ambient",
        EventDelivery(api.db, wakeup, "worker"),
        telemetry,
        "worker",
    )
    execution = await answered(api, ledger)
    talker = await studio.prepare(execution)
    await price_voices(api, "9")
    ticking = asyncio.create_task(ticker.run())
    talking = asyncio.create_task(talker.talk(LiveCall(execution, 1, leg, SystemClock().now_us())))
    try:
        async with asyncio.timeout(30):
            await leg.left_alone()
            leg.hang_up_by_person()
            talk = await talking
    finally:
        ticking.cancel()
        talking.cancel()
        await asyncio.gather(ticking, talking, return_exceptions=True)
        await wakeup.close()
    assert prices.books == 2
    [spoken] = talk.usage
    assert (spoken.price, spoken.amount) == (Decimal("0.5"), len("Hi.Paid?") * 5_000)
    assert (spoken.turn, spoken.purpose) == (0, "welcome_message")


async def test_a_call_is_told_to_everybody(api: Api, values: Values, tmp_path: Path) -> None:
    """The person says no, the payment comes in from outside, and the agent says goodbye."""
    telemetry = Telemetry("worker-0", [values], CallSpans(TracerProvider().get_tracer("test")))
    ledger = Ledger(api.db, SystemClock(), BASE_URL, telemetry.moved)
    wakeup = await open_wakeup(api.db, tmp_path)
    ticker, leg = Ticker(), FakeLeg()
    events = EventDelivery(api.db, wakeup, "worker")
    studio = Studio(
        api.services.agents,
        ledger,
        cast(Providers, FakeProviders()),
        ticker,
        LoudnessDetector(),
        SystemClock(),
        Prices(api.db),
        api.recordings,
        tmp_path / "ambient",
        events,
        telemetry,
        "worker",
    )
    execution = await answered(api, ledger)
    talker = await studio.prepare(execution)
    await price_voices(api, "0.5")
    answered_us = SystemClock().now_us()
    beside = [asyncio.create_task(ticker.run()), asyncio.create_task(events.run())]
    talking = asyncio.create_task(talker.talk(LiveCall(execution, 1, leg, answered_us)))
    try:
        async with asyncio.timeout(30):
            await leg.left_alone()
            leg.say(tones("no", vocabulary=WORDS))
            await leg.left_alone(1500)
            body = {"event": "payment_received", "properties": {"amount": 5}}
            sent = await api.client.post(f"/v1/call/{execution.id}/events", json=body)
            assert sent.status_code == 202
            talk = await talking
    finally:
        for task in (*beside, talking):
            task.cancel()
        await asyncio.gather(*beside, talking, return_exceptions=True)
        await wakeup.close()
    assert leg.hangups == [HangupCause.AGENT]
    await _look_at_the_record(api, execution, talk)
    _look_at_what_was_told(values)
    _look_at_the_bill(talk, answered_us)


def _look_at_the_bill(talk: Talk, answered_us: int) -> None:
    """Prices came after the call was prepared: what was used from then on has them."""
    [welcome, heard, waited, thanked] = talk.usage
    assert [line.turn for line in talk.usage] == [0, 1, 2, 3]
    assert [line.purpose for line in talk.usage] == ["welcome_message", *["conversation"] * 3]
    assert (heard.kind, heard.unit, heard.price, heard.amount) == ("transcriber", "ms", None, 0)
    for line, said in ((welcome, "Hi.Paid?"), (waited, "I wait."), (thanked, "Thanks.")):
        assert (line.kind, line.provider, line.model, line.unit) == (
            "synthesizer",
            "fake",
            "tone",
            "characters",
        )
        assert (line.quantity, line.amount) == (len(said), len(said) * 5_000)
        assert (line.price, line.per, line.step) == (Decimal("0.5"), 1, 1)
    moments = [line.at_us for line in talk.usage]
    assert moments == sorted(moments)
    assert answered_us <= moments[0] < answered_us + 2_000_000 < moments[-1] < SystemClock().now_us()


async def _look_at_the_record(api: Api, execution: Execution, talk: Talk) -> None:
    latency = talk.latency
    assert latency is not None
    described_as("LatencyData", latency)
    assert latency["stream_id"] == "fake"
    [turn] = latency["turns"]
    assert turn["total"] >= turn["endpointing"] > 0
    assert turn["transcription"] >= 50
    assert [spoken["turn"] for spoken in latency["synthesizer"]["turns"]] == [-1, 1]
    log = await api.services.listing.log(api.account, execution.id)
    own = [row for row in log if (row.type, row.component, row.provider) == ("event", "system", None)]
    turns = [json.loads(row.data) for row in own if row.data.startswith('{"role"')]
    assert [turn["role"] for turn in turns] == ["assistant", "user", "assistant", "assistant"]
    parts = {name: ms for name, ms in turn.items() if name != "turn"}
    assert [turn["latency"] for turn in turns if turn["latency"]] == [parts]
    said = [row.data for row in own]
    assert said.count("event received: payment_received") == 1
    assert len([row for row in said if row.startswith("trace ") and len(row) == len("trace ") + 32]) == 1


def _look_at_what_was_told(values: Values) -> None:
    assert [value for value, _ in values.of(catalogue.CALLS_LIVE)] == [1, 0]
    assert values.of(catalogue.CALLS_STARTED) == [(1, ())]
    assert {labels[0] for _, labels in values.of(catalogue.TURN)} >= {"total", "endpointing", "overhead"}
    providers = {labels for _, labels in values.of(catalogue.PROVIDER)}
    assert providers == {("transcriber", "fake"), ("synthesizer", "fake")}
    assert values.of(catalogue.PROVIDER_ERRORS) == []
