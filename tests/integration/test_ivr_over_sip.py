"""A call to a number with menus: the caller's keys lead to an agent, who knows them; one call, one record."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import pytest

from ringback.aftercall.recording import recording_path
from ringback.agents.definition import read
from ringback.agents.registry import Agents
from ringback.app.inbound import introduced_by
from ringback.app.providers import Providers
from ringback.app.talker import Studio
from ringback.app.telemetry.telemetry import Telemetry
from ringback.billing.prices import Prices
from ringback.clock import SystemClock
from ringback.dialing.call_events import EventDelivery
from ringback.executions.lifecycle import TERMINAL
from ringback.media.ticker import Ticker
from ringback.store.database import Database
from ringback.store.wakeup import open_wakeup
from tests.support import agent_definitions, captures
from tests.support.exchange import TIMEOUT_S
from tests.support.fake_speech import LoudnessDetector, ToneSynthesizer, ToneTranscriber
from tests.support.needs import needs, needs_raw_sockets
from tests.support.reception import CALLER, NUMBER, Foyer, open_foyer
from tests.support.sipp import run_sipp

pytestmark = [pytest.mark.realtime, needs("sipp"), needs_raw_sockets()]


class FakeProviders:
    tools = None

    def transcriber(self, part: object) -> ToneTranscriber:
        return ToneTranscriber(("yes",))

    def synthesizer(self, part: object) -> ToneSynthesizer:
        return ToneSynthesizer()

    def chat(self, dialogue: object) -> None:
        return None


def speaker(message: str) -> Any:
    """An agent that says something and hangs up."""
    definition = deepcopy(agent_definitions.scripted())
    definition["agent_config"]["agent_welcome_message"] = ""
    [task] = definition["agent_config"]["tasks"]
    nodes = [{"id": "say", "node_type": "static", "static_message": message, "edges": []}]
    task["tools_config"]["llm_agent"]["llm_config"] |= {"current_node_id": "say", "nodes": nodes}
    return read(definition)


def config(seller: str) -> dict[str, Any]:
    options = [
        {"digit": "1", "label": "Sales", "agent_id": seller},
        {"digit": "2", "label": "Service", "context_label": "has a fault"},
    ]
    return {
        "enabled": True,
        "welcome_message": "Hi.",
        "timeout": 1,
        "max_retries": 0,
        "steps": [
            {
                "step_id": "department",
                "type": "menu",
                "prompt": "1 or 2?",
                "options": options,
                "next_step": "code",
            },
            {"step_id": "code", "type": "collect", "prompt": "Code?", "num_digits": 3},
        ],
    }


class Number:
    """Of an account with two agents, behind menus."""

    def __init__(self, foyer: Foyer, studio: Studio, own: str, seller: str) -> None:
        self.foyer, self.studio, self.own, self.seller = foyer, studio, own, seller

    async def called(self, folder: Path, keys: str) -> dict[str, Any]:
        (folder / "keys.pcap").write_bytes(captures.events(keys))
        scene = self.foyer.open(self.studio.prepare, introduce=introduced_by(self.studio))
        async with (
            scene as receiving,
            run_sipp(
                "inbound_keys",
                folder,
                call=receiving.address,
                called=NUMBER,
                caller=CALLER,
                more="Subject: menus",
                talk_ms="200",
                keys="keys.pcap",
            ) as peer,
        ):
            await peer.succeeded()
            return await self._over()

    async def _over(self) -> dict[str, Any]:
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                lists = [await self.foyer.books.list(agent) for agent in (self.own, self.seller)]
                for record in (record for records in lists for record in records):
                    if record["smart_status"] in TERMINAL:
                        return record
                await asyncio.sleep(0.05)


@asynccontextmanager
async def ticking(ticker: Ticker) -> AsyncIterator[None]:
    running = asyncio.create_task(ticker.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def number(database: Database, tmp_path: Path) -> AsyncIterator[Number]:
    async with open_foyer(database, tmp_path) as foyer:
        account, clock = foyer.books.account_id, SystemClock()
        agents, wakeup, ticker = Agents(database, clock), await open_wakeup(database, tmp_path), Ticker()
        own = await agents.create(account, speaker("Code {code}, {department_context}."))
        seller = await agents.create(account, speaker("Buy {code}."))
        studio = Studio(
            agents,
            foyer.books.ledger,
            cast(Providers, FakeProviders()),
            ticker,
            LoudnessDetector(),
            clock,
            Prices(database),
            tmp_path,
            tmp_path / "ambient",
            EventDelivery(database, wakeup, foyer.worker),
            Telemetry(foyer.worker, []),
            foyer.worker,
        )
        trunk = await foyer.trunk(agent_id=None)
        [line] = await foyer.numbers.of_trunk(account, trunk.id)
        await foyer.setup.link(account, line.id, own.id, config(seller.id))
        async with ticking(ticker):
            yield Number(foyer, studio, own.id, seller.id)
        await wakeup.close()


async def test_the_chosen_agent_knows_what_was_pressed(number: Number, tmp_path: Path) -> None:
    record = await number.called(tmp_path, "1417")
    assert (record["status"], record["agent_id"]) == ("completed", number.seller)
    data = record["context_details"]["recipient_data"]
    assert (data["department"], data["department_context"], data["code"]) == ("1", "Sales", "417")
    assert data["ivr_completed_at"].endswith("Z")
    said = [line for line in record["transcript"].splitlines() if line]
    assert [line.partition(": ")[2] for line in said if "dtmf_number" in line] == [
        "dtmf_number: 1",
        "dtmf_number: 417",
    ]
    assert said[-1].endswith("Buy 417.")
    assert record["telephony_data"]["hangup_by"] == "API Request"
    _look_at_the_recording(number, record)


def _look_at_the_recording(number: Number, record: dict[str, Any]) -> None:
    """It holds the menus and the agent: so long as both talked, without a gap."""
    path = recording_path(number.studio.recordings, number.foyer.books.account_id, record["id"], 1)
    with wave.open(str(path)) as file:
        seconds = file.getnframes() / file.getframerate()
    assert seconds == pytest.approx(record["conversation_duration"], abs=0.1)
    assert seconds > 0.7 + 0.4, "the keys, and what the agent says"


async def test_who_presses_nothing_valid_gets_the_numbers_own_agent(number: Number, tmp_path: Path) -> None:
    record = await number.called(tmp_path, "9")
    assert (record["status"], record["agent_id"]) == ("completed", number.own)
    data = record["context_details"]["recipient_data"]
    assert "ivr_completed_at" not in data
    assert "department" not in data


async def test_the_numbers_own_agent_knows_what_was_pressed_too(number: Number, tmp_path: Path) -> None:
    record = await number.called(tmp_path, "2900")
    assert record["agent_id"] == number.own
    assert "Code 900, has a fault." in record["transcript"]


async def test_an_agent_takes_the_digits_itself(number: Number, tmp_path: Path) -> None:
    """`dtmf_enabled`, without menus: two answers of a graph, the second of which needs no hash."""
    account = number.foyer.books.account_id
    agent = await number.studio.agents.create(account, asker())
    [line] = await number.foyer.numbers.all(account)
    await number.foyer.setup.link(account, line.id, agent.id)
    number.own = agent.id
    record = await number.called(tmp_path, "12#417")
    said = [text.partition(": ")[2] for text in record["transcript"].splitlines() if "dtmf_number" in text]
    assert said == ["dtmf_number: 12", "dtmf_number: 417"]
    assert record["extracted_data"] == {"amount": 12, "code": "417"}
    assert "12 and 4 1 7." in record["transcript"]


def asker() -> Any:
    nodes = [
        {
            "id": "amount",
            "node_type": "static",
            "static_message": "How much?",
            "edges": [
                {
                    "to_node_id": "code",
                    "condition_type": "match",
                    "match": {"type": "number"},
                    "slot": "amount",
                }
            ],
        },
        {
            "id": "code",
            "node_type": "static",
            "static_message": "Code?",
            "edges": [
                {
                    "to_node_id": "say",
                    "condition_type": "match",
                    "match": {"type": "number", "digits": 3},
                    "slot": "code",
                }
            ],
        },
        {"id": "say", "node_type": "static", "static_message": "{amount} and {code}.", "edges": []},
    ]
    definition = deepcopy(agent_definitions.scripted())
    definition["agent_config"]["agent_welcome_message"] = ""
    [task] = definition["agent_config"]["tasks"]
    task["tools_config"]["llm_agent"]["llm_config"] |= {"current_node_id": "amount", "nodes": nodes}
    task["task_config"] = {"dtmf_enabled": True}
    return read(definition)
