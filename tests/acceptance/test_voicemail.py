"""Real calls that machines and people answer: `ringback serve`, a SIP trunk, real ears and voices, a beep."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from ringback.demo.run import free_udp_port
from ringback.media.frame import SAMPLE_RATE, Samples
from tests.support import agent_definitions
from tests.support.agent_definitions import task
from tests.support.callees import Person, Script, callees, voiced
from tests.support.description import described_as
from tests.support.installation import installation

pytestmark = pytest.mark.realtime

GREETING: Final = "Hi, you have reached the voicemail of Daniel Moore. Please leave a message after the tone."
HELLO: Final = "Hello?"
YES: Final = "Yes, that is still fine."
BEEP: Final = "beep"
MESSAGE: Final = "This is the clinic calling for {name}. Please call us back tomorrow."
_CALL_S: Final = 120
_RETRY: Final = {
    "enabled": True,
    "max_retries": 1,
    "retry_on_voicemail": True,
    "retry_intervals_minutes": [30],
}


def beep() -> Samples:
    at = np.arange(SAMPLE_RATE * 400 // 1000) / SAMPLE_RATE
    audio: Samples = np.rint(6000 * np.sin(2 * np.pi * 950 * at)).astype(np.int16)
    return audio


async def machine(person: Person) -> None:
    await asyncio.sleep(0.6)
    await person.says(GREETING)
    await asyncio.sleep(0.8)
    await person.says(BEEP)


async def human(person: Person) -> None:
    await asyncio.sleep(0.3)
    await person.says(HELLO)
    await person.listens()
    await person.says(YES)


def agent(**settings: Any) -> dict[str, Any]:
    body = agent_definitions.scripted()
    task(body)["tools_config"]["synthesizer"]["provider_config"] = {"voice": "heart"}
    task(body)["task_config"] = {"voicemail": True, **settings}
    return body


CALLS: Final[Mapping[str, tuple[dict[str, Any], Script]]] = {
    "hangs up": (agent(), machine),
    "tries again": (agent(), machine),
    "leaves a message": (agent(voicemail_message=MESSAGE), machine),
    "talks": (agent(voicemail_message=MESSAGE), human),
}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The calls are made once, side by side."""
    folder, sounds = tmp_path_factory.mktemp("voicemail"), {**voiced([GREETING, HELLO, YES]), BEEP: beep()}
    return asyncio.run(_run(folder, sounds))


async def _run(folder: Path, sounds: Mapping[str, Samples]) -> dict[str, dict[str, Any]]:
    async with AsyncExitStack() as stack:
        numbers = {name: f"+155501003{n:02}" for n, name in enumerate(CALLS)}
        scripts = {numbers[name]: script for name, (_, script) in CALLS.items()}
        port = free_udp_port()
        await stack.enter_async_context(callees(port, scripts, sounds))
        # What others do on this machine is no matter of this test.
        house = await stack.enter_async_context(installation(folder, port, {"LATENESS_LIMIT_MS": "1000"}))

        async def one(name: str) -> dict[str, Any]:
            agent_id = (await house.ask("POST", "/v2/agent", json=CALLS[name][0]))["agent_id"]
            call = {
                "agent_id": agent_id,
                "recipient_phone_number": numbers[name],
                "user_data": {"name": "Ada"},
                "retry_config": _RETRY if name == "tries again" else None,
            }
            execution_id = (await house.ask("POST", "/call", json=call))["execution_id"]
            if name != "tries again":
                return await house.over(execution_id, _CALL_S)
            async with asyncio.timeout(_CALL_S):
                while True:
                    record: dict[str, Any] = await house.ask("GET", f"/executions/{execution_id}")
                    if record["retry_count"]:
                        return record
                    await asyncio.sleep(0.5)

        found = await asyncio.gather(*(one(name) for name in CALLS))
        return dict(zip(CALLS, found, strict=True))


def end(record: Mapping[str, Any]) -> tuple[str, str, int]:
    telephony = record["telephony_data"]
    return telephony["hangup_by"], telephony["hangup_reason"], telephony["hangup_provider_code"]


def said(record: Mapping[str, Any], role: str) -> list[str]:
    lines = [line.split(": ", 1) for line in record["transcript"].splitlines()]
    return [text for who, text in lines if who == role]


def test_a_machine_is_hung_up_on_before_its_greeting_is_over(records: dict[str, dict[str, Any]]) -> None:
    record = records["hangs up"]
    described_as("ExecutionV1", record)
    assert (record["status"], record["answered_by_voice_mail"]) == ("completed", True)
    assert end(record) == ("API Request", "voicemail_detected", 4000)
    assert record["conversation_time"] < 5
    assert said(record, "user"), "what the machine said is in the transcript"


def test_the_call_is_tried_again(records: dict[str, dict[str, Any]]) -> None:
    record = records["tries again"]
    assert (record["status"], record["retry_count"]) == ("scheduled", 1)
    assert [entry["status"] for entry in record["retry_history"]] == ["completed"]


def test_the_message_is_left_after_the_beep(records: dict[str, dict[str, Any]]) -> None:
    record = records["leaves a message"]
    assert (record["status"], record["answered_by_voice_mail"]) == ("completed", True)
    assert end(record) == ("API Request", "voicemail_detected", 4000)
    assert " ".join(said(record, "assistant")).endswith(MESSAGE.format(name="Ada"))
    assert "message" in " ".join(said(record, "user"))


def test_a_person_is_talked_to(records: dict[str, dict[str, Any]]) -> None:
    record = records["talks"]
    assert (record["status"], record["answered_by_voice_mail"]) == ("completed", False)
    assert end(record)[1] == "end_call_tool"
    assert said(record, "assistant")[-1].endswith("Thank you, goodbye.")
    assert record["extracted_data"] == {"confirmed": True}
