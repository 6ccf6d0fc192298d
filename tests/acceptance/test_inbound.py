"""The platform as an operator runs it, and people who call its numbers: through the API, over SIP, by the whole way."""

from __future__ import annotations

import asyncio
import json
import socket
import wave
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.description import described_as
from tests.support.installation import Installation, installation
from tests.support.needs import needs
from tests.support.sipp import free_udp_ports, run_sipp

pytestmark = [pytest.mark.realtime, needs("sipp")]

NUMBER = "+14155550100"
CALLER = "+14155550123"
AGENT: dict[str, Any] = json.loads((files("ringback.demo") / "appointment.json").read_text())
OVER_S = 60


@pytest.fixture(scope="module")
def sip_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
async def platform(tmp_path: Path, sip_port: int) -> AsyncIterator[Installation]:
    settings = {"TRUNK__POOL": json.dumps([NUMBER]), "SIP__PORT": str(sip_port)}
    async with installation(tmp_path, free_udp_ports(), settings) as platform:
        yield platform


async def number(platform: Installation) -> str:
    bought = await platform.ask("POST", "/phone-numbers/buy", json={"country": "US", "phone_number": NUMBER})
    taken: str = bought["id"]
    return taken


async def agent(platform: Installation, welcome: str, **config: Any) -> str:
    body = json.loads(json.dumps(AGENT))
    body["agent_config"] |= {"agent_welcome_message": welcome, **config}
    made: str = (await platform.ask("POST", "/v2/agent", json=body))["agent_id"]
    return made


async def called(
    platform: Installation, folder: Path, port: int, scenario: str, talk_ms: int
) -> dict[str, Any]:
    """A call to its end; its record, complete."""
    keys = {"called": NUMBER, "caller": CALLER, "more": "Subject: a call", "talk_ms": str(talk_ms)}
    async with run_sipp(scenario, folder, call=("127.0.0.1", port), **keys) as peer:
        await peer.succeeded()
    async with asyncio.timeout(OVER_S):
        while True:
            found = [
                record
                for one in await platform.ask("GET", "/v2/agent/all")
                for record in await platform.ask("GET", f"/agent/{one['id']}/executions")
            ]
            if found and found[0]["status"] == "completed":
                record: dict[str, Any] = found[0]
                return record
            await asyncio.sleep(0.2)


async def test_somebody_calls_a_number_and_hears_its_agent(
    platform: Installation, tmp_path: Path, sip_port: int
) -> None:
    number_id = await number(platform)
    agent_id = await agent(
        platform,
        "Hello {name}, this is the clinic.",
        ingest_source_config={"source_type": "csv", "source_name": "june.csv"},
    )
    callers = {"csv": f"contact_number,name\n{CALLER},Daniel\n"}
    await platform.ask("PUT", "/inbound/callers/june.csv", json=callers)
    await platform.ask("POST", "/inbound/setup", json={"agent_id": agent_id, "phone_number_id": number_id})
    record = await called(platform, tmp_path, sip_port, "inbound", 5000)
    described_as("ExecutionV1", record)
    telephony = record["telephony_data"]
    assert (telephony["call_type"], telephony["hangup_by"]) == ("inbound", "Caller")
    assert (telephony["from_number"], telephony["to_number"]) == (CALLER, NUMBER)
    assert telephony["hosted_telephony"] is True
    assert record["transcript"].startswith("assistant: Hello Daniel, this is the clinic.")
    assert record["context_details"]["recipient_data"] == {"name": "Daniel"}
    assert record["conversation_time"] == pytest.approx(5, abs=1)
    assert record["cost_breakdown"]["network"] >= 0
    [path] = platform.folder.glob("data/recordings/*/*.wav")
    with wave.open(str(path)) as file:
        said = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    assert np.abs(said[:, 1].astype(int)).max() > 1000, "the agent is heard"


async def test_menus_lead_to_the_agent_that_was_chosen(
    platform: Installation, tmp_path: Path, sip_port: int
) -> None:
    number_id = await number(platform)
    first, second = [await agent(platform, f"Hello from the {name}.") for name in ("front desk", "pharmacy")]
    menu = {
        "step_id": "main",
        "type": "menu",
        "field_name": "department",
        "prompt": "Press 1.",
        "options": [{"digit": "1", "label": "pharmacy", "agent_id": second}],
    }
    setup = {
        "agent_id": first,
        "phone_number_id": number_id,
        "ivr_config": {"enabled": True, "steps": [menu], "timeout": 3},
    }
    await platform.ask("POST", "/inbound/setup", json=setup)
    record = await called(platform, tmp_path, sip_port, "inbound_presses_1", 6000)
    assert record["agent_id"] == second
    assert record["context_details"]["recipient_data"]["department"] == "1"
    assert record["context_details"]["recipient_data"]["ivr_completed_at"]
    assert "assistant: Press 1." in record["transcript"]
    assert "assistant: Hello from the pharmacy." in record["transcript"]
    assert await platform.ask("GET", f"/agent/{first}/executions") == []


async def test_who_finds_no_place_hears_so_until_there_is_one(tmp_path: Path, sip_port: int) -> None:
    settings = {
        "TRUNK__POOL": json.dumps([NUMBER]),
        "SIP__PORT": str(sip_port),
        "CALLS_PER_WORKER": "1",
        "INBOUND__QUEUE_MESSAGE": "Please hold the line.",
    }
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    async with installation(tmp_path, free_udp_ports(), settings) as platform:
        agent_id = await agent(platform, "Hello, this is the clinic.")
        setup = {"agent_id": agent_id, "phone_number_id": await number(platform)}
        await platform.ask("POST", "/inbound/setup", json=setup)
        first = asyncio.create_task(called(platform, folders[0], sip_port, "inbound", 6000))
        await asyncio.sleep(1.5)
        second = asyncio.create_task(called(platform, folders[1], sip_port, "inbound", 16000))
        await asyncio.gather(first, second)
        async with asyncio.timeout(OVER_S):
            while True:
                records = await platform.ask("GET", f"/agent/{agent_id}/executions")
                if [one["status"] for one in records] == ["completed"] * 2:
                    break
                await asyncio.sleep(0.2)
    waited, at_once = [one["transcript"].splitlines() for one in records]
    assert at_once[0].startswith("assistant: Hello, this is the clinic.")
    assert waited[0] == "assistant: Please hold the line."
    assert any(line.startswith("assistant: Hello, this is the clinic.") for line in waited)
    assert records[0]["conversation_time"] == pytest.approx(16, abs=1.5), "one recording from the answer on"
