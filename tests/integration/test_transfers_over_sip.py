"""Whole transfers with sipp and baresip as the one who takes the call: who hears whom, and what the record says."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from opentelemetry.sdk.trace import TracerProvider

from ringback.agents.compile import compile_plan
from ringback.agents.definition import read
from ringback.app.providers import Providers
from ringback.app.talker import AgentTalker, Studio
from ringback.app.telemetry.call_spans import CallSpans
from ringback.app.telemetry.telemetry import Telemetry
from ringback.billing.prices import Prices
from ringback.calls.call import Talker
from ringback.clock import SystemClock
from ringback.dialing.call_events import EventDelivery
from ringback.executions.record import Execution
from ringback.media.frame import Samples
from ringback.media.leg import DialRequest, Ended, HangupCause, Leg
from ringback.media.rtp_stream import PortRange
from ringback.media.ticker import Ticker
from ringback.store.database import Database
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.leg import SipLeg
from tests.integration.test_sip_baresip import baresip
from tests.support import agent_definitions
from tests.support.description import described_as
from tests.support.exchange import Exchange, open_exchange
from tests.support.fake_speech import LoudnessDetector, ToneSynthesizer, ToneTranscriber
from tests.support.needs import needs
from tests.support.sipp import run_sipp
from tests.support.telephone import loudest_hertz, tone

pytestmark = [pytest.mark.realtime, needs("sipp"), needs("baresip")]
one_store = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

TAKER = "+15550177"
NODES: list[dict[str, Any]] = [
    {
        "id": "hand",
        "node_type": "static",
        "static_message": "I connect you.",
        "function_call": "transfer_call",
        "edges": [{"to_node_id": "sorry", "condition_type": "unconditional"}],
    },
    {"id": "sorry", "node_type": "static", "static_message": "Nobody is there."},
]


def definition(**settings: Any) -> dict[str, Any]:
    changed = deepcopy(agent_definitions.scripted())
    [task] = changed["agent_config"]["tasks"]
    tools = task["tools_config"]
    tools["llm_agent"]["llm_config"] |= {"current_node_id": "hand", "nodes": NODES}
    param = json.dumps({"call_transfer_number": TAKER, "call_sid": "%(call_sid)s"})
    tools["api_tools"] = {
        "tools": [{"name": "transfer_call", "key": "transfer_call"}],
        "tools_params": {"transfer_call": {"param": param, **settings}},
    }
    changed["agent_config"]["agent_welcome_message"] = "Hi."
    return changed


class Routed:
    """Implements `media.leg.Carrier`: a person at one trunk, who takes the call at another."""

    name = "sip-trunk"

    def __init__(self, person: SipCarrier, taker: SipCarrier) -> None:
        self._person, self._taker = person, taker

    def new_call_id(self) -> str:
        return self._person.new_call_id()

    async def dial(self, request: DialRequest) -> Leg:
        if request.to_number != TAKER:
            return await self._person.dial(request)
        # The softphone knows itself by this name only; sipp does not care.
        return await self._taker.dial(replace(request, to_number="person"))


class Person:
    """Whom the agent calls: takes the call, sends a tone where told to, and keeps what is heard."""

    def __init__(self) -> None:
        self.heard: list[Samples] = []
        self.talks = False
        self.ended: Ended | None = None
        self.leg: SipLeg | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def take(self, call: IncomingCall) -> None:
        self.leg = await call.answer()
        self._tasks += [asyncio.create_task(self._sound()), asyncio.create_task(self._follow())]

    async def _sound(self) -> None:
        assert self.leg is not None
        loop = asyncio.get_running_loop()
        start, number = loop.time(), 0
        while self.ended is None:
            self.leg.write_frame(tone(440, number) if self.talks else np.zeros(160, dtype=np.int16))
            self.heard.append(self.leg.read_frame())
            number += 1
            await asyncio.sleep(max(0.0, start + number * 0.02 - loop.time()))

    async def _follow(self) -> None:
        assert self.leg is not None
        while not isinstance(event := await self.leg.next_event(), Ended):
            pass
        self.ended = event

    async def hears(self, hertz: float) -> None:
        async with asyncio.timeout(10):
            while abs(loudest_hertz(np.concatenate(self.heard[-25:])) - hertz) > 5:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def exchange(database: Database, tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_exchange(database, tmp_path / "data") as exchange:
        yield exchange


@asynccontextmanager
async def endpoints() -> AsyncIterator[tuple[Endpoint, Endpoint]]:
    ours = await Endpoint.open("127.0.0.1", 0, PortRange(33000, 33499))
    theirs = await Endpoint.open("127.0.0.1", 0, PortRange(33500, 33999))
    try:
        yield ours, theirs
    finally:
        await ours.close()
        await theirs.close()


def preparing(exchange: Exchange, studio: Studio, agent: Any) -> Callable[[Execution], Awaitable[Talker]]:
    plan = compile_plan("agent", read(agent))

    async def prepare(execution: Execution) -> Talker:
        book = await Prices(exchange.books.db).book(execution.account_id)
        ears, mouth = ToneTranscriber(("yes", "no"), delay_s=0.05), ToneSynthesizer()
        return AgentTalker(studio, plan, ears, mouth, None, None, book)

    return prepare


class NoTools:
    tools = None


@asynccontextmanager
async def calling(
    exchange: Exchange, taker_port: int, person_port: int | None = None, **settings: Any
) -> AsyncIterator[tuple[str, Person]]:
    """A call to a person by an agent that transfers it at once; the id of the execution."""
    person, ticker = Person(), Ticker()
    ticking = asyncio.create_task(ticker.run())
    async with endpoints() as (ours, theirs):
        theirs.on_invite = person.take
        here = SipCarrier(ours, Trunk("127.0.0.1", person_port or theirs.address[1]))
        carrier = Routed(here, SipCarrier(ours, Trunk("127.0.0.1", taker_port)))
        studio = Studio(
            cast(Any, None),
            exchange.books.ledger,
            cast(Providers, NoTools()),
            ticker,
            LoudnessDetector(),
            SystemClock(),
            Prices(exchange.books.db),
            exchange.folder,
            exchange.folder / "ambient",
            EventDelivery(exchange.books.db, exchange.wakeup, "worker"),
            Telemetry("worker-0", [], CallSpans(TracerProvider().get_tracer("test"))),
            "worker",
            carrier,
        )
        try:
            async with exchange.open(carrier, prepare=preparing(exchange, studio, definition(**settings))):
                yield await exchange.place(), person
        finally:
            await person.close()
            ticker.stop()
            await ticking


async def transfer_of(exchange: Exchange, execution_id: str, status: str) -> dict[str, Any]:
    """What the record says of the transfer, once it has this status."""
    async with asyncio.timeout(15):
        while True:
            execution = await exchange.books.ledger.get(exchange.books.account_id, execution_id)
            found = (await exchange.books.body(execution))["transfer_call_data"]
            if found is not None and found["status"] == status:
                return dict(found)
            await asyncio.sleep(0.05)


async def joined(exchange: Exchange, execution_id: str) -> None:
    async with asyncio.timeout(15):
        while True:
            attempt = await exchange.books.ledger.attempt(exchange.books.account_id, execution_id)
            if attempt.transfers and attempt.transfers[0].joined_at is not None:
                return
            await asyncio.sleep(0.05)


def stereo(path: Path) -> Any:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)


async def test_the_person_and_a_softphone_hear_each_other(exchange: Exchange, tmp_path: Path) -> None:
    """The softphone echoes: what the person says comes back over both legs."""
    async with (
        baresip(tmp_path, "PCMU") as taker,
        calling(exchange, taker, transfer_whisper="They call.") as (execution_id, person),
    ):
        await joined(exchange, execution_id)
        during = await transfer_of(exchange, execution_id, "in-progress")
        person.talks = True
        await person.hears(440)
        await asyncio.sleep(1.0)
        assert person.leg is not None
        await person.leg.hangup(HangupCause.NORMAL)
        record = await exchange.over(execution_id)
    assert (during["to_number"], during["recording_url"], during["cost"]) == (TAKER, None, 0)
    described_as("Execution", record | {"agent_id": record["id"]})
    told = record["transfer_call_data"]
    assert (told["status"], told["termination_reason"]) == ("completed", "completed")
    assert (told["hangup_by"], told["hangup_reason"]) == ("Caller", "Normal Hangup")
    assert told["hangup_provider_code"] == 4000
    assert (told["to_number"], told["from_number"]) == (TAKER, "+14155550100")
    assert told["provider_call_id"] != record["telephony_data"]["provider_call_id"]
    assert record["telephony_data"]["hangup_by"] == "Callee"
    assert 1.0 < told["duration"] < 10.0
    assert record["transcript"] == "assistant: Hi. I connect you."
    costs = record["cost_breakdown"]
    assert costs["transfer_cost"] == told["cost"]
    attempt = await exchange.books.ledger.attempt(exchange.books.account_id, execution_id)
    [transfer] = attempt.transfers
    assert transfer.recording_path is not None
    both = stereo(exchange.folder / transfer.recording_path)
    assert len(both) / 8000 == pytest.approx(told["duration"], abs=0.3)
    assert loudest_hertz(both[-8000:-4000, 1]) == pytest.approx(440, abs=5), "what the one who took it heard"
    assert loudest_hertz(both[-8000:-4000, 0]) == pytest.approx(440, abs=5), "and said"
    assert attempt.recording_path is not None
    whole = stereo(exchange.folder / attempt.recording_path)
    assert loudest_hertz(whole[-8000:-4000, 0]) == pytest.approx(440, abs=5)
    assert loudest_hertz(whole[-8000:-4000, 1]) == pytest.approx(440, abs=5)
    token = told["recording_url"].partition("token=")[2]
    assert told["recording_url"].startswith(f"https://ringback.example/recordings/transfer/{execution_id}?")
    found = await exchange.books.listing.transfer_recording(execution_id, token=token)
    assert found is not None
    assert found.path == transfer.recording_path
    assert await exchange.books.listing.recording(execution_id, token=token) is None, (
        "one link, one recording"
    )


@one_store
async def test_who_took_the_call_hangs_up(exchange: Exchange, tmp_path: Path) -> None:
    async with run_sipp("hang_up", tmp_path, pause="5000") as taker:
        async with calling(exchange, taker.port) as (execution_id, person):
            record = await exchange.over(execution_id)
        await taker.succeeded()
    assert person.ended is not None
    told = record["transfer_call_data"]
    assert (told["status"], told["hangup_by"], told["termination_reason"]) == (
        "completed",
        "Callee",
        "completed",
    )
    assert told["duration"] == pytest.approx(5.0, abs=0.5)
    telephony = record["telephony_data"]
    assert (telephony["hangup_by"], telephony["hangup_reason"]) == ("API Request", "Call completed")


@one_store
@pytest.mark.parametrize(
    ("scenario", "keys", "status", "why"),
    [
        ("reject", {"status": "486", "cause": "17"}, "busy", "busy"),
        ("reject", {"status": "603", "cause": "21"}, "failed", "rejected"),
        ("reject", {"status": "404", "cause": "1"}, "failed", "invalid_number"),
        ("ring", {}, "no-answer", "no_answer"),
        ("hang_up", {"pause": "1500"}, "completed", "hung_up_at_once"),
    ],
)
async def test_the_agent_goes_on(
    exchange: Exchange, tmp_path: Path, scenario: str, keys: dict[str, Any], status: str, why: str
) -> None:
    async with run_sipp(scenario, tmp_path, **keys) as taker:
        async with calling(exchange, taker.port, transfer_timeout_s=5) as (execution_id, _):
            record = await exchange.over(execution_id)
        await taker.succeeded()
    told = record["transfer_call_data"]
    assert (told["status"], told["termination_reason"]) == (status, why)
    waits = " One moment, please." if scenario == "ring" else ""
    assert record["transcript"] == f"assistant: Hi. I connect you.{waits} Nobody is there."
    assert record["telephony_data"]["hangup_reason"] == "end_call_tool"
    assert record["context_details"]["context_data"]["variables"]["transfer_result"] == why
    assert (told["recording_url"] is None) == (scenario != "hang_up")


@one_store
async def test_the_person_does_not_wait(exchange: Exchange, tmp_path: Path) -> None:
    async with run_sipp("ring", tmp_path) as taker:
        async with calling(exchange, taker.port) as (execution_id, person):
            await transfer_of(exchange, execution_id, "ringing")
            assert person.leg is not None
            await person.leg.hangup(HangupCause.NORMAL)
            record = await exchange.over(execution_id)
        await taker.succeeded()
    told = record["transfer_call_data"]
    assert (told["status"], told["hangup_by"], told["termination_reason"]) == (
        "canceled",
        "Caller",
        "caller_hung_up",
    )
    assert (told["duration"], told["cost"], told["recording_url"]) == (0, 0, None)


@one_store
@pytest.mark.parametrize(
    ("result", "status", "why"),
    [("200 OK", "completed", "completed"), ("486 Busy Here", "busy", "busy")],
)
async def test_blind(exchange: Exchange, tmp_path: Path, result: str, status: str, why: str) -> None:
    async with run_sipp("refer", tmp_path, result=result) as person:
        async with calling(exchange, 9, person.port, transfer_type="blind") as (execution_id, _):
            record = await exchange.over(execution_id)
        await person.succeeded()
    told = record["transfer_call_data"]
    assert (told["status"], told["termination_reason"], told["transfer_type"]) == (status, why, "blind")
    assert (told["duration"], told["cost"], told["recording_url"]) == (0, 0, None)
    assert told["provider_call_id"] == record["telephony_data"]["provider_call_id"]
    reason = record["telephony_data"]["hangup_reason"]
    assert reason == ("Call completed" if status == "completed" else "end_call_tool")
