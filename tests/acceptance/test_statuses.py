"""Each status of the page that Ringback answers for, seen in its list while a real call has it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from ringback.demo.run import foreign_environment
from tests.support.chat_server import Answer, chat_server, events
from tests.support.description import described_as
from tests.support.installation import Installation, installation
from tests.support.needs import needs
from tests.support.records import SEED_LIST_SCHEMA
from tests.support.sipp import free_udp_ports, run_sipp

pytestmark = [pytest.mark.realtime, needs("sipp")]

NUMBER: Final = "+14155550100"
SEEN_S: Final = 30.0
THINKS_S: Final = 2.0
"""The language model after the call: for so long it is disconnected and not yet completed."""
Record = dict[str, Any]

EXPECTED: Final[dict[str, tuple[str | None, str | None, int | None]]] = {
    "queued": (None, None, None),
    "initiated": (None, None, None),
    "ringing": (None, None, None),
    "in-progress": (None, None, None),
    "call-disconnected": ("Callee", "Normal Hangup", 4000),
    "completed": ("Callee", "Normal Hangup", 4000),
    "no-answer": ("Carrier", "Call unanswered", 3000),
    "busy": ("Carrier", "Call recipient was busy", 3010),
    "failed": ("Callee", "Call recipient rejected", 3020),
    "canceled": ("API Request", "Call canceled", 4000),
    "balance-low": (None, None, None),
}
"""hangup_by, hangup_reason and hangup_provider_code of each."""


def test_these_are_all_that_the_page_knows() -> None:
    assert EXPECTED.keys() == set(SEED_LIST_SCHEMA["items"]["properties"]["status"]["enum"])


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    """The record as it was listed in each status; the calls are made once, one after the other."""
    return asyncio.run(_calls(tmp_path_factory.mktemp("statuses")))


@pytest.mark.parametrize("status", EXPECTED)
def test_each_status_comes_from_a_real_call(seen: dict[str, Record], status: str) -> None:
    record = seen[status]
    telephony = record["telephony_data"]
    assert (
        telephony["hangup_by"],
        telephony["hangup_reason"],
        telephony["hangup_provider_code"],
    ) == EXPECTED[status]
    dialled = status not in ("queued", "balance-low")
    assert bool(telephony["provider_call_id"]) == dialled
    answered = status in ("call-disconnected", "completed")
    assert (telephony["duration"] > 0) == answered
    assert bool(telephony["recording_url"]) == (status == "completed")
    assert bool(record["extracted_data"]) == (status == "completed")
    assert bool(record["error_message"]) == (status in ("no-answer", "busy", "failed", "balance-low"))
    described_as("ExecutionV1", record)


class Observer:
    """Places calls and looks at the list until a status is there."""

    def __init__(self, house: Installation, agent_id: str, seen: dict[str, Record]) -> None:
        self._house = house
        self._agent_id = agent_id
        self._seen = seen

    async def place(self) -> str:
        call = {"agent_id": self._agent_id, "recipient_phone_number": NUMBER, "user_data": {"name": "Daniel"}}
        placed: Record = await self._house.ask("POST", "/call", json=call)
        return str(placed["execution_id"])

    async def until(self, execution_id: str, *statuses: str) -> None:
        """Each of these, in this order; none may be missed."""
        for status in statuses:
            async with asyncio.timeout(SEEN_S):
                self._seen[status] = await self._with(execution_id, status)

    async def _with(self, execution_id: str, status: str) -> Record:
        while True:
            record = await self._listed(execution_id)
            if record["status"] == status:
                return record
            await asyncio.sleep(0.05)

    async def stop(self, execution_id: str) -> None:
        await self._house.ask("POST", f"/call/{execution_id}/stop")

    async def _listed(self, execution_id: str) -> Record:
        listed = await self._house.ask("GET", f"/agent/{self._agent_id}/executions")
        jsonschema.validate(listed, SEED_LIST_SCHEMA)
        [record] = [record for record in listed if record["id"] == execution_id]
        return dict(record)


async def _calls(folder: Path) -> dict[str, Record]:
    found: dict[str, Record] = {}
    port = free_udp_ports()
    answer = Answer([THINKS_S, *events(json.dumps({"interested": True}), usage=(100, 20))])
    async with chat_server(answer) as model:
        settings = {
            "LLM__BASE_URL": model.url,
            "LLM__API_KEY": "sk-none",
            "TRUNK__RING_TIMEOUT_S": "2",
            "DIALLING__ACCOUNT_CALLS": "1",
            "RATE_LIMITS__NAMED_PER_MINUTE": "0",
        }
        async with installation(folder, port, settings) as house:
            agent_id = (await house.ask("POST", "/v2/agent", json=_agent()))["agent_id"]
            observer = Observer(house, agent_id, found)
            for scenario, keys, act in _SCENES:
                async with run_sipp(scenario, folder, port=port, **keys) as peer:
                    await act(observer)
                    await peer.succeeded()
            await _limit_wallet(house)
            await observer.until(await observer.place(), "balance-low")
    return found


async def _tried_only(observer: Observer) -> None:
    """A second call waits for the first, which is stopped."""
    first = await observer.place()
    await observer.until(first, "initiated")
    second = await observer.place()
    await observer.until(second, "queued")
    await observer.stop(second)
    await observer.stop(first)
    await observer.until(first, "canceled")


async def _rings(observer: Observer) -> None:
    await observer.until(await observer.place(), "ringing", "no-answer")


async def _answers(observer: Observer) -> None:
    await observer.until(await observer.place(), "in-progress", "call-disconnected", "completed")


def _ends_as(status: str) -> Callable[[Observer], Any]:
    async def act(observer: Observer) -> None:
        await observer.until(await observer.place(), status)

    return act


_SCENES: Final[tuple[tuple[str, dict[str, str], Callable[[Observer], Any]], ...]] = (
    ("trying", {}, _tried_only),
    ("ring", {}, _rings),
    ("reject", {"status": "486", "cause": "17"}, _ends_as("busy")),
    ("reject", {"status": "603", "cause": "21"}, _ends_as("failed")),
    ("hang_up", {"pause": "2000"}, _answers),
)
"""What sipp does, and what is looked for meanwhile."""


def _agent() -> Record:
    """The demo's, and a question about the call."""
    agent: Record = json.loads((files("ringback.demo") / "appointment.json").read_text())
    config = {"agent_type": "simple_llm_agent", "llm_config": {"model": "tiny", "request_json": True}}
    config["llm_config"]["extraction_details"] = "interested: whether the person is interested"  # type: ignore[index]
    agent["agent_config"]["tasks"].append({"task_type": "extraction", "tools_config": {"llm_agent": config}})
    return agent


async def _limit_wallet(house: Installation) -> None:
    """The account's wallet is empty, and from now on counts."""
    account = (await house.ask("GET", "/user/me"))["id"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ringback", "wallet", "limit", account),
        env={
            **foreign_environment(),
            "RINGBACK_DATA": str(house.folder / "data"),
            "RINGBACK_CONFIG": "",
        },
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0
