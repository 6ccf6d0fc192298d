"""Real calls: `ringback serve` with its worker and speech processes, and the people in another process."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.turns.telephone import Said
from ringback.app.serve import prepare, with_free_port
from ringback.app.settings import Settings, SipSettings, TrunkSettings
from ringback.demo.run import Companion, companion, free_udp_port, platform

_FIRST_NUMBER: Final = 15550200000
_OUR_NUMBER: Final = "+15550100100"
_POLL_S: Final = 0.25
_CALL_S: Final = 900.0
_FINISH_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Script:
    """One call: the agent that places it, and what the person does."""

    part: str
    """"turns", "backchannels" or "interruptions"."""
    agent: Mapping[str, Any]
    ids: tuple[str, ...]
    """The labels that are said, in this order."""
    seed: int


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """A turn of the transcript as the store has it; milliseconds since the answer."""

    role: str
    text: str
    start_ms: int
    end_ms: int
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Call:
    """What both sides have of a call."""

    script: Script
    said: tuple[Said, ...]
    recording: Path
    """The person's own: the agent on the left, as it was heard, and the person on the right, as it was sent."""
    turns: tuple[SpokenTurn, ...]
    """The platform's transcript."""
    parts: tuple[Mapping[str, int | None], ...]
    """What the platform says of each answer's time (`latency_data.turns`)."""


class CallFailed(Exception):
    """A call did not end as it should; the message says which and how."""


async def place(scripts: list[Script], at_a_time: int, folder: Path) -> list[Call]:
    """Place a call for each script, so many at a time, in the scripts' order."""
    numbers = {str(_FIRST_NUMBER + n): script for n, script in enumerate(scripts)}
    written = {n: {"part": s.part, "ids": s.ids, "seed": s.seed} for n, s in numbers.items()}
    (folder / "scripts.json").write_text(json.dumps(written))
    port = free_udp_port()
    async with companion("benchmarks.turns.people", str(folder), str(port)) as people:
        trunk = TrunkSettings(host="127.0.0.1", port=port, from_numbers=[_OUR_NUMBER])
        settings = with_free_port(
            Settings(data=folder, port=0, log_level="warning", sip=SipSettings(port=0), trunk=trunk)
        )
        key = await prepare(settings)
        async with platform(settings):
            await people.listening()
            headers = {"Authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(base_url=settings.base_url, headers=headers, timeout=30) as client:
                caller = _Caller(client, people, folder)
                free = asyncio.Semaphore(at_a_time)
                calls = await asyncio.gather(*(caller.call(n, s, free) for n, s in numbers.items()))
    rows = [
        {"said": [asdict(one) for one in c.said], "turns": [asdict(one) for one in c.turns]} for c in calls
    ]
    (folder / "calls.json").write_text(json.dumps(rows, indent=1))
    return calls


class _Caller:
    def __init__(self, client: httpx.AsyncClient, people: Companion, folder: Path) -> None:
        self._client = client
        self._people = people
        self._folder = folder

    async def call(self, number: str, script: Script, free: asyncio.Semaphore) -> Call:
        async with free:
            agent = await self._post("/v2/agent", script.agent)
            order = {
                "agent_id": agent["agent_id"],
                "recipient_phone_number": f"+{number}",
                "from_phone_number": _OUR_NUMBER,
            }
            execution = (await self._post("/call", order))["execution_id"]
            said = await self._over(number)
        record = await self._finished(execution)
        parts = tuple((record["latency_data"] or {}).get("turns", ()))
        return Call(script, said, self._folder / f"{number}.wav", self._turns(execution), parts)

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        answer = await self._client.post(path, json=body)
        if answer.is_error:
            raise CallFailed(f"POST {path} answered {answer.status_code}: {answer.text}")
        return answer.json()

    async def _over(self, number: str) -> tuple[Said, ...]:
        """What the person said in the call, once it is over."""
        end = time.monotonic() + _CALL_S
        while time.monotonic() < end:
            for event in self._people.told:
                if event["event"] == "over" and event["number"] == number:
                    return tuple(Said(**said) for said in event["said"])
            await asyncio.sleep(_POLL_S)
        raise CallFailed(f"the call to {number} was not over after {_CALL_S:g} s")

    async def _finished(self, execution: str) -> dict[str, Any]:
        end = time.monotonic() + _FINISH_S
        while time.monotonic() < end:
            answer: dict[str, Any] = (await self._client.get(f"/executions/{execution}")).json()
            if answer["status"] == "completed":
                return answer
            await asyncio.sleep(_POLL_S)
        raise CallFailed(f"execution {execution} is {answer['status']}, not completed: {answer}")

    def _turns(self, execution: str) -> tuple[SpokenTurn, ...]:
        """From the database: the API gives turns no times."""
        query = "SELECT role, text, start_ms, end_ms, interrupted FROM turns WHERE execution_id = ? ORDER BY position"
        with closing(sqlite3.connect(f"file:{self._folder / 'ringback.db'}?mode=ro", uri=True)) as db:
            rows = db.execute(query, (execution,)).fetchall()
        return tuple(SpokenTurn(role, text, start, end, bool(cut)) for role, text, start, end, cut in rows)
