"""`ringback demo`: the whole platform, a simulated person, one real call between them, and what the list says of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import httpx

from ringback.app.serve import prepare, with_free_port
from ringback.app.settings import Settings, SipSettings, TrunkSettings

OUR_NUMBER: Final = "+15550100100"
THEIR_NUMBER: Final = "+15550100199"
USER_DATA: Final = {
    "name": "Daniel",
    "day": "Thursday the third of December",
    "time": "half past ten in the morning",
}
_START_TIMEOUT_S: Final = 90.0
_CALL_TIMEOUT_S: Final = 150.0
_POLL_S: Final = 0.1
_FINAL: Final = ("completed", "no-answer", "busy", "failed", "canceled", "stopped", "error", "balance-low")


class DemoFailed(Exception):
    """The demo could not be run; the message says at which step."""


@dataclass(slots=True)
class Facts:
    """What the call left behind, on both sides."""

    folder: Path
    base_url: str
    key: str
    agent_id: str = ""
    execution_id: str = ""
    listed: list[dict[str, Any]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    person: list[dict[str, Any]] = field(default_factory=list)
    """What the simulated person told of itself, in order."""

    @property
    def execution(self) -> dict[str, Any] | None:
        return next((e for e in self.listed if e["id"] == self.execution_id), None)

    @property
    def recording(self) -> Path | None:
        return next(self.folder.glob("recordings/*/*.wav"), None)


Show = Callable[[str, str], None]
"""Called with (what, text) as the call goes on: "status", "agent", "person", "latency" or "note"."""


async def run(show: Show, way: Callable[[int], int] = lambda port: port) -> Facts:
    """Place the call and follow it to its end. Raises DemoFailed.

    `way` gives the port that leads to the person's: another one where something stands in between.
    """
    folder = Path(tempfile.mkdtemp(prefix="ringback-demo-"))
    show("note", "starting a simulated person: a process with its own SIP endpoint, ears and voice")
    port = free_udp_port()
    async with companion("ringback.demo.person", str(folder), str(port)) as person:
        settings = with_free_port(
            Settings(
                data=folder,
                port=0,
                log_level="warning",
                sip=SipSettings(port=0),
                trunk=TrunkSettings(host="127.0.0.1", port=way(port), from_numbers=[OUR_NUMBER]),
            )
        )
        key = await prepare(settings)
        assert key is not None, "the store of the demo is new"
        facts = Facts(folder, settings.base_url, key, person=person.told)
        show("note", f"starting Ringback on {settings.base_url} with its data in {folder}")
        async with platform(settings):
            await person.listening()
            client = httpx.AsyncClient(
                base_url=settings.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=10
            )
            async with client:
                await _call(client, facts, show)
        return facts


async def _call(client: httpx.AsyncClient, facts: Facts, show: Show) -> None:
    agent = json.loads((files("ringback.demo") / "appointment.json").read_text())
    facts.agent_id = (await _ask(client, "POST", "/v2/agent", json=agent))["agent_id"]
    call = {
        "agent_id": facts.agent_id,
        "recipient_phone_number": THEIR_NUMBER,
        "from_phone_number": OUR_NUMBER,
        "user_data": USER_DATA,
    }
    facts.execution_id = (await _ask(client, "POST", "/call", json=call))["execution_id"]
    await _follow(client, facts, show)
    facts.listed = await _ask(client, "GET", f"/agent/{facts.agent_id}/executions")


async def _follow(client: httpx.AsyncClient, facts: Facts, show: Show) -> None:
    """Show the call's states and its log as they come, until it is over."""
    status, shown = "", 0
    end = time.monotonic() + _CALL_TIMEOUT_S
    while status not in _FINAL:
        if time.monotonic() > end:
            raise DemoFailed(f"The call was still {status} after {_CALL_TIMEOUT_S:.0f} s")
        execution = await _ask(client, "GET", f"/executions/{facts.execution_id}")
        facts.log = (await _ask(client, "GET", f"/executions/{facts.execution_id}/log"))["data"]
        for row in facts.log[shown:]:
            _show_row(row, show)
        shown = len(facts.log)
        if execution["status"] != status:
            status = execution["status"]
            show("status", status)
        await asyncio.sleep(_POLL_S)


def _show_row(row: dict[str, Any], show: Show) -> None:
    """A turn that is complete, as the journal logs it (app/journal.py)."""
    if row["component"] != "system" or row["type"] != "event":
        return
    with contextlib.suppress(ValueError, TypeError):
        turn = json.loads(row["data"])
        if turn.get("latency"):
            show("latency", f"answered {turn['latency']['total']} ms after the voice detector saw the end")
        show("agent" if turn["role"] == "assistant" else "person", turn["text"] + _cut(turn))


def _cut(turn: dict[str, Any]) -> str:
    return " — (interrupted)" if turn.get("interrupted") else ""


async def _ask(client: httpx.AsyncClient, method: str, path: str, **request: Any) -> Any:
    try:
        answer = await client.request(method, path, **request)
    except httpx.HTTPError as error:
        raise DemoFailed(f"{method} {path}: {type(error).__name__}") from error
    if answer.is_error:
        raise DemoFailed(f"{method} {path} answered {answer.status_code}: {answer.text}")
    return answer.json()


@asynccontextmanager
async def platform(settings: Settings) -> AsyncIterator[None]:
    """`ringback serve` as a user would start it, up and running."""
    environment = {
        "RINGBACK_CONFIG": "",
        "RINGBACK_DATA": str(settings.data),
        "RINGBACK_PORT": str(settings.port),
        "RINGBACK_LOG_LEVEL": settings.log_level,
        "RINGBACK_SIP__PORT": str(settings.sip.port),
        "RINGBACK_TRUNK__HOST": settings.trunk.host,
        "RINGBACK_TRUNK__PORT": str(settings.trunk.port),
        "RINGBACK_TRUNK__FROM_NUMBERS": json.dumps(settings.trunk.from_numbers),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ringback",
        "serve",
        env={**foreign_environment(), **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            if not await process.stdout.readline():
                raise DemoFailed("Ringback did not start; its message stands above")
        yield
    except TimeoutError:
        raise DemoFailed(f"Ringback did not start within {_START_TIMEOUT_S:.0f} s") from None
    finally:
        await _stop(process)


class Companion:
    """Another process, and what it tells: an object of JSON a line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.told: list[dict[str, Any]] = []
        self._process = process
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def listening(self) -> None:
        """Wait until it takes calls."""
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                while not self.told and not self._reading.done():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise DemoFailed(f"The simulated person was not there after {_START_TIMEOUT_S:.0f} s") from None
        if not self.told:
            raise DemoFailed("The simulated person did not start; its message stands above")

    async def close(self) -> None:
        await _stop(self._process)
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.told.append(json.loads(line))
            self._news.set()
        self._news.set()


@asynccontextmanager
async def companion(module: str, *arguments: str) -> AsyncIterator[Companion]:
    """`python -m module` with these arguments beside us, until the context ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        env=foreign_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    other = Companion(process)
    try:
        yield other
    finally:
        await other.close()


def foreign_environment() -> dict[str, str]:
    """Ours without any setting of Ringback's: the demo is the same wherever it runs."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RINGBACK_")}


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()
