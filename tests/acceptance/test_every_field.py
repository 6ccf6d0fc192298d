"""One call of a batch in which every field of the user's page was set by something that happened.

A person answers and asks for somebody else; the colleague takes the call and hangs up at once, so that the person is
given back to the agent; then the line turns out to be an answering machine's, and the agent hangs up.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from ringback.demo.run import foreign_environment, free_udp_port
from tests.support import conversed
from tests.support.agent_definitions import task
from tests.support.callees import Person, callees, voiced
from tests.support.chat_server import Answer, call, chat_server, events, stream
from tests.support.description import described_as
from tests.support.installation import OUR_NUMBER, Installation, installation
from tests.support.records import SEED_LIST_SCHEMA

pytestmark = pytest.mark.realtime

NUMBER: Final = "+14155550131"
COLLEAGUE: Final = "+14155550132"
HELLO: Final = "Hello?"
WANTS: Final = "I would like to talk to a person, please."
GREETING: Final = "Hi, you have reached the voicemail of Daniel Moore. Please leave a message after the tone."
_BEGINS: Final = timedelta(minutes=2, seconds=2)
"""A batch begins in two minutes at the soonest."""
_WANTED: Final = "user_interested (boolean) : whether the person is interested\naddress : of the person"
_CALL_S: Final = 240
Record = dict[str, Any]

PAGE: Final[Mapping[str, Any]] = {
    "id": "4c06b4d1-4096-4561-919a-4f94539c8d4a",
    "agent_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "batch_id": "baab7cdc833145bf8dd260ff1f0a3f21",
    "conversation_time": 123,
    "total_cost": 123,
    "status": "completed",
    "answered_by_voice_mail": True,
    "transcript": "<string>",
    "created_at": "2024-01-23T01:14:37Z",
    "updated_at": "2024-01-29T18:31:22Z",
    "cost_breakdown": dict.fromkeys(("llm", "network", "platform", "synthesizer", "transcriber"), 1.0),
    "telephony_data": {
        "duration": 42,
        "to_number": "+10123456789",
        "from_number": "+19876543007",
        "recording_url": "https://...",
        "hosted_telephony": True,
        "provider_call_id": "CA42",
        "call_type": "outbound",
        "provider": "twilio",
        "hangup_by": "Caller",
        "hangup_reason": "Normal Hangup",
        "hangup_provider_code": 4000,
    },
    "transfer_call_data": {
        "provider_call_id": "CA42",
        "status": "completed",
        "duration": 42,
        "cost": 123,
        "to_number": "+10123456789",
        "from_number": "+19876543007",
        "recording_url": "https://...",
        "hangup_by": "Caller",
        "hangup_reason": "Normal Hangup",
        "hangup_provider_code": 4000,
    },
    "batch_run_details": {
        "status": "completed",
        "created_at": "2024-01-23T01:14:37Z",
        "updated_at": "2024-01-29T18:31:22Z",
        "retried": 0,
    },
    "extracted_data": {"user_interested": True, "address": "42 world lane"},
    "context_details": {"recipient_data": {"name": "Daniel"}},
}
"""The example of the page, shortened where it is long; its empty `context_details` filled."""


def fields(value: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each field that is no object, by the names that lead to it."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from fields(inner, *path, name)
    else:
        yield path, value


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("every-field")
    return asyncio.run(_call(folder, voiced([HELLO, WANTS, GREETING])))


@pytest.mark.parametrize("path", [path for path, _ in fields(PAGE)], ids=".".join)
def test_each_field_is_set(record: Record, path: tuple[str, ...]) -> None:
    found: Any = record
    example: Any = PAGE
    for name in path:
        found, example = found[name], example[name]
    kinds = (
        (int, float) if isinstance(example, int | float) and not isinstance(example, bool) else type(example)
    )
    assert isinstance(found, kinds), found
    if path != ("batch_run_details", "retried"):  # the first try succeeded
        assert found, "nothing set it"


def test_it_is_as_the_contract_has_it(record: Record) -> None:
    jsonschema.validate([record], SEED_LIST_SCHEMA)
    described_as("ExecutionV1", record)


def test_the_call_was_given_back_and_taken_by_a_machine(record: Record) -> None:
    telephony, transfer = record["telephony_data"], record["transfer_call_data"]
    assert (telephony["hangup_by"], telephony["hangup_reason"]) == ("API Request", "voicemail_detected")
    assert (transfer["to_number"], transfer["from_number"]) == (COLLEAGUE, OUR_NUMBER)
    assert transfer["status"] == "completed"
    assert "would like to talk to a person" in record["transcript"].lower()
    assert "nobody is free" in record["transcript"].lower()


def test_the_whole_is_the_sum_of_its_parts(record: Record) -> None:
    cost = record["cost_breakdown"]
    assert record["total_cost"] == pytest.approx(sum(cost[part] for part in PAGE["cost_breakdown"]))
    assert cost["network"] > record["transfer_call_data"]["cost"] > 0


async def _called(person: Person) -> None:
    await person.says(HELLO)
    await person.listens()
    await person.says(WANTS)
    await person.listens(6.0)  # also over the silence while somebody else is called
    await person.says(GREETING)
    await asyncio.sleep(60)


async def _colleague(person: Person) -> None:
    await person.listens(0.6)  # to what is whispered
    await person.hangs_up()


def _model(request: Record) -> Answer:
    """A language model: it transfers whoever wants a person, and finds out what was wanted afterwards."""
    said = conversed.last(request, "user").lower()
    if request.get("response_format") or "transcript" in request["messages"][0]["content"].lower():
        return Answer(
            events(json.dumps({"user_interested": True, "address": "42 world lane"}), usage=(200, 10))
        )
    if request["messages"][-1]["role"] == "tool":
        return Answer(events("I am sorry, nobody is free now. ", "Can I help you myself?", usage=(90, 9)))
    if "person" in said:
        return Answer(stream(call(0, "call_1", "transfer_call", "{}"), finish="tool_calls", usage=(60, 5)))
    return Answer(events("How can I help you?", usage=(40, 5)))


def _agent() -> Record:
    body = conversed.agent(
        "Hello {name}, this is the clinic.",
        conversed.simple(),
        "You answer {name}.",
        voicemail=True,
        voicemail_detection_duration=120,
    )
    transfer = {
        "name": "transfer_call",
        "description": "To a person.",
        "key": "transfer_call",
        "parameters": {},
    }
    task(body)["tools_config"]["api_tools"] = {
        "tools": [transfer],
        "tools_params": {
            "transfer_call": {
                "param": {"call_transfer_number": COLLEAGUE},
                "pre_call_message": "One moment, please.",
                "transfer_whisper": "Somebody would like to talk to you.",
            }
        },
    }
    asks = conversed.simple(request_json=True, extraction_details=_WANTED)
    body["agent_config"]["tasks"].append({"task_type": "extraction", "tools_config": {"llm_agent": asks}})
    return body


async def _call(folder: Path, sounds: Mapping[str, Any]) -> Record:
    async with AsyncExitStack() as stack:
        port = free_udp_port()
        await stack.enter_async_context(callees(port, {NUMBER: _called, COLLEAGUE: _colleague}, sounds))
        model = await stack.enter_async_context(chat_server(brain=_model))
        settings = {"LLM__BASE_URL": model.url, "LLM__API_KEY": "sk-none", "LATENESS_LIMIT_MS": "1000"}
        house = await stack.enter_async_context(installation(folder, port, settings))
        await _price_everything(house)
        agent_id = (await house.ask("POST", "/v2/agent", json=_agent()))["agent_id"]
        batch_id = await _batch(house, agent_id)
        async with asyncio.timeout(_CALL_S):
            while True:
                listed = await house.ask("GET", f"/agent/{agent_id}/executions")
                if listed and listed[0]["status"] == "completed":
                    break
                await asyncio.sleep(0.5)
        [record] = listed
        (folder / "record.json").write_text(json.dumps(record, indent=2))
        assert record["batch_id"] == batch_id.replace("-", "")
        return dict(record)


async def _batch(house: Installation, agent_id: str) -> str:
    """Of one person; it begins as soon as a batch may."""
    people = f"contact_number,name\n{NUMBER},Daniel\n".encode()
    form = {"agent_id": agent_id, "from_phone_number": OUR_NUMBER}
    created = await house.ask(
        "POST", "/batches", data=form, files={"file": ("people.csv", people, "text/csv")}
    )
    begins = (datetime.now(UTC) + _BEGINS).isoformat()
    batch_id: str = created["batch_id"]
    await house.ask("POST", f"/batches/{batch_id}/schedule", data={"scheduled_at": begins})
    return batch_id


async def _price_everything(house: Installation) -> None:
    """Also what runs on the machine itself, so that each part of the cost is something."""
    units = {
        "network": "ms", "platform": "ms", "transcriber": "ms", "synthesizer": "characters",
        "llm": "input_tokens",
    }  # fmt: skip
    prices = house.folder / "prices.toml"
    prices.write_text(
        "\n".join(
            f'[[prices]]\nkind = "{kind}"\nunit = "{unit}"\nprice = "2"\nper = 1000\nstep = 1000\n'
            for kind, unit in units.items()
        )
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ringback", "prices", "load", str(prices)),
        env={
            **foreign_environment(),
            "RINGBACK_DATA": str(house.folder / "data"),
            "RINGBACK_CONFIG": "",
        },
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0
